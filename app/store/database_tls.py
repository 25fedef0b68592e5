"""How a connection to MySQL is encrypted, and whether it is checked who answers; the same for both drivers."""

import ssl
from pathlib import Path
from typing import Any

from app.config import DatabaseTls
from app.errors import CertificateUnusable
from app.sentence import Sentence


def tls_options(driver: str, mode: DatabaseTls, ca: Path | None) -> dict[str, Any]:
    """What the driver is to be told; nothing for `preferred`, which is what it does by itself. Raises
    CertificateUnusable."""
    if mode == "preferred":
        return {}
    context = _context(mode, ca)
    if driver == "pymysql":
        return {"ssl": context}
    # The client library wants a file where the certificate is checked; it does not look for the system's.
    trusted = ca or ssl.get_default_verify_paths().cafile
    files = {"ca": str(trusted)} if trusted and mode != "required" else {}
    return {"ssl_mode": mode.upper(), "ssl": files}


def refuse_plain(connection: Any, _record: object) -> None:
    """SQLAlchemy's event connect, for mysqlclient: over MariaDB's client library, `required` goes on without TLS where
    the server has none. The password was not said in the clear, and nothing else is said at all."""
    cursor = connection.cursor()
    cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
    found = cursor.fetchone()
    cursor.close()
    if not found or not found[1]:
        connection.close()
        raise connection.OperationalError(2026, "the server speaks no TLS, which DATABASE_TLS asks for")


def _context(mode: DatabaseTls, ca: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:  # SSLError is one
        why = Sentence("no_certificate") if isinstance(error, ssl.SSLError) else error.strerror
        raise CertificateUnusable("certificate.of_database", path=ca, why=why) from error
    # What MySQL makes for itself is not as strict as Python 3.13 is.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = mode == "verify_identity"
    if mode == "required":
        context.verify_mode = ssl.CERT_NONE
    return context
