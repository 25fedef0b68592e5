"""People who log in and act, in a real browser, on a real server that sends."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from app.access import login, users
from app.access.login import log_in
from app.campaigns.snapshot import snapshot
from app.domain.actor import Deed
from app.domain.campaign import Verb
from app.domain.rights import Role
from app.store import campaigns as rows
from app.store import trail
from app.store.access_tables import sessions
from app.store.database import writing
from tests.integration.app.browser import WITHIN_MS, axe_source, chromium, opening, violations
from tests.integration.app.campaigns import run, trigger, with_tables
from tests.integration.app.people import crowd, logs_of, move_in
from tests.integration.app.serving import WITHIN_S, Product, changed, in_small_pages
from tests.integration.app.web_process import web_process
from tests.waiting import until

pytestmark = pytest.mark.long

PASSWORD, WRONG = "correct horse battery", "wrong horse battery"
SLOWLY = in_small_pages(20)
"""A campaign to 20,000 takes longer than somebody needs to pause it, and one to some hundreds a moment."""
GATEWAYS = """
[net]
kind = "smpp"
host = "127.0.0.1"
port = 1
system_id = "sms"
password_env = "SMPP_A_PASSWORD"
price = 0.035
currency = "CNY"
"""
PAGES = (
    *("/", "/new", "/people", "/system", "/audit", "/accounts", "/no"),
    *("/campaigns/may", "/campaigns/april", "/campaigns/april/cancel", "/campaigns/april/resume"),
)


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """A server that sends slowly, and an account for each role."""
    home = tmp_path_factory.mktemp("verbs")
    (home / "gateways.toml").write_text(GATEWAYS)
    settings = {"gateways": home / "gateways.toml", "task_worker_num": 2, "shard_size": 10_000}
    with (
        with_tables(f"sqlite:///{home / 'sms.db'}") as database,
        Product(str(database.url), home, **settings) as product,
    ):
        product.environment["SMPP_A_PASSWORD"] = "secret"
        product.program = SLOWLY
        move_in(database, crowd(50))
        run(database, product.logs, "may", 100)
        for role in Role:
            users.add(database, role, role, PASSWORD)
        move_in(database, crowd(20_000))
        april = trigger(database, "april", 10_000)
        with writing(database) as connection:
            rows.change(connection, april.id, Verb.PAUSE)
        product.start()
        yield product


@pytest.fixture(scope="module")
def web(product, tmp_path_factory):
    quickly = changed("app.web.live", command="web", HEARTBEAT_S=1.0)
    with web_process(product, tmp_path_factory.mktemp("web"), quickly) as web:
        yield web


@pytest.fixture(scope="module")
def secret(product):
    """Of a session of each role."""
    return {role.value: log_in(product.database, role, PASSWORD, "127.0.0.1") for role in Role}


@pytest.fixture
def open_page(browser, web):
    """See opening."""
    with opening(browser, web.url, "404") as open_page:
        yield open_page


def lines_in(product, campaign):
    return sum(log.count(b"\n") for log in logs_of(product.logs, campaign).values())


def on_record(product, campaign):
    """How many were sent and stay so, whoever stops now."""
    return snapshot(product.database, campaign).tally.sent


def start(page, name, **fields):
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("The message").fill("{name}，您好")
    for label, value in fields.items():
        page.locator(f"#{label}").fill(value)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible(timeout=WITHIN_MS)


def halted(page):
    """How many are said to be sent, once nobody sends any more."""
    said = page.locator(".halted")
    expect(said).to_contain_text("0 still sending.", timeout=WITHIN_MS)
    return int(re.search(r"([\d,]+) sent", said.inner_text())[1].replace(",", ""))


def test_a_campaign_is_made_and_watched_to_its_end_over_a_restart(open_page, product, secret):
    page = open_page("/", secret=secret["operator"])
    page.get_by_role("link", name="New campaign").click()
    page.get_by_label("The message").fill("{name}，您好！")
    expect(page.locator("#preview")).to_contain_text("客户1号，您好！", timeout=WITHIN_MS)
    expect(page.locator("#preview")).to_contain_text("20,000 audience")
    start(page, "spring", sample="4000")
    until(lambda: product.sent() > 50, within_s=WITHIN_S, what="something is sent")

    product.stop()
    assert product.state("spring") == "running"
    expect(page.locator(".banner")).to_contain_text("The server does not answer", timeout=WITHIN_MS)
    product.start()

    expect(page.get_by_role("status").last).to_have_text("finished", timeout=WITHIN_S * 1000)
    expect(page.locator(".sum").first).to_contain_text("✓ it adds up")
    expect(page.locator(".sum").first).to_contain_text("4,000")
    assert lines_in(product, "spring") == 4_000


def test_a_campaign_is_paused_and_what_the_page_says_is_true_in_the_log(open_page, product, secret):
    page = open_page("/new", secret=secret["operator"])
    start(page, "summer")
    until(lambda: on_record(product, "summer") > 0, within_s=WITHIN_S, what="something is sent")

    page.get_by_role("button", name="Pause").click()
    sent = halted(page)
    assert 0 < sent == lines_in(product, "summer") < 20_000
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()

    page.get_by_role("button", name="Resume").click()
    until(lambda: on_record(product, "summer") > sent, within_s=WITHIN_S, what="it goes on")
    page.get_by_role("link", name="Cancel…").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Back").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("link", name="Cancel…").click()
    page.get_by_role("button", name="Cancel it for ever").click()

    assert sent < halted(page) == lines_in(product, "summer")
    assert product.state("summer") == "cancelled"
    with product.database.connect() as connection:
        found = {each.deed: each.who for each in trail.newest(connection, 50, campaign="summer")}
    assert found == dict.fromkeys([Deed.START, Deed.PAUSE, Deed.RESUME, Deed.CANCEL], "operator")


def test_buttons_follow_the_state_while_one_looks(open_page, product, secret):
    page = open_page("/new", secret=secret["operator"])
    start(page, "autumn")

    product.run("pause", "autumn")

    expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=WITHIN_MS)
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()


def test_a_wrong_password_is_refused_and_a_right_one_leads_back(browser, web):
    with opening(browser, web.url, "403") as open_page:
        page = open_page("/campaigns/may")
        for word in (WRONG, PASSWORD):
            page.get_by_label("Name").fill("viewer")
            page.get_by_label("Password").fill(word)
            page.get_by_role("button", name="Log in").click()
            if word == WRONG:
                expect(page.get_by_role("alert")).to_contain_text("do not fit", timeout=WITHIN_MS)

        expect(page.get_by_role("heading", name="may")).to_be_visible(timeout=WITHIN_MS)
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible(timeout=WITHIN_MS)
        page.goto(f"{web.url}/campaigns/may")
        expect(page.get_by_role("heading", name="Log in")).to_be_visible(timeout=WITHIN_MS)


def test_a_session_that_ended_leads_to_the_login_by_itself_and_back(browser, web, product):
    mine = log_in(product.database, "operator", PASSWORD, "127.0.0.1")
    with opening(browser, web.url, "401") as open_page:
        page = open_page("/campaigns/may", secret=mine)
        expect(page.get_by_role("heading", name="may")).to_be_visible(timeout=WITHIN_MS)

        with writing(product.database) as connection:
            long_ago = datetime.now(UTC) - login.IDLE - timedelta(minutes=1)
            mine_alone = sessions.c.hash == login.hashed(mine)
            connection.execute(sa.update(sessions).where(mine_alone).values(seen_at=long_ago))

        expect(page.get_by_role("heading", name="Log in")).to_be_visible(timeout=WITHIN_S * 1000)
        expect(page.get_by_role("alert")).to_contain_text("not logged in any more")
        page.get_by_label("Name").fill("operator")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="may")).to_be_visible(timeout=WITHIN_MS)


def test_a_viewer_has_no_buttons_and_is_refused(open_page, product, web, secret):
    page = open_page("/campaigns/april", secret=secret["viewer"])

    answer = page.request.post(f"{web.url}/campaigns/april/cancel", headers={"origin": web.url})

    assert answer.status == 403
    assert product.state("april") == "paused"
    expect(page.get_by_role("button", name="Verify")).to_be_visible()
    for name in ("Pause", "Resume"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    expect(page.get_by_role("link", name="New campaign")).to_have_count(0)


def test_without_scripts_everything_can_be_done(open_page, product, secret):
    page = open_page("/new", secret=secret["operator"], java_script_enabled=False)
    page.get_by_label("Name", exact=True).fill("plain")
    page.get_by_label("The message").fill("{name}，您好")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text("客户1号，您好")
    page.get_by_role("button", name="Send").click()

    page.get_by_role("button", name="Pause").click()

    def nobody_sends():
        return "0 still sending." in page.locator(".halted").inner_text() or not page.reload()

    until(nobody_sends, within_s=WITHIN_S, what="a reload says that nobody sends any more")
    page.get_by_role("link", name="Cancel…").click()
    expect(page.get_by_role("heading", name="plain: Cancel…")).to_be_visible()
    page.get_by_role("button", name="Cancel it for ever").click()

    expect(page.locator(".state.cancelled")).to_be_visible()
    assert product.state("plain") == "cancelled"


def test_what_is_wrong_is_said_beside_its_field(browser, web, secret):
    with opening(browser, web.url, "400") as open_page:
        page = open_page("/new", secret=secret["operator"])
        page.get_by_label("Name", exact=True).fill("a/b")
        page.get_by_role("button", name="Send").click()

        expect(page.locator("#name-wrong")).to_contain_text("a campaign's name", timeout=WITHIN_MS)
        expect(page.get_by_label("Name", exact=True)).to_have_value("a/b")
        expect(page.get_by_label("Name", exact=True)).to_be_focused()


def test_a_campaign_is_verified_while_one_looks(open_page, secret):
    page = open_page("/campaigns/may", secret=secret["viewer"])

    page.get_by_role("button", name="Verify").click()

    expect(page.locator(".verified")).to_contain_text("agrees with what is on record", timeout=WITHIN_S * 1000)


@pytest.mark.parametrize(("scheme", "locale"), [("light", "en"), ("dark", "zh-CN")])
def test_nobody_is_kept_out(open_page, web, secret, scheme, locale):
    source, found = axe_source(), {}
    look = {"color_scheme": scheme, "locale": locale, "viewport": {"width": 1280, "height": 900}}
    page = open_page("/people", source, secret["admin"], **look)

    page.locator("#who").fill("1")
    page.locator("main form button").click()
    page.locator("h2").wait_for()
    found["person"] = violations(page)
    for path in PAGES:
        page.goto(web.url + path)
        found[path] = violations(page)
    page.goto(f"{web.url}/campaigns/april")
    page.locator("[data-dialog]").click()
    found["dialog"] = violations(page)
    found["/login"] = violations(open_page("/login", source, **look))

    assert {path: each for path, each in found.items() if each} == {}


def test_a_phone_shows_every_page_without_moving_it_sideways(open_page, web, secret):
    page = open_page("/", secret=secret["admin"], viewport={"width": 390, "height": 844})
    for path in PAGES:
        page.goto(web.url + path)

        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
