"""Who can reach the trigger's port: this machine alone, or others as well."""

import ipaddress
import socket

from pydantic import SecretStr

from app.errors import Unprotected


def is_beyond_loopback(host: str) -> bool:
    """Whether one of the host's addresses can be reached from outside; a name is looked up. False for a name that
    has none: to listen there fails, and says so."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):  # the latter for a name with an empty or overlong label
        return False
    return not all(_is_loopback(str(address[0])) for *_, address in found)


def _is_loopback(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    mapped = getattr(ip, "ipv4_mapped", None)
    return bool((mapped or ip).is_loopback)


def check_protected(host: str, token: SecretStr) -> None:
    """Raises Unprotected when others can reach the host's port and no token keeps them out."""
    if not token.get_secret_value() and is_beyond_loopback(host):
        raise Unprotected("unprotected", host=host)
