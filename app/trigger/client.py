"""The running server as the commands reach it: its address, TLS, the token, and the lines that answer a request."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.config import Config
from app.errors import BadRequest, CertificateUnusable, ServerGone, ServerUnreachable
from app.sentence import Sentence
from app.trigger import answers, requests
from app.trigger.requests import AskStats, Trigger, Watch
from app.trigger.token import read_token
from engine import Client

Facts = dict[str, Any]


class Remote:
    """Where the settings say the server is. It speaks TLS with `tls`, with a `ca` file, or where the settings have one
    side's certificates. Raises TokenUnusable and CertificateUnusable."""

    def __init__(self, settings: Config, *, tls: bool = False, ca: Path | None = None) -> None:
        self.where = f"{settings.sms_host}:{settings.sms_port}"
        self._host, self._port = settings.sms_host, settings.sms_port
        self._token = read_token(settings).get_secret_value()
        ca = ca or settings.sms_tls_ca
        wanted = tls or ca or settings.sms_tls_cert or settings.sms_tls_client_cert
        self._tls = _context(ca, settings.sms_tls_client_cert, settings.sms_tls_client_key) if wanted else None

    @contextmanager
    def ask(
        self, request: Trigger | Watch | AskStats, *, timeout_s: float | None, lost: Sentence
    ) -> Iterator[Iterator[Facts]]:
        """Send a request, with the token; the lines that answer it, as long as the connection stands.

        To read one raises Refused for one that refuses, ServerGone when the server is not there, or closes: `lost`
        says what that means when not even the first came. ServerUnreachable when something else is there.
        """
        body = requests.request(replace(request, token=self._token))
        if len(body) > requests.MAX_FRAME_BYTES - requests.HEADER_BYTES:  # the server would close without a word
            raise BadRequest("too_long", most=requests.MAX_FRAME_BYTES)
        with self._translated():
            client = Client(self._host, self._port, timeout_s=timeout_s, ssl_context=self._tls)
        with client:
            with self._translated():
                client.send(body)
            yield self._answers(client, lost)

    def _answers(self, client: Client, lost: Sentence) -> Iterator[Facts]:
        # over TLS a server that wants a certificate takes the handshake for done, and closes
        maybe = Sentence("server_gone.wants_certificate" if self._tls else "server_gone.wants_tls", lost=lost)
        while True:
            with self._translated():
                line = client.read_line()
                if not line:
                    raise ServerGone("server_gone.closed", lost=maybe)
                facts = answers.read_answer(line)
            if not facts.get("ok", True):
                raise answers.read_refusal(facts)
            yield facts
            maybe = Sentence("server_gone.goes_on")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise ServerUnreachable("server.not_trusted", where=self.where, why=error.verify_message) from error
        except ssl.SSLError as error:
            raise ServerUnreachable("server.no_tls", where=self.where, why=error.reason or error) from error
        except ValueError as error:
            raise self.stranger() from error
        except OSError as error:
            raise ServerGone("server_gone", where=self.where, why=error) from error

    def stranger(self) -> ServerUnreachable:
        """Something answers what our server would not say."""
        return ServerUnreachable("server.stranger", where=self.where)


def _context(ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    """Verifies the server's certificate and the name in it; shows our own where there is one."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise CertificateUnusable("certificate.none", path=ca, why=error) from error

    def refuse() -> str:
        raise CertificateUnusable("certificate.passphrase", path=key)

    if cert:
        try:
            context.load_cert_chain(cert, key, password=refuse)
        except (OSError, ssl.SSLError) as error:
            raise CertificateUnusable("certificate.no_pair", cert=cert, key=key, why=error) from error
    return context
