import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field
from pydantic_settings import SettingsConfigDict

from relay.settings.group import SettingsGroup
from relay.settings.hosts import Host, is_loopback

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - the address of a server that asks for tokens
EXISTING_SERVICE_PATH: Final = "/api/assisted-install/v2/events"

_SECONDS_MAX = 86_400
_OWN_PATHS: Final = ("/docs", "/livez", "/metrics", "/openapi.json", "/readyz")
_STRAY_PERCENT: Final = re.compile(r"%(?!\((sub|username|org_id)\)s)")
_ORIGIN: Final = re.compile(r"\*|https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")


class Face(StrEnum):
    """A contract in which the events are served."""

    EVENTS = "events"
    EXISTING_SERVICE = "existing-service"


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


Listed = BeforeValidator(_split)
Texts = Annotated[tuple[str, ...], Listed]


class ApiSettings(SettingsGroup):
    """Settings of the REST API: how it is served, whose tokens it accepts. Lists have commas."""

    model_config = SettingsConfigDict(env_prefix="RELAY_API_")

    host: Host | None = Field(
        None, description="address to listen on: all of them, or loopback without authentication"
    )
    port: int = Field(8090, ge=0, lt=65536, description="TCP port; 0 picks a free one")
    workers: int = Field(1, ge=1, le=64, description="processes that serve; each has connections")
    faces: Annotated[tuple[Face, ...], Listed] = Field(
        tuple(Face), min_length=1, description="contracts to serve: events, existing-service"
    )
    prefix: str = Field(
        "/events", pattern=r"^(/[A-Za-z0-9._~-]+)+$", description="path of the face `events`"
    )
    authentication: bool = Field(
        default=True, description="off: no token is asked for, and only loopback is listened on"
    )
    jwks: str | None = Field(
        None, description="key set that tokens are verified with: a file, or an https URL"
    )
    issuer: str | None = Field(None, description="what the claim iss must be")
    audience: str | None = Field(None, description="what the claim aud must hold")
    local_tokens: bool = Field(
        default=False, description="accept ES256 tokens without expiry, issuer and audience"
    )
    local_public_key: str | None = Field(None, description="PEM public key of the local tokens")
    role_claims: Texts = Field(
        ("role", "realm_access.roles"), min_length=1, description="claims with roles; dots descend"
    )
    admin_role: str = Field("admin", min_length=1, description="role that sees and adds everything")
    read_only_admin_role: str = Field(
        "read-only-admin", min_length=1, description="role that sees everything and adds nothing"
    )
    owned_clusters_query: str | None = Field(
        None, description="SQL for the clusters of %(username)s, %(org_id)s or %(sub)s"
    )
    owned_infra_envs_query: str | None = Field(None, description="the same for infra-envs")
    deleted_hosts_query: str | None = Field(
        None, description="SQL for the ids of deleted hosts, for the filter `deleted_hosts`"
    )
    leeway_seconds: float = Field(
        30.0, ge=0, le=_SECONDS_MAX, description="how far clocks may differ"
    )
    jwks_refresh_seconds: float = Field(
        300.0, gt=0, le=_SECONDS_MAX, description="the key set is read again after this time"
    )
    connections: int = Field(8, ge=1, le=40, description="most connections to PostgreSQL")
    statement_timeout_seconds: float = Field(
        10.0, ge=0.001, le=_SECONDS_MAX, description="a list that takes longer is given up"
    )
    page_bytes: int = Field(
        4 << 20, ge=1, le=1 << 30, description="bytes of events that one page may hold"
    )
    client_timeout_seconds: float = Field(
        10.0, gt=0, le=_SECONDS_MAX, description="a client that stalls for this time is cut off"
    )
    event_time_ahead_seconds: float = Field(
        300.0, ge=0, le=1e12, description="how far ahead the time of an added event may be"
    )
    event_time_behind_days: float = Field(
        3_653.0, ge=0, le=1e8, description="how far back the time of an added event may be"
    )
    reserved_names: Texts = Field(
        (), description="names of snapshots, beside the usual ones: no event of REST has them"
    )
    cors_origins: Texts = Field((), description="origins whose pages may call the API; * is any")
    drain_budget_seconds: float = Field(
        10.0, gt=0, le=_SECONDS_MAX, description="time for open requests after SIGTERM"
    )

    @property
    def address(self) -> str:
        """The address to listen on."""
        return self.host or (EVERYWHERE if self.authentication else LOOPBACK)

    def faults(self) -> Iterator[str]:
        """Yield what cannot work, or would be open to everybody."""
        if self.prefix == EXISTING_SERVICE_PATH and set(self.faces) == set(Face):
            yield "RELAY_API_PREFIX is the path of the face existing-service: choose another one"
        if self.prefix.startswith(_OWN_PATHS):
            yield f"RELAY_API_PREFIX may not begin with {', '.join(_OWN_PATHS)}: choose another one"
        yield from self._query_faults()
        for origin in self.cors_origins:
            if not _ORIGIN.fullmatch(origin):
                yield "RELAY_API_CORS_ORIGINS: write origins such as https://console.example:8443"
        if self.authentication:
            yield from self._key_faults()
            return
        if not is_loopback(self.address):
            yield (
                "RELAY_API_HOST must be a loopback address while RELAY_API_AUTHENTICATION is off: "
                "everybody who reaches it would see and add events"
            )
        for name in ("jwks", "local_tokens"):
            if getattr(self, name):
                variable = self.variable(name)
                yield f"{variable} is set while RELAY_API_AUTHENTICATION is off: unset one of them"

    def _query_faults(self) -> Iterator[str]:
        for name in ("owned_clusters_query", "owned_infra_envs_query"):
            if _STRAY_PERCENT.search((getattr(self, name) or "").replace("%%", "")):
                yield (
                    f"{self.variable(name)}: write %(sub)s, %(username)s and %(org_id)s for what "
                    "the token says, and %% for a percent sign"
                )

    def _key_faults(self) -> Iterator[str]:
        if self.local_tokens and not self.local_public_key:
            yield "RELAY_API_LOCAL_PUBLIC_KEY is missing: set it to the PEM key of local tokens"
        if not self.jwks:
            if not self.local_tokens:
                yield (
                    "RELAY_API_JWKS is missing: set it to the file or https URL of the key set "
                    "that tokens are signed with, or set RELAY_API_AUTHENTICATION=off to serve "
                    "loopback only"
                )
        elif "://" in self.jwks and not _is_safe_url(self.jwks):
            yield "RELAY_API_JWKS must be a file, an https URL, or an http URL on loopback"
        for name in ("issuer", "audience"):
            if not getattr(self, name) and (self.jwks or not self.local_tokens):
                yield f"{self.variable(name)} is missing: set it to what tokens carry"


def _is_safe_url(url: str) -> bool:
    """Tell whether nobody on the way could swap the keys."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
