"""Who may in without signing in: this machine, and nobody by way of another."""

import pytest

from relay.errors import ConfigurationError
from relay.settings import load
from tests.console.conftest import Serve


def test_this_machine_is_let_in(serve: Serve) -> None:
    assert serve().get("/").status_code == 200


def test_another_machine_is_not(serve: Serve) -> None:
    answer = serve(peer="192.0.2.7").get("/")
    assert answer.status_code == 403
    assert "only this machine" in answer.text


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example", ""])
def test_a_page_of_another_name_does_not_lead_here(serve: Serve, name: str) -> None:
    assert serve().get("/", headers={"Host": name}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8091", "127.0.0.1", "[::1]:8091", "LOCALHOST"])
def test_names_of_this_machine_do(serve: Serve, host: str) -> None:
    assert serve().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP"])
def test_a_proxy_that_signs_nobody_in_is_noticed(serve: Serve, header: str) -> None:
    answer = serve().get("/", headers={header: "192.0.2.7"})
    assert answer.status_code == 403
    assert "RELAY_CONSOLE_PROXY_ADDRESSES" in answer.text


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"HOST": "192.0.2.1"}, "must be a loopback address"),
        ({"PROXY_ADDRESSES": "10.0.0.0/8"}, "RELAY_CONSOLE_SECRET is missing"),
        ({"PROXY_ADDRESSES": "10.0.0.0/8", "SECRET": "short"}, "needs 32 characters"),
        ({"PROXY_ADDRESSES": "0.0.0.0/0", "SECRET": "s" * 32}, "is everybody"),
        ({"PROXY_ADDRESSES": "proxy", "SECRET": "s" * 32}, "no address, and no network"),
        ({"PROXY_ADDRESSES": "10.1.1.1", "SECRET": "s" * 32}, "READER_GROUPS is missing"),
        ({"OIDC_ISSUER": "http://login.example"}, "must be an https URL"),
        ({"OIDC_ISSUER": "https://login.example"}, "CLIENT_ID is missing"),
        ({"OIDC_ISSUER": "https://a.example", "PROXY_ADDRESSES": "::1"}, "choose one way"),
    ],
)
def test_what_would_let_everybody_in_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1/none")
    for name, value in variables.items():
        monkeypatch.setenv(f"RELAY_CONSOLE_{name}", value)
    with pytest.raises(ConfigurationError, match=said):
        load(database=True, console=True)
