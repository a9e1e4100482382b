"""A page of one cluster's events among a million, through HTTP on loopback."""

import json
import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.figures import Figures
from benchmarks.stage import Stage
from tests.support.authority import AUDIENCE, ISSUER, Authority, bearer, write_key_set
from tests.support.postgres import Database, apply_schema, temporary_database
from tests.support.process import ProcessUnderTest, relay_command

PAGE: Final = 1_000
REQUESTS: Final = 500
_WARM_UP: Final = 20
_PATHS: Final = ("/events", "/api/assisted-install/v2/events")

# Events of a cluster are spread over the whole table, as they are in life.
_FILL: Final = """
INSERT INTO outbox_event (name, severity, message, event_time, cluster_id, host_id, props)
SELECT 'host_status_updated',
       CASE WHEN mod(n, 50) = 0 THEN 'warning' ELSE 'info' END,
       'Host host-' || mod(n, 7 * %(clusters)s) || ': updated status from installing to installed',
       '2026-01-01'::timestamptz + n * interval '1 second',
       lpad(to_hex(mod(n, %(clusters)s)), 32, '0')::uuid,
       lpad(to_hex(mod(n, 7 * %(clusters)s)), 32, '0')::uuid,
       '{"old": "installing", "new": "installed"}'
  FROM generate_series(1, %(rows)s) AS n
"""


def measure(stage: Stage) -> Figures:
    """Return how long one page of 1,000 events takes, 99 times out of 100."""
    clusters = max(1, stage.sizes.rows // PAGE)
    with temporary_database(stage.postgres) as database:
        apply_schema(database)
        stage.progress.note(f"{clusters * PAGE:,} events to list from")
        with database.connect(autocommit=True) as connection:
            parameters = {"rows": clusters * PAGE, "clusters": clusters}
            connection.execute(_FILL.encode(), parameters)
            connection.execute("VACUUM ANALYZE outbox_event")
        with _api(database) as (port, headers):
            stage.progress.note(f"{REQUESTS} pages of {PAGE:,} events on each face")
            seconds = [
                [
                    _page(port, path, headers, uuid.UUID(int=random.randrange(clusters)))
                    for _ in range(_WARM_UP + REQUESTS)
                ]
                for path in _PATHS
            ]
    # Of the slower face.
    return {"events_list_p99_ms": max(map(_p99_ms, seconds))}


def _p99_ms(seconds: list[float]) -> float:
    return 1000 * quantiles(seconds[_WARM_UP:], n=100, method="inclusive")[98]


@contextmanager
def _api(database: Database) -> Iterator[tuple[int, dict[str, str]]]:
    """The port of an API that asks for tokens, and a token."""
    authority = Authority()
    with TemporaryDirectory() as folder:
        environment = {
            "DATABASE_URL": database.dsn,
            "RELAY_API_JWKS": str(write_key_set(Path(folder) / "keys.json", authority)),
            "RELAY_API_ISSUER": ISSUER,
            "RELAY_API_AUDIENCE": AUDIENCE,
            "RELAY_API_HOST": "127.0.0.1",
            "RELAY_API_PORT": "0",
            "RELAY_LOG_FORMAT": "json",
        }
        with ProcessUnderTest(relay_command("api"), environment) as process:
            started = process.wait_for_log("serving events on", timeout=60)
            port = int(str(started["message"]).rpartition(":")[2])
            yield port, bearer(authority.token(role="admin", exp=time.time() + 3600))


def _page(port: int, path: str, headers: dict[str, str], cluster: uuid.UUID) -> float:
    """Seconds of one request, its connection included."""
    begun = time.perf_counter()
    client = HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("GET", f"{path}?cluster_id={cluster}&limit={PAGE}", headers=headers)
    answer = client.getresponse()
    body = answer.read()
    lasted = time.perf_counter() - begun
    client.close()
    assert answer.status == HTTPStatus.OK, body
    assert len(json.loads(body)) == PAGE
    return lasted
