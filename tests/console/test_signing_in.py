"""People sign in at a real OpenID provider, or at a proxy; their groups say what they may do."""

import base64
import json
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import pytest
from itsdangerous import TimestampSigner
from starlette.testclient import TestClient

from tests.console.conftest import Serve
from tests.console.provider import CLIENT, SECRET, Provider, provider
from tests.console.test_changes import GROUP, audit, form, parked_ids
from tests.support.outbox import Outbox

URL = "http://127.0.0.1:8091"
HTML = {"Accept": "text/html"}
GROUPS = {
    "RELAY_CONSOLE_SECRET": "0123456789abcdef0123456789abcdef",
    "RELAY_CONSOLE_READER_GROUPS": "support",
    "RELAY_CONSOLE_OPERATOR_GROUPS": "ops",
    "RELAY_CONSOLE_PAYLOAD_GROUPS": "privacy",
    "RELAY_CONSOLE_ACTIONS": "true",
}
PROXY = {**GROUPS, "RELAY_CONSOLE_PROXY_ADDRESSES": "10.1.0.0/16, ::1"}


@pytest.fixture(scope="module")
def shared_provider() -> Iterator[Provider]:
    with provider() as running:
        yield running


@pytest.fixture
def idp(shared_provider: Provider) -> Provider:
    shared_provider.claims = {"sub": "42", "preferred_username": "ada", "groups": ["ops"]}
    shared_provider.spoiled = {}
    shared_provider.algorithm = "RS256"
    return shared_provider


@pytest.fixture
def oidc(idp: Provider) -> dict[str, str]:
    return {
        **GROUPS,
        "RELAY_CONSOLE_URL": URL,
        "RELAY_CONSOLE_OIDC_ISSUER": idp.issuer,
        "RELAY_CONSOLE_OIDC_CLIENT_ID": CLIENT,
        "RELAY_CONSOLE_OIDC_CLIENT_SECRET": SECRET,
    }


def sign_in(client: TestClient, path: str = "/parked") -> httpx2.Response:
    """Go to *path* as a browser would, by way of the provider; return the callback's answer."""
    asked = client.get(path, headers=HTML)
    assert asked.status_code == 307
    away = client.get(asked.headers["location"])
    assert away.status_code == 302
    back = httpx2.get(away.headers["location"]).headers["location"]
    parts = urlsplit(back)
    answer: httpx2.Response = client.get(f"{parts.path}?{parts.query}")
    return answer


def test_an_operator_signs_in_and_acts_in_their_name(
    incident: Outbox, serve: Serve, oidc: dict[str, str]
) -> None:
    client = serve(peer="192.0.2.7", **oidc)
    answer = sign_in(client, GROUP)
    assert answer.status_code == 303
    assert answer.headers["location"] == GROUP
    cookie = client.cookies["outbox_console"]
    fields = form(client, GROUP) | {"reason": "a test"}
    assert client.post(GROUP, data=fields).status_code == 303
    assert parked_ids(incident) == []
    assert {line[1] for line in audit(incident) if line[0] == "requeue"} == {"ada"}
    assert "Sign out" in client.get("/", headers=HTML).text
    # A restart loses no session: everything is in the cookie.
    again = serve(peer="192.0.2.7", **oidc)
    again.cookies.set("outbox_console", cookie)
    assert again.get("/", headers=HTML).status_code == 200


def test_signing_out_forgets_who_it_was(serve: Serve, oidc: dict[str, str]) -> None:
    client = serve(peer="192.0.2.7", **oidc)
    sign_in(client)
    fields = form(client, "/")
    assert client.post("/logout", data={"csrf": "guessed"}).status_code == 403
    assert client.post("/logout", data=fields).status_code == 303
    assert client.get("/", headers=HTML).status_code == 307
    assert client.get("/signed-out", headers=HTML).status_code == 200


