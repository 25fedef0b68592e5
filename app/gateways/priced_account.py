"""What an account of any kind says of its prices. Pydantic models."""

from decimal import Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.domain.price import Price
from app.gateways.wrong import Wrong


class PricedAccount(BaseModel):
    """An account whose parts may have a price."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    price: Decimal | None = Field(default=None, ge=0, le=1_000_000, allow_inf_nan=False)
    """What one part costs; `preview` and `report` show what a campaign comes to, see SMS_ASK_ABOVE as well."""
    currency: str = Field(default="", max_length=16)
    """What that is in, to be shown behind it, such as CNY."""

    @model_validator(mode="after")
    def _currency_is_of_a_price(self) -> Self:
        if self.currency and self.price is None:
            raise Wrong("gateways.currency_alone")
        return self

    @property
    def price_of_part(self) -> Price | None:
        """None where the file says nothing of it."""
        return None if self.price is None else Price(self.price, self.currency)
