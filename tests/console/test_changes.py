"""Changes: with a reason, of exactly what was seen, by the person, and by nobody else."""

import json
import re
from html import unescape
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.console.conftest import Serve
from tests.support.outbox import Outbox
from tests.support.postgres import Database
from tests.support.roles import member

GROUP = "/change/requeue?topic=events-stream&reason=Broker%3A+Message+size+too+large+%28N+bytes%29"
AUDIT = "SELECT action, person, reason, outbox_id, shard FROM outbox_audit ORDER BY id"


def form(client: TestClient, path: str) -> dict[str, str]:
    """The fields of the form at *path*, as a browser would send them."""
    page = client.get(path)
    assert page.status_code == 200, page.text
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text)
    return {name: unescape(value) for name, value in hidden}


def post(client: TestClient, path: str, **fields: str) -> Response:
    answer: Response = client.post(path, data=form(client, path) | {"reason": "a test"} | fields)
    return answer


def audit(outbox: Outbox) -> list[tuple[Any, ...]]:
    return outbox.connection.execute(AUDIT).fetchall()


def parked_ids(outbox: Outbox) -> list[int]:
    rows = outbox.connection.execute(
        "SELECT id FROM outbox WHERE parked_at IS NOT NULL AND topic = 'events-stream' ORDER BY id"
    )
    return [row_id for (row_id,) in rows]


def test_a_whole_group_is_requeued_with_its_reason(incident: Outbox, acting: TestClient) -> None:
    ids = parked_ids(incident)
    assert "Requeue 6 rows" in acting.get(GROUP).text
    answer = post(acting, GROUP, reason="the limit was raised")
    assert answer.status_code == 303
    page = acting.get(answer.headers["location"])
    assert "6 rows requeued." in page.text
    assert parked_ids(incident) == []
    noted = [line for line in audit(incident) if line[0] == "requeue"]
    assert [line[3] for line in noted] == ids
    assert {line[2] for line in noted} == {"the limit was raised"}
    assert all(line[1] for line in noted), "the person is kept"
    # Said once.
    assert "6 rows requeued." not in acting.get(answer.headers["location"]).text


def test_one_is_requeued_as_a_test(incident: Outbox, acting: TestClient) -> None:
    first, *rest = parked_ids(incident)
    answer = post(acting, f"/change/requeue?ids={first}")
    assert answer.headers["location"] == f"/find?q={first}"
    assert parked_ids(incident) == rest


@pytest.mark.parametrize(
    "changed",
    [
        "UPDATE outbox SET parked_at = NULL WHERE id = {first}",
        # As many as before, and others.
        """
        UPDATE outbox SET parked_at = CASE WHEN id = {first} THEN NULL ELSE clock_timestamp() END,
               topic = 'events-stream', last_error = 'Broker: Message size too large (1 bytes)'
         WHERE id IN ({first}, 1)
        """,
    ],
)
def test_what_is_not_what_was_seen_is_refused(
    incident: Outbox, acting: TestClient, changed: str
) -> None:
    fields = form(acting, GROUP) | {"reason": "a test"}
    incident.connection.execute(changed.format(first=parked_ids(incident)[0]))
    before = parked_ids(incident)
    answer = acting.post(GROUP, data=fields)
    assert answer.status_code == 409
    assert "no longer what you saw" in answer.text
    assert parked_ids(incident) == before


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"reason": "  "}, 400, "The reason is missing"),
        ({"reason": "x" * 501}, 400, "more than 500 characters"),
        ({"count": "7"}, 409, "no longer what you saw"),
        ({"csrf": "guessed"}, 403, "too old"),
        ({"csrf": ""}, 403, "too old"),
    ],
)
def test_a_form_that_is_not_right_changes_nothing(
    incident: Outbox, acting: TestClient, fields: dict[str, str], status: int, said: str
) -> None:
    answer = post(acting, GROUP, **fields)
    assert answer.status_code == status
    assert said in answer.text
    assert len(parked_ids(incident)) == 6


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_another_site_changes_nothing(
    incident: Outbox, acting: TestClient, headers: dict[str, str]
) -> None:
    fields = form(acting, GROUP) | {"reason": "a test"}
    answer = acting.post(GROUP, data=fields, headers=headers)
    assert answer.status_code == 403
    assert len(parked_ids(incident)) == 6


def test_read_only_is_the_default(incident: Outbox, console: TestClient) -> None:
    page = console.get(GROUP)
    assert "read-only" in page.text
    assert "<button" not in page.text.partition("<main")[2]
    console.get("/")
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    answer = console.post(GROUP, data={"csrf": token[1] if token else "", "reason": "a test"})
    assert answer.status_code == 403
    assert len(parked_ids(incident)) == 6


