"""Pages as they are sent, without a browser."""

import re

import pytest

from app.domain.campaign import Verb
from app.domain.delivery import Delivery
from app.sentence import Sentence
from app.store import campaigns as rows
from app.store import opt_outs, samples
from app.store.database import writing
from app.store.samples import Sample
from tests.integration.app.campaigns import change_shard, run, trigger
from tests.integration.app.people import crowd, move_in, person
from tests.integration.app.test_receipts import recorded
from tests.unit.app.web.visitors import OURS

HTML = {"accept": "text/html"}


def text_of(answer):
    """What a reader gets, on one line."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8", answer.text
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text.replace("</title>", ".")).split())


@pytest.fixture
def campaign(database):
    move_in(database, [person(5)])
    campaign = trigger(database, "spring", 10)
    change_shard(database, campaign, sent=3, male=3, rejected=1, audience=9, last_id=4)
    return campaign


def test_the_list_shows_each_campaign_with_its_counts(client, campaign):
    found = text_of(client.get("/"))

    assert "spring running 80.0% 3 9 1" in found
    assert "all 1 running 1" in found


def test_the_list_is_in_the_language_of_who_asks(client, campaign):
    answer = client.get("/", headers={"accept-language": "zh-CN"})

    assert 'lang="zh-CN"' in answer.text
    assert "活动" in text_of(answer)


def test_a_language_that_is_chosen_stays_and_one_comes_back_to_where_one_was(client, campaign):
    answer = client.post(
        "/language", data={"language": "zh", "here": "/?state=running"}, headers=OURS, follow_redirects=False
    )

    assert (answer.status_code, answer.headers["location"]) == (303, "/?state=running")
    assert "活动" in text_of(client.get("/"))


@pytest.mark.parametrize("here", ["//evil.example", "https://evil.example", "/\\evil.example", "/x\r\nset-cookie: a=b"])
def test_nobody_is_led_to_another_place(client, here):
    answer = client.post("/language", data={"here": here}, headers=OURS, follow_redirects=False)

    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    "headers", [{}, {"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}, {"origin": "null"}]
)
@pytest.mark.parametrize("path", ["/people", "/language"])
def test_a_form_of_somebody_elses_page_is_refused(client, path, headers):
    assert client.post(path, data={"who": "13800000001"}, headers=headers).status_code == 403


def test_a_browser_without_fetch_metadata_says_where_its_form_is_from(client):
    headers = {"origin": "http://127.0.0.1:8000"}

    assert client.post("/language", headers=headers, follow_redirects=False).status_code == 303


def test_a_filter_and_pages_keep_each_other(client, database):
    for number in range(60):
        trigger(database, f"c{number}", 10)

    first = client.get("/?state=finished").text
    older = re.search(r'id="older" href="([^"]+)"', first)[1].replace("&amp;", "&")
    second = client.get(older).text

    assert (first.count('scope="row"'), second.count('scope="row"')) == (50, 10)
    assert "state=finished" in older
    assert 'id="newer"' in second


def test_a_campaign_adds_up_before_ones_eyes(client, campaign):
    found = text_of(client.get("/campaigns/spring"))

    assert "3 sent + 1 rejected + 0 gone + 5 waiting = 9" in found


def test_one_that_is_over_says_that_it_adds_up(client, database, tmp_path):
    move_in(database, crowd(5))
    run(database, tmp_path / "logs", "may", 100)

    found = text_of(client.get("/campaigns/may"))

    assert "5 sent + 0 rejected + 0 gone + 0 waiting = 5 ✓ it adds up" in found


def test_one_over_a_network_shows_its_receipts_and_what_is_in_doubt(client, database):
    move_in(database, crowd(10))
    recorded(database, "net", [Delivery.ACCEPTED, Delivery.DELIVERED, Delivery.UNKNOWN, Delivery.REFUSED])

    found = text_of(client.get("/campaigns/net"))

    assert "2 sent + 1 refused + 1 unknown" in found
    assert "1 delivered · 0 not delivered · 0 expired · 1 awaiting a receipt · 1 unknown whether taken" in found


def test_one_that_failed_says_why(client, database, campaign):
    with writing(database) as connection:
        rows.change(connection, campaign.id, Verb.FAIL, Sentence("log_damaged.missing", path="x.log", why="gone"))

    assert "x.log" in text_of(client.get("/campaigns/spring"))


def test_the_course_is_drawn_and_stands_in_a_table(client, database, campaign):
    begun = int(campaign.created_at.timestamp())
    with writing(database) as connection:
        every = [Sample(campaign.id, begun + 10 * n, 0, 480 * n * 10, 0, 0, 0) for n in range(1, 5)]
        samples.insert(connection, every)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.web.scenes.time.time", lambda: begun + 1000.0)

        answer = client.get("/campaigns/spring")

    assert "<polyline" in answer.text
    assert answer.text.count("480/s") >= 3
    assert "style=" not in answer.text


def test_what_is_not_there_is_a_page_for_people(client):
    answer = client.get("/campaigns/nobody", headers=HTML)

    assert answer.status_code == 404
    assert "nobody" in text_of(answer)


@pytest.mark.parametrize(
    "path", ["/campaigns/..%2f..%2fetc", "/campaigns/%00", "/?state=no", "/?before=x", "/static/x/../y"]
)
def test_a_strange_address_is_refused_and_breaks_nothing(client, path):
    assert client.get(path, headers=HTML).status_code in {400, 404, 422}


def test_a_template_with_a_script_is_shown_and_not_run(client, database):
    move_in(database, [person(5)])
    trigger(database, "evil", 10, template="<script>alert(1)</script>{name}")

    text = client.get("/campaigns/evil").text

    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def find(client, who, **more):
    return client.post("/people", data={"who": who, **more}, headers=OURS)


def test_a_person_is_found_by_number_and_by_id_and_the_number_is_masked(client, database, tmp_path):
    move_in(database, crowd(3))
    recorded(database, "net", [Delivery.DELIVERED])
    with writing(database) as connection:
        opt_outs.add(connection, "*", [101], "person")

    by_id = text_of(find(client, "1"))

    assert "net net" in by_id
    assert "delivered" in by_id
    assert not re.search(r"1[3-9]\d{9}", find(client, "1").text)


def test_logs_are_read_only_when_one_asks_for_it(client, database, tmp_path):
    move_in(database, [(5, "刘霞", 0, "13800000001")])
    run(database, tmp_path / "var" / "logs", "may", 100)

    assert "nothing is on record" in text_of(find(client, "13800000001"))
    found = text_of(find(client, "138 0000 0001", logs="on"))
    assert "may log 1 line in its logs" in found
    assert "13800000001" not in found


def test_who_opted_out_is_told(client, database):
    with writing(database) as connection:
        opt_outs.add(connection, "*", [13800000001], "person")

    assert "opted out under *" in text_of(find(client, "13800000001"))


@pytest.mark.parametrize(("who", "status"), [("hello", 400), ("138000000019", 400), ("4294967295", 404), ("", 400)])
def test_what_is_no_person_is_refused_with_a_sentence(client, who, status):
    answer = find(client, who)

    assert answer.status_code == status
    assert 'role="alert"' in answer.text


def test_the_system_names_database_and_gateways(client):
    found = text_of(client.get("/system"))

    assert "SQLite" in found
    assert "log writes messages to files" in found
    assert "The server does not answer" in found


def test_a_gateways_file_that_cannot_be_used_is_said_and_keeps_nothing_from_being_shown(client, tmp_path, monkeypatch):
    (tmp_path / "gateways.toml").write_text("[a]\nkind = 'no'")
    settings = client.app.state.house.settings.model_copy(update={"sms_gateways": tmp_path / "gateways.toml"})
    monkeypatch.setattr(client.app.state.house, "settings", settings)

    found = text_of(client.get("/system"))

    assert "gateways.toml" in found
    assert "SQLite" in found


@pytest.mark.parametrize("path", ["/", "/campaigns/spring", "/system"])
def test_a_part_is_what_moves_of_its_page(client, campaign, path, monkeypatch):
    monkeypatch.setattr("app.web.checkup.Checkup.latest", lambda _: None)  # the doctor is done between the two looks
    part = client.get(f"/part{path}").text.strip()

    assert part in client.get(path).text
    assert "<html" not in part


def test_a_page_is_small_and_asks_no_other_host(client, database):
    move_in(database, [person(each * 10) for each in range(1, 200)])
    trigger(database, "wide", 10)
    for number in range(55):
        trigger(database, f"c{number}", 1000)

    for path in ("/", "/campaigns/wide"):
        page = client.get(path).text
        besides = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
        assert len(page) + sum(len(client.get(each).content) for each in besides) < 60_000, path
        assert "http:" not in page.replace("http://127.0.0.1:8000", "")
        assert "https:" not in page


def test_a_style_sheet_is_kept_for_ever_under_the_address_of_its_text(client):
    address = re.search(r'href="(/static/[^"]+css)"', client.get("/").text)[1]

    assert "immutable" in client.get(address).headers["cache-control"]
    assert client.get("/static/other/page.css").headers["cache-control"] == "no-store"


def test_times_are_said_with_their_zone(client, campaign):
    assert f"{campaign.created_at:%Y-%m-%d}" in text_of(client.get("/"))
    assert "UTC" in text_of(client.get("/"))
