"""A real browser, Debian's Chromium: `apt-get install chromium fonts-wqy-microhei`."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.node_package import NoNode, Package

AXE = Package("axe-core", "4.11.0", "axe")


@contextmanager
def chromium() -> Iterator[Browser]:
    """One for several tests. Skips where there is none."""
    program = shutil.which("chromium")
    if not program:
        pytest.skip("no chromium on the PATH: apt-get install chromium fonts-wqy-microhei")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def axe_source() -> str:
    """The text of axe-core, which finds what keeps people out."""
    try:
        return (AXE.installed() / "node_modules" / "axe-core" / "axe.min.js").read_text()
    except NoNode as error:
        pytest.skip(str(error))


def violations(page: Page) -> list[str]:
    """What axe finds on a page of a context that has its source."""
    found = page.evaluate("async () => (await axe.run()).violations")
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]
