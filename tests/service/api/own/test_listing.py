"""What a list shows, asked for over HTTP."""

import uuid
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.service.api.conftest import Store
from tests.support.postgres import Database

EVENTS = "/events"


def messages(client: TestClient, **query: Any) -> list[str]:  # noqa: ANN401 - as the client takes it
    answer = client.get(EVENTS, params=query)
    assert answer.status_code == 200, answer.text
    return [event["message"] for event in answer.json()]


def test_an_event_is_shown_whole(admin: TestClient, database: Database) -> None:
    cluster, host, infra_env, event = (uuid.uuid4() for _ in range(4))
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO outbox_event (event_id, name, severity, message, event_time, cluster_id,"
            " host_id, infra_env_id, request_id, props) VALUES (%s, 'disk_slow', 'warning',"
            " 'Disk ü is slow', '2026-11-24T13:00:00.5+01:00', %s, %s, %s, 'r-1', %s)",
            (event, cluster, host, infra_env, '{"disk": "ü", "ms": 12}'),
        )
    assert admin.get(EVENTS).json() == [
        {
            "event_id": str(event),
            "name": "disk_slow",
            "category": "user",
            "severity": "warning",
            "message": "Disk ü is slow",
            "event_time": "2026-11-24T12:00:00.500000Z",
            "cluster_id": str(cluster),
            "host_id": str(host),
            "infra_env_id": str(infra_env),
            "subject_kind": None,
            "subject_id": None,
            "request_id": "r-1",
            "props": {"disk": "ü", "ms": 12},
        }
    ]


@pytest.mark.parametrize("owner", ["cluster_id", "infra_env_id"])
def test_of_a_cluster_or_infra_env(admin: TestClient, store: Store, owner: str) -> None:
    wanted = uuid.uuid4()
    store(message="mine", **{owner: wanted})
    store(message="another's", **{owner: uuid.uuid4()})
    store(message="nobody's")
    assert messages(admin, **{owner: wanted}) == ["mine"]


def test_of_a_subject_of_the_services_own(admin: TestClient, database: Database) -> None:
    with database.connect() as connection:
        for kind, identity in (("order", "42"), ("order", "43"), ("parcel", "42")):
            connection.execute(
                "INSERT INTO outbox_event (name, severity, message, subject_kind, subject_id)"
                " VALUES ('paid', 'info', %s || ' ' || %s, %s, %s)",
                (kind, identity, kind, identity),
            )
    assert messages(admin, subject_kind="order", subject_id="42") == ["order 42"]
    assert messages(admin, subject_kind="order") == ["order 42", "order 43"]
    assert messages(admin, subject_id="42") == ["order 42", "parcel 42"]
    assert messages(admin, subject_id="44") == []


def test_of_hosts_repeated_or_with_commas(admin: TestClient, store: Store) -> None:
    one, two, three = (uuid.uuid4() for _ in range(3))
    for name, host in (("one", one), ("two", two), ("three", three)):
        store(message=name, host_id=host)
    assert messages(admin, host_ids=[str(one), str(three)]) == ["one", "three"]
    assert messages(admin, host_ids=f"{one},{two}") == ["one", "two"]


def test_at_the_level_of_the_cluster(admin: TestClient, store: Store) -> None:
    cluster, one, two = (uuid.uuid4() for _ in range(3))
    store(message="cluster", cluster_id=cluster)
    store(message="one", cluster_id=cluster, host_id=one)
    store(message="two", cluster_id=cluster, host_id=two)
    assert messages(admin, cluster_id=cluster, cluster_level=True) == ["cluster"]
    assert messages(admin, cluster_id=cluster, cluster_level=False) == ["one", "two"]
    both = messages(admin, cluster_id=cluster, cluster_level=True, host_ids=str(two))
    assert both == ["cluster", "two"]


