from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relay.cli.options import ChangeOptions, Ids, RowOptions, State, Topic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.database.session import Connection
    from relay.operations.actions import Why
    from relay.operations.requeueing import Followed


def discard(
    ids: Ids = None,
    *,
    state: State = None,
    topic: Topic = None,
    rows: RowOptions,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="New file to keep the rows in, for `relay restore`."),
    ] = None,
    change: ChangeOptions,
) -> None:
    """Delete rows unpublished, for good unless they are saved.

    Selects rows by id, or all rows that match every given option; then --confirm is needed. Start
    with --dry-run. Pending rows must be in a paused shard (`relay pause`), or a relay might be
    publishing them. Needs the roles outbox_reader and outbox_operator; with --save also
    outbox_payload_reader.
    """
    from relay.cli.changing import Change, change_rows

    def act(connection: "Connection", ids: "Sequence[int]", why: "Why") -> "Followed":
        from relay.operations import actions, saved_rows
        from relay.operations.requeueing import Followed

        if save is None:
            return Followed(actions.discard(connection, ids, why))
        keep = saved_rows.into(save)
        return Followed(saved_rows.discard_saved(connection, ids, why, keep))

    done = f"saved in {save} and discarded" if save else "discarded"
    why_left = "is gone, or pending in a shard that is not paused (`relay pause`)"
    change_rows(Change("discard", done, act, why_left), rows.selection(ids, state, topic), change)
