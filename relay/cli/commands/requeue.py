# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

from relay.cli.commands.options import (
    AsJson,
    Confirm,
    DryRun,
    Ids,
    Key,
    Name,
    NewerThan,
    OlderThan,
    Person,
    Reason,
    Topic,
)


def requeue(  # noqa: PLR0913 - an option each
    ids: Ids = None,
    *,
    key: Key = None,
    name: Name = None,
    topic: Topic = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    reason: Reason = None,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Let parked rows go out again, under their old ids.

    Which rows: those with the IDS, or the parked ones that fit all that is said. Begin with
    --dry-run, which prints them and their count. Needs the roles outbox_reader and
    outbox_operator. Exits 1, with nothing done, where the count is another one by then.
    """
    from relay.cli.commands.changing import Change, change_rows
    from relay.operations.actions import requeue as act
    from relay.operations.selection import Selection
    from relay.operations.states import refuse_states

    selection = Selection(ids, "parked", key, name, topic, older_than, newer_than)
    change = Change("requeue", "requeued", act, "is not parked, or gone", check=refuse_states)
    change_rows(
        change, selection, dry_run=dry_run, confirm=confirm, reason=reason, person=person,
        as_json=as_json,
    )  # fmt: skip
