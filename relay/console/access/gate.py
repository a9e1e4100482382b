"""Gate: finds out who sends a request, by the way of signing in that the settings choose."""

import getpass
import ipaddress
import time
from collections.abc import Collection
from http import HTTPStatus
from typing import Final, Protocol
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from relay.console.access.person import Person, person_of
from relay.console.access.refusals import Refusal, SignInNeededError, forbidden
from relay.settings import ConsoleSettings, SignIn
from relay.settings.hosts import is_loopback

_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_NAME_MAX: Final = 200


class Gate(Protocol):
    """One way of signing in."""

    def person(self, request: HTTPConnection) -> Person:
        """Return who sends *request*.

        Raises:
            Refusal: somebody who may not in.
        """


def gate_of(settings: ConsoleSettings) -> Gate:
    """Return the gate of the settings."""
    match settings.sign_in:
        case SignIn.LOOPBACK:
            return Loopback(settings)
        case SignIn.PROXY:
            return Proxy(settings)
        case SignIn.OIDC:
            return SignedIn(settings)


class Loopback:
    """Everybody on this machine, and nobody through anything that stands before it.

    A page of another site can lead a browser here by a name of its own that resolves to loopback:
    so the Host must be one of ours.
    """

    def __init__(self, settings: ConsoleSettings) -> None:
        url = urlsplit(settings.url or "").hostname
        self._hosts = _LOOPBACK_NAMES | ({url} if url else set())

    def person(self, request: HTTPConnection) -> Person:
        """Return the user of this process."""
        if not is_loopback(peer(request)):
            raise forbidden("Nobody signs in here, so only this machine is let in.")
        if _hostname(request) not in self._hosts:
            raise Refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                "The console has another name: open http://127.0.0.1 with its port.",
            )
        if any(name in request.headers for name in _FORWARDED):
            raise forbidden(
                "A proxy stands before this console, which signs nobody in: set "
                "RELAY_CONSOLE_PROXY_ADDRESSES or RELAY_CONSOLE_OIDC_ISSUER."
            )
        return Person(_user(), acts=True, sees_payloads=True)


class Proxy:
    """The person that an authenticating proxy names, if the request comes from its address."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings = settings
        self._networks = settings.proxies

    def person(self, request: HTTPConnection) -> Person:
        """Return the person of the proxy's headers."""
        if not self._is_proxy(peer(request)):
            raise forbidden("Come through the proxy that signs people in.")
        name = self._only(request, self._settings.proxy_person_header)
        if not name:
            raise SignInNeededError
        groups = self._only(request, self._settings.proxy_groups_header).split(",")
        return admitted(name, [each.strip() for each in groups], self._settings)

    def _is_proxy(self, address: str) -> bool:
        try:
            given = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(given, "ipv4_mapped", None)
        return any((mapped or given) in network for network in self._networks)

    def _only(self, request: HTTPConnection, header: str) -> str:
        values = request.headers.getlist(header)
        if len(values) > 1:
            raise forbidden(f"The header {header} came twice: the proxy must overwrite it.")
        return values[0].strip() if values else ""


class SignedIn:
    """The person that the signed cookie names; the OpenID provider has said so before."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings = settings

    def person(self, request: HTTPConnection) -> Person:
        """Return the person of the session."""
        session = request.session
        if session.get("until", 0) < time.time() or "name" not in session:
            raise SignInNeededError
        return admitted(session["name"], session.get("groups", ()), self._settings)


def admitted(name: str, groups: Collection[str], settings: ConsoleSettings) -> Person:
    """Return the person with these groups.

    Raises:
        Refusal: 403, none of the groups may look.
    """
    shown = "".join(each if each.isprintable() else "?" for each in name)[:_NAME_MAX]
    person = person_of(shown, groups, settings)
    if person is None:
        raise forbidden(f"{shown} is in no group that may look: ask whoever runs the console.")
    return person


def peer(request: HTTPConnection) -> str:
    """Return the address that the request comes from, as the socket has it."""
    return request.client.host if request.client else ""


def _hostname(request: HTTPConnection) -> str:
    host = request.headers.get("host", "").lower()
    return host[: host.index("]") + 1] if host.startswith("[") else host.partition(":")[0]


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
