from pathlib import Path
from typing import Annotated

import typer

from relay.cli.options import ReasonOptions


def restore(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="File that `relay discard --save` wrote.")
    ],
    *,
    change: ReasonOptions,
) -> None:
    """Put discarded rows back as they were, under their old ids.

    Rows that were parked are parked again: look, then `relay requeue`. Those that waited go out at
    once, after rows of their key that went out meanwhile. A row that was not discarded, is back
    already or was changed in the file is left out. Needs the role outbox_operator.
    """
    from relay.cli.changing import Change, report
    from relay.cli.database import database
    from relay.errors import RelayError
    from relay.operations import saved_rows
    from relay.operations.requeueing import Followed

    why = change.why
    try:
        with file.open("rb") as lines, database("relay restore") as connection:
            restored = saved_rows.restore(connection, lines, why)
    except OSError as error:
        raise RelayError(f"{file} cannot be read ({error.strerror}).") from None
    left = "was not discarded last, or is not what was discarded"
    restoring = Change("restore", "restored", lambda *_: Followed(()), left)
    report(restoring, Followed(restored.ids), restored.left, as_json=change.as_json)
