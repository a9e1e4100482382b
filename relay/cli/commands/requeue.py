from typing import Annotated, Final

import typer

from relay.cli.options import ChangeOptions, Ids, RowOptions, RowState, Topic

# A relay publishes a row within a second or parks it; one that is busy takes longer.
WAIT_SECONDS: Final = 30.0


def requeue(
    ids: Ids = None,
    *,
    topic: Topic = None,
    rows: RowOptions,
    wait: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Wait until the rows went out or came back."),
    ] = None,
    one_first: Annotated[
        bool,
        typer.Option("--one-first", help="Try one row; the others once it went out. Waits."),
    ] = False,
    change: ChangeOptions,
) -> None:
    """Publish parked rows again, under their old ids.

    Selects rows by id, or all parked rows that match every given option; then --confirm is needed.
    Start with --dry-run. With --wait or --one-first, exits 1 if a row came back or still waits.
    Needs the roles outbox_reader and outbox_operator.
    """
    from functools import partial

    from relay.cli.changing import Change, change_rows
    from relay.operations import actions
    from relay.operations.requeueing import Followed, requeue_and_follow, requeue_one_first

    follow = requeue_one_first if one_first else requeue_and_follow
    seconds = WAIT_SECONDS if one_first and wait is None else wait
    requeued = Change(
        "requeue",
        "requeued",
        partial(follow, seconds=seconds)
        if seconds is not None
        else lambda connection, ids, why: Followed(actions.requeue(connection, ids, why)),
        "is not parked, or gone",
        sends_again=True,
        watched=seconds is not None,
    )
    change_rows(requeued, rows.selection(ids, RowState.PARKED, topic), change)
