"""Settings of the application. The only reader of the environment."""

from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.errors import ConfigError

_DRIVERS = frozenset(
    [
        *("mysql", "mysql+pymysql", "mysql+mysqldb"),
        *("mariadb", "mariadb+pymysql", "mariadb+mysqldb"),
        *("sqlite", "sqlite+pysqlite"),
    ]
)
"""Without a driver, SQLAlchemy's default one is meant. An asynchronous one would fail at its first statement."""


class Config(BaseSettings):
    """Read from the environment, then from `.env`; each field is named as its variable, in lower case."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    database_url: SecretStr = SecretStr("mysql+pymysql://sms:sms@127.0.0.1:3306/sms")
    """Where the customers are: `mysql+pymysql://…`, `mysql+mysqldb://…` (faster, extra `fast`) or `sqlite:///file`."""
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
    sms_log_dir: Path = Path("var/logs")
    """Folder of the message logs: `<campaign>/task_<shard>.log` in it."""

    @field_validator("database_url")
    @classmethod
    def _is_an_address_we_support(cls, value: SecretStr) -> SecretStr:
        try:
            address = make_url(value.get_secret_value())
        except (ArgumentError, ValueError):  # its text may hold the password
            raise ValueError("must look like mysql+pymysql://user:password@host:3306/name") from None
        if address.drivername not in _DRIVERS:
            known = "mysql+pymysql, mysql+mysqldb, the same with mariadb, or sqlite"
            raise ValueError(f"{address.drivername} is not supported; use {known}")
        if not address.database:
            raise ValueError("must name a database after the host, or a file for sqlite")
        return value


def load() -> Config:
    """The settings in force. Raises ConfigError with every problem at once, by variable, without secrets."""
    try:
        return Config()
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in each['loc']).upper()}: {each['msg'].removeprefix('Value error, ')}"
            for each in error.errors()
        ]
        raise ConfigError("; ".join(problems)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f".env is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise ConfigError(f".env cannot be read: {error.strerror}") from None
