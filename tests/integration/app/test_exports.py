"""Exports of very many rows: memory that does not grow with them, and nobody reads for who went away."""

import itertools
import socket
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from app.access import tokens
from app.audit import ledger_rows
from app.audit.ledger_rows import Row
from app.config import Config
from app.domain.delivery import Delivery
from app.domain.rights import Scope
from app.store.database import open_database, writing
from app.web.application import make_application
from tests.integration.app.api_server import running
from tests.integration.app.campaigns import change_shard, trigger, with_tables
from tests.integration.app.people import crowd, move_in
from tests.waiting import until

MOST_MORE_BYTES = 12 * 2**20
"""Ten times the rows may take so much more memory: by chance, for it takes none."""
EXPORT = """
import re, sys
from pathlib import Path
from app.audit import exports
from app.campaigns.snapshot import snapshot
from app.store.database import open_database
database = open_database(sys.argv[1])
made = getattr(exports, sys.argv[2])(database, snapshot(database, "a"))
rows = sum(piece.count(b"\\n") for piece in getattr(made, sys.argv[3])())
print(rows, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
MESSAGES = """
INSERT INTO messages (campaign_id, customer_id, shard, epoch, mobile, parts, state, attempts, submitted_at, provider_id,
  error)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
SELECT :campaign, i, 0, 1, 13800000000 + i, 1, 'accepted', 1, '2026-01-01 00:00:00.000000', 'id' || i, '' FROM n
"""
REJECTS = """
INSERT INTO rejects (campaign_id, customer_id, shard, reason)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
SELECT :campaign, i, 0, 'no_name' FROM n
"""


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    """Of a database with a campaign of so many messages and rejects, by how many."""
    home, found = tmp_path_factory.mktemp("exports"), {}
    for count in (30_000, 300_000):
        found[count] = f"sqlite:///{home / f'{count}.db'}"
        with with_tables(found[count]) as database:
            move_in(database, crowd(1))
            campaign = trigger(database, "a", 10, gateway="net")
            change_shard(database, campaign, to_id=count, last_id=count)
            with writing(database) as connection:
                for each in (MESSAGES, REJECTS):
                    connection.execute(sa.text(each), {"count": count, "campaign": campaign.id})
    return found


def exported(url, *how):
    """How many lines, and the most memory that the process had, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, url, *how], check=True, capture_output=True, text=True, timeout=300
    )
    lines, kib = map(int, done.stdout.split())
    return lines, kib * 1024


@pytest.mark.parametrize("what", ["messages", "rejected"])
@pytest.mark.parametrize("kind", ["as_csv", "as_ndjson"])
def test_ten_times_the_rows_take_no_more_memory(addresses, what, kind):
    header = int(kind == "as_csv")

    few, many = (exported(addresses[count], what, kind) for count in (30_000, 300_000))

    assert (few[0], many[0]) == (30_000 + header, 300_000 + header)
    assert many[1] - few[1] < MOST_MORE_BYTES


def test_nobody_reads_for_a_client_that_went_away(sqlite_url, monkeypatch):
    read = itertools.count()
    seen = [0]

    def for_ever(*_):
        for seen[0] in read:
            yield [Row(seen[0], 13800000001, 1, Delivery.ACCEPTED)] * 500

    monkeypatch.setattr(ledger_rows, "pages", for_ever)
    with with_tables(sqlite_url) as database:
        move_in(database, crowd(1))
        trigger(database, "a", 10, gateway="net")
        token = tokens.add(database, "program", [Scope.READ], None)
        settings = Config(database_url=sqlite_url)
        with running(make_application(settings, open_database(sqlite_url))) as address:
            host, port = address.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), timeout=60) as client:
                client.sendall(
                    f"GET /api/v1/campaigns/a/messages HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
                    "Accept: text/csv\r\n\r\n".encode()
                )
                assert client.recv(9) == b"HTTP/1.1 "
                until(lambda: seen[0] > 3, within_s=60, what="some is read")

            def has_ended():
                before = seen[0]
                time.sleep(0.5)
                return seen[0] == before

            until(has_ended, within_s=60, what="nothing more is read")
