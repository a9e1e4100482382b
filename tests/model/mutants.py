"""The same code, each time without one of its countermeasures: the model must notice."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from relay.daemon.kafka import properties
from relay.daemon.kafka.failures import Failures
from relay.daemon.kafka.producer import GaplessProducer
from relay.daemon.postgres import queries
from relay.daemon.postgres.doorbell import Doorbell
from relay.daemon.postgres.low_watermark import Lasting, LowWatermarks, Sample
from relay.daemon.rows import Outcome, Reason, Rejected, Row, Undelivered
from relay.service.sqlalchemy.buffer import Buffer
from tests.model.machine import Promises

Mutant = Callable[[], Sequence[AbstractContextManager[Any]]]


def rows_are_locked_instead_of_shards() -> Sequence[AbstractContextManager[Any]]:
    claim = queries.CLAIM.replace("FOR UPDATE OF s, l SKIP LOCKED", "")
    read = queries.READ.replace(
        "LIMIT %(rows_per_shard)s", "LIMIT %(rows_per_shard)s FOR UPDATE OF o SKIP LOCKED"
    )
    large = queries.OPEN.replace(
        "ORDER BY o.shard, o.id", "ORDER BY o.shard, o.id FOR UPDATE OF o SKIP LOCKED"
    )
    return [
        patch.object(queries, "CLAIM", claim),
        patch.object(queries, "READ", read),
        patch.object(queries, "OPEN", large),
    ]


def _claiming_by(old: str, new: str) -> AbstractContextManager[Any]:
    """Have the function of small leases say *new* instead of *old*."""
    serve = Promises._serve  # noqa: SLF001

    def served(self: Promises) -> None:
        serve(self)
        claim = self._outside.execute("SELECT pg_get_functiondef('outbox_claim'::regproc)")
        self._outside.execute(claim.fetchall()[0][0].replace(old, new))

    return patch.object(Promises, "_serve", served)


def small_leases_lock_no_shard() -> Sequence[AbstractContextManager[Any]]:
    return [_claiming_by("FOR UPDATE OF s, l SKIP LOCKED", "")]


def lock_and_read_share_one_snapshot() -> Sequence[AbstractContextManager[Any]]:
    begin = queries.BEGIN.replace("READ COMMITTED", "REPEATABLE READ")
    return [patch.object(queries, "BEGIN", begin)]


def rows_are_deleted_before_they_are_acknowledged() -> Sequence[AbstractContextManager[Any]]:
    send = GaplessProducer.send

    def sent(self: GaplessProducer, partition: Any, row: Row, *rest: Any) -> bool:  # noqa: ANN401
        self._delivered.append(row)
        return send(self, partition, row, *rest)

    return [patch.object(GaplessProducer, "send", sent)]


def watermarks_pass_writers_that_have_not_committed() -> Sequence[AbstractContextManager[Any]]:
    observe = LowWatermarks.observe

    def hasty(self: LowWatermarks, sample: Sample) -> int | None:
        return observe(self, replace(sample, writers=frozenset()))

    return [patch.object(LowWatermarks, "observe", hasty)]


def reads_resume_beside_writers_that_have_committed() -> Sequence[AbstractContextManager[Any]]:
    fill_in = queries.with_exclusions

    def blind(statement: str, **how: bool) -> str:
        return fill_in(statement, **how).replace("WHERE pg_visible", "WHERE false AND pg_visible")

    return [patch.object(queries, "with_exclusions", blind)]


def resume_positions_pass_writers_that_came_since() -> Sequence[AbstractContextManager[Any]]:
    lasting = LowWatermarks.lasting

    def hasty(self: LowWatermarks, sample: Sample) -> Lasting:
        return replace(lasting(self, sample), upto=sample.drawn)

    return [patch.object(LowWatermarks, "lasting", hasty)]


def watermarks_outlive_a_truncation() -> Sequence[AbstractContextManager[Any]]:
    observe = LowWatermarks.observe

    def trusting(self: LowWatermarks, sample: Sample) -> int | None:
        self.epoch, self.drawn = sample.epoch, min(sample.drawn, self.drawn)
        return observe(self, sample)

    return [
        patch.object(LowWatermarks, "observe", trusting),
        patch.object(queries, "CLAIM", queries.CLAIM.replace("AS same\n", "OR true AS same\n")),
        _claiming_by("same_epoch := now.epoch", "same_epoch := true OR now.epoch"),
    ]


def locked_rows_are_known_to_one_relay_alone() -> Sequence[AbstractContextManager[Any]]:
    return [
        _claiming_by("unsettled := claim.unsettled", "unsettled := NULL"),
        patch.object(
            queries, "CLAIM", queries.CLAIM.replace("s.unsettled", "NULL::jsonb AS unsettled")
        ),
    ]


def nobody_waits_for_writers_that_saw_no_bell() -> Sequence[AbstractContextManager[Any]]:
    return [patch.object(Doorbell, "writers", lambda _: frozenset())]


def what_is_behind_a_refused_message_goes_on() -> Sequence[AbstractContextManager[Any]]:
    return [patch.dict(properties.OWN, {"enable.gapless.guarantee": False})]


def a_whole_batch_is_parked_with_its_poison() -> Sequence[AbstractContextManager[Any]]:
    judged = Failures.outcome

    def blamed(self: Failures, failure: Any, **how: bool) -> Outcome:  # noqa: ANN401
        outcome = judged(self, failure, **how)
        if isinstance(outcome, Undelivered) and outcome.reason is Reason.SUSPECT:
            return Rejected(failure.row, Reason.REFUSED, "one of its batch was refused")
        return outcome

    return [patch.object(Failures, "outcome", blamed)]


def the_buffer_forgets_savepoints() -> Sequence[AbstractContextManager[Any]]:
    return [patch.object(Buffer, "undo", Buffer.keep)]
