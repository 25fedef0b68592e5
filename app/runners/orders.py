"""Orders, reports and news as they travel between processes: a JSON object with its kind and the version of that.

A queue outlives the program that filled it. Plain data can be read by the next release, or be seen to be something that
it does not know; a pickled object of a class that has moved is neither.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from app.domain.orders import (
    CensusOrder,
    CensusReport,
    PrepareOrder,
    PrepareReport,
    Rejected,
    ShardOrder,
    ShardReport,
)
from app.errors import UnknownDocument

VERSION = 1
"""Of every kind. It goes up when this release would misread a document of the one before, or that one ours."""

Order = ShardOrder | PrepareOrder | CensusOrder
Report = ShardReport | PrepareReport | CensusReport

_ORDERS: Mapping[str, type] = {"shard": ShardOrder, "prepare": PrepareOrder, "census": CensusOrder}
_REPORTS: Mapping[str, type] = {
    "shard_report": ShardReport,
    "prepare_report": PrepareReport,
    "census_report": CensusReport,
}
_NEWS: Mapping[str, type] = {"rejected": Rejected}
_KINDS = {each: kind for kinds in (_ORDERS, _REPORTS, _NEWS) for kind, each in kinds.items()}
_ADAPTERS: dict[type, TypeAdapter[Any]] = {each: TypeAdapter(each) for each in _KINDS}


class _Head(BaseModel):
    """What every document has, of whatever release."""

    kind: str
    version: int


def write(document: Order | Report | Rejected) -> str:
    """The document as text."""
    kind = type(document)
    fields = _ADAPTERS[kind].dump_python(document, mode="json")
    return json.dumps({"kind": _KINDS[kind], "version": VERSION, **fields}, ensure_ascii=False)


def read_order(text: object) -> Order:
    """What `write` was given. `text` is whatever came out of a queue. Raises UnknownDocument."""
    return cast(Order, _read(text, _ORDERS))


def read_report(text: object) -> Report:
    """As `read_order`."""
    return cast(Report, _read(text, _REPORTS))


def read_news(text: object) -> Rejected:
    """As `read_order`."""
    return cast(Rejected, _read(text, _NEWS))


def _read(text: object, kinds: Mapping[str, type]) -> Any:
    if not isinstance(text, str):  # releases before this one pickled objects
        raise UnknownDocument(type(text).__name__, "none")
    try:
        head = _Head.model_validate_json(text)
    except ValidationError as error:
        raise UnknownDocument("unreadable", "none") from error
    if head.version != VERSION or head.kind not in kinds:
        raise UnknownDocument(head.kind, head.version)
    try:
        return _ADAPTERS[kinds[head.kind]].validate_json(text)
    except ValidationError as error:
        raise UnknownDocument(f"damaged {head.kind}", head.version) from error