def test_a_reader_looks_and_a_stranger_does_not(
    incident: Outbox, serve: Serve, oidc: dict[str, str], idp: Provider
) -> None:
    client = serve(peer="192.0.2.7", **oidc)
    idp.claims["groups"] = ["support", "others"]
    sign_in(client)
    row = parked_ids(incident)[0]
    page = client.get(f"/rows/{row}", headers=HTML).text
    assert "You may not see payloads" in page
    assert "installing" not in page
    fields = {**form(client, "/"), "reason": "a test"}
    assert client.post(GROUP, data=fields).status_code == 403
    assert client.get("/export?ids=1").status_code == 403
    assert len(parked_ids(incident)) == 6
    idp.claims["groups"] = ["others"]
    stranger = serve(peer="192.0.2.7", **oidc)
    answer = sign_in(stranger)
    assert answer.status_code == 403
    assert "in no group that may look" in answer.text
    assert stranger.get("/", headers=HTML).status_code == 307


@pytest.mark.parametrize(
    "spoiled",
    [
        {"nonce": "another"},
        {"aud": "another"},
        {"iss": "http://127.0.0.1:1"},
        {"exp": 1_000_000_000},
    ],
)
def test_a_token_that_is_not_for_us_is_refused(
    serve: Serve, oidc: dict[str, str], idp: Provider, spoiled: dict[str, object]
) -> None:
    idp.spoiled = spoiled
    client = serve(peer="192.0.2.7", **oidc)
    answer = sign_in(client)
    assert answer.status_code == 403
    assert "Signing in failed" in answer.text
    assert client.get("/", headers=HTML).status_code == 307


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
def test_a_token_signed_by_anybody_is_refused(
    serve: Serve, oidc: dict[str, str], idp: Provider, algorithm: str
) -> None:
    idp.algorithm = algorithm
    assert sign_in(serve(peer="192.0.2.7", **oidc)).status_code == 403


def test_groups_may_be_at_the_userinfo_alone(
    serve: Serve, oidc: dict[str, str], idp: Provider
) -> None:
    idp.claims = {"sub": "42", "realm": {"roles": ["ops"]}, "email": "ada@example.com"}
    client = serve(peer="192.0.2.7", **oidc, RELAY_CONSOLE_GROUPS_CLAIM="realm.roles")
    assert sign_in(client).status_code == 303
    assert "ada@example.com" in client.get("/", headers=HTML).text


def test_the_answer_of_another_browser_is_refused(serve: Serve, oidc: dict[str, str]) -> None:
    client = serve(peer="192.0.2.7", **oidc)
    for path in ("/callback", "/callback?code=a&state=b", "/callback?error=access_denied"):
        assert client.get(path).status_code == 403


def test_a_provider_that_is_away_is_said(serve: Serve, oidc: dict[str, str]) -> None:
    client = serve(peer="192.0.2.7", **oidc | {"RELAY_CONSOLE_OIDC_ISSUER": "http://127.0.0.1:1"})
    answer = client.get("/login")
    assert answer.status_code == 503
    assert "does not answer" in answer.text


def test_attempts_to_sign_in_are_limited(serve: Serve, oidc: dict[str, str]) -> None:
    client = serve(peer="192.0.2.7", **oidc, RELAY_CONSOLE_LOGINS_PER_MINUTE="3")
    assert [client.get("/login").status_code for _ in range(4)] == [302, 302, 302, 429]


