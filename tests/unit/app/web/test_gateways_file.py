"""The file of gateways may lie on a slow disk: it is read beside the event loop, which everybody shares."""

import asyncio

import pytest

from app.gateways import accounts as gateways_file
from app.gateways import networks
from tests.integration.app.people import move_in, person
from tests.integration.app.test_cost import FILE
from tests.unit.app.web.visitors import OURS, log_in


@pytest.fixture
def settings(settings, tmp_path):
    (tmp_path / "gateways.toml").write_text(FILE)
    return settings.model_copy(update={"sms_gateways": tmp_path / "gateways.toml"})


@pytest.fixture
def readers(monkeypatch):
    """For each time that the file is read: whether on an event loop."""
    found = []

    def read(*arguments, **options):
        found.append(is_on_event_loop())
        return gateways_file.load(*arguments, **options)

    monkeypatch.setattr(networks, "load", read)
    return found


def is_on_event_loop():
    try:
        return bool(asyncio.get_running_loop())
    except RuntimeError:
        return False


@pytest.mark.parametrize("path", ["/system", "/part/system", "/metrics", "/new"])
def test_no_page_reads_it_where_everybody_waits(client, accounts, readers, path):
    log_in(client, "operator")

    assert client.get(path).status_code == 200

    assert set(readers) == {False}


@pytest.mark.parametrize("path", ["/people", "/people/opt-outs", "/new/preview", "/system/gateways"])
def test_no_form_has_it_read_where_everybody_waits(client, accounts, readers, path):
    move_in(accounts, [person(1)])
    log_in(client, "operator")

    assert client.post(path, data={"who": "1", "gateway": "net", "do": "drain"}, headers=OURS).status_code == 200

    assert set(readers) == {False}
