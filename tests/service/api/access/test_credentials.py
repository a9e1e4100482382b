import pytest
from starlette.requests import Request

from relay.service.api.access.credentials import any_credential, bearer


def request(query: str = "", **headers: str) -> Request:
    listed = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return Request({"type": "http", "headers": listed, "query_string": query.encode()})


@pytest.mark.parametrize(
    ("value", "token"),
    [("Bearer t", "t"), ("bEARER  t ", "t"), ("Basic t", None), ("Bearer", None), ("t", None)],
)
def test_a_token_follows_the_scheme_bearer(value: str, token: str | None) -> None:
    assert bearer(request(authorization=value)) == token


def test_own_requests_carry_the_token_in_one_header_alone() -> None:
    assert bearer(request("api_key=t", watcher_authorization="t")) is None


def test_existing_clients_carry_it_in_two_headers_or_the_query() -> None:
    assert any_credential(request("api_key=q", authorization="Bearer t")) == "t"
    assert any_credential(request(authorization=" t ", watcher_authorization="w")) == "t"
    assert any_credential(request("api_key=q", watcher_authorization="w")) == "w"
    assert any_credential(request("api_key=q")) == "q"
    assert any_credential(request("other=q")) is None
