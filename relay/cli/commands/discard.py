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
    State,
    Topic,
)


def discard(  # noqa: PLR0913 - an option each
    ids: Ids = None,
    *,
    state: State = None,
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
    """Delete rows unpublished, for good.

    Selects rows by id, or all rows that match every given option; then --confirm is needed. Start
    with --dry-run. Pending rows must be in a paused shard (`relay pause`), or a relay might be
    publishing them. Needs the roles outbox_reader and outbox_operator.
    """
    from relay.cli.changing import Change, Request, change_rows
    from relay.operations import actions
    from relay.operations.selection import Selection

    selection = Selection(
        ids, state.value if state else None, key, name, topic, older_than, newer_than
    )
    why_left = "is gone, or pending in a shard that is not paused (`relay pause`)"
    change = Change("discard", "discarded", actions.discard, why_left)
    change_rows(change, selection, Request(dry_run, confirm, reason, person, as_json))
