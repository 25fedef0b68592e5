"""Opens the listening socket that all event workers share."""

import socket

from engine.errors import StartError


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """Open a listening TCP socket; port 0 takes a free one. Raises StartError with the address and the reason."""
    if not 0 <= port <= 65_535:  # getaddrinfo would take the lowest 16 bits of it
        raise StartError(f"cannot listen on {host}:{port}: ports are 0 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:  # the latter for a name with an empty or overlong label
        raise StartError(f"{host} is no address of this machine: {error}") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    listener.setblocking(False)
    return listener
