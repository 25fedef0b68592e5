"""The file of gateways is read whole: every problem at once, by account and setting, and no secret is ever said."""

import sys

import pytest

from app.config import Config
from app.errors import ConfigError
from app.gateways.accounts import load
from app.gateways.networks import load_networks
from tests.words import refused, words

GOOD = """
[smpp-a]
kind = "smpp"
host = "127.0.0.1"
port = 2775
system_id = "sms"
password_env = "SMPP_A_PASSWORD"
bind = "separate"
binds = 2
window = 50
rate = 500
source = "10690000"
answer_timeout_s = 12
receipt_ids = "hex-to-decimal"
unknown = "resend"
"""


TWILIO = """
[t]
kind = "twilio"
account_sid = "AC00000000000000000000000000000000"
secret_env = "TWILIO_TOKEN"
source = "+15550001111"
"""


def written(tmp_path, text):
    path = tmp_path / "gateways.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_account_is_read_with_what_it_says_and_defaults_for_the_rest(tmp_path):
    accounts = load(written(tmp_path, GOOD), answer_timeout_s=7)

    assert list(accounts) == ["smpp-a"]
    account = accounts["smpp-a"]
    assert (account.host, account.port, account.window, account.rate, account.binds) == ("127.0.0.1", 2775, 50, 500, 2)
    assert (account.bind, account.receipt_ids, account.unknown) == ("separate", "hex-to-decimal", "resend")
    assert (account.answer_timeout_s, account.tls, account.max_parts) == (12, False, 10)


def test_the_answer_timeout_of_the_settings_counts_where_an_account_has_none(tmp_path):
    text = GOOD.replace("answer_timeout_s = 12\n", "")

    assert load(written(tmp_path, text), answer_timeout_s=7)["smpp-a"].answer_timeout_s == 7


def test_without_a_file_there_are_no_accounts():
    assert load(None) == {}


def test_every_problem_is_named_at_once(tmp_path):
    text = """
[a]
kind = "smpp"
system_id = "sms"
passwort = "hunter2"
password_env = "A"
window = 0
[b]
kind = "pigeon"
[log]
kind = "smpp"
["c d"]
kind = "smpp"
"""
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text))

    said = words(caught.value)
    for part in (
        "[a] host is missing",
        "[a] passwort is not a setting of an account of kind smpp",
        "[a] window: Input should be greater than or equal to 1",
        "[b] kind must be one of smpp, ",
        "[log] this name is taken",
        "[c d] a name is",
    ):
        assert part in said
    assert "hunter2" not in said


@pytest.mark.parametrize("line", ["", 'password_env = "A"\npassword_file = "b"'])
def test_a_password_is_in_one_place_outside_the_file(tmp_path, line):
    text = GOOD.replace('password_env = "SMPP_A_PASSWORD"', line)

    with refused(ConfigError, match="one of password_env and password_file must be set"):
        load(written(tmp_path, text))


def test_a_password_comes_from_its_variable_or_its_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SMPP_A_PASSWORD", "geheim")
    (tmp_path / "password").write_text("auch geheim\n")
    by_file = GOOD.replace('password_env = "SMPP_A_PASSWORD"', f'password_file = "{tmp_path / "password"}"')

    assert load(written(tmp_path, GOOD))["smpp-a"].password().get_secret_value() == "geheim"
    assert load(written(tmp_path, by_file))["smpp-a"].password().get_secret_value() == "auch geheim"
    assert "geheim" not in repr(load(written(tmp_path, GOOD)))


def test_a_password_that_is_not_there_is_named_by_its_place(tmp_path, monkeypatch):
    monkeypatch.delenv("SMPP_A_PASSWORD", raising=False)

    with refused(ConfigError, match="SMPP_A_PASSWORD is not set"):
        load(written(tmp_path, GOOD))["smpp-a"].password()


@pytest.mark.parametrize(("text", "why"), [("[a", "is not TOML"), ("a = 1", "is not a table")])
def test_what_is_no_table_of_accounts_is_refused(tmp_path, text, why):
    with refused(ConfigError, match=why):
        load(written(tmp_path, text))


