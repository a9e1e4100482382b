import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError

import pytest

from relay.service.api.access import fetching, key_set
from relay.service.api.access.key_set import WAIT_SECONDS, KeySet
from relay.service.api.access.keys import KeysUnavailableError
from tests.support.authority import Authority, write_key_set
from tests.support.eventually import eventually
from tests.support.load import stretched


class Published:
    """A key set behind a URL."""

    def __init__(self) -> None:
        self.keys: list[dict[str, str]] = []
        self.asked = 0
        self.hangs = threading.Event()
        self.hangs.set()
        self.trickles = False


@pytest.fixture
def published() -> Iterator[tuple[Published, str]]:
    found = Published()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            self.send_response(200)
            self.end_headers()
            found.hangs.wait()
            while found.trickles and not self._write(b" "):
                time.sleep(0.05)
            self._write(json.dumps({"keys": found.keys}).encode())

        def _write(self, text: bytes) -> bool:
            """Tell whether the client is gone."""
            try:
                self.wfile.write(text)
            except OSError:
                found.trickles = False
            return not found.trickles

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield found, f"http://127.0.0.1:{server.server_address[1]}/keys"
    found.hangs.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def make_keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., KeySet]]:
    """A key set that is read in the background until the test ends.

    Whoever asks waits for the reading, however long a busy machine takes for it.
    """
    monkeypatch.setattr(key_set, "WAIT_SECONDS", 3_600.0)
    with ExitStack() as started:

        def make(source: Path | str, refresh_seconds: float = 300, **given: float) -> KeySet:
            keys = KeySet(str(source), refresh_seconds, **given)
            keys.start()
            started.callback(keys.stop)
            return keys

        yield make


def knows(keys: KeySet, kid: str) -> bool:
    return bool(asyncio.run(keys.find(kid)))


def test_a_new_key_in_the_file_is_found_at_once(
    tmp_path: Path, make_keys: Callable[..., KeySet]
) -> None:
    old, new = Authority(), Authority()
    path = write_key_set(tmp_path / "keys.json", old)
    keys = make_keys(path)
    assert knows(keys, old.kid)
    write_key_set(path, new)
    assert knows(keys, new.kid)
    assert not knows(keys, old.kid)


def test_a_new_key_behind_the_url_is_found_at_once(
    published: tuple[Published, str], make_keys: Callable[..., KeySet]
) -> None:
    server, url = published
    old, new = Authority(), Authority()
    server.keys = [old.jwk()]
    keys = make_keys(url)
    eventually(lambda: keys.is_known)
    assert knows(keys, old.kid)
    server.keys = [old.jwk(), new.jwk()]
    assert knows(keys, new.kid)


def test_a_request_waits_no_longer_than_the_new_key_takes(
    tmp_path: Path, make_keys: Callable[..., KeySet]
) -> None:
    old, new = Authority(), Authority()
    path = write_key_set(tmp_path / "keys.json", old)
    keys = make_keys(path)
    write_key_set(path, new)
    assert asyncio.run(asyncio.wait_for(keys.find(new.kid), stretched(30.0)))


def test_unknown_keys_cannot_make_us_ask_again_and_again(
    published: tuple[Published, str], make_keys: Callable[..., KeySet]
) -> None:
    server, url = published
    server.keys = [Authority().jwk()]
    keys = make_keys(url, pause_seconds=300.0)
    eventually(lambda: keys.is_known)
    for number in range(20):
        assert not knows(keys, f"made-up-{number}")
    assert server.asked == 2


def test_an_unknown_key_costs_nothing_twice(
    published: tuple[Published, str], make_keys: Callable[..., KeySet]
) -> None:
    server, url = published
    server.keys = [Authority().jwk()]
    keys = make_keys(url, pause_seconds=0.0)
    eventually(lambda: keys.is_known)
    for _ in range(20):
        assert not knows(keys, "made-up")
    assert server.asked == 2


def test_many_unknown_keys_are_not_remembered_without_end(
    published: tuple[Published, str],
    make_keys: Callable[..., KeySet],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, url = published
    server.keys = [Authority().jwk()]
    monkeypatch.setattr(key_set, "_MISSING_MAX", 2)
    keys = make_keys(url, pause_seconds=0.0)
    eventually(lambda: keys.is_known)
    for number in range(5):
        assert not knows(keys, f"made-up-{number}")
    assert server.asked == 3


@pytest.mark.parametrize("paces", [(300, 0.01), (0.01, 300)])
def test_while_no_key_set_is_known_it_is_read_at_the_quicker_pace(
    tmp_path: Path, make_keys: Callable[..., KeySet], paces: tuple[float, float]
) -> None:
    refresh_seconds, pause_seconds = paces
    path = tmp_path / "keys.json"
    keys = make_keys(path, refresh_seconds, pause_seconds=pause_seconds)
    assert not keys.is_known
    write_key_set(path, Authority())
    eventually(lambda: keys.is_known)


def test_a_file_is_known_once_started_and_a_stopped_set_starts_again(
    tmp_path: Path, make_keys: Callable[..., KeySet]
) -> None:
    def readers() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "key set"}

    before, old, new = readers(), Authority(), Authority()
    keys = make_keys(write_key_set(tmp_path / "keys.json", old))
    assert keys.is_known
    (thread,) = readers() - before
    assert thread.daemon
    keys.stop()
    eventually(lambda: not thread.is_alive())
    write_key_set(tmp_path / "keys.json", new)
    keys.start()
    assert knows(keys, new.kid)


