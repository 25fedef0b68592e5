"""Examines the trigger's token, and whether one is needed."""

import stat
from collections.abc import Iterator

from app.config import Config
from app.doctor.finding import Finding, ok, problem, warning
from app.errors import TokenUnusable
from app.sentence import Sentence
from app.trigger.exposure import is_beyond_loopback
from app.trigger.token import read_token, token_file

SHORTEST = 16


def examine(settings: Config) -> Iterator[Finding]:
    """One finding; the token itself is in none."""
    host = settings.sms_host
    try:
        token = read_token(settings).get_secret_value()
    except TokenUnusable as error:
        yield problem("token", error.sentence, Sentence("advice.not_before"))
        return
    if not token:
        if is_beyond_loopback(host):
            yield problem("token", Sentence("doctor.token_none", host=host), Sentence("advice.make_token"))
        else:
            yield ok("token", Sentence("doctor.token_not_needed", host=host))
        return
    path = token_file(settings)
    in_file = not settings.sms_trigger_token.get_secret_value()
    if in_file and stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        yield warning("token", Sentence("doctor.open", path=path), Sentence("advice.close_token", path=path))
    elif len(token) < SHORTEST:
        yield warning("token", Sentence("doctor.token_short", count=len(token)), Sentence("advice.long_token"))
    elif is_beyond_loopback(host) and settings.sms_tls_cert is None:
        yield warning("token", Sentence("doctor.token_in_the_clear"), Sentence("advice.set_tls"))
    else:
        yield ok("token", Sentence("doctor.token", where=path if in_file else "SMS_TRIGGER_TOKEN"))