@pytest.mark.parametrize("port", ["65536", "0", "x"])
def test_an_address_for_receipts_that_cannot_be_called_is_refused(tmp_path, port):
    text = f'{TWILIO}status_callback = "https://sms.example.com:PORT/receipts"'
    load(written(tmp_path, text.replace("PORT", "65535")))

    with refused(ConfigError, match=r"\[t\] status_callback must have a host, and its port"):
        load(written(tmp_path, text.replace("PORT", port)))


@pytest.mark.parametrize("where", ["host:99999", "host:0", "host:x", "[::1", ":443"])
def test_a_place_of_a_provider_that_cannot_be_called_is_refused(tmp_path, where):
    text = f'{TWILIO}endpoint = "https://WHERE"'
    load(written(tmp_path, text.replace("WHERE", "host:65535")))

    with refused(ConfigError, match=r"\[t\] endpoint must be https://HOST or https://HOST:PORT"):
        load(written(tmp_path, text.replace("WHERE", where)))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with refused(ConfigError, match=r"nowhere\.toml cannot be read: No such file"):
        load(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("password", "why"), [("", "SMPP_A_PASSWORD is not set"), ("tooLong" * 50, "password must be ASCII")]
)
def test_a_password_that_is_missing_or_cannot_be_is_said_before_anything_is_sent(tmp_path, monkeypatch, password, why):
    monkeypatch.setenv("SMPP_A_PASSWORD", password)

    with refused(ConfigError, match=rf"\[smpp-a\] .*{why}") as refusal:
        load_networks(Config(sms_gateways=written(tmp_path, GOOD)))
    assert "tooLong" not in words(refusal.value)


def test_certificates_that_are_not_there_are_said_before_anything_is_sent(tmp_path, monkeypatch):
    monkeypatch.setenv("SMPP_A_PASSWORD", "geheim")
    text = GOOD + f'tls = true\ntls_ca = "{tmp_path / "nowhere.pem"}"\n'

    with refused(ConfigError, match=r"nowhere\.pem cannot be read"):
        load_networks(Config(sms_gateways=written(tmp_path, text)))


@pytest.mark.parametrize(
    ("line", "instead", "why"),
    [
        ('secret_env = "TWILIO_TOKEN"', "", "one of secret_env and secret_file must be set"),
        ('source = "+15550001111"', "", "one of source and messaging_service must be set"),
        ('source = "', 'endpoint = "http://api.twilio.com"\nsource = "', "http:// is for loopback alone"),
        ('source = "', 'endpoint = "https://x/y"\nsource = "', "endpoint must be https://HOST"),
    ],
)
def test_an_account_at_a_cloud_provider_that_cannot_be_used_is_said_with_its_reason(tmp_path, line, instead, why):
    with refused(ConfigError, match=why):
        load(written(tmp_path, TWILIO.replace(line, instead)))


def test_a_secret_of_a_cloud_provider_is_never_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("TWILIO_TOKEN", "geheim")

    account = load(written(tmp_path, TWILIO))["t"]

    assert account.secret().get_secret_value() == "geheim"
    assert "geheim" not in repr(account)


def test_a_cloud_provider_without_its_secret_is_named_at_once(tmp_path, monkeypatch):
    monkeypatch.delenv("TWILIO_TOKEN", raising=False)

    with refused(ConfigError, match=r"\[t\] the environment variable TWILIO_TOKEN is not set"):
        load_networks(Config(sms_gateways=written(tmp_path, TWILIO)))


def test_an_sdk_that_is_not_installed_is_named_with_the_way_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TWILIO_TOKEN", "geheim")
    for name in ("twilio", "app.gateways.twilio.network", "app.gateways.twilio.client"):
        monkeypatch.setitem(sys.modules, name, None)

    with refused(ConfigError, match=r"pip install 'sms-campaigns\[twilio\]'"):
        load_networks(Config(sms_gateways=written(tmp_path, TWILIO)))
