"""Takes the pictures of the pages in docs/: `make pictures`, with Debian's Chromium, of campaigns that nobody sent."""

import json
import math
import os
import secrets
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import Connection

from app.access.tokens import hashed
from app.domain.actor import Actor, Deed, Via
from app.domain.reject import Reason, Reject
from app.domain.rights import Role
from app.domain.sharding import IdRange
from app.store import campaigns, rejects, samples, sessions, tables, trail, users
from app.store.database import open_database, writing
from app.store.samples import Sample
from migrations import schema

DOCS = Path(__file__).parents[1] / "docs"
SHARD = 500_000
NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0) - timedelta(hours=1)
PHONE = 390
"""Pictures of one show as much as its screen does, with the buttons at its lower edge."""
SECRET = secrets.token_urlsafe(32)
"""Of the session of ada, who looks."""
PEOPLE = (("刘霞", 0), ("王伟", 1), ("楚林", 1), ("聂琴", 0), ("张敏", None))
GATEWAYS = """
[smpp-a]
kind = "smpp"
host = "127.0.0.1"
system_id = "sms"
password_env = "SMPP_A_PASSWORD"
signature = "【云通知】"
rate = 500
price = 0.04
currency = "CNY"
"""
TEMPLATE = "{name}{honorific}，您好，春季优惠已开始。"
PICTURES: tuple[tuple[str, str, int, Literal["light", "dark"], str], ...] = (
    ("pages-campaigns", "/", 1280, "light", "en"),
    ("pages-campaign", "/campaigns/spring", 1280, "light", "en"),
    ("pages-campaign-dark-zh", "/campaigns/spring", 1280, "dark", "zh-CN"),
    ("pages-campaign-phone", "/campaigns/spring", PHONE, "light", "zh-CN"),
    ("pages-new", "/new", 1280, "light", "en"),
    ("pages-cancel", "/campaigns/spring/cancel", PHONE, "dark", "zh-CN"),
    ("pages-audit", "/audit", 1280, "light", "en"),
)


def main() -> None:
    """Write every picture anew."""
    program = shutil.which("chromium")
    if not program:
        raise SystemExit("there is no chromium: apt-get install chromium fonts-wqy-microhei")
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, path, width, scheme, locale in PICTURES:
            context = browser.new_context(
                viewport={"width": width, "height": 640 if width > PHONE else 844},
                color_scheme=scheme,
                locale=locale,
                java_script_enabled=False,
            )
            context.add_cookies([{"name": "session", "value": SECRET, "url": url}])
            page = context.new_page()
            page.goto(url + path)
            if path == "/new":
                _draft(page)
            page.screenshot(path=DOCS / f"{name}.png", full_page=width > PHONE)
        browser.close()


def _draft(page: Page) -> None:
    page.locator("#name").fill("summer")
    page.locator("#gateway").select_option("smpp-a")
    page.locator("#template").fill(TEMPLATE)
    page.locator("button[name=look]").click()


class _Server(socketserver.StreamRequestHandler):
    """Says what a server says that has four task workers, to whatever it is asked."""

    def handle(self) -> None:
        self.request.recv(1000)
        workers = [{"state": state, "rss": 45_000_000} for state in ("busy", "busy", "busy", "idle")]
        stats = {"start_time": 0, "task_workers": workers, "processes": [], "tasks_waiting": 0}
        stats |= {"oldest_waiting_s": None, "connection_num": 1}
        self.wfile.write(json.dumps({"ok": True, "message": "", "stats": stats}).encode() + b"\n")


@contextmanager
def _server() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


