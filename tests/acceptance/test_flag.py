"""ENABLE_EVENT_STREAMING: each row of its table, with the real processes."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from http import HTTPStatus

import pytest

from tests.support.eventually import eventually
from tests.support.kafka.broker import KafkaBroker
from tests.support.kafka.selection import SessionKafka
from tests.support.kafka.topics import create_topic, delete_topic
from tests.support.metrics import get, metric
from tests.support.outbox import Consume
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest, RunRelay
from tests.support.tcp_proxy import Mode, TcpProxy

Run = Callable[[Mapping[str, str]], ProcessUnderTest]

pytestmark = pytest.mark.kafka

# A service: makes its outbox from the environment, and writes one event.
SERVICE = """
import os, uuid, psycopg
from relay import Event, Outbox, Severity, logs

logs.configure("debug", "json")

class Happened(Event, severity=Severity.INFO, message="It happened"):
    pass

outbox = Outbox.from_environment()
with psycopg.connect(os.environ["SERVICE_DATABASE"]) as connection:
    outbox.emit(connection, Happened(cluster_id=uuid.uuid4()))
"""


@pytest.fixture
def run_service() -> Iterator[Run]:
    with ExitStack() as services:

        def run(environment: Mapping[str, str]) -> ProcessUnderTest:
            process = ProcessUnderTest([sys.executable, "-c", SERVICE], environment)
            return services.enter_context(process)

        yield run


@pytest.fixture
def environment(environment: dict[str, str], database: Database) -> dict[str, str]:
    return environment | {"SERVICE_DATABASE": database.dsn, "RELAY_LOG_LEVEL": "debug"}


def count(database: Database, table: str) -> int:
    with database.connect() as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_off(
    database: Database, environment: dict[str, str], run_service: Run, run_relay: RunRelay
) -> None:
    off = environment | {"ENABLE_EVENT_STREAMING": "false", "KAFKA_SASL_MECHANISM": "nonsense"}
    service = run_service(off)
    assert service.wait() == 0, service.output
    assert (count(database, "outbox_event"), count(database, "outbox")) == (1, 0)
    # At this level psycopg speaks, too.
    own = [entry for entry in service.logs if entry["logger"].startswith("relay")]
    assert [entry["level"] for entry in own] == ["DEBUG"]
    assert "not configured" in str(own[0]["message"])

    relay = run_relay("run", environment=off)
    relay.wait_for_log("not configured")
    assert metric(relay, "enabled") == 0
    assert get(relay, "/livez")[0] == get(relay, "/readyz")[0] == HTTPStatus.OK
    eventually(lambda: "f" in _streaming(database), what="plain SQL writers are told")
    with database.connect(autocommit=True) as connection:
        connection.execute("SELECT outbox_emit('n', '{}')")
    assert count(database, "outbox") == 0
    assert relay.terminate() == 0


def _streaming(database: Database) -> str:
    with database.connect() as connection:
        row = connection.execute("SELECT streaming::text FROM outbox_state").fetchone()
    assert row is not None
    return str(row[0])[:1]


def test_on_and_working(
    environment: dict[str, str], topic: str, run_service: Run, consume: Consume,
    run_relay: RunRelay,
) -> None:  # fmt: skip
    relay = run_relay("run", environment=environment)
    assert run_service(environment).wait() == 0
    (message,) = consume(topic, count=1)
    assert json.loads(message.value or b"")["name"] == "Happened"
    eventually(lambda: get(relay, "/readyz")[0] == HTTPStatus.OK)
    assert metric(relay, "enabled") == 1


def test_on_and_badly_configured(
    database: Database, environment: dict[str, str], run_service: Run,
    run_relay: RunRelay,
) -> None:  # fmt: skip
    bad = environment | {
        "KAFKA_EVENT_STREAM_TOPIC": "",
        "KAFKA_SASL_MECHANISM": "MAGIC",
        "KAFKA_CLIENT_SECRET": "hunter2",
        "RELAY_DELIVERY_BUDGET_SECONDS": "60",
    }
    for process in (run_relay("run", environment=bad), run_service(bad)):
        code = process.wait()
        output = process.output
        for named in (
            "KAFKA_EVENT_STREAM_TOPIC",
            "KAFKA_SASL_MECHANISM",
            "KAFKA_CLIENT_SECRET is set without KAFKA_CLIENT_ID",
            "RELAY_DELIVERY_BUDGET_SECONDS",
        ):
            assert named in output
        assert "hunter2" not in output
        assert code != 0
    relay = run_relay("run", environment=bad)
    assert relay.wait() == 2
    assert "Traceback" not in relay.output
    assert count(database, "outbox_event") == 0


def test_on_with_a_bad_address(
    database: Database, environment: dict[str, str], make_broker: Callable[..., KafkaBroker],
    run_service: Run, run_relay: RunRelay,
) -> None:  # fmt: skip
    broker = make_broker(start=False)
    with TcpProxy(broker.address) as proxy:
        proxy.mode = Mode.CUT
        broker.advertise(proxy.address)
        broker.start()
        create_topic(broker.admin_bootstrap, "stream")
        wrong = environment | {
            "KAFKA_BOOTSTRAP_SERVER": broker.bootstrap,
            "KAFKA_EVENT_STREAM_TOPIC": "stream",
            "RELAY_BACKOFF_MAX_SECONDS": "1",
        }
        relay = run_relay("run", environment=wrong)
        assert run_service(wrong).wait() == 0
        warnings = partial(_warnings, relay)
        relay.wait_for_log("cannot be used")
        eventually(lambda: len(warnings()) >= 2, timeout=30, what="a warning an attempt")
        attempts = [entry["attempt"] for entry in warnings()]
        assert attempts == list(range(1, len(attempts) + 1))
        eventually(lambda: get(relay, "/readyz")[0] == HTTPStatus.OK)
        assert count(database, "outbox") == 1
        proxy.mode = Mode.PASS
        eventually(lambda: count(database, "outbox") == 0, timeout=30, what="delivered")
        assert "parked" not in relay.output


def _warnings(relay: ProcessUnderTest) -> list[dict[str, object]]:
    return [entry for entry in relay.logs if "cannot be used" in str(entry["message"])]


def test_on_and_partly_working(
    database: Database, environment: dict[str, str], topic: str, kafka: SessionKafka,
    consume: Consume, run_relay: RunRelay,
) -> None:  # fmt: skip
    missing = f"{topic}-missing"
    relay = run_relay("run", environment=environment)
    with database.connect(autocommit=True) as connection:
        for number in range(20):
            connection.execute("SELECT outbox_emit('n', '{}', %s, %s)", (str(number), missing))
            connection.execute("SELECT outbox_emit('n', '{}', %s)", (str(number),))
    assert len(consume(topic, count=20)) == 20
    warning = relay.wait_for_log("is on hold")
    assert (warning["level"], warning["topic"]) == ("WARNING", missing)
    eventually(lambda: count(database, "outbox") == 20, what="only what has no topic waits")
    create_topic(kafka.bootstrap, missing)
    try:
        assert len(consume(missing, count=20)) == 20
        eventually(lambda: count(database, "outbox") == 0, what="all delivered")
    finally:
        delete_topic(kafka.bootstrap, missing)
