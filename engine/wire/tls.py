"""The server's TLS: version 1.2 and up, with the certificates that the settings name."""

import hashlib
import ssl
from pathlib import Path

from engine.errors import StartError
from engine.log_lines import get_logger
from engine.settings import Settings

log = get_logger(__name__)

_FILES = ("ssl_cert_file", "ssl_key_file", "ssl_client_cert_file")


class Certificates:
    """The TLS context made of the files when they could last be used."""

    def __init__(self, settings: Settings) -> None:
        """Read the files. Raises StartError, see server_context."""
        self._settings = settings
        self._digests = _digests(settings)  # before they are used: a change in between is seen at the next renewal
        self.context = server_context(settings)

    def renew(self) -> None:
        """Take on what the files hold now, for children that are started from now on.

        Where nothing changed, the context stays, and with it the keys of session tickets. Where a file cannot be used,
        the context from before stays, too, and the log says why.
        """
        digests = _digests(self._settings)
        if digests == self._digests:
            return
        try:
            self.context = server_context(self._settings)
        except (StartError, OSError) as error:  # the latter when a file goes away at this very moment
            log.error("certificates cannot be renewed, those from before are kept: %s", error)
            return
        self._digests = digests
        log.info("certificates renewed", extra={"file": self._settings.ssl_cert_file})


def _digests(settings: Settings) -> list[str]:
    """Return digests of the files; none of one that cannot be read."""
    found = []
    for path in filter(None, (getattr(settings, name) for name in _FILES)):
        try:
            found.append(hashlib.sha256(Path(path).read_bytes()).hexdigest())
        except OSError:
            found.append("")
    return found


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """What encrypts every connection; None without ssl_cert_file.

    Built before the fork, so that all workers share the keys of session tickets. Raises StartError, which names
    the file that cannot be used and says why.
    """
    if not settings.ssl_cert_file:
        return None
    _check_readable(settings)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # it costs the server more than the client, and TLS 1.3 dropped it
    _load_own(context, settings.ssl_cert_file, settings.ssl_key_file)
    if settings.ssl_verify_peer:
        _load_authorities(context, "ssl_client_cert_file", settings.ssl_client_cert_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _check_readable(settings: Settings) -> None:
    """Raise StartError for a file that cannot be read: the ssl module does not say which one it is."""
    for name in _FILES:
        if path := getattr(settings, name):
            try:
                Path(path).read_bytes()
            except OSError as error:
                raise StartError(f"{name} {path} cannot be read: {error.strerror}") from error


def _load_own(context: ssl.SSLContext, cert_file: str, key_file: str) -> None:
    def refuse() -> str:
        raise StartError(f"ssl_key_file {key_file} has a passphrase, and nobody is there to be asked for it")

    try:
        context.load_cert_chain(cert_file, key_file, password=refuse)
    except ssl.SSLError as error:
        _load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "ssl_cert_file", cert_file)  # is it that one?
        if error.reason == "KEY_VALUES_MISMATCH":
            raise StartError(f"ssl_key_file {key_file} does not belong to ssl_cert_file {cert_file}") from error
        raise StartError(f"ssl_key_file {key_file} cannot be used: {_reason(error, 'private key')}") from error


def _load_authorities(context: ssl.SSLContext, name: str, path: str) -> None:
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise StartError(f"{name} {path} cannot be used: {_reason(error, 'certificate')}") from error


def _reason(error: ssl.SSLError, kind: str) -> str:
    """Return OpenSSL's reason, or a clearer one for a file that is of another kind altogether."""
    return f"there is no {kind} in PEM format in it ({error.reason or 'no reason given'})"
