"""Against everything that a hostile browser, program or network may send: nothing is let in, and nothing goes down."""

import csv
import io
import re
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from app.config import Config
from app.web.application import make_application
from tests.integration.app.hostile import OURS, SCRIPT, hostile_web
from tests.integration.app.raw_http import ask, body_of, head_of, request, statuses

JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with hostile_web(tmp_path_factory.mktemp("hostile")) as one:
        yield one


def post(web, path, *headers, body=""):
    return ask(web.port, request(f"POST {path}", FORM, f"Content-Length: {len(body)}", *headers) + body)


def get(web, path, *headers, **named):
    return ask(web.port, request(f"GET {path}", *headers, **named))


# ── other sites ─────────────────────────────────────────────────────────────────────────────────


def forms():
    """Every path of a page that takes a form."""
    application = make_application(Config(), sa.create_engine("sqlite://"))
    routers = [each.original_router for each in application.routes if hasattr(each, "original_router")]
    routes = [each for router in routers for each in router.routes]
    found = {each.path for each in routes if "POST" in (getattr(each, "methods", None) or ())}
    return sorted(each.replace("{name}", "spring") for each in found if not each.startswith("/api/"))


def test_there_are_forms_to_be_looked_at():
    assert {"/login", "/people", "/language", "/campaigns/spring/export"} <= set(forms())


@pytest.mark.parametrize(
    "headers",
    [
        ["Sec-Fetch-Site: cross-site"],
        ["Sec-Fetch-Site: same-site"],
        ["Sec-Fetch-Site: none"],
        ["Sec-Fetch-Site: cross-site", "Origin: http://127.0.0.1"],
        ["Origin: https://example.com"],
        ["Origin: null"],
        ["Origin: http://127.0.0.1.example.com"],
        ["Referer: http://127.0.0.1/"],
        [],
    ],
)
@pytest.mark.parametrize("path", forms())
def test_no_form_of_another_site_is_taken(web, path, headers):
    answer = post(web, path, *headers, body="who=13800000001&here=/&language=en&what=rejects&name=a&password=b")

    assert statuses(answer) == [403]
    assert "set-cookie" not in head_of(answer)


@pytest.mark.parametrize("path", ["/campaigns/spring/state", "/opt-outs", "/campaigns/new"])
def test_a_browser_that_is_logged_in_is_nobody_to_the_api(web, path):
    method = "POST" if path == "/opt-outs" else "PUT"

    answer = ask(web.port, request(f"{method} /api/v1{path}", "Cookie: session=x; __Host-session=x", OURS))

    assert statuses(answer) == [401]


@pytest.mark.parametrize(
    "host",
    [
        "Host: example.com\r\n",
        "Host: 127.0.0.1.example.com\r\n",
        "Host: 127.0.0.1@example.com\r\n",
        "Host: example.com:127.0.0.1\r\n",
        "Host: \r\n",
        "Host: 127.0.0.1, example.com\r\n",
        "Host: [::1%25eth0]\r\n",
        "Host: 127.0.0.1\r\nHost: example.com\r\n",
        "X-Forwarded-Host: 127.0.0.1\r\n",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/v1/openapi.json", "/metrics", "/static/x/page.js"])
def test_who_asks_for_another_host_gets_nothing(web, host, path):
    assert statuses(get(web, path, host=host))[0] in {400, 421}


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Host", "X-Forwarded-For", "X-Original-URL", "X-Rewrite-URL", "Forwarded"]
)
def test_what_a_client_says_of_hosts_and_paths_by_the_way_is_not_believed(web, header):
    answer = get(web, "/login", f"{header}: /etc/passwd.example.com")

    assert statuses(answer) == [200]
    assert b"example.com" not in answer


# ── names and paths ─────────────────────────────────────────────────────────────────────────────

ABOVE = [
    "..",
    "%2e%2e",
    "..%2f..%2f..%2fetc%2fpasswd",
    "..%5c..%5cetc",
    "%2e%2e%2f%2e%2e%2fetc",
    "....//",
    "a%00b",
    "%ff%fe",
]


@pytest.mark.parametrize("name", ABOVE)
@pytest.mark.parametrize(
    "path",
    ["/campaigns/{}", "/part/campaigns/{}", "/static/x/{}", "/static/{}/page.css", "/{}", "/campaigns/{}/export"],
)
def test_no_path_leads_out(web, path, name):
    answer = get(web, path.format(name))

    # `/static/../page.css` is the style sheet by another mark, which is ours and for everybody.
    assert statuses(answer)[0] in ({200, 404} if path == "/static/{}/page.css" else {307, 400, 404})
    assert stays_here(answer)
    assert b"root:" not in answer


def stays_here(answer):
    """As when a slash at the end is one too many."""
    found = re.search("\nlocation: (.*)", head_of(answer))
    return found is None or found[1].startswith("http://127.0.0.1/")


@pytest.mark.parametrize("name", ABOVE)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/campaigns/{}", "{}"),
        ("PUT", "/campaigns/{}/state", '{"state": "paused"}'),
        ("POST", "/campaigns/{}/reports", ""),
        ("PUT", "/gateways/{}/state", '{"state": "drained"}'),
        ("DELETE", "/opt-outs/{}", ""),
        ("GET", "/reports/{}", ""),
        ("GET", "/messages/{}", ""),
    ],
)
def test_no_name_in_the_api_leads_out(web, method, path, body, name):
    head = request(f"{method} /api/v1{path.format(name)}", web.token, JSON, f"Content-Length: {len(body)}")
    answer = ask(web.port, head + body)

    assert statuses(answer)[0] in {307, 400, 404, 405, 422}
    assert stays_here(answer)