@pytest.mark.parametrize("after", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_nobody_is_led_elsewhere_after_signing_in(
    serve: Serve, oidc: dict[str, str], after: str
) -> None:
    client = serve(peer="192.0.2.7", **oidc)
    away = client.get("/login", params={"next": after})
    back = urlsplit(httpx2.get(away.headers["location"]).headers["location"])
    assert client.get(f"{back.path}?{back.query}").headers["location"] == "/"


def test_a_script_is_told_and_not_led_away(serve: Serve, oidc: dict[str, str]) -> None:
    client = serve(peer="192.0.2.7", **oidc)
    assert client.get("/live").status_code == 401
    assert client.get("/", headers=HTML | {"HX-Request": "true"}).status_code == 401
    assert client.get("/", headers={"Accept": "text/plain"}).status_code == 401


def test_a_forged_or_old_cookie_signs_nobody_in(serve: Serve, oidc: dict[str, str]) -> None:
    client = serve(peer="192.0.2.7", **oidc)
    sign_in(client)
    good = client.cookies["outbox_console"]
    other = serve(peer="192.0.2.7", **oidc | {"RELAY_CONSOLE_SECRET": "another" * 6})
    other.cookies.set("outbox_console", good)
    assert other.get("/", headers=HTML).status_code == 307
    session = {"name": "ada", "groups": ["ops"], "until": time.time() - 1}
    signer = TimestampSigner(oidc["RELAY_CONSOLE_SECRET"])
    old = signer.sign(base64.b64encode(json.dumps(session).encode())).decode()
    client.cookies.clear()
    client.cookies.set("outbox_console", old)
    assert client.get("/", headers=HTML).status_code == 307
    # Whoever was about to act is led back to the form.
    answer = client.post(GROUP, data={"reason": "a test"}, headers=HTML)
    assert answer.status_code == 401
    assert 'href="/login?next=%2Fchange%2Frequeue%3Ftopic%3Devents-stream' in answer.text


def test_cookies_of_https_are_for_this_host_alone(serve: Serve, oidc: dict[str, str]) -> None:
    secure = {"RELAY_CONSOLE_URL": "https://outbox.example"}
    client = serve(peer="192.0.2.7", base="https://outbox.example", **oidc | secure)
    answer = client.get("/login")
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("__host-outbox_console=")
    assert all(each in cookie for each in ("secure", "httponly", "samesite=lax", "path=/"))
    assert "max-age" in answer.headers["strict-transport-security"]


def test_a_proxy_names_the_person(incident: Outbox, serve: Serve) -> None:
    client = serve(peer="10.1.2.3", **PROXY)
    person = {"X-Forwarded-User": "grace", "X-Forwarded-Groups": "staff, ops"}
    client.headers.update(person)
    fields = form(client, GROUP) | {"reason": "a test"}
    assert client.post(GROUP, data=fields).status_code == 303
    assert {line[1] for line in audit(incident) if line[0] == "requeue"} == {"grace"}


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("10.2.0.1", [("X-Forwarded-User", "grace"), ("X-Forwarded-Groups", "ops")], 403),
        ("10.1.2.3", [("X-Forwarded-Groups", "ops")], 401),
        ("10.1.2.3", [("X-Forwarded-User", "grace")], 403),
        ("10.1.2.3", [("X-Forwarded-User", "a"), ("X-Forwarded-User", "b")], 403),
        ("testclient", [("X-Forwarded-User", "grace"), ("X-Forwarded-Groups", "ops")], 403),
        ("::ffff:10.1.2.3", [("X-Forwarded-User", "g"), ("X-Forwarded-Groups", "ops")], 200),
        ("::1", [("X-Forwarded-User", "grace"), ("X-Forwarded-Groups", "support")], 200),
    ],
)
def test_headers_count_from_the_proxy_alone(
    serve: Serve, peer: str, headers: list[tuple[str, str]], status: int
) -> None:
    client = serve(peer=peer, **PROXY)
    assert client.get("/", headers=httpx2.Headers(headers)).status_code == status


def test_a_proxy_may_change_the_host(incident: Outbox, serve: Serve) -> None:
    url = {"RELAY_CONSOLE_URL": "https://outbox.example"}
    client = serve(peer="10.1.2.3", base="https://inside", **PROXY, **url)
    client.headers.update({"X-Forwarded-User": "grace", "X-Forwarded-Groups": "ops"})
    fields = form(client, GROUP) | {"reason": "a test"}
    foreign = {"Origin": "https://evil.example"}
    assert client.post(GROUP, data=fields, headers=foreign).status_code == 403
    ours = {"Origin": "https://outbox.example", "Sec-Fetch-Site": "same-origin"}
    assert client.post(GROUP, data=fields, headers=ours).status_code == 303
    assert parked_ids(incident) == []
