from typing import Annotated

import typer

from relay.cli.options import (
    AsJson,
    Confirm,
    DryRun,
    Key,
    Name,
    NewerThan,
    OlderThan,
    Person,
    Reason,
    State,
)


def redirect(  # noqa: PLR0913 - an option each
    *,
    from_topic: Annotated[
        str, typer.Option(metavar="TOPIC", help="Topic of the rows; '' for rows that name none.")
    ],
    to_topic: Annotated[
        str, typer.Option(metavar="TOPIC", help="Topic to send them to; '' for the default one.")
    ],
    state: State = None,
    key: Key = None,
    name: Name = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    reason: Reason = None,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Send rows to another topic, for example where its name was misspelt.

    Waits for the leases under way. Rows keep their ids, and so the order of their keys; parked rows
    stay parked. Start with --dry-run. Needs the roles outbox_reader and outbox_operator.
    """
    from relay.cli.changing import Change, Request, change_rows
    from relay.operations.actions import redirect as act
    from relay.operations.selection import Selection

    selection = Selection(
        None, state.value if state else None, key, name, from_topic, older_than, newer_than
    )
    change = Change(
        "redirect",
        "redirected",
        lambda connection, ids, why: act(connection, ids, to_topic or None, why),
        "is gone, or was for that topic already",
    )
    change_rows(change, selection, Request(dry_run, confirm, reason, person, as_json))
