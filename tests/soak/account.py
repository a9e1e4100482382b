"""The end of a soak: what was committed, what was read, and whether every promise was kept."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import TupleRow

from relay.demo.history import Verdict, Written, judge
from tests.soak.settings import TOPIC
from tests.soak.stage import Stage
from tests.support.history import reads
from tests.support.kafka.topics import ConsumedMessage, read_topic

READ_SECONDS = 300.0


@dataclass(frozen=True)
class Account:
    """The judge's verdict, and what else must hold: only poison is parked.

    *broken* describes examples of what may not be, a few of each kind.
    """

    verdict: Verdict
    broken: Mapping[str, Sequence[str]]
    poison: int
    parked: int
    innocents_parked: int

    @property
    def clean(self) -> bool:
        """Whether no promise was broken, but for the bound of the duplicates."""
        return self.verdict.clean and self.innocents_parked == 0 and self.parked == self.poison


def account(stage: Stage, injected: Counter[str], crashes_ms: Sequence[int]) -> Account:
    """Read the topic from its beginning and judge."""
    with stage.connect() as connection:
        parked = {str(row[0]) for row in connection.execute(
            "SELECT event_id FROM outbox WHERE parked_at IS NOT NULL AND name = 'Poison'"
        )}  # fmt: skip
        innocents = connection.execute(
            "SELECT FROM outbox WHERE parked_at IS NOT NULL AND name <> 'Poison'"
        ).fetchall()
        written = [
            Written(seq, str(event_id), key)
            for seq, event_id, key in connection.execute("SELECT * FROM soak_written")
            if str(event_id) not in parked
        ]
        deleted = _deleted(connection)
    messages = read_topic(stage.kafka.admin_bootstrap, TOPIC, timeout=READ_SECONDS)
    verdict = judge(written, reads(messages), deleted, crashes_ms)
    return Account(
        verdict=verdict,
        broken=_described(verdict, messages),
        poison=injected["poison_written"],
        parked=len(parked),
        innocents_parked=len(innocents),
    )


def _deleted(connection: Connection[TupleRow]) -> Mapping[Hashable, int]:
    found = connection.execute("SELECT event_id, at_ms FROM soak_deleted")
    return {str(event_id): at_ms for event_id, at_ms in found}


def _described(
    verdict: Verdict, messages: Sequence[ConsumedMessage]
) -> Mapping[str, Sequence[str]]:
    """Describe the examples of what was broken by the messages that tell of it."""
    kinds = {kind: ids for kind, ids in verdict.examples.items() if kind != "duplicates"}
    wanted = {event_id for ids in kinds.values() for event_id in ids}
    told = {
        id_: f"{m.key!r} seq {m.header('seq')!r}, {(m.value or b'')[:80]!r}"
        for m in messages
        if (id_ := (m.header("id") or b"").decode()) in wanted
    }
    return {kind: [f"{id_}: {told.get(str(id_))}" for id_ in ids] for kind, ids in kinds.items()}
