"""Examines the certificates that the settings name: whether they can be read, and how long they are valid."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from app.config import Config
from app.doctor.finding import Finding, ok, problem, warning

SOON_DAYS = 14
ONES = ("sms_tls_cert", "sms_tls_client_ca", "sms_tls_ca", "sms_tls_client_cert")


def examine(settings: Config) -> Iterator[Finding]:
    """One finding for each that is set."""
    for field in ONES:
        if path := getattr(settings, field):
            yield _examine(field.upper(), path)


def _examine(name: str, path: Path) -> Finding:
    try:
        until = min(each.not_valid_after_utc for each in x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        return problem("tls", f"{name} {path} cannot be read: {error.strerror}", f"mend {name}")
    except ValueError:
        return problem("tls", f"there is no certificate in PEM format in {name} {path}", f"mend {name}")
    days = (until - datetime.now(UTC)).days
    found = f"{name} is valid until {until:%Y-%m-%d}"
    if days < 0:
        return problem("tls", f"{name} was valid until {until:%Y-%m-%d}", f"renew {path}")
    return warning("tls", found, f"renew {path}") if days < SOON_DAYS else ok("tls", found)
