"""TLS with providers: who is not trusted is sent nothing, and nobody is in doubt for it."""

import ssl
from pathlib import Path

import pytest

from app.campaigns.start import dispatch
from app.domain.orders import Outcome
from app.gateways.cloud_network import CloudNetwork
from tests.acceptance.cloud_sender import ACCOUNTS, TEMPLATE, TEXT
from tests.certificates import issue
from tests.integration.app.ledgers import rows_of
from tests.integration.app.people import crowd, move_in
from tests.integration.app.providers import SID, network, provider, send

COUNT = 12
pytestmark = pytest.mark.parametrize("kind", ["aliyun", "tencent", "twilio"])


@pytest.fixture
def secure(tmp_path):
    """A provider that speaks TLS, with a certificate that is its own authority."""
    pair = issue(tmp_path, "provider")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair.cert_file, pair.key_file)
    with provider(tmp_path, SID, tls=tls) as running:
        yield running


def account(kind, secure, tmp_path, monkeypatch, ca):
    text = f'kind = "{kind}"\nendpoint = "https://127.0.0.1:{secure.port}"\ntls_ca = "{ca}"\n{ACCOUNTS[kind]}'
    return network(tmp_path, monkeypatch, text + TEMPLATE[kind])


def trigger(database, net, kind):
    move_in(database, crowd(COUNT))
    what = {"template_name": "hello"} if TEMPLATE[kind] else {"template": TEXT}
    return dispatch(database, "a", 100, gateway="net", networks={"net": net}, allow_duplicates=True, **what).campaign


def test_a_provider_whose_authority_the_account_names_is_sent_to(sqlite, logs, secure, tmp_path, monkeypatch, kind):
    net = account(kind, secure, tmp_path, monkeypatch, Path(tmp_path) / "provider.crt")
    campaign = trigger(sqlite, net, kind)

    assert send(sqlite, logs, campaign, net).outcome is Outcome.COMPLETE

    assert sum(secure.taken.values()) == COUNT


def test_a_provider_that_is_not_trusted_leaves_nobody_in_doubt(sqlite, logs, secure, tmp_path, monkeypatch, kind):
    other = issue(tmp_path, "other")
    net = account(kind, secure, tmp_path, monkeypatch, other.cert_file)
    campaign = trigger(sqlite, net, kind)

    assert send(sqlite, logs, campaign, net).outcome is Outcome.BLOCKED

    async def in_reach(_self):
        """As if the certificate had been changed since we looked."""

    monkeypatch.setattr(CloudNetwork, "reach", in_reach)
    assert send(sqlite, logs, campaign, net, slice_s=1.0).outcome is Outcome.SLICE

    assert secure.lines == []
    assert {(row.state.value, row.attempts) for row in rows_of(sqlite, campaign)} == {("retry", 0)}
