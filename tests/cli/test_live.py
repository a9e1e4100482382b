"""`relay live`, the health check of the container."""

import signal

from tests.support.ports import free_port
from tests.support.postgres import Database
from tests.support.process import RunRelay

LISTENING = "metrics and health on port"


def test_it_tells_a_running_relay_from_a_frozen_and_from_none(run_relay: RunRelay) -> None:
    relay = run_relay(
        "run",
        environment={
            "RELAY_LOG_FORMAT": "json",
            "RELAY_METRICS_HOST": "127.0.0.1",
            "RELAY_METRICS_PORT": "0",
        },
    )
    port = str(relay.wait_for_log(LISTENING)["message"]).rsplit(" ", 1)[1]
    given = {"RELAY_METRICS_PORT": port, "RELAY_API_PORT": str(free_port())}
    asked = run_relay("live", environment=given)
    assert (asked.wait(), asked.output) == (0, "ok")

    relay.send_signal(signal.SIGSTOP)
    asked = run_relay("live", environment=given)
    assert asked.wait() == 1
    assert "does not answer: timed out" in asked.output

    relay.kill()
    asked = run_relay("live", environment=given)
    assert asked.wait() == 1
    assert "is `relay run`, `relay api` or `relay console` running?" in asked.output
    assert "Traceback" not in asked.output


def test_it_asks_the_api_where_no_relay_listens(run_relay: RunRelay, database: Database) -> None:
    given = {
        "DATABASE_URL": database.dsn,
        "RELAY_METRICS_PORT": str(free_port()),
        "RELAY_API_PORT": str(free_port()),
        "RELAY_API_AUTHENTICATION": "off",
        "RELAY_LOG_FORMAT": "json",
    }
    run_relay("api", environment=given).wait_for_log("serving events")
    asked = run_relay("live", environment=given)
    assert (asked.wait(), asked.output) == (0, "ok")
