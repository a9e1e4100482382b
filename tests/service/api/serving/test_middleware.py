"""Around the routes: request ids, CORS, gzip, health, and what reaches the log."""

import logging
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from relay.service.api.serving.request_ids import RequestIdFilter
from tests.service.api.conftest import Store
from tests.support.postgres import Database

MakeApi = Callable[..., Callable[..., TestClient]]
FACES = ["/events", "/api/assisted-install/v2/events"]
ORIGIN = "https://console.example"


@pytest.mark.parametrize("path", [*FACES, "/livez", "/nothing"])
def test_a_request_id_is_made_or_taken_over(admin: TestClient, path: str) -> None:
    made = [admin.get(path).headers["X-Request-ID"] for _ in range(2)]
    assert len(set(made)) == 2
    for given in ("r-1", "a" * 128):
        assert admin.get(path, headers={"X-Request-ID": given}).headers["X-Request-ID"] == given
    for strange in ("a b", "a" * 129, '"x"', "a,b"):
        answered = admin.get(path, headers={"X-Request-ID": strange}).headers["X-Request-ID"]
        assert answered.isalnum()
        assert len(answered) == 32


@pytest.mark.parametrize("path", [*FACES, "/nothing"])
def test_no_answer_is_stored_on_its_way(admin: TestClient, path: str) -> None:
    for method in ("GET", "BREW"):
        assert admin.request(method, path).headers["Cache-Control"] == "no-store"


def test_the_request_id_is_in_every_log_line(
    admin: TestClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.addFilter(RequestIdFilter())
    with database.connect() as connection:
        connection.execute("ALTER TABLE outbox_event RENAME TO hidden")
    for path in FACES:
        caplog.clear()
        assert admin.get(path, headers={"X-Request-ID": "r-1"}).status_code == 503
        assert [record.__dict__["request_id"] for record in caplog.records] == ["r-1"]


def test_no_log_line_shows_a_token(
    admin: TestClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = admin.headers["Authorization"].removeprefix("Bearer ")
    sent = {"Authorization": ""}
    admin.get(FACES[1], params={"api_key": token}, headers=sent)
    admin.get(FACES[1], params={"api_key": f"{token}x"}, headers=sent)
    admin.get(FACES[1], params={"api_key": token, "limit": "x"}, headers=sent)
    with database.connect() as connection:
        connection.execute("ALTER TABLE outbox_event RENAME TO hidden")
    admin.get(FACES[1], params={"api_key": token}, headers=sent)
    shown = "\n".join(
        f"{record.name} {record.getMessage()} {record.exc_text}"
        for record in caplog.records
        if record.name.partition(".")[0] in {"relay", "uvicorn", "fastapi", "starlette"}
    )
    assert "cannot be used" in shown
    assert token.rpartition(".")[2] not in shown
    assert "api_key" not in shown


@pytest.mark.parametrize("path", FACES)
def test_pages_of_other_origins_may_call_where_a_setting_says_so(
    make_api: MakeApi, path: str
) -> None:
    asking = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET",
              "Access-Control-Request-Headers": "authorization, watcher-authorization"}  # fmt: skip
    closed = make_api()()
    assert closed.options(path, headers=asking).status_code == 405
    assert "access-control-allow-origin" not in closed.get(path, headers=asking).headers
    allowed = make_api(RELAY_API_CORS_ORIGINS=f"{ORIGIN}, https://other.example")()
    nobody = {"Authorization": ""}
    assert allowed.options(path, headers=asking | nobody).status_code == 200
    for headers in (asking, asking | nobody):
        answer = allowed.get(path, headers=headers)
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "Event-Count" in answer.headers["access-control-expose-headers"]
    stranger = asking | {"Origin": "https://evil.example"}
    assert "access-control-allow-origin" not in allowed.get(path, headers=stranger).headers
    assert allowed.options(path, headers=stranger).status_code == 400


@pytest.mark.parametrize("path", FACES)
def test_a_list_is_compressed_for_those_who_ask(admin: TestClient, store: Store, path: str) -> None:
    for _ in range(20):
        store()
    answer = admin.get(path)
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.json()) == 20
    for refusal in ("identity", "gzip;q=0", "br, GZIP ; q=0.00, *"):
        plain = admin.get(path, headers={"Accept-Encoding": refusal})
        assert "content-encoding" not in plain.headers
        assert plain.json() == answer.json()
    wish = admin.get(path, headers={"Accept-Encoding": "gzip;q=0.5"})
    assert wish.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_health_answers_a_head(admin: TestClient, path: str) -> None:
    assert (admin.head(path).status_code, admin.head(path).text) == (200, "")


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE outbox_event RENAME TO hidden",
        "ALTER TABLE outbox_event RENAME COLUMN props TO properties",
        "ALTER TABLE outbox_event RENAME TO h; CREATE TABLE outbox_event (id bigint, name text)",
        "REVOKE SELECT ON outbox_event FROM outbox_api",
    ],
)
def test_it_is_not_ready_where_the_table_is_not_ours(
    admin: TestClient, database: Database, change: str
) -> None:
    assert admin.get("/readyz").status_code == 200
    with database.connect() as connection:
        connection.execute(change.encode())
    answer = admin.get("/readyz")
    assert answer.status_code == 503
    assert "outbox_event" in answer.text