def test_a_database_user_who_is_no_operator_changes_nothing(
    incident: Outbox, database: Database, serve: Serve
) -> None:
    with member(database, "outbox_reader") as reader:
        client = serve(DATABASE_URL=reader.dsn, RELAY_CONSOLE_ACTIONS="true")
        assert "outbox_operator" in client.get(GROUP).text
        client.__exit__(None, None, None)
    assert len(parked_ids(incident)) == 6


def test_rows_are_saved_and_discarded(incident: Outbox, acting: TestClient) -> None:
    path = GROUP.replace("requeue", "discard", 1)
    page = acting.get(path).text
    export = re.search(r'href="(/export[^"]+)"', page)
    assert export
    saved = acting.get(unescape(export[1]))
    assert saved.headers["content-disposition"].startswith("attachment")
    lines = [json.loads(line) for line in saved.text.splitlines()]
    assert [line["id"] for line in lines] == parked_ids(incident)
    assert post(acting, path).status_code == 303
    assert parked_ids(incident) == []


def test_a_topic_is_redirected(incident: Outbox, acting: TestClient) -> None:
    path = "/change/redirect?topic=billing"
    assert post(acting, path, to="").status_code == 400
    answer = post(acting, path, to="not a topic")
    assert answer.status_code == 409
    assert "is no name of a topic" in answer.text
    assert incident.count("topic = 'billing'") == 1280
    assert post(acting, path, to="usage").status_code == 303
    assert incident.count("topic = 'usage'") == 1280


def test_rows_that_name_no_topic_are_redirected_with_the_default(
    incident: Outbox, acting: TestClient
) -> None:
    incident.emit("ClusterState", topic="events-stream")
    assert "/change/redirect?topic=events-stream" in acting.get("/topics").text
    assert "Redirect 347 rows" in acting.get("/change/redirect?topic=events-stream").text


def test_shards_are_paused_and_resumed(incident: Outbox, acting: TestClient) -> None:
    assert post(acting, "/change/pause?shards=3,9").status_code == 303
    assert "4 paused" in acting.get("/shards").text
    assert "Resume 4 shards" in acting.get("/change/resume?shards=paused").text
    assert post(acting, "/change/resume?shards=paused").status_code == 303
    assert "none is paused" in acting.get("/shards").text
    assert {line[0] for line in audit(incident)} == {"pause", "resume"}
    assert acting.get("/change/resume?shards=paused").status_code == 400


def test_a_foreign_holder_is_ended(
    incident: Outbox, acting: TestClient, database: Database
) -> None:
    holder = database.connect()
    holder.execute("SELECT FROM outbox_shard WHERE shard = 12 FOR UPDATE")
    pid = holder.info.backend_pid
    assert f"/change/end?pid={pid}" in acting.get("/").text
    assert post(acting, f"/change/end?pid={pid}", reason="left open").status_code == 303
    assert "/change/end" not in acting.get("/").text
    holder.close()
    action, _, reason, row, shard = audit(incident)[-1]
    assert (action, row, shard) == ("end", None, None)
    assert reason.startswith(f"left open [pid {pid},")
    assert acting.get(f"/change/end?pid={pid}").status_code == 404


def test_a_session_that_went_on_is_not_ended(
    incident: Outbox, acting: TestClient, database: Database
) -> None:
    with database.connect() as holder:
        holder.execute("SELECT FROM outbox_shard WHERE shard = 12 FOR UPDATE")
        path = f"/change/end?pid={holder.info.backend_pid}"
        fields = form(acting, path) | {"reason": "a test"}
        holder.rollback()
        holder.execute("SELECT 1")
        assert acting.post(path, data=fields).status_code == 409
        assert holder.execute("SELECT 1").fetchone() == (1,)
    assert "end" not in {line[0] for line in audit(incident)}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/change/nothing", 404),
        ("/change/requeue", 400),
        ("/change/requeue?ids=x", 400),
        ("/change/requeue?ids=999999999999999999999", 400),
        ("/change/pause?shards=64", 400),
        ("/change/pause?shards=", 400),
        ("/change/end?pid=x", 400),
        ("/change/end?pid=1", 404),
        ("/export", 400),
    ],
)
def test_an_address_that_names_nothing_is_said_on_a_page(
    acting: TestClient, path: str, status: int
) -> None:
    answer = acting.get(path)
    assert answer.status_code == status, answer.text
    assert "Traceback" not in answer.text