@pytest.mark.parametrize("target", ["http://example.com/", "//example.com/", "*", "example.com:443", "/\\example.com"])
def test_a_target_that_is_no_path_of_ours_is_not_found(web, target):
    answer = get(web, target)

    assert statuses(answer)[0] in {400, 404}
    assert "\nlocation:" not in head_of(answer)


# ── scripts ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/campaigns/spring",
        "/campaigns/net",
        "/campaigns/net/export",
        "/system",
        "/login?next=" + quote(SCRIPT),
        "/campaigns/" + quote(SCRIPT),
        "/?state=" + quote(SCRIPT),
        "/" + quote(SCRIPT),
        "/part/campaigns/spring",
    ],
)
def test_no_script_of_a_customer_a_template_or_an_address_is_one_on_a_page(web, path):
    answer = get(web, path, "Accept: text/html", f"Accept-Language: {SCRIPT}", f"Cookie: language={SCRIPT}")

    body = body_of(answer)
    assert "<script>" not in body
    assert "<img" not in body
    assert "script-src 'self'" in head_of(answer)
    assert "x-content-type-options: nosniff" in head_of(answer)


def test_what_is_escaped_is_shown(web):
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body_of(get(web, "/campaigns/spring"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body_of(get(web, "/campaigns/net"))


def test_a_person_is_shown_without_a_script(web):
    answer = post(web, "/people", OURS, body=f"who={quote(SCRIPT)}")

    assert statuses(answer) == [400]
    assert "<script>" not in body_of(answer)


def test_answers_of_the_api_are_no_pages(web):
    body = '{"template": "{name}", "customer_id": 4}'
    head = request("POST /api/v1/previews", web.token, JSON, f"Content-Length: {len(body)}")
    answer = ask(web.port, head + body)

    assert statuses(answer) == [200]
    assert "<script>" in body_of(answer)  # a program gets it as it is
    assert "content-type: application/json" in head_of(answer)
    assert "x-content-type-options: nosniff" in head_of(answer)


def test_an_export_is_a_file_and_calculates_nothing(web):
    answer = get(web, "/api/v1/campaigns/net/messages", web.token, "Accept: text/csv")

    head, body = head_of(answer), answer.partition(b"\r\n\r\n")[2]
    text = "".join(each for each in _chunks(body)).removeprefix("\ufeff")
    assert "content-type: text/csv" in head
    assert "content-disposition: attachment" in head
    for row in csv.DictReader(io.StringIO(text, newline="")):
        assert row["provider_id"].startswith("'=")
        assert row["error"] == SCRIPT[:60]


def _chunks(body):
    while body:
        size, _, body = body.partition(b"\r\n")
        yield body[: int(size, 16)].decode()
        body = body[int(size, 16) + 2 :]


# ── lines within lines ──────────────────────────────────────────────────────────────────────────

INJECTED = "%0d%0aSet-Cookie:%20hacked=1%0d%0a%0d%0aHTTP/1.1%20200%20OK"


@pytest.mark.parametrize(
    "path",
    [f"/campaigns/a{INJECTED}", f"/login?next=/{INJECTED}", f"/a{INJECTED}", f"/static/{INJECTED}/page.css"],
)
def test_no_line_of_an_address_becomes_a_header(web, path):
    assert "hacked" not in head_of(get(web, path))


def test_no_line_of_a_form_becomes_a_header(web):
    answer = post(web, "/language", OURS, body=f"here=/{INJECTED}&language=en{INJECTED}")

    assert "hacked" not in head_of(answer)
    assert "\r\nlocation: /\r\n" in head_of(answer) + "\r\n"


@pytest.mark.parametrize("header", ["X-A: b\rSet-Cookie: c", "X-A: b\0c", "X A: b", ": b", "X-A\r\n b"])
def test_a_header_that_is_none_is_refused(web, header):
    assert statuses(get(web, "/health/live", header)) == [400]
