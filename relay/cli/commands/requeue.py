from relay.cli.options import (
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
    """Publish parked rows again, under their old ids.

    Selects rows by id, or all parked rows that match every given option; then --confirm is needed.
    Start with --dry-run. Needs the roles outbox_reader and outbox_operator.
    """
    from relay.cli.changing import Change, Request, change_rows
    from relay.operations import actions
    from relay.operations.selection import Selection

    selection = Selection(ids, "parked", key, name, topic, older_than, newer_than)
    change = Change(
        "requeue", "requeued", actions.requeue, "is not parked, or gone", sends_again=True
    )
    change_rows(change, selection, Request(dry_run, confirm, reason, person, as_json))
