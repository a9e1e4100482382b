import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from relay.service.api import keys
from relay.service.api.keys import KeySet, KeysUnavailableError
from tests.support.authority import Authority, write_key_set


class Published:
    """A key set behind a URL."""

    def __init__(self) -> None:
        self.keys: list[dict[str, str]] = []
        self.asked = 0


@pytest.fixture
def published() -> Iterator[tuple[Published, str]]:
    found = Published()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"keys": found.keys}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield found, f"http://127.0.0.1:{server.server_address[1]}/keys"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "PAUSE_SECONDS", 0.0)


@pytest.mark.usefixtures("no_pause")
def test_a_new_key_in_the_file_is_found_at_once(tmp_path: Path) -> None:
    old, new = Authority(), Authority()
    path = write_key_set(tmp_path / "keys.json", old)
    found = KeySet(str(path), 300)
    assert found.key(old.kid)
    assert found.key(new.kid) is None
    write_key_set(path, new)
    assert found.key(new.kid)
    assert found.key(old.kid) is None


@pytest.mark.usefixtures("no_pause")
def test_a_new_key_behind_the_url_is_found_at_once(published: tuple[Published, str]) -> None:
    server, url = published
    old, new = Authority(), Authority()
    server.keys = [old.jwk()]
    found = KeySet(url, 300)
    assert found.key(old.kid)
    server.keys = [old.jwk(), new.jwk()]
    assert found.key(new.kid)


def test_unknown_keys_cannot_make_us_ask_again_and_again(published: tuple[Published, str]) -> None:
    server, url = published
    server.keys = [Authority().jwk()]
    found = KeySet(url, 300)
    for number in range(20):
        assert found.key(f"made-up-{number}") is None
    assert server.asked == 1


@pytest.mark.usefixtures("no_pause")
def test_a_key_that_was_withdrawn_is_forgotten_after_the_refresh(tmp_path: Path) -> None:
    old, new = Authority(), Authority()
    path = write_key_set(tmp_path / "keys.json", old)
    found = KeySet(str(path), refresh_seconds=1e-9)
    assert found.key(old.kid)
    write_key_set(path, new)
    assert found.key(old.kid) is None


@pytest.mark.usefixtures("no_pause")
def test_while_the_key_set_is_away_the_known_keys_stay(tmp_path: Path) -> None:
    authority = Authority()
    path = write_key_set(tmp_path / "keys.json", authority)
    found = KeySet(str(path), refresh_seconds=1e-9)
    assert found.key(authority.kid)
    path.unlink()
    assert found.key(authority.kid)


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
    with pytest.raises(KeysUnavailableError):
        KeySet(str(tmp_path / "missing.json"), 300).key("any")
