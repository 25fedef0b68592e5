"""Who can reach the pages: this machine alone, or others too, by way of a reverse proxy that speaks TLS. Pure."""

import ipaddress
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from app.config import Config

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Exposure:
    """`names` are those that the pages are asked for by, in lower case; `proxy` is the address of the proxy, '' where
    there is none."""

    names: frozenset[str]
    proxy: str = ""

    def admits(self, scope: Scope) -> bool:
        """Whether who connects is on this machine, or the proxy. Without one nobody else can connect."""
        return not self.proxy or _of(scope) == self.proxy or is_loopback(_of(scope))

    def from_client(self, scope: Scope) -> Scope:
        """The request as the client sent it to the proxy, whose word counts for whom it is from: the last one, for what
        stands before it is the client's own."""
        if not self.proxy or _of(scope) != self.proxy:
            return scope
        said = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).rpartition(",")[2].strip().strip("[]")
        return {**scope, "scheme": "https", "client": (plain(said) or self.proxy, 0)}


def exposure_of(settings: Config) -> Exposure:
    """As the settings want it."""
    address = settings.sms_web_host
    own = f"[{address}]" if ":" in address else address
    return Exposure(
        frozenset(each.lower() for each in [*LOOPBACK_NAMES, own, *settings.web_names]), plain(settings.sms_web_proxy)
    )


def plain(address: str) -> str:
    """An address in its one form, of version 4 where it is one in the clothes of version 6; '' for what is none."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def is_loopback(address: str) -> bool:
    """Whether it is one of this machine alone."""
    return bool(plain(address)) and ipaddress.ip_address(plain(address)).is_loopback


def _of(scope: Scope) -> str:
    client = scope.get("client")
    return plain(client[0]) if client else ""
