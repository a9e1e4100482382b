"""The commands that list, show and change rows, as the people see them who may do so."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from relay.daemon.figures import Report
from relay.daemon.postgres.roster import Identity, Roster
from tests.support.postgres import Database
from tests.support.process import RunRelay
from tests.support.roles import member

Relay = Callable[..., tuple[int, str, str]]


@pytest.fixture
def relay(run_relay: RunRelay, database: Database) -> Iterator[Relay]:
    """Run `relay` as an operator; exit code, standard output and standard error."""
    with ExitStack() as users:

        def run(
            *arguments: str, roles: tuple[str, ...] = ("outbox_operator",), **environment: str
        ) -> tuple[int, str, str]:
            user = users.enter_context(member(database, *roles))
            given = {"DATABASE_URL": user.dsn, "USER": "ann", "COLUMNS": "200"} | environment
            process = run_relay(*arguments, environment=given)
            return process.finish()

        yield run


@pytest.fixture
def rows(database: Database) -> None:
    """Six rows: 1 and 2 wait, 3 to 6 are parked; 5 and 6 are for a topic of their own."""
    with database.connect() as owner:
        owner.execute(
            """
            INSERT INTO outbox (name, key, topic, payload, created_at)
            SELECT CASE WHEN n = 2 THEN 'Other' ELSE 'Event' END,
                   'key-' || n,
                   CASE WHEN n > 4 THEN 'audit' END,
                   json_build_object('number', n, 'password', 'swordfish'),
                   clock_timestamp() - make_interval(hours => 10 - n)
              FROM generate_series(1, 6) AS n
            """
        )
        owner.execute("UPDATE outbox SET parked_at = now(), last_error = 'bad' WHERE id > 2")


def ids(database: Database, where: str) -> list[int]:
    with database.connect() as owner:
        found = owner.execute(f"SELECT id FROM outbox WHERE {where} ORDER BY id".encode())
        return [row[0] for row in found]


def audit(database: Database) -> list[Any]:
    with database.connect() as owner:
        return owner.execute(
            "SELECT action, reason, person, outbox_id, shard FROM outbox_audit ORDER BY id"
        ).fetchall()


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], [1, 2, 3, 4, 5, 6]),
        (["--state", "pending"], [1, 2]),
        (["--state", "parked"], [3, 4, 5, 6]),
        (["--key", "key-4"], [4]),
        (["--name", "Other"], [2]),
        (["--topic", "audit"], [5, 6]),
        (["--topic", "", "--state", "parked"], [3, 4]),
        (["--older-than", "7.5h"], [1, 2]),
        (["--newer-than", "270m"], [6]),
    ],
)
def test_list_by_what_rows_have_in_common(
    relay: Relay, options: list[str], found: list[int]
) -> None:
    code, shown, _ = relay("list", "--json", *options, roles=("outbox_reader",))
    assert code == 0
    listed = json.loads(shown)
    assert [row["id"] for row in listed["rows"]] == found
    assert listed["next_after"] is None
    assert "swordfish" not in shown


@pytest.mark.usefixtures("rows")
def test_list_page_by_page(relay: Relay) -> None:
    def page(after: int) -> dict[str, Any]:
        _, shown, _ = relay("list", "--json", "--limit", "4", "--after", str(after))
        found: dict[str, Any] = json.loads(shown)
        return found

    first = page(0)
    assert [row["id"] for row in first["rows"]] == [1, 2, 3, 4]
    second = page(first["next_after"])
    assert [row["id"] for row in second["rows"]] == [5, 6]
    assert second["next_after"] is None
    _, shown, said = relay("list", "--limit", "5")
    assert "--after 5" in said
    assert "key-5" in shown


@pytest.mark.usefixtures("rows")
def test_an_age_that_is_none(relay: Relay) -> None:
    code, _, said = relay("list", "--older-than", "old")
    assert code == 1
    assert "15m" in said


@pytest.mark.usefixtures("rows")
def test_show_keeps_the_payload_to_those_who_may_read_it(relay: Relay) -> None:
    code, shown, _ = relay("show", "4")
    assert code == 0
    assert "key-4" in shown
    assert "number" not in shown
    code, _, said = relay("show", "4", "--payload")
    assert code == 2
    assert "outbox_payload_reader" in said
    readers = ("outbox_reader", "outbox_payload_reader")
    _, shown, _ = relay("show", "4", "--payload", "--json", roles=readers)
    assert json.loads(shown)["payload"] == {"number": 4, "password": "[redacted]"}
    _, shown, _ = relay("show", "4", "--unredacted", "--json", roles=readers)
    assert json.loads(shown)["payload"]["password"] == "swordfish"


def test_show_a_row_that_is_gone(relay: Relay) -> None:
    code, _, said = relay("show", "99")
    assert code == 1
    assert "no row 99" in said


@pytest.mark.usefixtures("rows")
def test_requeue_by_a_filter_once_the_count_is_confirmed(relay: Relay, database: Database) -> None:
    options = ["requeue", "--topic", "audit", "--reason", "it is there now"]
    code, shown, _ = relay(*options, "--dry-run")
    assert code == 0
    assert "2 rows match; nothing was changed. Repeat with --confirm 2." in shown
    code, _, said = relay(*options)
    assert code == 2
    assert "--confirm" in said
    code, _, said = relay(*options, "--confirm", "3")
    assert code == 1
    assert "2 rows match, not 3; nothing was changed." in said
    assert ids(database, "parked_at IS NULL") == [1, 2]
    assert audit(database) == []
    code, shown, _ = relay(*options, "--confirm", "2")
    assert (code, shown) == (0, "2 rows requeued.")
    assert ids(database, "parked_at IS NULL AND attempts = 0 AND last_error IS NULL") == [
        1, 2, 5, 6,
    ]  # fmt: skip
    assert [entry[:4] for entry in audit(database)] == [
        ("requeue", "it is there now", "ann", 5),
        ("requeue", "it is there now", "ann", 6),
    ]


@pytest.mark.usefixtures("rows")
def test_requeue_leaves_what_is_not_parked_and_says_so(relay: Relay, database: Database) -> None:
    code, shown, said = relay("requeue", "1", "3", "99", "--reason", "again", "--json")
    assert code == 1
    assert json.loads(shown) == {"action": "requeue", "done": [3], "left": [1, 99]}
    assert "(1, 99)" in said
    assert ids(database, "parked_at IS NOT NULL") == [4, 5, 6]


@pytest.mark.usefixtures("rows")
def test_a_state_is_not_requeued_for_consumers_who_would_take_it_for_the_newest(
    relay: Relay, database: Database
) -> None:
    with database.connect() as owner:
        owner.execute("UPDATE outbox SET name = 'HostState' WHERE id = 4")
    preset = {"EVENT_STREAM_PRESET": "existing-consumers"}
    both = ("requeue", "3", "4", "--reason", "again")
    code, _, said = relay(*both, **preset)
    assert code == 1
    assert "States are among the rows; nothing was changed: 4." in said
    assert ids(database, "parked_at IS NULL") == [1, 2]
    assert relay("requeue", "3", "--reason", "again", **preset)[:2] == (0, "1 row requeued.")
    assert relay("requeue", "4", "--reason", "they know seq")[:2] == (0, "1 row requeued.")


@pytest.mark.usefixtures("rows")
def test_the_rule_is_in_the_database_whatever_the_shell_says(
    relay: Relay, database: Database
) -> None:
    with database.connect() as owner:
        owner.execute("UPDATE outbox SET name = 'HostState' WHERE id = 4")
        identity = Identity(True, "events", 60, states=("ClusterState", "HostState"))  # noqa: FBT003
        Roster(identity).sign(owner, Report())
    code, _, said = relay("requeue", "3", "4", "--reason", "again")
    assert code == 1
    assert "nothing was changed: 4." in said
    assert "`relay replay --cluster ID`" in said
    with database.connect() as owner:
        asked = owner.execute("SELECT outbox_requeue(ARRAY[3, 4]::bigint[], 'again')").fetchall()
        assert asked == [(3,)]
        # Somebody starts a relay without the preset: the rule stays.
        for streaming in (False, True):
            Roster(Identity(streaming, "events", 60)).sign(owner, Report())
        assert owner.execute("SELECT cardinality(states) FROM outbox_state").fetchone() == (2,)


@pytest.mark.usefixtures("rows")
def test_the_rule_is_there_before_the_first_relay(relay: Relay, database: Database) -> None:
    with database.connect() as owner:
        owner.execute("UPDATE outbox SET name = 'HostState' WHERE id = 4")
    owner_of = {"DATABASE_URL": database.dsn, "EVENT_STREAM_PRESET": "existing-consumers"}
    done = relay("migrate", **owner_of)
    assert done[0] == 0, done
    code, _, said = relay("requeue", "3", "4", "--reason", "again")
    assert code == 1
    assert "nothing was changed: 4." in said


@pytest.mark.usefixtures("rows")
def test_nothing_changes_without_a_reason_or_without_a_choice(
    relay: Relay, database: Database
) -> None:
    for command in (["requeue", "3"], ["discard", "3"], ["pause", "--all"]):
        code, _, said = relay(*command)
        assert code == 2
        assert "--reason" in said
    for command, fault in (
        (["discard"], "selection is missing"),
        (["requeue"], "selection is missing"),
        (["pause"], "give exactly one of"),
        (["pause", "--all", "--shard", "1"], "give exactly one of"),
    ):
        code, _, said = relay(*command, "--reason", "none")
        assert code == 2
        assert fault in said
    assert ids(database, "parked_at IS NOT NULL") == [3, 4, 5, 6]
    assert audit(database) == []


@pytest.mark.usefixtures("rows")
def test_discard_takes_parked_rows_and_those_of_a_paused_shard(
    relay: Relay, database: Database
) -> None:
    discard = ["discard", "2", "4", "--reason", "test data", "--json"]
    code, shown, said = relay(*discard)
    assert code == 1
    assert json.loads(shown)["done"] == [4]
    assert "relay pause" in said
    pause = ("pause", "--key", "key-2", "--reason", "to discard")
    code, shown, _ = relay(*pause, "--json")
    assert code == 0
    shards = json.loads(shown)["shards"]
    assert json.loads(shown)["changed"] == shards
    _, shown, _ = relay(*pause)
    assert shown == f"Shard {shards[0]} was already paused."
    code, shown, _ = relay("discard", "2", "--reason", "test data")
    assert (code, shown) == (0, "1 row discarded.")
    assert 2 not in ids(database, "true")
    code, _, _ = relay("resume", "--shard", str(shards[0]), "--reason", "done")
    assert code == 0
    assert [entry[0] for entry in audit(database)] == ["discard", "pause", "discard", "resume"]


def test_pause_and_resume_all(relay: Relay, database: Database) -> None:
    relay("pause", "--all", "--reason", "maintenance")
    with database.connect() as owner:
        paused = "SELECT count(*) FROM outbox_shard WHERE paused_at IS NOT NULL"
        assert owner.execute(paused).fetchone() == (64,)
        _, shown, _ = relay("resume", "--all", "--reason", "over")
        assert shown == "All 64 shards were resumed."
        owner.commit()
        assert owner.execute(paused).fetchone() == (0,)


@pytest.mark.usefixtures("rows")
def test_a_reader_may_not_change_anything(relay: Relay, database: Database) -> None:
    for command in (["requeue", "3"], ["discard", "3"], ["pause", "--all"]):
        code, _, said = relay(*command, "--reason", "curious", roles=("outbox_reader",))
        assert code == 2
        assert "outbox_operator" in said
    assert audit(database) == []


@pytest.mark.usefixtures("rows")
def test_redirect_sends_pending_and_parked_rows_to_another_topic(
    relay: Relay, database: Database
) -> None:
    with database.connect() as owner:
        owner.execute("UPDATE outbox SET parked_at = NULL, last_error = NULL WHERE id = 5")
        before = owner.execute("SELECT requeues FROM outbox_state").fetchone()
    options = ["redirect", "--from-topic", "audit", "--to-topic", "events", "--reason", "misspelt"]
    code, shown, _ = relay(*options, "--dry-run")
    assert code == 0
    assert "2 rows match; nothing was changed. Repeat with --confirm 2." in shown
    code, shown, _ = relay(*options, "--confirm", "2")
    assert (code, shown) == (0, "2 rows redirected.")
    assert ids(database, "topic = 'events'") == [5, 6]
    assert ids(database, "parked_at IS NULL") == [1, 2, 5]
    assert sorted(entry[:4] for entry in audit(database)) == [
        ("redirect", "misspelt [to topic events]", "ann", 5),
        ("redirect", "misspelt [to topic events]", "ann", 6),
    ]
    with database.connect() as owner:
        after = owner.execute("SELECT requeues FROM outbox_state").fetchone()
    assert after != before, "relays look below their watermarks"


@pytest.mark.usefixtures("rows")
def test_redirect_to_what_is_no_topic_changes_nothing(relay: Relay, database: Database) -> None:
    options = ["redirect", "--from-topic", "audit", "--to-topic", "no topic", "--confirm", "2"]
    code, _, said = relay(*options, "--reason", "misspelt")
    assert code == 1
    assert "'no topic' is no name of a topic; nothing was changed." in said
    assert ids(database, "topic = 'audit'") == [5, 6]
    assert audit(database) == []


@pytest.mark.usefixtures("rows")
def test_every_change_asks_who_makes_it(relay: Relay, database: Database) -> None:
    for command in (["requeue", "3"], ["discard", "3"], ["pause", "--all"]):
        code, _, said = relay(*command, "--reason", "none", USER="")
        assert code == 2
        assert "--as" in said
    assert audit(database) == []
    assert relay("requeue", "3", "--reason", "again", "--as", "bob", USER="")[0] == 0
    assert audit(database)[0][2] == "bob"
