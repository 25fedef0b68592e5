"""The web process from its start to its end."""

import re
import signal
import socket
from contextlib import suppress
from http.client import HTTPResponse

import pytest
from httpx2 import Client

from app.access import users
from app.campaigns.sampling import Sampler
from app.domain.delivery import Delivery
from app.domain.rights import Role
from tests.integration.app.campaigns import change_shard, trigger
from tests.integration.app.people import crowd, move_in
from tests.integration.app.serving import ON_SQLITE, changed
from tests.integration.app.test_receipts import recorded
from tests.integration.app.web_process import WITHIN_S, WebProcess, web_process
from tests.waiting import until

WITHOUT_BODY = (
    b"POST /language HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 1000\r\n\r\nlang"
)


@ON_SQLITE
@pytest.mark.long
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_without_a_server_and_ends_in_good_order(product, tmp_path, by):
    with web_process(product, tmp_path) as web:
        with web.get("/health/ready") as answer:
            headers = dict(answer.headers)
            assert answer.status == 200

        assert web.stop(by) == 0

    assert "server" not in {name.lower() for name in headers}
    assert "Traceback" not in web.log.read_text()


@ON_SQLITE
def test_where_others_could_look_it_does_not_start(product):
    product.environment["SMS_WEB_HOST"] = "0.0.0.0"

    ended = product.run("web")

    assert ended.returncode == 1
    assert "SMS_WEB_HOST 0.0.0.0 can be reached from other machines" in ended.stderr
    assert "Traceback" not in ended.stderr


@ON_SQLITE
def test_a_port_that_somebody_has_is_named(product, tmp_path):
    with web_process(product, tmp_path) as web:
        product.environment["SMS_WEB_PORT"] = web.url.rpartition(":")[2]

        ended = product.run("web")

    assert ended.returncode == 1
    assert "cannot listen on 127.0.0.1:" in ended.stderr


@pytest.mark.long
def test_every_page_is_there_on_every_kind_of_database(product, tmp_path):
    move_in(product.database, crowd(10))
    recorded(product.database, "net", [Delivery.ACCEPTED, Delivery.UNKNOWN, Delivery.REFUSED])
    campaign = trigger(product.database, "spring", 10)
    change_shard(product.database, campaign, sent=3, rejected=1, audience=9, last_id=4)
    Sampler(product.database).sample()

    with web_process(product, tmp_path) as web:
        pages = {
            path: web.get(path).read().decode()
            for path in (
                "/",
                "/?state=running",
                "/?before=9",
                "/campaigns/net",
                "/campaigns/spring",
                "/system",
                "/metrics",
            )
        }

    assert "3</b> sent" in pages["/campaigns/spring"]
    assert 'sms_campaign_customers{campaign="spring",outcome="waiting"} 5.0' in pages["/metrics"]
    assert re.search(r"<dd>(MySQL|MariaDB|SQLite) \d+\.", pages["/system"])
    assert "Traceback" not in web.log.read_text()


