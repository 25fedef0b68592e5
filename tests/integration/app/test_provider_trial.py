"""`gateways test` by a provider that is called, and has to be asked what became of the message."""

import pytest
import sqlalchemy as sa

from app.store.tables import early_receipts
from tests.integration.app.providers import SID, provider

NUMBER = "13800000001"


@pytest.fixture
def secret(monkeypatch):
    monkeypatch.setenv("NET_SECRET", "secret")


def waiting(database):
    with database.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(early_receipts)).scalar_one()


@pytest.mark.usefixtures("secret")
def test_twilio_is_asked_for_the_receipt_of_a_text(app, sqlite, gateways, tmp_path):
    with provider(tmp_path, SID) as twilio:
        gateways(
            f'[net]\nkind = "twilio"\naccount_sid = "{SID}"\nendpoint = "http://127.0.0.1:{twilio.port}"\n'
            'source = "+15550001111"\nanswer_timeout_s = 20\nreceipts_every_s = 0.2\nsecret_env = "NET_SECRET"\n'
        )
        ended = app("gateways", "test", "net", "--to", NUMBER, "--text", "hello", "--yes")
        (line,) = twilio.lines

    assert (line[2], line[5]) == (f"+86{NUMBER}", "hello")
    assert (ended.code, "its receipt: delivered after " in ended.out) == (0, True), ended
    assert waiting(sqlite) == 0


@pytest.mark.usefixtures("secret")
def test_aliyun_sends_a_template_with_values_made_up_and_is_asked_for_its_number(app, sqlite, gateways, tmp_path):
    with provider(tmp_path, "LTAIdemo") as aliyun:
        gateways(
            f'[net]\nkind = "aliyun"\naccess_key_id = "LTAIdemo"\nendpoint = "http://127.0.0.1:{aliyun.port}"\n'
            'signature = "云通知"\nanswer_timeout_s = 20\nreceipts_every_s = 0.2\nsecret_env = "NET_SECRET"\n'
            '[net.templates.expiry]\ncode = "SMS_1"\ntext = "尊敬的{name}{honorific}，您的会员已到期。"\n'
            'parameters = { name = "name", title = "honorific" }\n'
        )
        ended = app("gateways", "test", "net", "--to", NUMBER, "--yes")
        with_text = app("gateways", "test", "net", "--to", NUMBER, "--text", "hello", "--yes")
        count = len(aliyun.lines)

    assert "【云通知】尊敬的测试先生，您的会员已到期。\n" in ended.out
    assert (ended.code, "its receipt: delivered after " in ended.out) == (0, True), ended
    assert waiting(sqlite) == 0
    with_text.assert_refused("expiry")
    assert count == 1


@pytest.mark.usefixtures("secret")
def test_tencent_is_asked_for_the_receipt_of_a_template_in_its_queue(app, sqlite, gateways, tmp_path):
    with provider(tmp_path, "AKIDdemo") as tencent:
        gateways(
            f'[net]\nkind = "tencent"\nsecret_id = "AKIDdemo"\nendpoint = "http://127.0.0.1:{tencent.port}"\n'
            'app_id = "1400006666"\nsignature = "云通知"\nanswer_timeout_s = 20\nreceipts_every_s = 0.2\n'
            'secret_env = "NET_SECRET"\n'
            '[net.templates.expiry]\ncode = "1110"\ntext = "尊敬的{name}，您的会员已到期。"\nparameters = ["name"]\n'
        )
        ended = app("gateways", "test", "net", "--to", NUMBER, "--template-name", "expiry", "--yes")
        (line,) = tencent.lines

    assert line[2] == f"+86{NUMBER}"
    assert (ended.code, "its receipt: delivered after " in ended.out) == (0, True), ended
    assert waiting(sqlite) == 0
