import urllib.request
from collections.abc import Callable
from email.message import Message
from io import BytesIO
from urllib.response import addinfourl

import pytest

from relay.service.api.access import fetching

URL = "https://issuer.example/keys"
BODY = b"0123456789"

Answers = Callable[..., list[urllib.request.Request]]


def answer(url: str, body: bytes = BODY, location: str = "") -> addinfourl:
    headers = Message()
    if location:
        headers["Location"] = location
    found = addinfourl(BytesIO(body), headers, url, 302 if location else 200)
    found.msg = ""  # type: ignore[attr-defined]
    return found


@pytest.fixture
def redirected(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Answer each URL with BODY, the first one with a redirect, and return the requests."""

    def to(location: str = "") -> list[urllib.request.Request]:
        asked: list[urllib.request.Request] = []

        def opened(_: object, request: urllib.request.Request) -> addinfourl:
            asked.append(request)
            return answer(request.full_url, location=location if len(asked) == 1 else "")

        monkeypatch.setattr(urllib.request.HTTPSHandler, "https_open", opened)
        monkeypatch.setattr(urllib.request.HTTPHandler, "http_open", opened)
        return asked

    return to


@pytest.mark.parametrize(
    ("url", "location"),
    [(URL, "/other"), (URL, "https://other.example/"), ("http://localhost/keys", "/other")],
)
def test_a_redirect_that_stays_safe_is_followed(
    redirected: Answers, url: str, location: str
) -> None:
    asked = redirected(location)
    assert fetching.get(url) == BODY
    assert len(asked) == 2


@pytest.mark.parametrize("location", ["http://issuer.example/keys", "HTTP://other.example/"])
def test_a_redirect_from_https_to_http_is_refused(redirected: Answers, location: str) -> None:
    asked = redirected(location)
    with pytest.raises(OSError, match="redirects from https to http"):
        fetching.get(URL)
    assert len(asked) == 1


def test_an_answer_is_bounded_in_bytes(
    redirected: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    redirected()
    monkeypatch.setattr(fetching, "MAX_BYTES", len(BODY))
    assert fetching.get(URL) == BODY
    monkeypatch.setattr(fetching, "MAX_BYTES", len(BODY) - 1)
    with pytest.raises(ValueError, match="larger"):
        fetching.get(URL)


def test_an_answer_is_bounded_in_time(redirected: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = redirected()
    fetching.get(URL)
    assert asked[0].timeout == fetching.FETCH_SECONDS
    monkeypatch.setattr(fetching, "FETCH_SECONDS", -1.0)
    with pytest.raises(TimeoutError, match="in time"):
        fetching.get(URL)
