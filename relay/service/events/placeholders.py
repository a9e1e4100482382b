"""Messages of catalogues: {property} is a placeholder, and every other brace stands for itself."""

import re
from collections.abc import Collection
from typing import Final

_BRACES: Final = re.compile(r"\{([^\W\d]\w*)\}|[{}]")


def as_template(message: str, fields: Collection[str]) -> tuple[str, list[str]]:
    """Return *message* as a template over *fields*, and advice on braces that stay as they are."""
    advice: dict[str, None] = {}

    def escaped(found: re.Match[str]) -> str:
        if found[1] in fields:
            return found[0]
        advice[
            f"the message names {found[0]}, which is no property; it is shown as it is"
            if found[1]
            else "the message has a brace that belongs to no placeholder; it is shown as it is"
        ] = None
        return found[0].replace("{", "{{").replace("}", "}}")

    return _BRACES.sub(escaped, message), list(advice)
