import pytest

from relay.settings import ApiSettings


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1", "::", "0.0.0.0", "localhost", "events.example", "127.0.0.1.example", "1"],  # noqa: S104
)
def test_without_authentication_only_loopback_addresses_listen(host: str) -> None:
    (fault,) = ApiSettings(authentication=False, host=host).faults()
    assert "RELAY_API_HOST must be a loopback address" in fault


@pytest.mark.parametrize("host", [None, "127.0.0.1", "127.8.9.1", "::1"])
def test_loopback_needs_no_authentication(host: str | None) -> None:
    settings = ApiSettings(authentication=False, host=host)
    assert not list(settings.faults())
    assert settings.address in {"127.0.0.1", host}


@pytest.mark.parametrize(
    "url", ["http://keys.example/", "http://localhost/", "ftp://a/", "http://[::2]/", "http://[1/"]
)
def test_keys_come_by_no_way_on_which_they_could_be_swapped(url: str) -> None:
    (fault,) = ApiSettings(jwks=url, issuer="i", audience="a").faults()
    assert "https URL" in fault


def test_local_tokens_need_no_issuer() -> None:
    assert not list(ApiSettings(local_tokens=True, local_public_key="pem").faults())
    assert not list(ApiSettings(jwks="https://a.example", issuer="i", audience="a").faults())


@pytest.mark.parametrize(
    "origin", ["console.example", "https://a.example/path", "null", "https://"]
)
def test_an_origin_is_a_scheme_and_a_host(origin: str) -> None:
    settings = ApiSettings(
        local_tokens=True, local_public_key="pem", cors_origins=("https://a.example", origin)
    )
    (fault,) = settings.faults()
    assert "RELAY_API_CORS_ORIGINS" in fault
