import json
import subprocess
import sys
from typing import Any

import pytest

from relay.database.schema import SCHEMA_VERSION
from tests.support.kafka.selection import SessionKafka
from tests.support.postgres import Database
from tests.support.process import RunRelay

# What `relay run` does before and after its work, which is not what is looked at here.
RUN_WITHOUT_RELAYING = """
import sys
from relay.daemon import lifecycle
lifecycle.run = lambda settings: 7
sys.argv = ["relay", "run"]
from relay.cli.app import main
try:
    main()
except SystemExit as end:
    print(end.code, *sorted(sys.modules))
"""


def environment(database: Database, **more: str) -> dict[str, str]:
    return {"DATABASE_URL": database.dsn, **more}


def streaming(database: Database, bootstrap: str, topic: str) -> dict[str, str]:
    return environment(
        database,
        ENABLE_EVENT_STREAMING="true",
        KAFKA_BOOTSTRAP_SERVER=bootstrap,
        KAFKA_EVENT_STREAM_TOPIC=topic,
    )


def outcomes(printed: str) -> dict[str, str]:
    found: list[dict[str, Any]] = json.loads(printed)["findings"]
    return {finding["subject"]: finding["outcome"] for finding in found}


def test_check_refuses_an_empty_database_until_migrate_was_run(
    run_relay: RunRelay, empty_database: Database
) -> None:
    given = environment(empty_database)
    code, _, said = run_relay("check", environment=given).finish()
    assert code == 2
    assert "run `relay migrate`" in said
    code, shown, _ = run_relay("migrate", environment=given).finish()
    assert (code, shown) == (0, f"The outbox tables are at version {SCHEMA_VERSION}.")
    code, shown, said = run_relay("check", environment=given).finish()
    assert code == 0
    assert f"fits version {SCHEMA_VERSION}" in shown
    assert said == ""


def test_check_names_every_fault_of_the_configuration(
    run_relay: RunRelay, database: Database
) -> None:
    given = environment(
        database,
        ENABLE_EVENT_STREAMING="true",
        KAFKA_CLIENT_SECRET="swordfish",
        KAFKA_SASL_MECHANISM="ROT13",
    )
    code, _, said = run_relay("check", environment=given).finish()
    assert code == 2
    for name in (
        "KAFKA_BOOTSTRAP_SERVER",
        "KAFKA_EVENT_STREAM_TOPIC",
        "KAFKA_CLIENT_ID",
        "KAFKA_SASL_MECHANISM",
    ):
        assert name in said
    assert "swordfish" not in said


def test_check_of_an_unreachable_database(run_relay: RunRelay) -> None:
    given = {"DATABASE_URL": "postgresql://relay:swordfish@127.0.0.1:1/service"}
    code, shown, said = run_relay("check", "--json", environment=given).finish()
    assert code == 3
    assert json.loads(shown)["exit_code"] == 3
    assert outcomes(shown)["database"] == "failed"
    assert "swordfish" not in shown + said


def test_check_warns_of_a_broker_that_does_not_answer(
    run_relay: RunRelay, database: Database
) -> None:
    given = streaming(database, "127.0.0.1:1", "events-stream")
    code, shown, said = run_relay("check", "--json", environment=given).finish()
    assert code == 0
    assert outcomes(shown) == {
        "configuration": "ok",
        "database": "ok",
        "schema": "ok",
        "broker": "warning",
        "topic": "unknown",
    }
    assert "Connection refused" in said
    assert "starts nevertheless" in said


def test_check_finds_broker_and_topic(
    run_relay: RunRelay, database: Database, kafka: SessionKafka, topic: str
) -> None:
    given = streaming(database, kafka.bootstrap, topic)
    given["EVENT_STREAM_PRESET"] = "existing-consumers"
    code, shown, _ = run_relay("check", "--json", "--strict", environment=given).finish()
    assert code == 0
    assert outcomes(shown)["topic"] == "ok"
    assert "event streaming is on, with the preset existing-consumers" in shown
    assert "4 partitions" in shown


def test_check_warns_of_a_missing_topic_and_can_be_strict(
    run_relay: RunRelay, database: Database, kafka: SessionKafka
) -> None:
    given = streaming(database, kafka.bootstrap, "no-such-topic")
    code, shown, said = run_relay("check", "--json", "--strict", environment=given).finish()
    assert code == 1
    assert outcomes(shown)["broker"] == "ok"
    assert outcomes(shown)["topic"] == "warning"
    assert "no-such-topic does not exist" in said


def test_status_as_json_and_as_tables(run_relay: RunRelay, database: Database) -> None:
    with database.connect() as writer:
        writer.execute("INSERT INTO outbox (name, key, payload) VALUES ('Event', 'some-key', '{}')")
    given = environment(database)
    code, shown, _ = run_relay("status", "--json", "--keys", "9", environment=given).finish()
    assert code == 0
    status = json.loads(shown)
    assert status["pending"] == 1
    assert len(status["shards"]) == 64
    assert status["keys"][0]["key"] == "some-key"
    code, shown, _ = run_relay("status", environment=given).finish()
    assert code == 0
    assert shown.startswith("No: 1 row waits")
    assert "some-key" not in shown
    _, shown, _ = run_relay("status", "--keys", "9", "--by", "age", environment=given).finish()
    assert "some-key" in shown


def test_status_of_an_empty_database_ends_with_a_message(
    run_relay: RunRelay, empty_database: Database
) -> None:
    code, shown, said = run_relay("status", environment=environment(empty_database)).finish()
    assert (code, shown) == (2, "")
    assert said.startswith("relay: The database ")
    assert "has no outbox tables" in said
    assert "Traceback" not in said


def test_run_names_every_fault_and_does_not_start(run_relay: RunRelay) -> None:
    given = {"ENABLE_EVENT_STREAMING": "true", "RELAY_DELIVERY_BUDGET_SECONDS": "30"}
    code, _, said = run_relay("run", environment=given).finish()
    assert code == 2
    for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVER", "RELAY_DELIVERY_BUDGET_SECONDS"):
        assert name in said
    assert "Traceback" not in said


def test_run_ends_with_the_relays_code_and_imports_no_more_than_it_needs() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", RUN_WITHOUT_RELAYING],
        env={"DATABASE_URL": "postgresql://nobody@localhost/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    code, *modules = ran.stdout.split()
    assert code == "7"
    roots = {module.partition(".")[0] for module in modules}
    assert roots.isdisjoint({"rich", "sqlalchemy", "pytest"})
    assert {"relay.service", "relay.cli.printout"}.isdisjoint(modules)


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "check",
        "doctor",
        "migrate",
        "status",
        "list",
        "show",
        "requeue",
        "discard",
        "pause",
        "resume",
        "demo",
    ],
)
def test_help_has_an_example_and_the_exit_codes(run_relay: RunRelay, command: str) -> None:
    code, shown, _ = run_relay(command, "--help", environment={"COLUMNS": "200"}).finish()
    assert code == 0
    assert f"relay {command}" in shown.partition("Example:")[2]
    assert "3 database unavailable" in shown


def test_the_module_runs_like_the_script(run_relay: RunRelay) -> None:
    _, shown, _ = run_relay("--version", environment={}).finish()
    module = subprocess.run(
        [sys.executable, "-m", "relay", "--version"], capture_output=True, text=True, check=True
    )
    assert module.stdout.strip() == shown
    assert f"schema version {SCHEMA_VERSION}" in shown


def test_a_wrong_option_is_a_wrong_command_line(run_relay: RunRelay) -> None:
    code, _, said = run_relay("status", "--colour", environment={}).finish()
    assert code == 2
    assert "--colour" in said
