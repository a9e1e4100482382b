from typing import Annotated

import typer

from relay.cli.options import ChangeOptions, RowOptions, State


def redirect(
    *,
    from_topic: Annotated[
        str, typer.Option(metavar="TOPIC", help="Topic of the rows; '' for rows that name none.")
    ],
    to_topic: Annotated[
        str, typer.Option(metavar="TOPIC", help="Topic to send them to; '' for the default one.")
    ],
    state: State = None,
    rows: RowOptions,
    change: ChangeOptions,
) -> None:
    """Send rows to another topic, for example where its name was misspelt.

    Waits for the leases under way. Rows keep their ids, and so the order of their keys; parked rows
    stay parked. Start with --dry-run. Needs the roles outbox_reader and outbox_operator.
    """
    from relay.cli.changing import Change, change_rows
    from relay.operations import actions
    from relay.operations.requeueing import Followed

    redirected = Change(
        "redirect",
        "redirected",
        lambda connection, ids, why: Followed(
            actions.redirect(connection, ids, to_topic or None, why)
        ),
        "is gone, or was for that topic already",
    )
    change_rows(redirected, rows.selection(None, state, from_topic), change)
