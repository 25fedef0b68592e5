"""A stdout that takes nothing but ASCII: every command does its work, and what it cannot write is escaped."""

import json

import pytest

from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import crowd, move_in
from tests.integration.app.serving import Product

NAME = "春节𠮷"
"""The last letter is beyond 16 bits, which Python escapes in a way that JSON does not know."""
ESCAPED = r"\u6625\u8282\U00020bb7"


@pytest.fixture
def product(sqlite_url, tmp_path):
    """A running server, it and its commands with an ASCII stdout."""
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path) as product:
        move_in(product.database, crowd(10))
        product.environment |= {"LC_ALL": "C", "PYTHONUTF8": "1", "PYTHONIOENCODING": "ascii"}
        product.start()
        yield product


@pytest.mark.timeout(300)  # all of it is started as by a shell
def test_every_command_works_where_only_ascii_can_be_printed(product):
    triggered = product.run("trigger", NAME, "--watch")
    status = product.run("status", NAME)
    report = product.run("report", NAME)
    refused = product.run("status", "没有")
    as_json = [product.run(command, NAME, "--json") for command in ("status", "report")]

    ended = [triggered, status, report, *as_json]
    assert [each.returncode for each in ended] == [0] * 5, [each.stderr for each in ended]
    assert triggered.stdout.splitlines()[-1] == f"{ESCAPED}: finished, 10 sent, 100.0% done"
    assert ESCAPED in status.stdout
    assert r"\u5148\u751f" in report.stdout
    assert (refused.returncode, refused.stderr) == (1, "error: no campaign is named \\u6ca1\\u6709\n")
    assert [json.loads(each.stdout)["campaign"] for each in as_json] == [NAME, NAME]
