"""The pages in a real browser."""

import pytest
from playwright.sync_api import expect

from app.domain.campaign import Verb
from app.domain.delivery import Delivery
from app.sentence import Sentence
from app.store import campaigns as rows
from app.store import contacts, gateway_totals
from app.store.database import writing
from tests.integration.app.browser import WITHIN_MS, axe_source, chromium, opening, violations
from tests.integration.app.campaigns import change_shard, run, trigger, with_tables
from tests.integration.app.people import crowd, move_in
from tests.integration.app.serving import Product
from tests.integration.app.test_receipts import recorded
from tests.integration.app.web_process import web_process
from tests.waiting import until

pytestmark = pytest.mark.long

PAGES = ("/", "/?state=failed", "/campaigns/spring", "/campaigns/net", "/campaigns/may", "/people", "/system", "/no")
GATEWAYS = "".join(
    f'[{name}]\nkind = "smpp"\nhost = "127.0.0.1"\nsystem_id = "sms"\npassword_env = "CENTRE_PASSWORD"\nrate = 500\n'
    for name in ("smpp-away", "smpp-there", "smpp-of-an-operator-with-a-long-name")
)


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("web")


@pytest.fixture(scope="module")
def product(home):
    """A database with a campaign of each kind; no server runs."""
    url = f"sqlite:///{home / 'sms.db'}"
    with with_tables(url) as database, Product(url, home) as product:
        move_in(database, crowd(30))
        recorded(database, "net", [Delivery.ACCEPTED, Delivery.DELIVERED, Delivery.UNKNOWN, Delivery.REFUSED])
        run(database, home / "logs", "may", 10)
        failed = trigger(database, "april", 10)
        with writing(database) as connection:
            why = Sentence("log_damaged.missing", path="task_2.log", why="gone")
            rows.change(connection, failed.id, Verb.FAIL, why)
        trigger(database, "spring", 100)
        (home / "gateways.toml").write_text(GATEWAYS)
        product.environment |= {"SMS_GATEWAYS": str(home / "gateways.toml"), "CENTRE_PASSWORD": "secret"}
        with writing(database) as connection:
            why = Sentence("gateway_away.unreachable", where="127.0.0.1:2775", why="Connection refused")
            contacts.tell(connection, "smpp-away", 0, is_up=False, why=why)
            contacts.tell(connection, "smpp-there", 0, is_up=True, under_way=7)
            gateway_totals.add(connection, "smpp-there", 0, {"submissions:accepted": 9})
        yield product


@pytest.fixture(scope="module")
def web(product, home):
    with web_process(product, home) as web:
        yield web


@pytest.fixture
def spring(product):
    with product.database.connect() as connection:
        return rows.find(connection, "spring")


@pytest.fixture
def open_page(browser, web):
    """See opening."""
    with opening(browser, web.url, "404") as open_page:
        yield open_page


def cell(page, text):
    return page.get_by_role("cell", name=text, exact=True)


def test_counts_move_by_themselves_and_focus_stays_where_it_is(open_page, product, spring):
    page = open_page("/")
    page.get_by_role("link", name="spring").focus()

    change_shard(product.database, spring, sent=17, audience=30, last_id=17)

    expect(cell(page, "17")).to_be_visible(timeout=WITHIN_MS)
    expect(page.get_by_role("link", name="spring")).to_be_focused()


def test_what_one_opened_stays_open_while_counts_move(open_page, product, spring):
    page = open_page("/campaigns/spring")
    page.get_by_text("The message").click()

    change_shard(product.database, spring, sent=18, audience=30, last_id=18)

    expect(page.locator(".sum").first).to_contain_text("18 sent", timeout=WITHIN_MS)
    expect(page.locator(".template")).to_be_visible()


