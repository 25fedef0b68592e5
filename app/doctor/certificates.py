"""Examines the certificates that the settings name: whether they can be read, and how long they are valid."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from app.config import Config
from app.doctor.finding import Finding, Verdict, ok, problem, warning
from app.errors import CertificateUnusable
from app.sentence import Sentence

SOON_DAYS = 14
ONES = ("sms_tls_cert", "sms_tls_client_ca", "sms_tls_ca", "sms_tls_client_cert", "database_tls_ca")
PAIRS = (("sms_tls_cert", "sms_tls_key"), ("sms_tls_client_cert", "sms_tls_client_key"))


def examine(settings: Config) -> Iterator[Finding]:
    """One finding for each that is set, and one for each that its key does not belong to."""
    found = {field: _examine(field.upper(), path) for field in ONES if (path := getattr(settings, field))}
    yield from found.values()
    for field, key_field in PAIRS:
        cert, key = getattr(settings, field), getattr(settings, key_field)
        if cert and key and found[field].verdict is not Verdict.PROBLEM:
            yield from _examine_pair(field.upper(), cert, key_field.upper(), key)


def _examine_pair(cert_name: str, cert: Path, key_name: str, key: Path) -> Iterator[Finding]:
    def refuse() -> str:
        raise CertificateUnusable("certificate.passphrase", path=key)

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=refuse)
    except (OSError, ValueError, CertificateUnusable) as error:  # SSLError is an OSError
        mend = Sentence("advice.mend", name=key_name)
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            yield problem("tls", Sentence("doctor.tls_no_pair", name=key_name, path=key, cert=cert_name), mend)
        else:
            yield problem("tls", Sentence("doctor.tls_unusable", name=key_name, path=key, why=error), mend)


def _examine(name: str, path: Path) -> Finding:
    mend, renew = Sentence("advice.mend", name=name), Sentence("advice.renew", path=path)
    try:
        until = min(each.not_valid_after_utc for each in x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        return problem("tls", Sentence("doctor.tls_unreadable", name=name, path=path, why=error.strerror), mend)
    except ValueError:
        return problem("tls", Sentence("doctor.tls_none", name=name, path=path), mend)
    days = (until - datetime.now(UTC)).days
    found = Sentence("doctor.tls_valid", name=name, until=f"{until:%Y-%m-%d}")
    if days < 0:
        return problem("tls", Sentence("doctor.tls_expired", name=name, until=f"{until:%Y-%m-%d}"), renew)
    return warning("tls", found, renew) if days < SOON_DAYS else ok("tls", found)
