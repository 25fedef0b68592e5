"""Settings: where they come from, and what is said when they cannot be used."""

from pathlib import Path

import pytest

from app import config
from app.config import Config
from app.errors import ConfigError
from tests.words import refused, words

SECRET = "p4ssw0rd"


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch, tmp_path):
    """An environment without our variables, in a folder without a `.env`."""
    for name in Config.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_of_the_compose_file():
    settings = config.load()

    assert settings.database_url.get_secret_value() == "mysql+pymysql://sms:sms@127.0.0.1:3306/sms"
    assert (settings.sms_host, settings.sms_port) == ("127.0.0.1", 9501)
    assert (settings.sms_worker_num, settings.sms_task_worker_num) == (2, 4)
    assert settings.sms_shard_size == 500_000
    assert settings.sms_log_dir == Path("var/logs")


def test_the_environment_decides(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "sqlite:///x.db")
    monkeypatch.setenv("SMS_SHARD_SIZE", "10")

    settings = config.load()

    assert settings.database_url.get_secret_value() == "sqlite:///x.db"
    assert settings.sms_shard_size == 10


def test_an_env_file_is_read_too_and_the_environment_goes_first(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("SMS_PORT=9601\nSMS_HOST=0.0.0.0\nUNRELATED=1\n")
    monkeypatch.setenv("SMS_PORT", "9701")

    settings = config.load()

    assert (settings.sms_host, settings.sms_port) == ("0.0.0.0", 9701)


@pytest.mark.parametrize("content", [b"SMS_HOST=\xff\n", "SMS_HOST=x\n".encode("utf-16")])
def test_an_env_file_that_is_no_text_is_refused_in_one_sentence(tmp_path, content):
    (tmp_path / ".env").write_bytes(content)

    with refused(ConfigError, match=r"\.env"):
        config.load()


def test_an_empty_variable_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("SMS_PORT", "")

    assert config.load().sms_port == 9501


def test_every_problem_is_named_at_once(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "oracle://a:b@c/d")
    monkeypatch.setenv("SMS_PORT", "65536")
    monkeypatch.setenv("SMS_WORKER_NUM", "two")
    monkeypatch.setenv("SMS_SHARD_SIZE", "0")

    with pytest.raises(ConfigError) as refusal:
        config.load()

    text = words(refusal.value)
    assert all(name in text for name in ("DATABASE_URL", "SMS_PORT", "SMS_WORKER_NUM", "SMS_SHARD_SIZE"))
    assert "\n" not in text


@pytest.mark.parametrize(
    "url",
    [
        f"nonsense {SECRET}",
        f"mysql+pymysql://sms:{SECRET}@host:port/sms",
        f"postgresql://sms:{SECRET}@host/sms",
        f"mysql+pymysql//sms:{SECRET}@host/sms",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_password(monkeypatch, url):
    monkeypatch.setenv("DATABASE_URL", url)

    with refused(ConfigError, match="DATABASE_URL") as refusal:
        config.load()

    assert SECRET not in words(refusal.value)
    assert SECRET not in repr(refusal.value.__cause__)


@pytest.mark.parametrize(
    "driver",
    [
        *("mysql", "mysql+pymysql", "mysql+mysqldb", "mariadb", "mariadb+pymysql", "mariadb+mysqldb"),
        *("sqlite", "sqlite+pysqlite"),
    ],
)
def test_a_driver_that_we_know_is_accepted(monkeypatch, driver):
    monkeypatch.setenv("DATABASE_URL", f"{driver}://sms:{SECRET}@host/sms")

    assert config.load().database_url.get_secret_value().startswith(f"{driver}:")


@pytest.mark.parametrize(
    "driver", ["mysql+foo", "mysql+aiomysql", "mysql+asyncmy", "mariadb+mariadbconnector", "sqlite+aiosqlite", "oracle"]
)
def test_a_driver_that_we_do_not_know_is_refused_in_one_sentence_with_those_we_do(monkeypatch, driver):
    monkeypatch.setenv("DATABASE_URL", f"{driver}://sms:{SECRET}@host/sms")

    with pytest.raises(ConfigError) as refusal:
        config.load()

    known = "mysql+pymysql, mysql+mysqldb, the same with mariadb, or sqlite"
    assert words(refusal.value) == f"DATABASE_URL: {driver} is not supported; use {known}"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SMS_PORT", "abc", "SMS_PORT is not a whole number"),
        ("SMS_SHARD_SIZE", "1.5", "SMS_SHARD_SIZE is not a whole number"),
        ("SMS_WORKER_NUM", "9" * 5000, "SMS_WORKER_NUM is not a whole number"),
        ("SMS_ANSWER_TIMEOUT_S", "long", "SMS_ANSWER_TIMEOUT_S is not a number"),
        ("SMS_PORT", "0", "SMS_PORT must be 1 to 65,535"),
        ("SMS_SHARD_SIZE", "100000001", "SMS_SHARD_SIZE must be 1 to 100,000,000"),
        ("DATABASE_TLS", "on", "DATABASE_TLS must be one of preferred, required, verify_ca, verify_identity"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_a_sentence_of_ours(monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError) as refusal:
        config.load()

    assert words(refusal.value) == said


def test_the_password_shows_in_no_representation(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"mysql+pymysql://sms:{SECRET}@host/sms")

    settings = config.load()

    assert SECRET not in repr(settings) + str(settings) + str(settings.model_dump())


def test_the_token_shows_in_no_representation(monkeypatch):
    monkeypatch.setenv("SMS_TRIGGER_TOKEN", SECRET)

    settings = config.load()

    assert SECRET not in repr(settings) + str(settings) + str(settings.model_dump()) + settings.model_dump_json()


@pytest.mark.parametrize("token", [f"{SECRET} ", f"{SECRET}令牌", f"{SECRET}\n"])
def test_a_token_that_a_header_could_not_hold_is_refused_without_being_shown(monkeypatch, token):
    monkeypatch.setenv("SMS_TRIGGER_TOKEN", token)

    with refused(ConfigError, match=r"^SMS_TRIGGER_TOKEN must be visible ASCII without spaces$") as refusal:
        config.load()

    assert SECRET not in repr(refusal.value.__cause__)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"SMS_TLS_CERT": "c"}, "SMS_TLS_CERT and SMS_TLS_KEY must both be set, or neither"),
        ({"SMS_TLS_KEY": "k"}, "SMS_TLS_CERT and SMS_TLS_KEY must both be set, or neither"),
        ({"SMS_TLS_CLIENT_CA": "a"}, "SMS_TLS_CLIENT_CA is set, so SMS_TLS_CERT must be"),
        ({"SMS_TLS_CLIENT_CERT": "c"}, "SMS_TLS_CLIENT_CERT and SMS_TLS_CLIENT_KEY must both be set, or neither"),
    ],
)
def test_certificates_that_make_no_sense_alone_are_refused(monkeypatch, given, problem):
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError) as refusal:
        config.load()

    assert words(refusal.value) == problem