def test_where_a_stream_does_not_get_through_the_page_asks_instead(open_page, product, spring, browser, web):
    context = browser.new_context()
    context.route("**/live/**", lambda route: route.abort())
    page = context.new_page()
    page.goto(f"{web.url}/campaigns/spring")

    change_shard(product.database, spring, sent=19, audience=30, last_id=19)

    expect(page.locator(".sum").first).to_contain_text("19 sent", timeout=WITHIN_MS)
    context.close()


def test_without_scripts_a_reload_shows_what_is_new(open_page, product, spring):
    page = open_page("/campaigns/spring", java_script_enabled=False)

    change_shard(product.database, spring, sent=20, audience=30, last_id=20)

    def shows():
        page.reload()
        return "20 sent" in page.locator(".sum").first.inner_text()

    until(shows, within_s=WITHIN_MS / 1000, what="a reload shows what is new")  # a look is good for a second


def test_a_state_is_announced_and_numbers_are_not(open_page, product, spring):
    page = open_page("/campaigns/spring")
    expect(page.get_by_role("status")).to_have_text("running")

    with writing(product.database) as connection:
        rows.change(connection, spring.id, Verb.PAUSE)
    try:
        expect(page.get_by_role("status")).to_have_text("paused", timeout=WITHIN_MS)
    finally:
        with writing(product.database) as connection:
            rows.change(connection, spring.id, Verb.RESUME)


def test_a_hidden_page_asks_for_nothing(open_page):
    count = """const Real = EventSource; window.streams = [];
        window.EventSource = class extends Real { constructor(url) { super(url); window.streams.push(this); } };"""
    page = open_page("/", count)
    hide = "Object.defineProperty(document, 'hidden', {configurable: true, value: %s});"
    told = "document.dispatchEvent(new Event('visibilitychange'))"
    closed = "window.streams.map((each) => each.readyState === EventSource.CLOSED)"

    before = page.evaluate(closed)
    page.evaluate(hide % "true" + told)
    hidden = page.evaluate(closed)
    page.evaluate(hide % "false" + told)

    assert (before, hidden, page.evaluate(closed)) == ([False], [True], [True, False])


def test_the_language_is_changed_with_a_button_and_stays(open_page):
    page = open_page("/campaigns/spring", locale="en")

    page.get_by_role("button", name="中文").click()

    expect(page.locator("nav").first).to_contain_text("活动")
    expect(page).to_have_url(page.url.split("/campaigns")[0] + "/campaigns/spring")


def test_somebody_is_found_without_their_number_in_an_address(open_page):
    page = open_page("/people")

    page.get_by_label("Number, or id of a customer").fill("13800000002")
    page.get_by_role("button", name="Find").click()

    expect(page.get_by_role("heading", name="138****0002")).to_be_visible()
    assert "138" not in page.url


@pytest.mark.parametrize(("scheme", "locale"), [("light", "en"), ("dark", "zh-CN")])
def test_nobody_is_kept_out(open_page, web, scheme, locale):
    look = {"color_scheme": scheme, "locale": locale, "viewport": {"width": 1280, "height": 900}}
    page, found = open_page("/", axe_source(), **look), {}

    for path in PAGES:
        page.goto(web.url + path)
        found[path] = violations(page)

    assert {path: each for path, each in found.items() if each} == {}


def test_a_phone_shows_every_page_without_moving_it_sideways(open_page, web):
    page = open_page("/", viewport={"width": 390, "height": 844})
    for path in PAGES:
        page.goto(web.url + path)

        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_a_server_that_is_told_to_stop_does_not_wait_for_those_who_look(browser, product, tmp_path):
    with web_process(product, tmp_path) as web:
        page = browser.new_context().new_page()
        with page.expect_request("**/live/"):
            page.goto(web.url)

        assert web.stop() == 0

        expect(page.locator("#connection")).to_contain_text("connection is lost", timeout=WITHIN_MS)
        page.context.close()
    assert "Traceback" not in web.log.read_text()
    assert "Cancel" not in web.log.read_text()
