import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from relay.settings.group import SettingsGroup
from relay.settings.hosts import Host

LOOPBACK = "127.0.0.1"
_SECONDS_MAX = 86_400
EVERYWHERE = "0.0.0.0"  # noqa: S104 - the address of a server that asks for tokens


class ApiSettings(SettingsGroup):
    """REST API: its server, and whose tokens it accepts. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="RELAY_API_")

    host: Host | None = Field(
        None, description="address to listen on: all of them, or loopback without authentication"
    )
    port: int = Field(8090, ge=0, lt=65536, description="TCP port; 0 picks a free one")
    authentication: bool = Field(
        default=True, description="off: no token is asked for, and only loopback is listened on"
    )
    jwks: str | None = Field(
        None, description="key set that tokens are verified with: a file, or an https URL"
    )
    issuer: str | None = Field(None, description="what the claim iss must be")
    audience: str | None = Field(None, description="what the claim aud must hold")
    admin_claim: str = Field("role", min_length=1, description="claim that tells administrators")
    admin_value: str = Field("admin", min_length=1, description="what it is, or holds, for them")
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
    drain_budget_seconds: float = Field(
        10.0, gt=0, le=_SECONDS_MAX, description="time for open requests after SIGTERM"
    )

    @property
    def address(self) -> str:
        """The address to listen on."""
        return self.host or (EVERYWHERE if self.authentication else LOOPBACK)

    def faults(self) -> Iterator[str]:
        """Yield what cannot work, or would be open to everybody."""
        if self.authentication:
            yield from self._key_faults()
            return
        if not _is_loopback(self.address):
            yield (
                "RELAY_API_HOST must be a loopback address while RELAY_API_AUTHENTICATION is off: "
                "everybody who reaches it would see and add events"
            )
        if self.jwks:
            yield "RELAY_API_JWKS is set while RELAY_API_AUTHENTICATION is off: unset one of them"

    def _key_faults(self) -> Iterator[str]:
        if not self.jwks:
            yield (
                "RELAY_API_JWKS is missing: set it to the file or https URL of the key set that "
                "tokens are signed with, or set RELAY_API_AUTHENTICATION=off to serve loopback only"
            )
        elif "://" in self.jwks and not _is_safe_url(self.jwks):
            yield "RELAY_API_JWKS must be a file, an https URL, or an http URL on loopback"
        for name in ("issuer", "audience"):
            if not getattr(self, name):
                yield f"{self.variable(name)} is missing: set it to what tokens carry"


def _is_safe_url(url: str) -> bool:
    """Tell whether nobody on the way could swap the keys."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (
        parts.scheme == "http" and _is_loopback(parts.hostname or "")
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
