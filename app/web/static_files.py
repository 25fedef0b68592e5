"""What pages load besides: a style sheet and a script of our own, each under an address that changes with its text."""

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).with_name("static")
KINDS = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}


class File(NamedTuple):
    """One, as it was when it was first asked for."""

    text: bytes
    mark: str


@cache
def _file(name: str) -> File:
    text = (FOLDER / name).read_bytes()
    return File(text, hashlib.sha256(text).hexdigest()[:12])


def address_of(name: str) -> str:
    """Where a browser finds it."""
    return f"/static/{_file(name).mark}/{name}"


@router.get("/static/{mark}/{name}")
async def static(mark: str, name: str) -> Response:
    """One that is known, whatever the mark: a page of an earlier release may ask for another one."""
    if name not in KINDS:
        raise HTTPException(404)
    file = _file(name)
    return Response(file.text, media_type=KINDS[name], headers=FOR_EVER if mark == file.mark else None)
