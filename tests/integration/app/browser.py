"""A real browser, Debian's Chromium: `apt-get install chromium fonts-wqy-microhei`."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.node_package import NoNode, Package

WITHIN_MS = 60_000
"""How long any one thing may take before the test fails."""
AXE = Package("axe-core", "4.11.0", "axe")


@contextmanager
def chromium() -> Iterator[Browser]:
    """One for several tests. Skips where there is none."""
    program = shutil.which("chromium")
    if not program:
        pytest.skip("no chromium on the PATH: apt-get install chromium fonts-wqy-microhei")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"], timeout=WITHIN_MS)
        expect.set_options(timeout=WITHIN_MS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opening(browser: Browser, url: str, *expected: str) -> Iterator[Callable[..., Page]]:
    """`open_page(path)`, with what a context may be told; at the end nothing was complained of in the console, but for
    lines with one of `expected` in them. `secret` is the cookie of a session."""
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def open_page(path: str, script: str = "", secret: str = "", **context: Any) -> Page:
        made = browser.new_context(**context)
        contexts.append(made)
        if secret:
            made.add_cookies([{"name": "session", "value": secret, "url": url}])
        if script:
            made.add_init_script(script)
        page = made.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda line: said.append(line.text))
        page.goto(url + path)
        return page

    yield open_page
    for each in contexts:
        each.close()
    complaints = [line for line in said if not any(each in line for each in expected)]
    assert not complaints, complaints


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
