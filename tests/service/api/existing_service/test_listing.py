"""The queries that the web UI, generated clients and command-line tools of the service send."""

import asyncio
import json
import uuid
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from relay.service.api.core.refusal import CutOffError
from tests.service.api.conftest import Store, store_large_events
from tests.support.postgres import Database

EVENTS = "/api/assisted-install/v2/events"
CLUSTER, HOST, OTHER_HOST = (str(uuid.UUID(int=number)) for number in (1, 2, 3))
WEB_UI = f"cluster_id={CLUSTER}&limit=10&offset=0&order=descending"


@pytest.fixture
def stored(store: Store) -> None:
    store(message="cluster", cluster_id=CLUSTER)
    store(message="host", cluster_id=CLUSTER, host_id=HOST, severity="error")
    store(message="other host", cluster_id=CLUSTER, host_id=OTHER_HOST)
    store(message="measured", cluster_id=CLUSTER, category="metrics")


def asked(client: TestClient, query: str) -> list[str]:
    answer = client.get(f"{EVENTS}?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return [event["message"] for event in answer.json()]


ALL = ["cluster", "host", "other host"]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ALL),
        (f"cluster_id={CLUSTER}", ALL),
        # The web UI.
        (f"{WEB_UI}&deleted_hosts=true&cluster_level=true", ["cluster"]),
        (f"{WEB_UI}&deleted_hosts=false&cluster_level=false", ALL[::-1]),
        (f"{WEB_UI}&host_ids={HOST},{OTHER_HOST}&cluster_level=true", ALL[::-1]),
        (f"{WEB_UI}&severities=info,warning,error,critical&message=", ALL[::-1]),
        (f"{WEB_UI}&categories=user&message=OTHER", ["other host"]),
        # Generated clients.
        (f"cluster_id={CLUSTER}&host_id={HOST}", ["host"]),
        (f"host_id={HOST}&host_ids={OTHER_HOST}", ["host", "other host"]),
        ("categories=metrics", ["measured"]),
        ("categories=user,metrics", [*ALL, "measured"]),
        ("categories=user&categories=metrics", [*ALL, "measured"]),
        ("limit=-1&offset=-1", ALL),
        ("limit=0", []),
        ("limit=2&offset=1", ["host", "other host"]),
        ("limit=1000000000000", ALL),
        # Command-line tools.
        ("cluster_id=&host_id=&host_ids=&infra_env_id=&severities=&categories=&message=", ALL),
        ("order=&limit=&offset=&cluster_level=&deleted_hosts=&api_key=", ALL),
        (f"host_ids={HOST},", ["host"]),
        (f"host_ids=,{HOST},,", ["host"]),
        ("severities=error,", ["host"]),
        ("severities=error&severities=critical", ["host"]),
    ],
)
def test_a_query_of_existing_clients(admin: TestClient, query: str, found: list[str]) -> None:
    assert asked(admin, query) == found


def test_an_event_is_shown_as_they_read_it(admin: TestClient, database: Database) -> None:
    with database.connect() as connection:
        for props in ("{}", '{"disk": "ü", "ms": 12}'):
            connection.execute(
                "INSERT INTO outbox_event (name, severity, message, event_time, cluster_id, props)"
                " VALUES ('disk_slow', 'warning', 'slow', '2026-11-24T13:00:00.5+01:00', %s, %s)",
                (CLUSTER, props),
            )
    bare, full = admin.get(EVENTS).json()
    assert full == bare | {"props": full["props"]}
    assert (bare["props"], json.loads(full["props"])) == ("", {"disk": "ü", "ms": 12})
    assert bare["event_time"] == "2026-11-24T12:00:00.500000Z"
    assert (bare["name"], bare["category"], bare["cluster_id"]) == ("disk_slow", "user", CLUSTER)


@pytest.mark.usefixtures("stored")
def test_the_headers_count_without_regard_to_severities(admin: TestClient) -> None:
    for limit in (0, 1, 5000):
        headers = admin.get(EVENTS, params={"severities": "error", "limit": limit}).headers
        counted = [headers[f"Severity-Count-{s}"] for s in ("Info", "Warning", "Error", "Critical")]
        assert counted == ["2", "0", "1", "0"]
        assert headers["Event-Count"] == "1"


def test_without_a_limit_there_are_five_thousand(admin: TestClient, database: Database) -> None:
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO outbox_event (name, severity, message)"
            " SELECT 'Event', 'info', n::text FROM generate_series(1, 5001) AS n"
        )
    assert len(admin.get(EVENTS).json()) == 5_000
    assert len(admin.get(EVENTS, params={"limit": -1}).json()) == 5_001


def test_large_events_come_all_of_them(admin: TestClient, database: Database) -> None:
    store_large_events(database, 10)
    answer = admin.get(EVENTS, params={"offset": 1, "limit": 8})
    assert [event["message"] for event in answer.json()] == [str(n) for n in range(1, 9)]
    assert "Next-Cursor" not in answer.headers


