"""Examines the trigger's token, and whether one is needed."""

import stat
from collections.abc import Iterator

from app.config import Config
from app.doctor.finding import Finding, ok, problem, warning
from app.errors import TokenUnusable
from app.trigger.exposure import is_beyond_loopback
from app.trigger.token import read_token, token_file

SHORTEST = 16


def examine(settings: Config) -> Iterator[Finding]:
    """One finding; the token itself is in none."""
    host = settings.sms_host
    try:
        token = read_token(settings).get_secret_value()
    except TokenUnusable as error:
        yield problem("token", str(error), "the server does not start before")
        return
    if not token:
        if is_beyond_loopback(host):
            found = f"none, and others can reach SMS_HOST {host}: the server will not start"
            yield problem("token", found, "run: python -m app token")
        else:
            yield ok("token", f"none is set here, and none is needed: only this machine can reach {host}")
        return
    path = token_file(settings)
    in_file = not settings.sms_trigger_token.get_secret_value()
    if in_file and stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        yield warning("token", f"{path} can be read by others", f"run: chmod 600 {path}")
    elif len(token) < SHORTEST:
        yield warning(
            "token", f"it has {len(token)} letters and can be guessed", "python -m app token makes a long one"
        )
    elif is_beyond_loopback(host) and settings.sms_tls_cert is None:
        yield warning("token", "it goes over the network in the clear", "set SMS_TLS_CERT and SMS_TLS_KEY")
    else:
        yield ok("token", f"from {path if in_file else 'SMS_TRIGGER_TOKEN'}")
