"""Examines the trigger's port: free, or with our server behind it."""

import errno
import socket
from collections.abc import Iterator

from app.config import Config
from app.doctor.finding import Finding, ok, problem, warning
from app.errors import AppError, Refused, ServerGone, TokenUnusable
from app.sentence import Sentence
from app.trigger.client import Remote
from app.trigger.requests import Watch
from app.trigger.token import read_token

WITHIN_S = 5.0
WHOSE = Sentence("advice.whose_port")
NOBODY = Watch("")
"""A request that our server can only refuse, and nobody else understands."""


def examine(settings: Config) -> Iterator[Finding]:
    """One finding. A request is sent that starts nothing."""
    where = f"{settings.sms_host}:{settings.sms_port}"
    try:
        remote = Remote(settings)
        with remote.ask(NOBODY, timeout_s=WITHIN_S, lost=Sentence("lost.other_program")) as answers:
            next(answers)
    except TokenUnusable:
        yield warning("port", Sentence("doctor.port_not_asked", where=where), Sentence("advice.see_token"))
    except Refused as error:
        yield _judge(where, error, has_token=bool(read_token(settings).get_secret_value()))
    except ServerGone as error:
        yield _try_to_listen(settings) or problem("port", Sentence("doctor.at", where=where, why=error), WHOSE)
    except AppError as error:
        yield problem("port", error.sentence, WHOSE)
    else:
        yield problem("port", Sentence("doctor.port_stranger", where=where), WHOSE)


def _judge(where: str, error: Refused, *, has_token: bool) -> Finding:
    if error.code == "bad_name" or error.sentence.code == "forbidden.scope":
        return ok("port", Sentence("doctor.port_ours", where=where))
    if error.code == "forbidden" and not has_token:
        return problem("port", Sentence("doctor.port_wants_token", where=where), Sentence("advice.same_settings"))
    if error.code == "forbidden":
        return problem("port", Sentence("doctor.port_other_token", where=where), Sentence("advice.same_token"))
    return warning("port", Sentence("doctor.port_says", where=where, what=error), Sentence("advice.see_log"))


def _try_to_listen(settings: Config) -> Finding | None:
    """None when the port cannot be had because somebody has it."""
    host, port = settings.sms_host, settings.sms_port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            return None
        found = Sentence("doctor.port_cannot", where=f"{host}:{port}", why=error)
        return problem("port", found, Sentence("advice.set_port"))
    return ok("port", Sentence("doctor.port_free", where=f"{host}:{port}"))
