"""Templates that a provider approved: what is sent are their values, what is read is known by our own text of them."""

import re
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.domain.greeting import compile_template
from app.domain.page import Page
from app.domain.sms_parts import flat_parts
from app.errors import BadRequest
from app.gateways.base import Wording
from app.gateways.wrong import Wrong

OURS = re.compile(r"(\d+-\d+|trial-[0-9a-f]+)?")
"""What a provider was told as our reference; '' where it does not say it again."""
SEPARATOR = "\x1f"
"""Between the values of one message; no value has it."""
_LINK = re.compile(
    r"https?:|www\.|[a-z0-9-]+\.(?:com|cn|net|org|cc|top|xyz|vip|io|me|info|tv|club|shop)\b|(?:\d{1,3}\.){3}\d{1,3}",
    re.I,
)


class ApprovedTemplate(BaseModel):
    """One, as the gateways file maps a name to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(min_length=1, max_length=64)
    """What the provider calls it."""
    text: str
    """What it reads, with our own placeholders and without the signature."""
    parameters: dict[str, str] | list[str] | None = None
    """The provider's parameters and which of our placeholders each is: by name where they have names (`{title =
    "honorific"}`), else in their order (`["name", "honorific"]`). Left out: every placeholder by its own name, or in
    the order of the text."""
    signature: str = Field(default="", max_length=32)
    """In place of the account's."""
    longest_value: int | None = Field(default=None, ge=1, le=1000)
    """Characters that a value may have. Default: what the provider allows as a rule."""

    @field_validator("text")
    @classmethod
    def _is_a_template(cls, text: str) -> str:
        try:
            compile_template(text, None)
        except BadRequest as error:
            raise Wrong(error.sentence.code, **error.sentence.facts) from None
        return text

    @property
    def values(self) -> dict[str, str]:
        """Each parameter, in a fixed order, and our placeholder for it; parameters without names are numbers from 1."""
        if isinstance(self.parameters, dict):
            return self.parameters
        if self.parameters is None:
            return {each: each for each in compile_template(self.text, None).names}
        return {str(number): each for number, each in enumerate(self.parameters, 1)}


def is_bad(value: str, longest: int) -> bool:
    """Whether providers refuse such a value: empty, too long, a link, a signature's brackets, or what is no text.

    Sources: help.aliyun.com/document_detail/108253.html (rules of template variables); the codes
    isv.PARAM_LENGTH_LIMIT, isv.PARAM_NOT_SUPPORT_URL and InvalidParameterValue.ProhibitedUseUrlInTemplateParameter.
    """
    return (
        not value.strip()
        or len(value) > longest
        or not value.replace(" ", "").isprintable()
        or any(each in value for each in "【】[]")
        or _LINK.search(value) is not None
    )


def wording(template: ApprovedTemplate, signature: str, longest: int) -> Wording:
    """What each is given: the values, between SEPARATORs; and in how many parts what is read comes, 70 or 67 to one."""
    compiled = compile_template(template.text, None)
    names = list(template.values.values())
    limit = template.longest_value or longest
    letters = len(signature) + 2

    def word(page: Page) -> tuple[list[str], list[int]]:
        texts = page.text.split("\n")[:-1]
        columns = [compiled.values(page.greeted, name) for name in names]
        bad: set[int] = set()
        for column in columns:
            wrong = {value for value in set(column) if is_bad(value, limit)}
            if wrong:
                bad.update(place for place, value in enumerate(column) if value in wrong)
        given = list(map(SEPARATOR.join, zip(*columns, strict=True))) if columns else [""] * len(texts)
        parts = [0 if place in bad else flat_parts(letters + len(text)) for place, text in enumerate(texts)]
        return given, parts

    return word


def check(templates: Mapping[str, ApprovedTemplate], *, have_names: bool) -> None:
    """Raises Wrong for the first that cannot be used."""
    for name, each in templates.items():
        known = compile_template(each.text, None).names
        if isinstance(each.parameters, list if have_names else dict):
            raise Wrong("gateways.parameters_by_name" if have_names else "gateways.parameters_by_place", name=name)
        if strange := [value for value in each.values.values() if value not in known]:
            raise Wrong("gateways.strange_parameter", name=name, placeholder=strange[0])


def split(given: str, names: Sequence[str]) -> dict[str, str]:
    """The values of a message, by parameter."""
    return dict(zip(names, given.split(SEPARATOR), strict=True)) if names else {}
