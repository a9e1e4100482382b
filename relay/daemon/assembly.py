"""Assembly: the parts of the relay, each with what it needs of the settings."""

from collections.abc import Callable, Sequence
from functools import partial

from relay.daemon.backoff import Backoff
from relay.daemon.kafka.broker_errors import BrokerErrors
from relay.daemon.kafka.delivery import DeliveryLimits
from relay.daemon.kafka.holds import Holds
from relay.daemon.kafka.message import Composer
from relay.daemon.kafka.producer import GaplessProducer
from relay.daemon.kafka.properties import Properties, client_properties, producer_properties
from relay.daemon.kafka.publisher import Publisher, Rebuild
from relay.daemon.kafka.routing import Routing
from relay.daemon.kafka.topics import Topics
from relay.daemon.postgres.chunks import ReadLimits
from relay.daemon.postgres.doorbell import Doorbell, DoorbellSettings
from relay.daemon.postgres.roster import Identity, Roster
from relay.daemon.postgres.row_filter import Destination
from relay.daemon.postgres.session import Session, SessionSettings
from relay.daemon.postgres.store import LeaseLimits, Store
from relay.daemon.postgres.survey import Survey
from relay.daemon.sampler import Sampler
from relay.daemon.telemetry.instrumentation import WorkerInstrumentation
from relay.daemon.telemetry.metrics import Metrics
from relay.daemon.telemetry.process import SamplerInstrumentation
from relay.daemon.timing import Pace, Waiter
from relay.daemon.wake_up import WakeUp
from relay.daemon.worker import Waiting, Worker
from relay.formats import envelope, format_of
from relay.settings import RelaySettings, Settings


def make_worker(number: int, settings: Settings, metrics: Metrics) -> Worker:
    """Return worker *number* of this process."""
    name = f"worker-{number}"
    instrumentation = WorkerInstrumentation(metrics, name, _topic(settings))
    publisher = make_publisher(settings, instrumentation.producer_rebuilt)
    session = _session(settings, name)
    waiting = _waiting(settings, session, instrumentation)
    return Worker(name, _store(settings, session), publisher, instrumentation, waiting)


def make_roster(settings: Settings, sign_seconds: float) -> Roster:
    """Return the roster of this process, which gives a sign of life every *sign_seconds*."""
    alive_seconds = 3 * sign_seconds + settings.relay.lease_timeout_seconds
    states = tuple(sorted(format_of(settings.events.stream_preset).states))
    return Roster(Identity(settings.streaming, _topic(settings), alive_seconds, states))


def make_sampler(
    settings: Settings, metrics: Metrics, roster: Roster, workers: Sequence[Worker] = ()
) -> Sampler:
    """Return the sampler of this process, which looks after its *workers*."""
    session = _session(settings, "sampler")
    survey = Survey(session, _destination(settings), block_keys=settings.relay.block_keys)
    return Sampler(
        session, survey, roster, SamplerInstrumentation(metrics), settings.relay.sample_seconds,
        workers,
    )  # fmt: skip


def make_publisher(settings: Settings, on_rebuild: Callable[[Rebuild], None]) -> Publisher:
    """Return a publisher, with topics and holds of its own."""
    relay, kafka = settings.relay, settings.kafka
    topics = Topics(client_properties(kafka), relay.max_message_bytes, relay.queue_bytes)
    holds = Holds(relay.backoff_max_seconds, partitioner=relay.partitioner)
    routing = Routing(_topic(settings), relay.partitioner, topics, holds)
    form = format_of(settings.events.stream_preset)
    composer = Composer(form, envelope.metadata(form.versions(settings.versions)))
    properties = producer_properties(kafka, relay.queue_bytes)
    return Publisher(
        routing,
        composer,
        DeliveryLimits(stall_seconds=relay.stall_seconds, block_keys=relay.block_keys),
        partial(_producer, properties),
        on_rebuild,
    )


def _producer(
    properties: Properties, batch_bytes: int, errors: BrokerErrors, *, gapless: bool
) -> GaplessProducer:
    own: Properties = {"batch.size": batch_bytes}
    if not gapless:
        own["enable.gapless.guarantee"] = False
    return GaplessProducer(properties | own, errors)


def make_store(settings: Settings, name: str) -> Store:
    """Return a store whose session has this *name* in PostgreSQL."""
    return _store(settings, _session(settings, name))


def _store(settings: Settings, session: Session) -> Store:
    return Store(session, _destination(settings), _lease_limits(settings.relay))


def _lease_limits(relay: RelaySettings) -> LeaseLimits:
    read = ReadLimits(
        rows=relay.lease_rows,
        bytes=relay.lease_bytes,
        seconds=relay.lease_seconds,
        chunk_rows=relay.chunk_rows,
        chunk_bytes=relay.chunk_bytes,
        block_keys=relay.block_keys,
    )
    return LeaseLimits(relay.lease_shards, read, relay.delivery_budget_seconds)


def _session(settings: Settings, name: str) -> Session:
    return Session(
        SessionSettings(
            conninfo=settings.database.conninfo(),
            name=f"outbox-relay {name}",
            timeout_seconds=settings.relay.lease_timeout_seconds,
            patience_seconds=settings.relay.delivery_budget_seconds,
            schema=settings.database.outbox_schema,
        )
    )


def _destination(settings: Settings) -> Destination:
    return Destination(_topic(settings), settings.relay.partitioner)


def _topic(settings: Settings) -> str:
    return settings.kafka.event_stream_topic or ""


def _waiting(
    settings: Settings, session: Session, instrumentation: WorkerInstrumentation
) -> Waiting:
    relay, database, waiter = settings.relay, settings.database, Waiter()
    bell = None
    if relay.doorbell:
        listening = DoorbellSettings(
            database.conninfo(), database.listen_conninfo(), session.name,
            relay.delivery_budget_seconds,
        )  # fmt: skip
        bell = Doorbell(session, listening, waiter)
    pace = Pace(relay.poll_min_seconds, relay.poll_max_seconds)
    return Waiting(
        waiter,
        WakeUp(waiter, pace, bell, instrumentation),
        Backoff(
            waiter,
            relay.backoff_max_seconds,
            broker=settings.kafka.bootstrap_server or "",
            database=settings.database.address(),
        ),
    )
