"""Who may log in, which tokens there are, who did what, and which gateways are to send."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection
from starlette.responses import RedirectResponse

from app.access import tokens as token_cases
from app.access import users as user_cases
from app.campaigns.drain import GatewayState, put
from app.domain.actor import Deed
from app.domain.rights import Right, Role
from app.errors import BadRequest
from app.gateways.networks import check_gateway
from app.sentence import Sentence
from app.store import tokens, trail, users
from app.store.tokens import Token
from app.store.trail import Entry
from app.store.users import User
from app.web.forms import check_same_origin, fields_of
from app.web.house import house_of
from app.web.languages import catalogue_of
from app.web.pages import page
from app.web.visitor import Visitor, needs

router = APIRouter(include_in_schema=False)
Manages, Reads, Drains = needs(Right.MANAGE), needs(Right.AUDIT), needs(Right.DRAIN)
Ours = Depends(check_same_origin)
ENTRIES = 100
LETTERS = 80
"""Of a value that is shown."""


@router.post("/system/gateways", dependencies=[Ours])
async def drain(request: Request, by: Visitor = Drains) -> Response:
    """A gateway is to send nothing more, or to send again; where it is so already nothing happens."""
    house, fields = house_of(request), await fields_of(request)
    name = fields.get("gateway", "")
    state = GatewayState.ACTIVE if fields.get("do") == "activate" else GatewayState.DRAINED

    def change() -> None:
        check_gateway(house.settings, name)
        put(house.database, name, state, by.actor)

    await house.controlling.run(change)
    house.looks.forget()
    return RedirectResponse("/system", 303)


# ── users and tokens ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Accounts:
    """All of them."""

    users: list[User]
    tokens: list[Token]


def _accounts(connection: Connection) -> Accounts:
    return Accounts(users.every(connection), tokens.every(connection))


@router.get("/accounts")
async def accounts(request: Request, by: Visitor = Manages) -> Response:
    house = house_of(request)

    def look() -> Accounts:
        with house.database.connect() as connection:
            return _accounts(connection)

    title = catalogue_of(request).say("accounts.title")
    return page(request, "accounts.html", title=title, found=await house.threads.run(look), roles=list(Role))


@router.get("/accounts/users")
@router.get("/accounts/tokens")
async def back(request: Request, by: Visitor = Manages) -> Response:
    """Who comes here comes from a login."""
    return RedirectResponse("/accounts", 303)


@router.post("/accounts/users", dependencies=[Ours])
async def change_user(request: Request, by: Visitor = Manages) -> Response:
    """Nobody shuts themselves out: the last who could let them in again would be gone."""
    fields = await fields_of(request)
    name, what = fields.get("name", ""), fields.get("do", "")
    if user_cases.in_one_form(name) == by.name:
        raise BadRequest("accounts.yourself")
    role = next((each for each in Role if each == fields.get("role")), None)
    database, actor = house_of(request).database, by.actor
    deeds: dict[str, Callable[[], bool]] = {
        "disable": lambda: user_cases.disable(database, name, actor),
        "enable": lambda: user_cases.enable(database, name, actor),
    }
    if role:
        deeds["role"] = lambda: user_cases.set_role(database, name, role, actor)
    codes = {"disable": "users.disabled", "enable": "users.enabled", "role": "users.role"}
    return await _done(request, by, name, deeds.get(what), codes.get(what, ""), "users.as_before")


@router.post("/accounts/tokens", dependencies=[Ours])
async def revoke(request: Request, by: Visitor = Manages) -> Response:
    name = (await fields_of(request)).get("name", "")
    database, actor = house_of(request).database, by.actor
    codes = "tokens.revoked", "tokens.revoked_before"
    return await _done(request, by, name, lambda: token_cases.revoke(database, name, actor), *codes)


async def _done(
    request: Request, by: Visitor, name: str, deed: Callable[[], bool] | None, done: str, as_before: str
) -> Response:
    if deed is None:
        raise BadRequest("accounts.unknown_deed")
    house = house_of(request)
    changed = await house.threads.run(deed)
    house.looks.forget()
    house.notices.leave(by, Sentence(done if changed else as_before, name=name))
    return RedirectResponse("/accounts", 303)


# ── the audit trail ─────────────────────────────────────────────────────────────────────────────


@router.get("/audit")
async def audit(
    request: Request,
    by: Visitor = Reads,
    campaign: Annotated[str, Query(max_length=255)] = "",
    who: Annotated[str, Query(max_length=128)] = "",
    deed: Annotated[str, Query(max_length=32)] = "",
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
) -> Response:
    """The newest entries, of all or of some; older ones behind a cursor."""
    house = house_of(request)
    wanted = {"campaign": campaign.strip(), "who": who.strip(), "deed": deed}

    def look() -> list[Entry]:
        with house.database.connect() as connection:
            some = {name: value or None for name, value in wanted.items()}
            return trail.newest(connection, ENTRIES + 1, before_id=before, **some)

    found = await house.threads.run(look)
    rows = [(each, changes_in(each)) for each in found[:ENTRIES]]
    older = f"/audit?{urlencode({**wanted, 'before': rows[-1][0].id})}" if len(found) > ENTRIES else ""
    title = catalogue_of(request).say("audit.title")
    return page(request, "audit.html", title=title, rows=rows, wanted=wanted, deeds=list(Deed), older=older)


def changes_in(entry: Entry) -> list[tuple[str, str]]:
    """Of each fact that says something its name, and how it was and is. Pure."""
    found = []
    for name in dict.fromkeys([*entry.before, *entry.after]):
        values = [f"{facts[name]}" for facts in (entry.before, entry.after) if facts.get(name)]
        if values:
            found.append((name, " → ".join(dict.fromkeys(map(_short, values)))))
    return found


def _short(value: str) -> str:
    return value if len(value) <= LETTERS else f"{value[: LETTERS - 1]}…"
