"""Whether an error of a provider's SDK says that nothing left. Pure."""

import socket
import ssl
from collections.abc import Iterator

_BEFORE = {"NewConnectionError", "ConnectTimeoutError", "ConnectTimeout", "NameResolutionError"}
"""Classes of urllib3 and requests, by which the SDKs speak HTTP: raised before a connection is there."""

_REASONS = ("reason", "inner_exception")
"""Where urllib3 and Aliyun's SDK keep what an error came of."""


def is_before_sending(error: BaseException) -> bool:
    """Whether it, or one that it came of, was raised before a byte of ours could leave."""
    return any(
        type(each).__name__ in _BEFORE
        or isinstance(each, ConnectionRefusedError | socket.gaierror | ssl.SSLCertVerificationError)
        for each in _chain(error)
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    todo, seen = [error], set()
    while todo:
        each = todo.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        named = (getattr(each, name, None) for name in _REASONS)
        reasons = [each.__cause__, each.__context__, *named, *each.args]
        todo += [found for found in reasons if isinstance(found, BaseException)]
