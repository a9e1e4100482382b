"""Incidents of Kafka and of single rows: what relays report of them, and the mending command.

The texts are Kafka's and the relay's own; tests/faults has the incidents at a real broker.
"""

import shlex
from typing import Any

import pytest
from typer.testing import CliRunner

from relay.cli.app import app
from relay.daemon.figures import Report
from relay.daemon.kafka.message import LARGE_ADVICE
from relay.operations.doctor import brokers
from relay.operations.doctor.stream import leaderless
from relay.operations.findings import Finding
from tests.support.incidents import assert_documented, see, sign, the, written
from tests.support.ports import free_port
from tests.support.postgres import Database

MISSING = "Broker: Unknown topic or partition"
DIED = (
    "relays died while they published this row or one beside it, in the transactions 4711 4712 4713"
)
HEADER = "its header 'retries' is not text; correct or discard the row, then requeue it"
REFUSED = (
    "SASL authentication error: Authentication failed during authentication due to invalid "
    "credentials with SASL mechanism SCRAM-SHA-512"
)
LARGE = f"2097321 bytes with the envelope, and topic events takes 1048576; {LARGE_ADVICE}"


def hold(topic: str, why: str, partition: int | None = None) -> dict[str, Any]:
    since = {"since": "2026-11-27T22:10:03.120+00:00", "next_try_at": "2026-11-27T22:10:34+00:00"}
    return {"topic": topic, "partition": partition, "partitions": 1, "why": why, **since}


@pytest.mark.parametrize("topic", ["orders", "evnets"], ids=["missing", "misspelt"])
def test_a_topic_that_is_not_there(database: Database, topic: str) -> None:
    written(database, topic=topic)
    sign(database, Report(holds=[hold(topic, MISSING)]))
    found = see(database)
    finding = the(found, "topic-on-hold")
    assert (found.answer, finding.rows) == ("no", 1)
    assert_documented(finding, database)
    if topic == "evnets":
        _, _, redirect = (finding.command or "").partition("or, if misspelt: relay ")
        arguments = shlex.split(redirect.replace("TOPIC", "events"))
        arguments = [each for each in arguments if each != "--dry-run"]
        given = {"DATABASE_URL": database.dsn, "USER": "ann"}
        done = CliRunner().invoke(
            app, [*arguments, "--confirm", "1", "--reason", "misspelt"], env=given
        )
        assert done.stdout == "1 row redirected.\n"
        sign(database, Report())
        assert see(database).answer == "yes"


def test_a_right_that_was_revoked(database: Database) -> None:
    written(database, topic="orders")
    sign(database, Report(holds=[hold("orders", "Broker: Topic authorization failed")]))
    found = see(database)
    assert found.answer == "no"
    assert_documented(the(found, "topic-on-hold"), database)


def test_a_partition_without_a_leader_as_relays_report_it(database: Database) -> None:
    written(database)
    sign(database, Report(holds=[hold("events", "the partition has no leader", 0)]))
    found = see(database)
    assert found.answer == "no"
    assert_documented(the(found, "partition-on-hold"), database)


def test_rows_of_a_partition_that_are_too_many_to_look_at_are_not_none(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.operations.outlook.facts.PARTITION_ROWS", 1)
    written(database)
    report = hold("events", "the partition has no leader", 1) | {"partitions": 2}
    sign(database, Report(holds=[report]))
    finding = the(see(database), "partition-on-hold")
    assert (finding.outcome, finding.rows) == ("failed", None)


def test_a_partition_without_a_leader_as_the_cluster_tells_it(database: Database) -> None:
    (finding,) = leaderless("orders", {0: 1, 1: None, 2: -1})
    assert finding.detail.startswith("partition 1, 2 has no leader")
    assert_documented(finding, database)
    assert list(leaderless("orders", {0: 1})) == []


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("broker-away", "Connect to ipv4#10.0.0.7:9092 failed: Connection refused"),
        ("broker-credential", REFUSED),
    ],
)
def test_a_broker_that_lets_nobody_in(database: Database, code: str, text: str) -> None:
    written(database)
    error = {"address": "kafka-0.example:9092", "text": text, "at": "2026-11-27T22:10:03+00:00"}
    sign(database, Report(broker_errors=[error]))
    found = see(database)
    assert found.answer == "no"
    assert_documented(the(found, code), database)


def test_an_advertised_address_that_does_not_resolve(database: Database) -> None:
    addresses = [("kafka-0.nowhere.invalid", 9092)]
    (finding,) = brokers.addresses(addresses)
    assert finding.outcome == "failed"
    assert "kafka-0.nowhere.invalid:9092" in finding.detail
    reason = finding.detail.partition("cannot use it (")[2].partition(")")[0]
    told = finding.detail.replace(reason, "Name or service not known")
    documented = Finding(finding.subject, "failed", told, 1, finding.code, finding.command)
    assert_documented(documented, database)


def test_an_advertised_address_where_nobody_answers(database: Database) -> None:
    host, port = database.address
    refused = free_port()
    (finding,) = brokers.addresses([("127.0.0.1", refused), (host, port)])
    assert (finding.outcome, finding.subject) == ("warning", f"broker 127.0.0.1:{refused}")
    (fine,) = brokers.addresses([(host, port)])
    assert (fine.outcome, fine.detail) == ("ok", "1 of 1 brokers answer there")


@pytest.mark.parametrize("error", [LARGE, HEADER, DIED], ids=["size", "header", "kills"])
def test_a_row_that_cannot_go_out(database: Database, error: str) -> None:
    written(database)
    sign(database, Report())
    with database.connect() as owner:
        owner.execute("UPDATE outbox SET parked_at = now(), last_error = %s", [error])
    finding = the(see(database), "rows-parked")
    assert_documented(finding, database)


def test_parked_rows_by_topic_and_reason(database: Database) -> None:
    sign(database, Report())
    for key in ("a", "b", "c"):
        written(database, key)
    with database.connect() as owner:
        owner.execute(
            "UPDATE outbox SET parked_at = now(), last_error = CASE id WHEN 3 THEN 'refused' "
            "ELSE 'too large: ' || id || ',000 bytes' END"
        )
    found = see(database)
    assert found.answer == "yes"
    parked = [each for each in found.findings if each.code == "rows-parked"]
    assert [(each.rows, each.detail) for each in parked] == [
        (2, "2 rows for events, the first with id 1: too large: N bytes"),
        (1, "1 row for events, the first with id 3: refused"),
    ]
    assert parked[1].command == 'relay requeue 3 --one-first --reason "REASON"'