def test_a_file_needs_nothing_but_this_machine() -> None:
    assert KeySet("/etc/keys.json", 300).is_file
    assert not KeySet("https://issuer.example/keys", 300).is_file


def test_a_key_that_was_withdrawn_is_forgotten_after_the_refresh(
    tmp_path: Path, make_keys: Callable[..., KeySet]
) -> None:
    old, new = Authority(), Authority()
    path = write_key_set(tmp_path / "keys.json", old)
    keys = make_keys(path, refresh_seconds=0.05)
    assert knows(keys, old.kid)
    write_key_set(path, new)
    eventually(lambda: not knows(keys, old.kid))


def test_while_the_key_set_is_away_the_known_keys_stay(
    published: tuple[Published, str],
    make_keys: Callable[..., KeySet],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, url = published
    authority = Authority()
    server.keys = [authority.jwk()]
    keys = make_keys(url, refresh_seconds=0.05)
    eventually(lambda: keys.is_known)
    server.keys = []
    eventually(lambda: "was not read" in caplog.text)
    assert knows(keys, authority.kid)


def test_an_issuer_that_hangs_holds_up_nobody(
    published: tuple[Published, str],
    make_keys: Callable[..., KeySet],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_set, "WAIT_SECONDS", WAIT_SECONDS)
    # For ever: nothing but the patience of requests ends the waiting.
    monkeypatch.setattr(fetching, "FETCH_SECONDS", 3_600.0)
    server, url = published
    authority = Authority()
    server.keys = [authority.jwk()]
    keys = make_keys(url, pause_seconds=0.0)
    eventually(lambda: keys.is_known)
    server.hangs.clear()
    begun = time.monotonic()
    # The first one waits a moment for the answer, and nobody after it.
    assert not asyncio.run(asyncio.wait_for(keys.find("made-up"), stretched(30)))
    for _ in range(50):
        assert not knows(keys, "made-up")
        assert knows(keys, authority.kid)
    keys.stop()
    assert time.monotonic() - begun < stretched(25 * WAIT_SECONDS)


def test_a_key_set_that_trickles_in_is_given_up(
    published: tuple[Published, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = published
    server.trickles = True
    monkeypatch.setattr(fetching, "FETCH_SECONDS", 0.3)
    begun = time.monotonic()
    with pytest.raises(KeysUnavailableError, match="in time"):
        KeySet(url, 300).load()
    assert time.monotonic() - begun < stretched(30)


def test_two_keys_without_a_name_are_both_tried(tmp_path: Path) -> None:
    one, other = Authority(), Authority()
    path = tmp_path / "keys.json"
    nameless = [{**each.jwk(), "kid": None} for each in (one, other)]
    path.write_text(json.dumps({"keys": nameless}))
    keys = KeySet(str(path), 300)
    keys.load()
    assert len(asyncio.run(keys.find(None))) == 2


def test_a_shared_secret_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    secret = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ", "alg": "HS256"}
    path.write_text(json.dumps({"keys": [secret]}))
    with pytest.raises(KeysUnavailableError, match="no public key"):
        KeySet(str(path), 300).load()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": []}', '{"keys": [{"kty": "RSA"}]}'])
def test_what_is_no_key_set_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(KeysUnavailableError):
        KeySet(str(path), 300).load()


def test_without_any_key_set_it_says_so(tmp_path: Path) -> None:
    keys = KeySet(str(tmp_path / "missing.json"), 300)
    with pytest.raises(KeysUnavailableError, match="so far"):
        asyncio.run(keys.find("any"))
    with pytest.raises(KeysUnavailableError, match=r"^No such file or directory$"):
        keys.load()


@pytest.mark.parametrize(
    "error", [URLError("refused"), OSError(5, "refused"), OSError("refused"), ValueError("refused")]
)
def test_a_reason_is_short(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def get(_: str) -> bytes:
        raise error

    monkeypatch.setattr(fetching, "get", get)
    with pytest.raises(KeysUnavailableError, match=r"^refused$"):
        KeySet("https://issuer.example/keys", 300).load()