def test_of_severities_and_categories(admin: TestClient, store: Store) -> None:
    for severity in ("info", "warning", "error", "critical"):
        store(message=severity, severity=severity)
    store(message="measured", category="metrics")
    assert messages(admin, severities=["critical", "error"]) == ["error", "critical"]
    assert messages(admin, severities="warning,critical") == ["warning", "critical"]
    assert messages(admin, categories="metrics") == ["measured"]
    assert len(messages(admin, categories="user,metrics")) == 5


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ("DISK", ["a disk of 100%", "disk_1 is slow"]),
        ("100%", ["a disk of 100%"]),
        ("disk_", ["disk_1 is slow"]),
        ("%", ["a disk of 100%"]),
        ("_", ["disk_1 is slow"]),
        ("\\", ["a \\ b"]),
        ("a%b", []),
    ],
)
def test_of_a_part_of_the_message_taken_literally(
    admin: TestClient, store: Store, part: str, found: list[str]
) -> None:
    for message in ("a disk of 100%", "disk_1 is slow", "a \\ b"):
        store(message=message)
    assert messages(admin, message=part) == found


def test_in_the_order_of_what_happened(admin: TestClient, store: Store) -> None:
    store(message="later", event_time="2026-11-24T12:00:01Z")
    store(message="earlier", event_time="2026-11-24T11:00:00Z")
    store(message="same time, written after", event_time="2026-11-24T12:00:01Z")
    ascending = ["earlier", "later", "same time, written after"]
    assert messages(admin) == ascending
    assert messages(admin, order="descending") == ascending[::-1]
    assert messages(admin, limit=1, offset=1) == ["later"]


def test_the_headers_count_what_the_filter_finds(admin: TestClient, store: Store) -> None:
    for severity, number in {"info": 3, "warning": 2, "critical": 1}.items():
        for _ in range(number):
            store(severity=severity, message=f"a {severity}")
    store(severity="error", message="something else")
    headers = admin.get(EVENTS, params={"message": "a ", "severities": "info", "limit": 1}).headers
    counted = [headers[f"Severity-Count-{s}"] for s in ("Info", "Warning", "Error", "Critical")]
    assert counted == ["3", "2", "0", "1"]
    assert headers["Event-Count"] == "3"


