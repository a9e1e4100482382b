"""Remedies: the command for each obstacle. None does harm when it is typed late, or in vain."""

import re
from datetime import datetime
from typing import Final

from relay.operations.outlook.wording import quoted

_NOT_THERE: Final = re.compile(r"(?i)unknown topic|does not exist")
_NOT_ALLOWED: Final = re.compile(r"(?i)authoriz|not allowed")
_TOO_LARGE: Final = re.compile(r"(?i)too large|bytes with the envelope")
# They say something that no change outside of them makes good.
_HOPELESS: Final = re.compile(r"relays died|cannot be read|header|would stop at")
_TERMINATE: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"


def for_hold(topic: str, why: str) -> str:
    """Return the command for a topic on hold: create it, allow it, or look at its leaders."""
    if _NOT_THERE.search(why):
        misspelt = f"relay redirect --from-topic {quoted(topic)} --to-topic TOPIC --dry-run"
        return f"relay create-topic --topic {quoted(topic)}  # or, if misspelt: {misspelt}"
    if _NOT_ALLOWED.search(why):
        return (
            "kafka-acls.sh --bootstrap-server ADDRESS --add --allow-principal User:CLIENT "
            f"--operation Write --operation Describe --topic {quoted(topic)}"
        )
    return f"kafka-topics.sh --bootstrap-server ADDRESS --describe --topic {quoted(topic)}"


def for_parked(row_id: int, topic: str, reason: str) -> str:
    """Return the command that mends it: a limit, a row that can never go out, or a passing cause.

    What is discarded is saved first, so that it can be restored.
    """
    if topic and _TOO_LARGE.search(reason):
        return (
            "kafka-configs.sh --bootstrap-server ADDRESS --alter --entity-type topics "
            f"--entity-name {quoted(topic)} --add-config max.message.bytes=BYTES  "
            f'# then: relay requeue {row_id} --one-first --reason "REASON"'
        )
    if _HOPELESS.search(reason):
        return f'relay discard {row_id} --save {row_id}.jsonl --reason "REASON"'
    return f'relay requeue {row_id} --one-first --reason "REASON"'


def ended(pid: int, since: datetime | None) -> str:
    """Return the command that ends a transaction, and nothing else that has its pid by then.

    Where its start is hidden, whoever may see that has to look first.
    """
    if since is None:
        return psql(f"SELECT * FROM pg_stat_activity WHERE pid = {pid}")  # noqa: S608 - a number
    condition = f"pid = {pid} AND xact_start = '{since.isoformat()}'"
    return psql(f"{_TERMINATE} {condition}")


def psql(statement: str) -> str:
    """Return the command that executes *statement*."""
    escaped = re.sub(r'(["$`\\])', r"\\\1", statement)
    return f'psql "$DATABASE_URL" -c "{escaped}"'