@contextmanager
def _served(home: Path) -> Iterator[str]:
    url = f"sqlite:///{home / 'sms.db'}"
    database = open_database(url)
    with database.connect() as connection:
        schema.upgrade(connection)
    with writing(database) as connection:
        _fill(connection)
    database.dispose()
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    with _server() as server_port:
        (home / "gateways.toml").write_text(GATEWAYS)
        settings = {"DATABASE_URL": url, "SMS_LOG_DIR": str(home / "logs"), "SMPP_A_PASSWORD": "secret"}
        settings |= {"SMS_GATEWAYS": str(home / "gateways.toml")}
        settings |= {"SMS_WEB_PORT": str(port), "SMS_PORT": str(server_port), "SMS_HOST": "127.0.0.1"}
        web = subprocess.Popen([sys.executable, "-m", "app", "web"], env={**os.environ, **settings})
        try:
            _wait(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            web.terminate()
            web.wait(30)


def _wait(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(f"{url}/health/ready", timeout=5).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _fill(connection: Connection) -> None:
    users.insert(connection, "ada", Role.OPERATOR, "")
    sessions.insert(connection, hashed(SECRET), "ada", "127.0.0.1")
    crowd = [
        {"name": name, "gender": gender, "mobile": f"138{number:08}"}
        for number in range(4_000)
        for name, gender in [PEOPLE[number % len(PEOPLE)]]
    ]
    connection.execute(tables.customers.insert(), crowd)
    ada = Actor("ada", Via.PAGES, "127.0.0.1")
    trail.note(connection, ada, Deed.LOG_IN, subject="ada")
    after = {"template": TEMPLATE, "gateway": "smpp-a", "audience": "customers", "tasks": 4}
    trail.note(connection, ada, Deed.START, campaign="spring", after=after)
    states = {"state": "running"}, {"state": "paused"}
    trail.note(connection, ada, Deed.PAUSE, campaign="april", before=states[0], after=states[1])
    trail.note(connection, Actor("token:crm", Via.API, "127.0.0.1"), Deed.OPT_OUT_ADD, subject="13800000001",
               after={"signature": "*", "numbers": 1})  # fmt: skip
    trail.note(connection, ada, Deed.UNMASK, subject="customer 88")
    _campaign(connection, "winter", 1.0, age=timedelta(days=60))
    _campaign(connection, "new-year", 1.0, age=timedelta(days=20))
    _campaign(connection, "april", 0.31, age=timedelta(days=3), state="paused")
    spring = _campaign(connection, "spring", 0.61, age=timedelta(minutes=42), gateway="smpp-a")
    _course(connection, spring, 1_220_114)


def _campaign(
    connection: Connection, name: str, done: float, *, age: timedelta, gateway: str = "log", state: str = ""
) -> int:
    ranges = [IdRange(number, number * SHARD, (number + 1) * SHARD) for number in range(4)]
    campaigns.insert(connection, name, TEMPLATE, ranges, gateway=gateway, allow_duplicates=True)
    found = campaigns.find(connection, name)
    assert found
    over, all_rejected = done == 1.0, 0
    values = {"created_at": NOW - age, "state": state or ("finished" if over else "running")}
    values |= {"finished_at": NOW - age + timedelta(minutes=68)} if over else {}
    connection.execute(sa.update(tables.campaigns).where(tables.campaigns.c.id == found.id).values(**values))
    for each in ranges:
        met = SHARD if over else int(SHARD * done * (1.12 - 0.07 * each.number))
        rejected = met // 528
        all_rejected += rejected
        sent = met - rejected
        counts = {"sent": sent, "male": sent // 2, "female": sent - sent // 2, "rejected": rejected, "audience": SHARD}
        if gateway != "log":
            counts |= {"delivered": sent - sent // 30, "undelivered": sent // 120, "in_doubt": 1}
            counts["accepted"] = sent - counts["delivered"] - counts["undelivered"] - counts["in_doubt"]
        counts |= {"last_id": each.after_id + met, "work_ms": 2_520_000}
        if not over and not state:
            counts["lease_until_ms"] = 4_000_000_000_000
        owner = {"owner": "here", "state": "finished" if met == SHARD else "open"}
        of = sa.and_(tables.shards.c.campaign_id == found.id, tables.shards.c.number == each.number)
        connection.execute(sa.update(tables.shards).where(of).values(**counts, **owner))
    reasons = (*[Reason.NO_MOBILE] * 5, *[Reason.BAD_MOBILE] * 2, *[Reason.DUPLICATE] * 9)
    rejects.insert(connection, found.id, 0, [Reject(at + 1, reasons[at % 16]) for at in range(all_rejected)])
    return found.id


def _course(connection: Connection, campaign_id: int, sent: int) -> None:
    begun = int((NOW - timedelta(minutes=42)).timestamp()) // 10 * 10
    speeds = [440 + 70 * math.sin(at / 9) + 25 * math.sin(at * 1.7) for at in range(252)]
    so_far, found = 0.0, []
    for at, speed in enumerate(speeds, 1):
        so_far += speed * sent / sum(speeds)
        found.append(Sample(campaign_id, begun + 10 * at, 0, int(so_far), 0, 0, begun + 10 * at))
    samples.insert(connection, found)


if __name__ == "__main__":
    main()
