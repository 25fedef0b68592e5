"""An account at Aliyun, as the gateways file has it."""

from typing import ClassVar, Literal

from pydantic import Field

from app.gateways.approved_account import ApprovedAccount


class AliyunAccount(ApprovedAccount):
    """An account at Aliyun (Alibaba Cloud), for its domestic SMS."""

    at: ClassVar[str] = "https://dysmsapi.aliyuncs.com"
    have_names: ClassVar[bool] = True
    longest_value: ClassVar[int] = 35
    """Source: help.aliyun.com/document_detail/108253.html."""

    kind: Literal["aliyun"]
    access_key_id: str = Field(min_length=1, max_length=128)
    """Of an access key that may send and query SMS (AliyunDysmsFullAccess); the secret is its own."""

    @property
    def login(self) -> str:
        """Whose secret it is."""
        return self.access_key_id
