"""An account at Aliyun, as the gateways file has it."""

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from app.gateways.approved_account import ApprovedAccount
from app.gateways.wrong import Wrong, secret


class AliyunAccount(ApprovedAccount):
    """An account at Aliyun (Alibaba Cloud), for its domestic SMS."""

    at: ClassVar[str] = "https://dysmsapi.aliyuncs.com"
    have_names: ClassVar[bool] = True
    longest_value: ClassVar[int] = 35
    """Source: help.aliyun.com/document_detail/108253.html."""

    kind: Literal["aliyun"]
    access_key_id: str = Field(min_length=1, max_length=128)
    """Of an access key that may send and query SMS (AliyunDysmsFullAccess); the secret is its own."""
    listen: str = Field(default="", pattern=r"^(.+:[0-9]{1,5})?$")
    """Where we take receipts and replies that Aliyun sends by itself, as `127.0.0.1:9480`, behind a proxy of yours; the
    address to enter there ends with `/` and the secret of the next two."""
    listen_secret_env: str = ""
    """Environment variable that holds it; letters, digits, - and _ alone."""
    listen_secret_file: Path | None = None
    """File that holds it, instead."""

    @model_validator(mode="after")
    def _listens_in_secret(self) -> Self:
        if bool(self.listen) != (bool(self.listen_secret_env) != bool(self.listen_secret_file)):
            raise Wrong("gateways.listen_secret")
        return self

    def listen_secret(self) -> SecretStr:
        """Read where it lies. Raises ConfigError, without it."""
        return secret(self.listen_secret_env, self.listen_secret_file)

    @property
    def login(self) -> str:
        """Whose secret it is."""
        return self.access_key_id
