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
    """Delete rows unpublished. There is no way back.

    Which rows: those with the IDS, or those that fit all that is said. Begin with --dry-run, which
    prints them and their count. Pending rows must be in a paused shard (`relay pause`), or a relay
    might be publishing them. Needs the roles outbox_reader and outbox_operator. Exits 1, with
    nothing done, where the count is another one by then.
    """
    from relay.cli.commands.changing import Change, change_rows
    from relay.operations.actions import discard as act
    from relay.operations.selection import Selection

    selection = Selection(
        ids, state.value if state else None, key, name, topic, older_than, newer_than
    )
    why_left = "is gone, or pending in a shard that is not paused: `relay pause` first"
    change_rows(
        Change("discard", "discarded", act, why_left), selection, dry_run=dry_run, confirm=confirm,
        reason=reason, person=person, as_json=as_json,
    )  # fmt: skip
