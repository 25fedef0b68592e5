"""A web process to be attacked, on a database in which everything says what it should not."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from app.access import tokens
from app.domain.delivery import Delivery
from app.domain.rights import Scope
from app.store import drains
from app.store.database import writing
from app.store.tables import messages
from app.trigger.refusals import SAY_EVERY_S
from app.web.seldom import REFUSED
from tests.integration.app.campaigns import trigger, with_tables
from tests.integration.app.people import crowd, move_in
from tests.integration.app.serving import Product
from tests.integration.app.test_receipts import recorded
from tests.integration.app.web_process import WebProcess, web_process

SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
OURS = "Sec-Fetch-Site: same-origin"
MOST_LOG_LINES = 60
"""Beside one of each kind of refusal as often as it may be said: a busy machine takes minutes for all that is asked."""


class Hostile(NamedTuple):
    """Where it is, and the header of a program that may do everything."""

    web: WebProcess
    port: int
    token: str


@contextmanager
def hostile_web(home: Path, program: Sequence[str] = ("-m", "app", "web")) -> Iterator[Hostile]:
    """A web process whose customers, templates and provider say what they should not; its log stays short."""
    url = f"sqlite:///{home / 'sms.db'}"
    with with_tables(url) as database, Product(url, home) as product:
        move_in(database, [*crowd(3), (4, SCRIPT[:60], 1, "13800000004")])
        trigger(database, "spring", 10, template=f"您好{SCRIPT}")
        recorded(database, "net", [Delivery.REFUSED, Delivery.ACCEPTED])
        with writing(database) as connection:
            connection.execute(messages.update().values(error=SCRIPT[:60], provider_id=f"={SCRIPT[:50]}"))
            drains.lock(connection, "net")
            drains.put(connection, "net", drains.now(SCRIPT))
        token = tokens.add(database, "program", list(Scope), None)
        began = time.monotonic()
        with web_process(product, home, program) as process:
            yield Hostile(process, int(process.url.rpartition(":")[2]), f"Authorization: Bearer {token}")
            with process.get("/health/ready") as answer:
                assert answer.status == 200
        said = process.log.read_text()
        assert "Traceback" not in said
        assert "alert(" not in said
        refusals = len(REFUSED) * (time.monotonic() - began) / SAY_EVERY_S
        assert len(said.splitlines()) <= MOST_LOG_LINES + refusals, said
