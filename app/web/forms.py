"""What a form of ours sends, and that it is ours."""

from urllib.parse import parse_qs, urlsplit

from fastapi import HTTPException, Request

MOST_FIELDS = 50


def check_same_origin(request: Request) -> None:
    """A dependency of what changes something, or is nobody else's business: refuses what a page of somebody else's
    had a browser send."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        is_ours = site == "same-origin"
    else:
        origin = urlsplit(request.headers.get("origin", "")).netloc
        is_ours = bool(origin) and origin.lower() == request.headers.get("host", "").lower()
    if not is_ours:
        raise HTTPException(403)


async def fields_of(request: Request) -> dict[str, str]:
    """The last value of each field. Refuses what is no form of ours."""
    text = (await request.body()).decode("utf-8", "replace")
    try:
        found = parse_qs(text, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise HTTPException(400) from None
    return {name: values[-1] for name, values in found.items()}


def path_within(text: str) -> str:
    """A path of ours to go back to; the first page for anything else. Pure."""
    parts = urlsplit(text)
    is_ours = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc
    return text if is_ours and all(" " < letter < "\x7f" for letter in text) else "/"
