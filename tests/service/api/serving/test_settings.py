import pytest

from relay.settings import ApiSettings
from relay.settings.group import read


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


@pytest.mark.parametrize("prefix", ["/metrics", "/livez", "/docs/events", "/openapi.json"])
def test_the_prefix_hides_no_page_of_the_api(prefix: str) -> None:
    (fault,) = ApiSettings(authentication=False, prefix=prefix).faults()
    assert fault.startswith("RELAY_API_PREFIX")


@pytest.mark.parametrize("query", ["SELECT %(user)s", "SELECT id FROM a WHERE b LIKE '%x'", "%s"])
def test_a_query_of_ownership_has_the_parameters_that_there_are(query: str) -> None:
    (fault,) = ApiSettings(authentication=False, owned_clusters_query=query).faults()
    assert "RELAY_API_OWNED_CLUSTERS_QUERY" in fault
    right = "SELECT id FROM a WHERE b = %(sub)s AND c = %(org_id)s AND d LIKE '%%x'"
    assert not list(ApiSettings(authentication=False, owned_infra_envs_query=right).faults())


def test_a_face_that_is_none_is_told_which_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_API_FACES", "events,nonsense")
    faults: list[str] = []
    read(ApiSettings, faults)
    (fault,) = faults
    assert "existing-service" in fault
