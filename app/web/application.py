"""The application: which paths there are, and what stands around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.types import ASGIApp

from app.config import Config
from app.web import (
    administration,
    entrance,
    exports,
    health,
    metrics,
    new_campaign,
    pages,
    people,
    pushes,
    resuming,
    static_files,
    verbs,
)
from app.web.api.gate import Gate
from app.web.api.routes import add_api
from app.web.door import Door
from app.web.exposure import Exposure, exposure_of
from app.web.guard import Guard
from app.web.house import House
from app.web.problems import see_to_errors


class _Guarded(FastAPI):
    """With the guard around all else: a middleware would stand within the one that answers when something breaks."""

    exposure: Exposure

    def build_middleware_stack(self) -> ASGIApp:
        return Guard(super().build_middleware_stack(), self.exposure)


def make_application(settings: Config, database: Engine) -> FastAPI:
    """Ready for a server; the database is its own from now on."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        house = app.state.house = House(settings, database)
        try:
            yield
        finally:
            house.close()

    app = _Guarded(title="SMS campaigns", lifespan=life, docs_url=None, redoc_url=None, openapi_url=None)
    app.exposure = exposure_of(settings)
    see_to_errors(app)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(static_files.router)
    app.include_router(entrance.router)
    app.include_router(pages.router)
    app.include_router(exports.router)
    app.include_router(pushes.router)
    app.include_router(people.router)
    app.include_router(administration.router)
    app.include_router(verbs.router)
    app.include_router(resuming.router)
    app.include_router(new_campaign.router)
    add_api(app)
    app.add_middleware(Gate)
    app.add_middleware(Door)
    return app