def test_a_list_that_cannot_go_on_is_cut_off(
    admin: TestClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    store_large_events(database, 10)
    parts: list[Message] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            if not parts:
                with database.connect() as owner:
                    owner.execute("ALTER TABLE outbox_event RENAME TO hidden")
            parts.append(message)

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {}

    authorization = admin.headers["Authorization"].encode()
    scope = {"type": "http", "method": "GET", "path": EVENTS, "query_string": b"",
             "headers": [(b"authorization", authorization)]}  # fmt: skip

    async def serve() -> None:
        await admin.app(scope, receive, send)

    # The server ends the connection then, without the last chunk.
    with pytest.raises(CutOffError):
        asyncio.run(serve())
    assert all(part["more_body"] for part in parts)
    assert "a list was cut off: The database cannot be used" in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("cluster_id=hunter2", "cluster_id"),
        ("host_id=hunter2", "host_id"),
        (f"host_ids={HOST},hunter2", "host_ids"),
        ("severities=hunter2", "severities"),
        ("order=hunter2", "order"),
        ("limit=hunter2", "limit"),
        ("limit=-2", "limit"),
        ("offset=-2", "offset"),
        ("cluster_level=hunter2", "cluster_level"),
        ("deleted_hosts=hunter2", "deleted_hosts"),
        ("message=%00hunter2", "message"),
        (f"cluster_id={CLUSTER}&cluster_id={HOST}", "cluster_id"),
        ("clusterid=hunter2", "clusterid"),
        ("cursor=0.0", "cursor"),
    ],
)
def test_a_bad_parameter_is_400_in_their_form_and_named(
    admin: TestClient, query: str, named: str
) -> None:
    answer = admin.get(f"{EVENTS}?{query}")
    assert answer.headers["content-type"] == "application/json"
    problem = answer.json()
    assert named in problem.pop("reason")
    assert problem == {"kind": "Error", "id": 400, "href": EVENTS, "code": "400"}
    assert answer.status_code == 400
    assert "hunter2" not in answer.text


def test_errors_of_every_kind_have_their_form(
    connect: Callable[..., TestClient], admin: TestClient, database: Database
) -> None:
    for answer, status in (
        (admin.get(EVENTS, headers={"Authorization": ""}), 401),
        (connect(role="reader").get(EVENTS), 403),
    ):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["code"] == status
        assert set(answer.json()) == {"code", "message"}
    with database.connect() as connection:
        connection.execute("ALTER TABLE outbox_event RENAME TO hidden")
    bound = connect(cluster_id=CLUSTER)
    for answer, status in (
        (bound.get(EVENTS, params={"cluster_id": HOST}), 404),
        (admin.get(EVENTS), 503),
        (admin.delete(EVENTS), 405),
        (admin.get(f"{EVENTS}/nothing"), 404),
    ):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() | {"reason": ""} == {
            "kind": "Error", "id": status, "href": answer.request.url.path, "code": str(status),
            "reason": "",
        }  # fmt: skip
        assert ("Retry-After" in answer.headers) == (status == 503)


@pytest.mark.usefixtures("stored")
def test_a_token_is_taken_from_wherever_they_put_it(admin: TestClient) -> None:
    token = admin.headers["Authorization"].removeprefix("Bearer ")
    nothing = {"Authorization": ""}
    for headers in (
        {"Authorization": f"Bearer {token}"},
        {"Authorization": f"bearer {token}"},
        {"Authorization": token},
        nothing | {"Watcher-Authorization": token},
    ):
        assert admin.get(EVENTS, headers=headers).status_code == 200, headers
    assert admin.get(EVENTS, headers=nothing, params={"api_key": token}).status_code == 200
    for query in ({"api_key": "x"}, {}):
        assert admin.get(EVENTS, headers=nothing, params=query).status_code == 401
    # The face of our own takes none of these.
    assert admin.get("/events", headers=nothing, params={"api_key": token}).status_code == 401
    assert admin.get("/events", headers={"Authorization": token}).status_code == 401


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"{WEB_UI}&deleted_hosts=true", ["other host"]),
        (f"{WEB_UI}&deleted_hosts=true&cluster_level=true", ["other host", "cluster"]),
        (f"{WEB_UI}&deleted_hosts=true&host_ids={HOST}", ["other host", "host"]),
        (f"{WEB_UI}&deleted_hosts=false", ALL[::-1]),
        (f"{WEB_UI}&host_ids={OTHER_HOST}", ["other host"]),
    ],
)
def test_deleted_hosts_are_those_of_the_service(
    make_api: Callable[..., Callable[..., TestClient]],
    database: Database,
    query: str,
    found: list[str],
) -> None:
    with database.connect() as owner:
        owner.execute("CREATE TABLE hosts (id text PRIMARY KEY, deleted_at timestamptz)")
        owner.execute("INSERT INTO hosts VALUES (%s, NULL), (%s, now())", (HOST, OTHER_HOST))
        owner.execute("GRANT SELECT ON hosts TO PUBLIC")
    which = "SELECT id FROM hosts WHERE deleted_at IS NOT NULL AND id NOT LIKE '%none';"
    client = make_api(RELAY_API_DELETED_HOSTS_QUERY=which)()
    assert asked(client, query) == found
    total = client.get(f"{EVENTS}?{query}").headers["Event-Count"]
    assert int(total) == len(found)