@ON_SQLITE
@pytest.mark.long
@pytest.mark.parametrize(
    "said", [b"", b"GET / HTT", b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET / HT", WITHOUT_BODY]
)
def test_who_does_not_finish_asking_is_let_go_and_keeps_nobody_out(product, tmp_path, said):
    impatient = changed("app.web.patience", command="web", ASKED_WITHIN_S=0.5)
    with web_process(product, tmp_path, impatient) as web:
        where = ("127.0.0.1", int(web.url.rpartition(":")[2]))
        slow = [socket.create_connection(where, WITHIN_S) for _ in range(50)]
        for each in slow:
            with suppress(ConnectionError):  # who came first may have been let go before the last one came
                each.sendall(said)

        for each in slow:
            with suppress(ConnectionError):
                while each.recv(10_000):
                    pass
            each.close()
        until(web.answers, within_s=WITHIN_S, what="somebody else is answered")

    assert "Traceback" not in web.log.read_text()


@ON_SQLITE
@pytest.mark.long
@pytest.mark.parametrize(
    ("said", "line"),
    [
        (b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "refused, as there are too many connections"),
        (b"EHLO\r\n\r\n", "refused that is no HTTP"),
        (b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "for another"),
    ],
)
def test_what_is_refused_fills_no_log(product, tmp_path, said, line):
    few = changed("app.web.server", command="web", MOST_CONNECTIONS=2)
    with web_process(product, tmp_path, few) as web:
        where = ("127.0.0.1", int(web.url.rpartition(":")[2]))
        with socket.create_connection(where, WITHIN_S):  # one more is too many
            for _ in range(20):
                with socket.create_connection(where, WITHIN_S) as each:
                    each.sendall(said)
                    assert each.recv(10_000)
        web.stop(signal.SIGTERM)

    said_of_it = [each for each in web.log.read_text().splitlines() if line in each]
    assert len(said_of_it) == 2
    assert "19" in said_of_it[1]
    assert "uvicorn" not in web.log.read_text()


def asked_in_time(web: WebProcess, path: str) -> HTTPResponse:
    """Who asks where there is little time for it may be too late, and asks again."""

    def ask() -> HTTPResponse | None:
        try:
            return web.get(path)
        except OSError:
            return None

    answer = until(ask, within_s=WITHIN_S, what=f"{path} is asked for in time")
    assert answer
    return answer


@ON_SQLITE
@pytest.mark.long
def test_who_watches_is_not_let_go(product, tmp_path):
    impatient = changed("app.web.patience", command="web", ASKED_WITHIN_S=0.2)
    hasty = changed("app.web.live", command="web", HEARTBEAT_S=1.0)
    both = ("-c", impatient[1].rpartition("from app import console")[0] + hasty[1], "web")
    with web_process(product, tmp_path, both) as web, asked_in_time(web, "/live/") as answer:
        lines = iter(answer.readline, b"")

        assert any(line.startswith(b": still here") for line in lines)


@pytest.mark.long
def test_people_log_in_and_act_on_every_kind_of_database(product, tmp_path):
    users.add(product.database, "ada", Role.ADMIN, "correct horse battery")
    move_in(product.database, crowd(10))
    ours = {"sec-fetch-site": "same-origin"}

    with web_process(product, tmp_path) as web, Client(base_url=web.url, headers=ours, timeout=WITHIN_S) as ada:
        away = ada.get("/campaigns/spring")
        inside = ada.post("/login", data={"name": "Ada", "password": "correct horse battery", "next": "/audit"})
        started = ada.post("/new", data={"name": "spring", "template": "{name}，您好", "gateway": "log"})
        shown = ada.post("/new/preview", data={"template": "{name}，您好", "gateway": "log"})
        paused = [ada.post("/campaigns/spring/pause") for _ in range(2)]
        changed = ada.post("/people/opt-outs", data={"who": "3", "do": "add"})
        whole = ada.post("/people/unmask", data={"who": "3"})
        pages = [ada.get(path) for path in ("/", "/system", "/accounts", "/audit?campaign=spring&who=ada&deed=pause")]
        left = ada.post("/logout"), ada.get("/campaigns/spring")

    assert (away.headers["location"], inside.headers["location"]) == ("/login?next=/campaigns/spring", "/audit")
    assert [each.status_code for each in (started, shown, *paused, changed, whole)] == [303, 200, 303, 303, 200, 200]
    assert "客户1号，您好" in shown.text
    assert "13800000003" in whole.text
    assert [each.status_code for each in pages] == [200] * 4
    assert pages[-1].text.count('<th scope="row"') == 1
    assert [each.headers["location"] for each in left] == ["/login", "/login?next=/campaigns/spring"]
    assert product.state("spring") == "paused"
    assert "Traceback" not in web.log.read_text()
