import ipaddress
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from relay.settings.api import EVERYWHERE, LOOPBACK, Texts
from relay.settings.group import SettingsGroup
from relay.settings.hosts import Host, is_loopback

_SECONDS_MAX: Final = 86_400
SECRET_BYTES_MIN: Final = 32
_HEADER: Final = re.compile(r"[A-Za-z0-9-]+")
EVERYBODY: Final = "*"
"""Stands for every group: whoever signs in."""


class SignIn(StrEnum):
    """Way in which the console learns who somebody is."""

    LOOPBACK = "loopback"
    PROXY = "proxy"
    OIDC = "oidc"


class ConsoleSettings(SettingsGroup):
    """Settings of the console: who may in, and what they may do. Lists have commas."""

    model_config = SettingsConfigDict(env_prefix="RELAY_CONSOLE_")

    host: Host | None = Field(
        None, description="address to listen on: all of them, or loopback where nobody signs in"
    )
    port: int = Field(8091, ge=0, lt=65536, description="TCP port; 0 picks a free one")
    url: str | None = Field(
        None, description="address that browsers use, such as https://outbox.example; for OIDC"
    )
    actions: bool = Field(default=False, description="off: the console shows and changes nothing")
    secret: SecretStr | None = Field(
        None, description="key that cookies are signed with: 32 random characters or more"
    )
    session_seconds: float = Field(
        28_800.0, gt=0, le=_SECONDS_MAX, description="time after which people sign in again"
    )
    logins_per_minute: int = Field(
        30, ge=1, le=10_000, description="attempts to sign in from one address"
    )
    oidc_issuer: str | None = Field(None, description="OpenID provider; unset: no OIDC")
    oidc_client_id: str | None = Field(None, description="id of the console at the provider")
    oidc_client_secret: SecretStr | None = Field(
        None, description="its secret; unset for a public client, which PKCE protects"
    )
    oidc_scope: str = Field("openid profile email", description="scopes to ask the provider for")
    person_claim: str = Field(
        "preferred_username", description="claim with the name for the audit; else email, else sub"
    )
    groups_claim: str = Field("groups", description="claim with the groups; dots descend")
    proxy_addresses: Texts = Field(
        (), description="addresses or networks of the authenticating proxy; unset: none"
    )
    proxy_person_header: str = Field(
        "X-Forwarded-User", description="header in which the proxy names the person"
    )
    proxy_groups_header: str = Field(
        "X-Forwarded-Groups", description="header in which it names the groups, with commas"
    )
    reader_groups: Texts = Field((), description="groups that may look; * is everybody signed in")
    operator_groups: Texts = Field((), description="groups that may look, and act")
    payload_groups: Texts = Field(
        (), description="groups that may also see payloads and fields of events"
    )
    connections: int = Field(4, ge=2, le=40, description="most connections to PostgreSQL")
    look_seconds: float = Field(
        3.0, gt=0, le=_SECONDS_MAX, description="shortest pause between looks at the outbox"
    )

    @property
    def sign_in(self) -> SignIn:
        """The way in which people sign in."""
        if self.oidc_issuer:
            return SignIn.OIDC
        return SignIn.PROXY if self.proxy_addresses else SignIn.LOOPBACK

    @property
    def address(self) -> str:
        """The address to listen on."""
        return self.host or (LOOPBACK if self.sign_in is SignIn.LOOPBACK else EVERYWHERE)

    @property
    def proxies(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """The networks of the authenticating proxy."""
        return tuple(ipaddress.ip_network(each, strict=False) for each in self.proxy_addresses)

    def faults(self) -> Iterator[str]:
        """Yield what cannot work, or would let everybody in."""
        if self.oidc_issuer and self.proxy_addresses:
            yield (
                "RELAY_CONSOLE_OIDC_ISSUER and RELAY_CONSOLE_PROXY_ADDRESSES are both set: "
                "choose one way to sign in"
            )
        if self.url and not _is_url(self.url):
            yield "RELAY_CONSOLE_URL: write an address such as https://outbox.example"
        secret = self.secret.get_secret_value() if self.secret else None
        if secret is not None and len(secret) < SECRET_BYTES_MIN:
            yield f"RELAY_CONSOLE_SECRET needs {SECRET_BYTES_MIN} characters: openssl rand -hex 32"
        match self.sign_in:
            case SignIn.LOOPBACK:
                yield from self._loopback_faults()
            case SignIn.PROXY:
                yield from (*self._proxy_faults(), *self._signed_in_faults())
            case SignIn.OIDC:
                yield from (*self._oidc_faults(), *self._signed_in_faults())

    def _loopback_faults(self) -> Iterator[str]:
        if not is_loopback(self.address):
            yield (
                "RELAY_CONSOLE_HOST must be a loopback address while nobody signs in: set "
                "RELAY_CONSOLE_OIDC_ISSUER or RELAY_CONSOLE_PROXY_ADDRESSES to be reached by others"
            )

    def _proxy_faults(self) -> Iterator[str]:
        for each in self.proxy_addresses:
            try:
                network = ipaddress.ip_network(each, strict=False)
            except ValueError:
                yield f"RELAY_CONSOLE_PROXY_ADDRESSES: {each!r} is no address, and no network"
                continue
            if network.prefixlen == 0:
                yield f"RELAY_CONSOLE_PROXY_ADDRESSES: {each} is everybody: name the proxy alone"
        for name in ("proxy_person_header", "proxy_groups_header"):
            if not _HEADER.fullmatch(getattr(self, name)):
                yield f"{self.variable(name)} is no name of a header"

    def _oidc_faults(self) -> Iterator[str]:
        issuer = urlsplit(self.oidc_issuer or "")
        local = issuer.scheme == "http" and is_loopback(issuer.hostname or "")
        if issuer.scheme != "https" and not local:
            yield "RELAY_CONSOLE_OIDC_ISSUER must be an https URL, or an http URL on loopback"
        for name, meaning in (
            ("oidc_client_id", "the id of the console at the provider"),
            ("url", "the address that browsers use: the provider sends them back there"),
        ):
            if not getattr(self, name):
                yield f"{self.variable(name)} is missing: set it to {meaning}"

    def _signed_in_faults(self) -> Iterator[str]:
        if self.secret is None:
            yield "RELAY_CONSOLE_SECRET is missing: set it to the output of openssl rand -hex 32"
        if not (self.reader_groups or self.operator_groups):
            yield (
                "RELAY_CONSOLE_READER_GROUPS is missing: name the groups that may look, or * for "
                "everybody who signs in"
            )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.query
