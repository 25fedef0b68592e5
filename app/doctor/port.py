"""Examines the trigger's port: free, or with our server behind it."""

import errno
import socket
from collections.abc import Iterator

from app.config import Config
from app.doctor.finding import Finding, ok, problem, warning
from app.errors import AppError, Refused, ServerGone, TokenUnusable
from app.trigger.client import Remote
from app.trigger.requests import Watch
from app.trigger.token import read_token

WITHIN_S = 5.0
NOBODY = Watch("")
"""A request that our server can only refuse, and nobody else understands."""


def examine(settings: Config) -> Iterator[Finding]:
    """One finding. A request is sent that starts nothing."""
    where = f"{settings.sms_host}:{settings.sms_port}"
    try:
        remote = Remote(settings)
        with remote.ask(NOBODY, timeout_s=WITHIN_S, lost="it may belong to another program") as answers:
            next(answers)
    except TokenUnusable:
        yield warning("port", f"{where} was not asked, for want of the token", "see there")
    except Refused as error:
        yield _judge(where, error, has_token=bool(read_token(settings).get_secret_value()))
    except ServerGone as error:
        yield _try_to_listen(settings) or problem(
            "port", f"{where}: {error}", "see which program has the port: ss -ltnp"
        )
    except AppError as error:
        yield problem("port", str(error), "or see which program has the port: ss -ltnp")
    else:
        yield problem("port", f"what answers at {where} is not our server", "see which program has the port: ss -ltnp")


def _judge(where: str, error: Refused, *, has_token: bool) -> Finding:
    if error.code == "bad_name":
        return ok("port", f"our server answers at {where}")
    if error.code == "forbidden" and not has_token:
        advice = "set SMS_TRIGGER_TOKEN, SMS_TRIGGER_TOKEN_FILE or SMS_LOG_DIR as it has them"
        return problem("port", f"our server at {where} asks for a token, and none is set here", advice)
    if error.code == "forbidden":
        return problem("port", f"our server at {where} has another token", "start it anew, or set the same token")
    return warning("port", f"our server at {where} says: {error}", "see its log")


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
        return problem("port", f"{host}:{port} is no place to listen: {error}", "set SMS_HOST and SMS_PORT")
    return ok("port", f"{host}:{port} is free; no server runs there")
