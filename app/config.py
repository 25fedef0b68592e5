"""Settings of the application. The only reader of the environment."""

import functools
import os
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.errors import ConfigError
from app.sentence import Sentence

_DRIVERS = frozenset(
    [
        *("mysql", "mysql+pymysql", "mysql+mysqldb"),
        *("mariadb", "mariadb+pymysql", "mariadb+mysqldb"),
        *("sqlite", "sqlite+pysqlite"),
    ]
)
"""Without a driver, SQLAlchemy's default one is meant. An asynchronous one would fail at its first statement."""

Language = Literal["en", "zh"]
Runner = Literal["engine", "celery"]
DatabaseTls = Literal["preferred", "required", "verify_ca", "verify_identity"]
"""MySQL's own names for it."""
_OURS = "setting."
_TOGETHER = f"{_OURS}together"


def _wrong(code: str, **facts: object) -> PydanticCustomError:
    """What pydantic makes a problem of; see `_sentences`."""
    return PydanticCustomError(f"{_OURS}{code}", "{code}", {"code": code, **facts})


class Config(BaseSettings):
    """Read from the environment, then from `.env`; each field is named as its variable, in lower case."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    database_url: SecretStr = SecretStr("mysql+pymysql://sms:sms@127.0.0.1:3306/sms")
    """Where the customers are: `mysql+pymysql://…`, `mysql+mysqldb://…` (faster, extra `fast`) or `sqlite:///file`."""
    database_tls: DatabaseTls | None = None
    """How the way to MySQL is protected: `preferred` encrypts where the server can, and anybody may answer; `required`
    always encrypts; `verify_ca` trusts DATABASE_TLS_CA or the system's certificates alone, `verify_identity` checks the
    name in DATABASE_URL, too. Default: `verify_identity` with DATABASE_TLS_CA, else `preferred`."""
    database_tls_ca: Path | None = None
    """Certificates, PEM, that MySQL is trusted by. Default: the system's, where they are checked."""
    sms_host: str = "127.0.0.1"
    """Address that the server listens on and the trigger connects to."""
    sms_port: int = Field(default=9501, ge=1, le=65535)
    """TCP port of the trigger."""
    sms_worker_num: int = Field(default=2, ge=1, le=64)
    """Event workers: processes that talk to clients."""
    sms_task_worker_num: int = Field(default=4, ge=1, le=256)
    """Task workers: processes that send, one shard each at a time."""
    sms_shard_size: int = Field(default=500_000, ge=1, le=100_000_000)
    """Ids in one shard. Fixed for a campaign when it is triggered."""
    sms_slice_s: int = Field(default=20, ge=1, le=3600)
    """Seconds that a task sends at a stretch before another campaign may have its turn."""
    sms_runner: Runner = "engine"
    """Who sends: `engine`, the server's own task workers on this machine, or `celery`, workers on as many hosts as
    wanted, see docs/fleet.md."""
    sms_broker_url: SecretStr = SecretStr("")
    """RabbitMQ's address for `celery`: `amqp://user:password@host:5672/vhost`."""
    sms_host_id: str = Field(default="", max_length=64)
    """This host's name in `python -m app hosts`, and where logs lie. Default: the one that the machine has."""
    sms_lease_s: int = Field(default=10, ge=3, le=600)
    """Seconds without a sign of life, by the database's clock, after which what somebody had in hand goes to another.
    The same for all who share the database."""
    sms_template_columns: str = ""
    """Columns of `customers`, between commas, that messages may show besides those that our own schema has."""
    sms_time_zone: str = "UTC"
    """Time zone in which messages show `{created_at}`, such as `Asia/Shanghai`; not to be changed under way."""
    sms_log_dir: Path = Path("var/logs")
    """Folder of the logs: messages in `<campaign>/task_<shard>.log`, who was rejected in `task_<shard>.rejects.log`."""
    sms_gateways: Path | None = None
    """File of the gateways, TOML: the accounts that messages can go out by, see docs/gateways.md. Without it there is
    `log` alone."""
    sms_gateway: str = "log"
    """Gateway of a campaign whose trigger names none; `log` writes messages to files, and nobody gets them."""
    sms_ask_above: float | None = Field(default=None, ge=0, le=1e12)
    """A campaign that comes to a greater sum, by the `price` of its gateway, is started only once that is confirmed.
    Default: it is not asked."""
    sms_answer_timeout_s: float = Field(default=10.0, ge=0.5, le=300)
    """Seconds that a gateway's answer may take before it is in doubt whether it has the message."""
    sms_language: Language | None = None
    """Language of what the commands say: `en` or `zh`. Default: that of the locale (LC_ALL, LC_MESSAGES, LANG), else
    English. Answers over the trigger's port and the server's log do not change with it."""
    sms_log_format: Literal["plain", "json"] = "plain"
    """How the server's own log lines look: `plain`, or `json` with an object a line."""
    sms_trigger_token: SecretStr = SecretStr("")
    """What every request must bear as `token`, or else a named one, see `python -m app tokens`; visible ASCII. Without
    it the one in the token file counts, if there is one; beyond loopback the server listens only with one of them."""
    sms_trigger_token_file: Path | None = None
    """File of the token. Default: `.token` in SMS_LOG_DIR, where `python -m app token` makes one."""
    sms_tls_cert: Path | None = None
    """Certificate chain of the server, PEM. Given, the trigger's port speaks TLS 1.2 and up, and nothing else."""
    sms_tls_key: Path | None = None
    """Private key to SMS_TLS_CERT, PEM, without a passphrase."""
    sms_tls_client_ca: Path | None = None
    """Certificates, PEM; given, the server accepts only clients whose certificate one of them signed."""
    sms_tls_ca: Path | None = None
    """Certificates, PEM, that the commands trust the server's by. Default: the system's. Given, they speak TLS; the
    certificate must bear the name in SMS_HOST."""
    sms_tls_client_cert: Path | None = None
    """Certificate that the commands show to a server with SMS_TLS_CLIENT_CA, PEM."""
    sms_tls_client_key: Path | None = None
    """Private key to SMS_TLS_CLIENT_CERT, PEM, without a passphrase."""
    sms_web_host: str = "127.0.0.1"
    """Address that `python -m app web` listens on; one of this machine alone, but with SMS_WEB_PUBLISHED or
    SMS_WEB_PROXY."""
    sms_web_port: int = Field(default=8000, ge=1, le=65535)
    """TCP port of the pages, metrics and health."""
    sms_web_published: str = ""
    """In a container alone: where its port is published, `127.0.0.1:8000`. That has to be an address of this machine
    alone; SMS_WEB_HOST may be one of the container's network then."""
    sms_web_proxy: str = ""
    """Address of a reverse proxy that speaks TLS for the pages, as `127.0.0.1`. Besides this machine it alone may then
    connect, and says by `X-Forwarded-For` who asks; there have to be accounts. See docs/pages.md."""
    sms_web_names: str = ""
    """Names, between commas, by which others ask the proxy for the pages, as `sms.example.com`."""

    @property
    def tls_of_database(self) -> DatabaseTls:
        """DATABASE_TLS, or what it is by default."""
        return self.database_tls or ("verify_identity" if self.database_tls_ca else "preferred")

    @property
    def host_id(self) -> str:
        """SMS_HOST_ID, or what it is by default."""
        return self.sms_host_id or socket.gethostname()[:64]

    @property
    def broker_url(self) -> str:
        """SMS_BROKER_URL. Raises ConfigError where it is missing, which only `celery` needs."""
        if not self.sms_broker_url.get_secret_value():
            raise ConfigError([Sentence("setting.no_broker")])
        return self.sms_broker_url.get_secret_value()

    @property
    def template_columns(self) -> list[str]:
        """SMS_TEMPLATE_COLUMNS, taken apart."""
        return [name for each in self.sms_template_columns.split(",") if (name := each.strip())]

    @property
    def web_names(self) -> list[str]:
        """SMS_WEB_NAMES, taken apart."""
        return [name for each in self.sms_web_names.split(",") if (name := each.strip())]

    @field_validator("database_url")
    @classmethod
    def _is_an_address_we_support(cls, value: SecretStr) -> SecretStr:
        try:
            address = make_url(value.get_secret_value())
        except (ArgumentError, ValueError):  # its text may hold the password
            raise _wrong("no_url") from None
        if address.drivername not in _DRIVERS:
            raise _wrong("driver", driver=address.drivername)
        if address.get_backend_name() != "sqlite" and value.get_secret_value().count("@") > 1:
            # What stands between the two would be taken for the host's name, and errors say that.
            raise _wrong("at_signs")
        if address.port is not None and not 0 < address.port < 2**16:
            raise _wrong("port_of_database", port=address.port)
        if not address.database:
            raise _wrong("no_database")
        return value

    @field_validator("sms_broker_url")
    @classmethod
    def _is_a_brokers_address(cls, value: SecretStr) -> SecretStr:
        try:
            address = urlsplit(value.get_secret_value())
            has_port = address.port != 0
        except ValueError:  # its text may hold the password
            raise _wrong("no_broker_url") from None
        if value.get_secret_value() and not (address.scheme in {"amqp", "amqps"} and address.hostname and has_port):
            raise _wrong("no_broker_url")
        return value

    @field_validator("sms_time_zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, KeyError):  # KeyError: a name that is not known
            raise _wrong("no_zone", value=value) from None
        return value

    @field_validator("sms_web_proxy")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        try:
            return value and str(ip_address(value))
        except ValueError:
            raise _wrong("no_address", value=value) from None

    @field_validator("sms_trigger_token")
    @classmethod
    def _can_be_typed(cls, value: SecretStr) -> SecretStr:
        if not all("!" <= letter <= "~" for letter in value.get_secret_value()):
            raise _wrong("no_ascii")
        return value

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        rules = {
            "tls_pair":
                (self.sms_tls_cert is None) == (self.sms_tls_key is None),
            "client_ca_alone":
                self.sms_tls_client_ca is None or self.sms_tls_cert is not None,
            "database_ca_unused":
                self.database_tls_ca is None or self.tls_of_database.startswith("verify"),
            "web_proxy_pair":
                bool(self.sms_web_proxy) == bool(self.web_names),
            "client_pair":
                (self.sms_tls_client_cert is None) == (self.sms_tls_client_key is None),
        }  # fmt: skip
        if broken := [rule for rule, holds in rules.items() if not holds]:
            raise PydanticCustomError(_TOGETHER, "{broken}", {"broken": broken})
        return self


_ENGINES_NAMES = {
    "ssl_client_cert_file": "SMS_TLS_CLIENT_CA",
    "ssl_cert_file": "SMS_TLS_CERT",
    "ssl_key_file": "SMS_TLS_KEY",
}


def in_our_words(text: str) -> str:
    """What the engine says of its settings, with the names that the operator gave."""
    return functools.reduce(lambda said, name: said.replace(name, _ENGINES_NAMES[name]), _ENGINES_NAMES, text)


_OTHERS = frozenset(["SMS_UID", "SMS_GID"])
"""What the compose file reads."""


def unknown() -> list[str]:
    """Variables that look like settings of ours and are none, in the environment or `.env`; such as misspelt ones."""
    try:
        given = {*os.environ, *dotenv_values(".env")}
    except (OSError, UnicodeDecodeError):  # `load` says so
        given = {*os.environ}
    ours = {name.upper() for name in Config.model_fields} | _OTHERS
    return sorted(name for name in given if name.upper().startswith("SMS_") and name.upper() not in ours)


def variable(name: str) -> str:
    """From the environment, else from `.env`; '' where there is none. Also for one of the operator's own, such as one
    that holds a gateway's password."""
    try:
        return os.environ.get(name) or dotenv_values(".env").get(name) or ""
    except (OSError, UnicodeDecodeError):  # `load` says so
        return ""


def unreadable_lines() -> list[int]:
    """Numbers of the lines in `.env` that set nothing, for they are not NAME=value."""
    try:
        with open(".env", encoding="utf-8") as file:
            bindings = list(parse_stream(file))
    except (OSError, UnicodeDecodeError):  # there is none, or `load` says so
        return []
    wrong = [each.original for each in bindings if each.error or (each.key and each.value is None)]
    # The blank lines before it are told as a part of it.
    return [each.line + each.string[: -len(each.string.lstrip())].count("\n") for each in wrong]


def tune_numpy() -> None:
    """Tell numpy what it reads from the environment when it is imported; call it before.

    On AMD's Zen 4 its sort takes five times as long with AVX-512 as with AVX2, and elsewhere hardly less. BLAS, which
    we do not use, would reserve memory for each core.
    """
    os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "X86_V4 AVX512_SKX AVX512_ICL AVX512_SPR")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def load() -> Config:
    """The settings in force. Raises ConfigError with every problem at once, by variable, without secrets."""
    try:
        return Config()
    except ValidationError as error:
        raise ConfigError([each for problem in error.errors() for each in _sentences(problem)]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([Sentence("setting.env_no_text", why=error.reason, position=error.start)]) from None
    except OSError as error:
        raise ConfigError([Sentence("setting.env_unreadable", why=error.strerror)]) from None


def _sentences(problem: ErrorDetails) -> list[Sentence]:
    """What is wrong with a setting, or with several together."""
    kind, facts = problem["type"], problem.get("ctx", {})
    if kind == _TOGETHER:
        return [Sentence(f"setting.{each}") for each in facts["broken"]]
    field = str(problem["loc"][0])
    name = field.upper()
    if kind.startswith(_OURS):
        return [Sentence(kind, name=name, **{each: value for each, value in facts.items() if each != "code"})]
    if kind.startswith(("int_", "float_")):
        return [Sentence("setting.no_number" if kind.startswith("int_") else "setting.no_float", name=name)]
    if kind in {"greater_than_equal", "less_than_equal"}:
        bounds = {type(each).__name__: each for each in Config.model_fields[field].metadata}
        return [Sentence("setting.out_of_bounds", name=name, least=bounds["Ge"].ge, most=bounds["Le"].le)]
    if kind == "literal_error":
        return [Sentence("setting.none_of", name=name, known=", ".join(_choices(field)))]
    return [Sentence("setting.other", name=name, why=problem["msg"])]


def _choices(field: str) -> list[str]:
    """What a setting of a few words may be."""
    kinds = [Config.model_fields[field].annotation, *get_args(Config.model_fields[field].annotation)]
    return [str(each) for kind in kinds if get_origin(kind) is Literal for each in get_args(kind)]


def language() -> Language:
    """The language of who called this program; also where other settings cannot be used."""
    given = variable("SMS_LANGUAGE")
    if given in {"en", "zh"}:
        return "zh" if given == "zh" else "en"
    locale = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), "")
    return "zh" if locale.lower().startswith("zh") else "en"