def test_a_log_format_that_is_none_is_refused_with_those_there_are(monkeypatch):
    monkeypatch.setenv("SMS_LOG_FORMAT", "xml")

    with refused(ConfigError, match=r"^SMS_LOG_FORMAT must be one of plain, json$"):
        config.load()


def test_settings_do_not_change_once_they_are_read():
    with pytest.raises(ValueError, match="frozen"):
        config.load().sms_port = 1


@pytest.mark.parametrize(
    "url",
    [
        "mysql+pymysql://sms:p@ss@127.0.0.1/sms",
        "mysql+mysqldb://sms:p@s/s@127.0.0.1/sms",
        "mysql+pymysql://sms:p@ss?x@127.0.0.1/sms",
        "mysql+pymysql://sms:p@ss:x@127.0.0.1/sms",
    ],
)
def test_a_password_with_an_at_sign_is_refused_and_no_part_of_it_is_said(monkeypatch, url):
    monkeypatch.setenv("DATABASE_URL", url)

    with pytest.raises(ConfigError) as error:
        config.load()

    assert "ss" not in words(error.value).replace("password", "")
    assert "%40" in words(error.value) or "must look like" in words(error.value)


@pytest.mark.parametrize("port", [0, 65_536])
def test_a_port_of_the_database_that_cannot_be_is_refused(monkeypatch, port):
    monkeypatch.setenv("DATABASE_URL", f"mysql+pymysql://sms:sms@127.0.0.1:{port}/sms")

    with refused(ConfigError, f"^DATABASE_URL must name a port of 1 to 65,535, not {port}$"):
        config.load()


def test_an_at_sign_that_is_written_as_it_should_be_is_taken(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "mysql+pymysql://sms:p%40ss@127.0.0.1/sms")

    assert config.load().database_url.get_secret_value().endswith("p%40ss@127.0.0.1/sms")


@pytest.mark.parametrize("zone", ["Mars", "../etc/passwd", "", "/etc"])
def test_a_time_zone_that_is_none_is_refused(monkeypatch, zone):
    monkeypatch.setenv("SMS_TIME_ZONE", zone)

    if zone:
        with refused(ConfigError, match=r"SMS_TIME_ZONE: .* is not a time zone"):
            config.load()
    else:
        assert config.load().sms_time_zone == "UTC"


@pytest.fixture
def no_locale(monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("given", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "de_DE.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "SMS_LANGUAGE": "en"}, "en"),
        ({"LANG": "C", "SMS_LANGUAGE": "zh"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "SMS_LANGUAGE": "klingon"}, "zh"),
    ],
)
def test_the_language_is_that_of_the_setting_else_of_the_locale_else_english(monkeypatch, no_locale, given, language):
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    assert config.language() == language


def test_the_language_may_stand_in_the_settings_file(no_locale, tmp_path):
    (tmp_path / ".env").write_text("SMS_LANGUAGE=zh\n")

    assert config.language() == "zh"


def test_a_language_that_nobody_speaks_here_is_refused_with_those_there_are(monkeypatch):
    monkeypatch.setenv("SMS_LANGUAGE", "klingon")

    with refused(ConfigError, match=r"^SMS_LANGUAGE must be one of en, zh$"):
        config.load()
