"""What accounts at providers of approved templates have in common. Pydantic models."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from app.gateways import approved
from app.gateways.approved import ApprovedTemplate
from app.gateways.cloud_account import CloudAccount
from app.gateways.wrong import Wrong


class ApprovedAccount(CloudAccount):
    """An account at a provider that sends what it approved alone."""

    have_names: ClassVar[bool]
    """Whether parameters have names, and not numbers."""
    longest_value: ClassVar[int]
    """Characters that a value may have as a rule."""

    signature: str = Field(min_length=1, max_length=32)
    """The approved signature, without 【】. Who opts out does so for all gateways of one signature."""
    templates: dict[str, ApprovedTemplate] = Field(default_factory=dict)
    """The approved templates, each a table of its own under a name of your choice, for `trigger --template-name`."""

    @model_validator(mode="after")
    def _has_templates(self) -> Self:
        if not self.templates:
            raise Wrong("gateways.no_templates")
        approved.check(self.templates, have_names=self.have_names)
        return self

    @property
    def opt_out_key(self) -> str:
        """What opt-outs of this account are noted under; see app/store/opt_outs.py."""
        return self.signature
