import ipaddress
from typing import Annotated, Final

from pydantic import AfterValidator

_FORBIDDEN: Final = frozenset(" /@")


def host_fault(host: str) -> str | None:
    """Return why *host* cannot be looked up at all; None is nothing."""
    try:
        host.encode("idna")
    except UnicodeError:
        return "write a host name or an IP address"
    if not host.isprintable() or _FORBIDDEN & set(host):
        return "write a host name or an IP address"
    return None


def is_loopback(host: str) -> bool:
    """Tell whether *host* is a loopback address. A name, localhost too, may resolve elsewhere."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(host: str) -> str:
    if fault := host_fault(host):
        raise ValueError(fault)
    return host


Host = Annotated[str, AfterValidator(_checked)]
