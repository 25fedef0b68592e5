"""The API as a whole, and its document, OpenAPI 3.1."""

from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi

from app.web.api import campaigns, customers, events, gateways, opt_outs, reports, sending
from app.web.api.answers import EVERYWHERE
from app.web.api.gate import DOCUMENT, PREFIX

ABOUT = """Campaigns of personal SMS, over HTTP. `Authorization: Bearer TOKEN`, with one that `python -m app tokens`
made; its scopes say what it is good for. What goes wrong is `application/problem+json` with a `code`. Lists go by
cursor."""


def add_api(app: FastAPI) -> None:
    """With the gate around it; see app/web/api/gate.py."""
    api = APIRouter(prefix=PREFIX, dependencies=[Depends(_refuse_strangers)], responses=EVERYWHERE)
    for each in (campaigns, events, customers, opt_outs, sending, gateways, reports):
        api.include_router(each.router)
    app.include_router(api)

    @app.get(DOCUMENT, include_in_schema=False)
    async def document(request: Request) -> dict[str, Any]:
        return document_of(app)


def _refuse_strangers(request: Request) -> None:
    """A misspelt `state` would have a list of everybody look like one of some."""
    wanted = request.scope["route"].operation_id
    paths = document_of(request.app)["paths"].values()
    (operation,) = [each for path in paths for each in path.values() if each["operationId"] == wanted]
    known = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    if strangers := [each for each in request.query_params if each not in known]:
        of = {"loc": ("query", strangers[0][:64]), "msg": f"not known; there is {', '.join(sorted(known)) or 'none'}"}
        raise RequestValidationError([{"type": "extra_forbidden", **of}])


def document_of(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 of what is under PREFIX, made once."""
    if app.openapi_schema is None:
        whole = get_openapi(title="SMS campaigns", version="1", description=ABOUT, routes=app.routes)
        whole["paths"] = {path: each for path, each in whole["paths"].items() if path.startswith(PREFIX)}
        app.openapi_schema = whole
    return app.openapi_schema
