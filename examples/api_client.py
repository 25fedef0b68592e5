"""A client of the API in a hundred lines, with the standard library alone: start a campaign and follow it to its end.

`python examples/api_client.py http://127.0.0.1:8000 token.txt spring '{name}{honorific}，您好'`, where token.txt holds
what `python -m app tokens add me --scope trigger --scope read` printed.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

Json = dict[str, Any]
OVER = {"finished", "failed", "cancelled"}
WITHIN_S = 60.0


class Refused(Exception):
    """The server said no. `code` is for programs and stays as it is; the text is for people."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        self.status, self.code = status, code
        super().__init__(f"{detail} ({code})")


@dataclass(frozen=True)
class Campaign:
    """How far one got."""

    name: str
    state: str
    done: float
    counts: Json

    @classmethod
    def of(cls, facts: Json) -> "Campaign":
        return cls(facts["name"], facts["state"], facts["done"], facts["counts"])


class Api:
    """One server, with one token. To ask again after a broken connection is safe: one name is one campaign."""

    def __init__(self, address: str, token: str, language: str = "en") -> None:
        self._root = f"{address.rstrip('/')}/api/v1"
        self._headers = {"Authorization": f"Bearer {token}", "Accept-Language": language}

    def campaigns(self, state: str | None = None) -> Iterator[Campaign]:
        """All, the newest first."""
        asked = {"state": state} if state else {}
        page: Json = {"next": ""}
        while page["next"] is not None:
            page = self._ask("GET", f"/campaigns?{urlencode({**asked, **_cursor(page)})}")
            yield from map(Campaign.of, page["campaigns"])

    def start(self, name: str, **wanted: Any) -> Campaign:
        """`template`, `gateway`, `audience`, `allow_duplicates`: what is left out is as the server has it."""
        return Campaign.of(self._ask("PUT", f"/campaigns/{quote(name)}", wanted))

    def campaign(self, name: str) -> Campaign:
        return Campaign.of(self._ask("GET", f"/campaigns/{quote(name)}"))

    def set_state(self, name: str, state: str) -> Campaign:
        """`paused`, `running` or `cancelled`; a repeat is no error."""
        return Campaign.of(self._ask("PUT", f"/campaigns/{quote(name)}/state", {"state": state})["campaign"])

    def messages(self, name: str) -> Iterator[Json]:
        """What became of each, of a campaign to a network, however many there are."""
        return self._lines(f"/campaigns/{quote(name)}/messages")

    def rejects(self, name: str) -> Iterator[Json]:
        """Who was not greeted, and why."""
        return self._lines(f"/campaigns/{quote(name)}/rejects")

    def opt_out(self, number: str, signature: str = "*") -> Json:
        """The number gets nothing from now on; its id stands for it."""
        return self._ask("POST", "/opt-outs", {"number": number, "signature": signature})

    def _ask(self, method: str, path: str, body: Json | None = None) -> Json:
        with self._open(method, path, body) as answer:
            found: Json = json.load(answer)
            return found

    def _lines(self, path: str) -> Iterator[Json]:
        with self._open("GET", path, accept="application/x-ndjson") as answer:
            yield from map(json.loads, answer)

    def _open(self, method: str, path: str, body: Json | None = None, accept: str = "application/json") -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, "Accept": accept, "Content-Type": "application/json"}
        try:
            return urlopen(Request(self._root + path, data, headers, method=method), timeout=WITHIN_S)  # noqa: S310
        except HTTPError as error:
            with error:
                problem = json.load(error)
            raise Refused(error.code, problem["code"], problem["detail"]) from None


def _cursor(page: Json) -> Json:
    return {"cursor": page["next"]} if page["next"] else {}


def main(address: str, token_file: str, name: str, template: str | None = None) -> None:
    api = Api(address, Path(token_file).read_text().strip())  # a token is no argument: `ps` shows these to everybody
    now = api.start(name, **({"template": template} if template else {}))
    while now.state not in OVER:
        print(f"{now.name} {now.state} {now.done:.1%}, {now.counts['sent']:,} sent", flush=True)
        time.sleep(1)
        now = api.campaign(name)
    print(f"{now.name} is {now.state}: {now.counts['sent']:,} sent, {now.counts['rejected']:,} rejected")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Refused as refusal:
        sys.exit(f"error: {refusal}")
