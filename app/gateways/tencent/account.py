"""An account at Tencent Cloud, as the gateways file has it."""

from typing import ClassVar, Literal

from pydantic import Field

from app.gateways.approved_account import ApprovedAccount


class TencentAccount(ApprovedAccount):
    """An account at Tencent Cloud, for its domestic SMS."""

    at: ClassVar[str] = "https://sms.tencentcloudapi.com"
    have_names: ClassVar[bool] = False
    longest_value: ClassVar[int] = 12
    """Source: cloud.tencent.com/document/product/382/39023, variables; accounts since 2024 begin with 6."""

    kind: Literal["tencent"]
    secret_id: str = Field(min_length=1, max_length=128)
    """Of an API key that may send and pull SMS (QcloudSMSFullAccess); the secret is its SecretKey."""
    app_id: str = Field(pattern="^[0-9]{6,20}$")
    """SdkAppId of the SMS application. What it receives is pulled from one queue, so let nobody else pull there."""
    region: str = Field(default="ap-guangzhou", pattern="^[a-z0-9-]+$")
    """Region of the API."""

    @property
    def login(self) -> str:
        """Whose secret it is."""
        return self.secret_id
