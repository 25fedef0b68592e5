"""Opt-outs over the API: numbers that get nothing. A number stands in bodies alone, and in addresses its id."""

from datetime import datetime, timedelta
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.responses import Response

from app.campaigns import opt_outs as use_case
from app.domain.actor import Actor
from app.domain.mobile import mask_all, normalise
from app.domain.number_ids import NumberIds
from app.domain.rights import Right
from app.errors import BadNumber, BadRequest, UnknownNumber
from app.store import opt_outs as store
from app.web.api.answers import Limit, json, problems
from app.web.api.campaigns import Sees
from app.web.api.gate import PREFIX, needs
from app.web.api.models import Model
from app.web.api.once import Key, once
from app.web.house import House, house_of

router = APIRouter(prefix="/opt-outs", tags=["opt-outs"])


AGAIN_AFTER = timedelta(minutes=1)
"""An import that was begun and not ended, for its process died, is done again: that harms nobody."""


class _NumberIds(StringConvertor):
    """What looks like an id; so `imports` beside them is none, and has its own methods alone."""

    regex = "[0-9a-f]{32}"


register_url_convertor("number_id", _NumberIds())

Changes = Annotated[Actor, needs(Right.OPT_OUTS)]
NumberId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="As the list of opt-outs and a search have it.")]
Signature = Annotated[str, Field(min_length=1, max_length=64, description="Of the gateways it is about; * is all.")]
OfSignature = Annotated[Signature, Query()]


class OptOut(Model):
    """A number that gets nothing under a signature."""

    number_id: str = Field(examples=["0f343b0931126a20f133d67c2b018a3b"])
    number: str = Field(description="Masked.", examples=["138****0001"])
    signature: str
    since: datetime
    source: str = Field(description="reply, person or import")


class OptOuts(Model):
    """A page of them."""

    opt_outs: list[OptOut]
    next: str | None = Field(description="The cursor of the next page; null at the end.")


class NewOptOut(Model):
    """Whose number."""

    number: str = Field(max_length=40, examples=["13800000001"])
    signature: Signature = store.EVERYBODY


@router.get("", operation_id="listOptOuts")
async def list_opt_outs(
    request: Request,
    by: Sees,
    cursor: Annotated[
        str | None,
        Query(pattern="^[0-9a-f]{32}~.{1,64}$", max_length=97, description="`next` of the page before."),
    ] = None,
    limit: Limit = 100,
) -> OptOuts:
    """By signature and number, a page at a time."""
    house = house_of(request)

    def look() -> OptOuts:
        ids = house.number_ids()
        after = ("", 0)
        if cursor:
            number_id, _, signature = cursor.partition("~")
            number = ids.number(number_id)
            if number is None:
                raise BadRequest("bad_cursor")
            after = (signature, number)
        with house.database.connect() as connection:
            found = store.page(connection, after, limit)
        shown = [_shown(ids, each) for each in found]
        last = shown[-1] if len(shown) == limit else None
        return OptOuts(opt_outs=shown, next=f"{last.number_id}~{last.signature}" if last else None)

    return await house.threads.run(look)


@router.post("", operation_id="addOptOut", status_code=201, response_model=OptOut,
             responses={200: {"model": OptOut, "description": "It was there."}})  # fmt: skip
async def add_opt_out(request: Request, wanted: NewOptOut, by: Changes) -> Response:
    """The number gets nothing from now on. Once more changes nothing."""
    house = house_of(request)
    mobile = normalise(wanted.number)
    if mobile is None:
        raise BadNumber("bad_number", number=mask_all(wanted.number))

    def add() -> tuple[bool, OptOut]:
        is_new = use_case.add(house.database, wanted.signature, int(mobile), by) > 0
        return is_new, _find(house, int(mobile), wanted.signature)

    is_new, found = await house.threads.run(add)
    where = {"location": f"{PREFIX}/opt-outs/{found.number_id}"} if is_new else None
    return json(found, 201 if is_new else 200, where)


class Import(Model):
    """Many numbers."""

    numbers: list[Annotated[str, Field(max_length=40)]] = Field(min_length=1, examples=[["13800000001"]])
    signature: Signature = store.EVERYBODY


class Imported(Model):
    """How many of them are new."""

    given: int
    added: int


@router.post("/imports", operation_id="importOptOuts", responses=problems(409))
async def import_opt_outs(request: Request, wanted: Import, by: Changes, key: Key = None) -> Imported:
    """Numbers that get nothing from now on, up to 1 MiB of them. Where one is none that can be dialled nothing is
    changed. Once more changes nothing, so after a broken connection send it again; with the same key it is answered as
    it was. One is done after the other, and 503 says that too many wait."""
    house = house_of(request)

    def do() -> Imported:
        found = [normalise(each) for each in wanted.numbers]
        if None in found:
            raise BadNumber("bad_number", number=mask_all(wanted.numbers[found.index(None)]))
        numbers = [int(each) for each in found if each]

        def take_in() -> Imported:
            added = use_case.take_in(house.database, wanted.signature, numbers, by)
            return Imported(given=len(numbers), added=added)

        return once(house.database, by, "importOptOuts", key, wanted, take_in, Imported, again_after=AGAIN_AFTER)

    return await house.importing.run(do)


@router.get("/{number_id:number_id}", operation_id="getOptOut", responses=problems(404))
async def get_opt_out(
    request: Request, number_id: NumberId, by: Sees, signature: OfSignature = store.EVERYBODY
) -> OptOut:
    """Whether this number gets nothing under a signature; 404 where it does not."""
    house = house_of(request)
    return await house.threads.run(lambda: _find(house, _number(house.number_ids(), number_id), signature))


@router.delete("/{number_id:number_id}", operation_id="removeOptOut", status_code=204, responses=problems(404))
async def remove_opt_out(
    request: Request, number_id: NumberId, by: Changes, signature: OfSignature = store.EVERYBODY
) -> None:
    """The number gets messages again. 404 where there is no such opt-out, any more or at all."""
    house = house_of(request)

    def remove() -> None:
        if not use_case.remove(house.database, signature, _number(house.number_ids(), number_id), by):
            raise UnknownNumber("unknown_number")

    await house.threads.run(remove)


def _number(ids: NumberIds, number_id: str) -> int:
    number = ids.number(number_id)
    if number is None:
        raise UnknownNumber("unknown_number")
    return number


def _find(house: House, number: int, signature: str) -> OptOut:
    with house.database.connect() as connection:
        found = store.find(connection, signature, number)
    if found is None:
        raise UnknownNumber("unknown_number")
    return _shown(house.number_ids(), found)


def _shown(ids: NumberIds, row: sa.Row[tuple[object, ...]]) -> OptOut:
    return OptOut(
        number_id=ids.of(row.mobile),
        number=mask_all(str(row.mobile)),
        signature=row.signature,
        since=row.since,
        source=row.source,
    )
