"""The application: which paths there are, and what stands around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy import Engine

from app.config import Config
from app.web import health, metrics, pages, static_files
from app.web.guard import Guard, hosts_of
from app.web.house import House
from app.web.problems import see_to_errors


def make_application(settings: Config, database: Engine) -> FastAPI:
    """Ready for a server; the database is its own from now on."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        house = app.state.house = House(settings, database)
        try:
            yield
        finally:
            house.close()

    app = FastAPI(title="SMS campaigns", lifespan=life, docs_url=None, redoc_url=None, openapi_url=None)
    see_to_errors(app)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(static_files.router)
    app.include_router(pages.router)
    app.add_middleware(Guard, hosts=hosts_of(settings.sms_web_host))
    return app
