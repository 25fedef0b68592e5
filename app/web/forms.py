"""What a form of ours sends, and that it is ours."""

from urllib.parse import SplitResult, parse_qs, urlsplit

from fastapi import HTTPException, Request

from app.web.problems import TooLarge

MOST_FIELDS = 50
MOST_BYTES = 2**16
"""Of a form; a template of the longest kind has 18 KB in it."""
MOST_BYTES_OF_STRANGERS = 2**13
"""Of what is read before it is known who sends it."""


def check_same_origin(request: Request) -> None:
    """A dependency of what changes something, or is nobody else's business: refuses what a page of somebody else's
    had a browser send."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        is_ours = site == "same-origin"
    else:
        origin = _parts(request.headers.get("origin", "")).netloc
        is_ours = bool(origin) and origin.lower() == request.headers.get("host", "").lower()
    if not is_ours:
        raise HTTPException(403)


async def fields_of(request: Request, most_bytes: int = MOST_BYTES) -> dict[str, str]:
    """The last value of each field. Refuses what is no form of ours, and of what is too large reads no more."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most_bytes:
            raise TooLarge
    text = body.decode("utf-8", "replace")
    try:
        found = parse_qs(text, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise HTTPException(400) from None
    return {name: values[-1] for name, values in found.items()}


def path_within(text: str) -> str:
    """A path of ours to go back to; the first page for anything else. Pure."""
    parts = _parts(text)
    is_ours = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc
    return text if is_ours and all(" " < letter < "\x7f" for letter in text) else "/"


def _parts(text: str) -> SplitResult:
    """Of an address; those of another machine for what is none."""
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("//?")