@pytest.mark.parametrize(
    "query",
    [
        {"cluster": str(uuid.uuid4())},
        {"cluster_id": "hunter2"},
        {"host_ids": "hunter2"},
        {"severities": "hunter2"},
        {"order": "hunter2"},
        {"limit": "0"},
        {"limit": "hunter2"},
        {"offset": "-1"},
        {"cluster_level": "hunter2"},
        {"message": "hunter2\0"},
        {"categories": "hunter2\0"},
        {"cursor": "hunter2"},
        {"cursor": f"{'9' * 20}.1"},
        {"cursor": "1.-1"},
        {"since": "hunter2"},
        {"until": "2026-11-24T12:00:00"},
        {"until": "20261124"},
        {"subject": "hunter2"},
        {"names": "hunter2\0"},
        {"unheard_of": "hunter2"},
    ],
)
def test_a_query_that_is_not_valid_is_explained_without_repeating_it(
    admin: TestClient, query: dict[str, str]
) -> None:
    answer = admin.get(EVENTS, params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 422
    assert problem["faults"]
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("path", ["/", "/event"])
def test_what_is_not_there_is_a_problem_too(admin: TestClient, path: str) -> None:
    answer = admin.get(path)
    assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")
    assert answer.headers["content-type"] == "application/problem+json"
    refused = admin.delete(EVENTS)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST")


def test_a_table_that_is_away_is_503_without_details(admin: TestClient, database: Database) -> None:
    with database.connect() as connection:
        connection.execute("ALTER TABLE outbox_event RENAME TO hidden_events")
    answer = admin.get(EVENTS)
    assert answer.status_code == 503
    assert "hidden" not in answer.text


def test_a_parameter_that_is_not_known_is_named(admin: TestClient) -> None:
    for client_sends in ({"clusterid": "x"}, {"x" * 99: "y"}, {"a\r\nb": "c"}):
        answer = admin.get(EVENTS, params=client_sends)
        (fault,) = answer.json()["faults"]
        assert fault["where"].startswith(f"query.{next(iter(client_sends))[:1]}")
        assert len(fault["where"]) < 60
    answer = admin.post(EVENTS, params={"dry_run": "1"}, json={})
    assert (answer.status_code, answer.json()["faults"][0]["where"]) == (400, "query.dry_run")


@pytest.mark.parametrize("name", ["cluster_id", "order", "limit", "message", "cursor", "nonsense"])
def test_what_is_given_twice_is_400_and_named(admin: TestClient, name: str) -> None:
    answer = admin.get(EVENTS, params=[(name, "1"), (name, "2")])
    assert answer.status_code == 400
    assert answer.json()["faults"][0]["where"] == f"query.{name}"


def test_a_header_that_is_given_twice_is_400(admin: TestClient) -> None:
    headers = [("Authorization", admin.headers["Authorization"]), ("Idempotency-Key", "a")]
    answer = admin.post(EVENTS, json={}, headers=[*headers, ("Idempotency-Key", "b")])
    assert answer.status_code == 400
    assert answer.json()["faults"][0]["where"] == "header.idempotency-key"


def test_of_names_a_request_and_a_time(admin: TestClient, database: Database) -> None:
    with database.connect() as connection:
        for minute, (name, request) in enumerate((("a", "r-1"), ("b", "r-1"), ("c", "r-2"))):
            connection.execute(
                "INSERT INTO outbox_event (name, severity, message, event_time, request_id)"
                " VALUES (%s, 'info', %s, %s, %s)",
                (name, name, f"2026-11-24T12:0{minute}:00Z", request),
            )
    assert messages(admin, names="a,c") == messages(admin, names=["a", "c"]) == ["a", "c"]
    assert messages(admin, request_id="r-1") == ["a", "b"]
    assert messages(admin, since="2026-11-24T12:01:00Z") == ["b", "c"]
    assert messages(admin, until="2026-11-24T13:01:00+01:00") == ["a"]
    assert messages(admin, since="2026-11-24T12:01:00Z", until="2026-11-24T12:02:00Z") == ["b"]


@pytest.mark.parametrize("owner", ["cluster_id", "infra_env_id", "host_id"])
def test_of_a_subject_whichever_it_is(admin: TestClient, store: Store, owner: str) -> None:
    wanted = uuid.uuid4()
    store(message="mine", **{owner: wanted})
    store(message="another's", **{owner: uuid.uuid4()})
    assert messages(admin, subject=wanted) == ["mine"]


def test_one_event_by_its_id(admin: TestClient, store: Store) -> None:
    store(message="mine")
    (event,) = admin.get(EVENTS).json()
    path = f"{EVENTS}/{event['event_id']}"
    assert admin.get(path).json() == event
    assert (admin.head(path).status_code, admin.head(path).text) == (200, "")
    assert admin.get(f"{EVENTS}/{uuid.uuid4()}").status_code == 404
    assert admin.get(f"{EVENTS}/hunter2").status_code == 422


def test_a_head_counts_and_reads_nothing(admin: TestClient, store: Store) -> None:
    for _ in range(3):
        store(severity="error")
    answer = admin.head(EVENTS, params={"severities": "error"})
    assert (answer.status_code, answer.text) == (200, "")
    assert (answer.headers["Event-Count"], answer.headers["Severity-Count-Error"]) == ("3", "3")


@pytest.mark.parametrize("path", [f"{EVENTS}/", "/livez/"])
def test_a_slash_at_the_end_is_no_redirect(admin: TestClient, path: str) -> None:
    assert admin.get(path, follow_redirects=False).status_code == 200


def test_an_answer_is_stored_nowhere(admin: TestClient) -> None:
    for answer in (admin.get(EVENTS), admin.get(EVENTS, headers={"Authorization": ""})):
        assert answer.headers["Cache-Control"] == "no-store"
