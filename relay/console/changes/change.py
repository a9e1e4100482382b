import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from relay.console.access.refusals import Refusal, invalid
from relay.console.content import Block, Button, Field
from relay.database.session import Connection
from relay.operations.actions import Why

REASON_MAX = 500

Form = Mapping[str, str]


@dataclass(frozen=True)
class Done:
    """Result of a change: a sentence, and the page that shows it."""

    note: str
    path: str


Act = Callable[[Connection, Why, Form], Done]


@dataclass(frozen=True)
class Prepared:
    """Change that is not made yet. *seen* stands for exactly what it would change."""

    title: str
    consequence: str
    count: int
    seen: str
    submit: str
    back: str
    act: Act
    shown: Sequence[Block] = ()
    fields: Sequence[Field] = ()
    buttons: Sequence[Button] = ()
    danger: bool = False


def digest(things: Iterable[object]) -> str:
    """Return a text that stands for *things*, in whatever order."""
    text = "\n".join(sorted(map(str, things)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def reason(form: Form) -> str:
    """Return the reason that the form gives.

    Raises:
        Refusal: 400, there is none, or it is too long.
    """
    given = form.get("reason", "").replace("\0", "").strip()
    if not given:
        raise invalid("The reason is missing; nothing was changed. It is kept in the history.")
    if len(given) > REASON_MAX:
        raise invalid(f"The reason has more than {REASON_MAX} characters; nothing was changed.")
    return given


def check_unchanged(prepared: Prepared, form: Form) -> None:
    """Make sure that the change is still the one that the person saw.

    Raises:
        Refusal: 409, something came or went meanwhile.
    """
    if form.get("count") != str(prepared.count) or form.get("seen") != prepared.seen:
        raise Refusal(
            HTTPStatus.CONFLICT,
            f"It is no longer what you saw: {prepared.count:,} match now, and it was "
            f"{form.get('count', 'nothing')[:12]}. Nothing was changed; look again.",
        )
