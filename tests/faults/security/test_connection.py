"""Who is there cannot be agreed on: rows wait, and each attempt warns of the reason."""

from collections.abc import Callable

import pytest
import trustme

from tests.faults.conftest import AFTER_AN_OUTAGE_SECONDS, Recovery
from tests.faults.security.certificates import broker_certificate, ca_pem
from tests.faults.security.guard import PASSWORD, Guard
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.incidents import codes, see
from tests.support.metrics import get, metric
from tests.support.outbox import Outbox, Start
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest

pytestmark = pytest.mark.kafka

ROWS = 50
# In the broker's own log.
FAILED_LOGIN = "Failed authentication with"


@pytest.fixture
def assert_refused(outbox: Outbox) -> Callable[..., None]:
    """Assert what users see while the relay and its broker do not come together."""

    def check(process: ProcessUnderTest, *reasons: str, after: int = 0) -> None:
        warning = process.wait_for_log(
            lambda entry: any(reason in entry["message"] for reason in reasons), after=after
        )
        assert warning["level"] == "WARNING"
        assert "cannot be used" in warning["message"]
        assert metric(process, "broker_up") == 0
        eventually(lambda: get(process, "/readyz")[0] == 200)
        assert outbox.count("attempts = 0 AND parked_at IS NULL") == ROWS
        assert PASSWORD not in process.output
        assert "PRIVATE KEY" not in process.output

    return check


@pytest.fixture
def assert_delivered(
    outbox: Outbox, stream: Callable[[], Stream], recovery: Recovery
) -> Callable[[], None]:
    def check() -> None:
        with recovery(AFTER_AN_OUTAGE_SECONDS):
            outbox.await_empty("true")
        found = stream()
        assert (found.rows, found.duplicates, found.inversions) == (ROWS, 0, 0)

    return check


def test_wrong_sasl_password_then_the_right_one(
    outbox: Outbox,
    relay: Start,
    guard: Guard,
    assert_refused: Callable[..., None],
    assert_delivered: Callable[[], None],
) -> None:
    guard.set_password("another-password")
    outbox.fill(ROWS, keys=5)
    process = relay()
    assert_refused(process, "authentication failed", "Authentication failed")
    guard.set_password(PASSWORD)
    assert_delivered()


def test_a_wrong_password_is_tried_once_an_attempt_and_named_at_once(
    outbox: Outbox, relay: Start, guard: Guard, database: Database
) -> None:
    guard.set_password("another-password")
    log = guard.proxied.broker.log_path
    before = log.read_text().count(FAILED_LOGIN)
    outbox.fill(ROWS, keys=5)
    process = relay()
    first = process.wait_for_log("cannot be used")["message"]
    assert "uthentication failed" in first

    def attempts() -> int:
        return sum("uthentication failed" in entry["message"] for entry in process.logs)

    def logins() -> int:
        return log.read_text().count(FAILED_LOGIN) - before

    eventually(lambda: attempts() >= 4)
    eventually(lambda: "broker-credential" in codes(see(database)), timeout=20)
    process.terminate()
    # The broker may write its log later than the relay.
    eventually(lambda: logins() >= attempts())
    assert logins() <= attempts() + 1


def test_credential_revoked(
    outbox: Outbox,
    relay: Start,
    guard: Guard,
    assert_refused: Callable[..., None],
    stream: Callable[[], Stream],
    recovery: Recovery,
) -> None:
    outbox.emit("before")
    process = relay()
    outbox.await_empty()
    guard.revoke_user()
    outbox.fill(ROWS, keys=5)
    assert_refused(process, "authentication failed", "Authentication failed")
    guard.set_password()
    with recovery(AFTER_AN_OUTAGE_SECONDS):
        outbox.await_empty("true")
    assert (stream().rows, stream().inversions) == (ROWS + 1, 0)


def test_tls_with_a_wrong_ca(
    outbox: Outbox,
    relay: Start,
    assert_refused: Callable[..., None],
    assert_delivered: Callable[[], None],
) -> None:
    outbox.fill(ROWS, keys=5)
    process = relay(KAFKA_PROPERTY_SSL_CA_PEM=ca_pem(trustme.CA()))
    assert_refused(process, "certificate verify failed")
    assert process.terminate() == 0
    relay()
    assert_delivered()


def test_tls_with_an_expired_certificate(
    outbox: Outbox,
    relay: Start,
    guard: Guard,
    assert_refused: Callable[..., None],
    assert_delivered: Callable[[], None],
) -> None:
    guard.show(broker_certificate(guard.ca, expired=True))
    outbox.fill(ROWS, keys=5)
    process = relay()
    assert_refused(process, "certificate verify failed")
    guard.show(broker_certificate(guard.ca))
    assert_delivered()


def test_tls_with_a_certificate_of_another_host(
    outbox: Outbox,
    relay: Start,
    guard: Guard,
    assert_refused: Callable[..., None],
    assert_delivered: Callable[[], None],
) -> None:
    guard.show(broker_certificate(guard.ca, "another-host.example"))
    outbox.fill(ROWS, keys=5)
    process = relay()
    assert_refused(process, "certificate verify failed")
    guard.show(broker_certificate(guard.ca))
    assert_delivered()
