"""The API: who is let in, what campaigns answer, and that numbers stand in no address and no answer."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import pytest

from app.access import tokens
from app.domain.delivery import Delivery
from app.domain.reject import Reason, Reject
from app.domain.rights import Scope
from app.store import rejects
from app.store.database import writing
from tests.integration.app.campaigns import change_shard, trigger
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_audit_trail import entries
from tests.integration.app.test_receipts import recorded

API = "/api/v1"
NUMBER = "13800000001"


@pytest.fixture
def api(client, database):
    """Asks with a token that has every scope."""
    token = tokens.add(database, "program", list(Scope), None)
    move_in(database, crowd(5))
    client.headers["authorization"] = f"Bearer {token}"
    return client


def bearing(client, database, *scopes):
    """The headers of a program that has these scopes."""
    token = tokens.add(database, f"with-{'-'.join(scopes)}", [Scope(each) for each in scopes], None)
    client.app.state.house.keys._looked_at = None  # as if a second had gone by
    return {"authorization": f"Bearer {token}"}


def code(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


# ── who is let in ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer sms_wrong", "Basic YTpi", "sms_wrong", "Bearer \xff"]
)
@pytest.mark.parametrize("path", ["/campaigns", "/nowhere", "", "/campaigns/a/state"])
def test_whoever_shows_no_token_of_ours_learns_nothing(client, authorization, path):
    answer = client.put(f"{API}{path}", content=b"{", headers={"authorization": authorization.encode("latin-1")})

    assert code(answer) == (401, "no_token")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_token_of_the_settings_has_every_scope(settings, monkeypatch, client):
    house = client.app.state.house
    house.keys._keyring._master = b"t0p-secret"

    assert client.get(f"{API}/campaigns", headers={"authorization": "bearer t0p-secret"}).status_code == 200


def test_a_token_that_is_revoked_is_refused_within_a_second(api, database):
    assert api.get(f"{API}/campaigns").status_code == 200

    tokens.revoke(database, "program")
    api.app.state.house.keys._looked_at -= 1

    assert code(api.get(f"{API}/campaigns")) == (401, "no_token")


def test_a_cookie_lets_nobody_in(client, database):
    token = tokens.add(database, "program", list(Scope), None)
    client.cookies.set("authorization", f"Bearer {token}")
    client.cookies.set("session", token)

    assert client.get(f"{API}/campaigns").status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body", "scope"),
    [
        ("GET", "/campaigns", None, "read"),
        ("GET", "/campaigns/a", None, "read"),
        ("GET", "/campaigns/a/shards", None, "read"),
        ("GET", "/campaigns/a/rejects", None, "read"),
        ("GET", "/campaigns/a/messages", None, "read"),
        ("GET", "/gateways", None, "read"),
        ("GET", "/opt-outs", None, "read"),
        ("GET", f"/opt-outs/{'0' * 32}", None, "read"),
        ("POST", "/messages/search", {"number": NUMBER}, "read"),
        ("GET", "/messages/1-1", None, "read"),
        ("POST", "/campaigns/a/reports", None, "read"),
        ("GET", f"/reports/{'0' * 32}", None, "read"),
        ("POST", "/previews", {}, "read"),
        ("PUT", "/campaigns/a", {}, "trigger"),
        ("PUT", "/campaigns/a/state", {"state": "paused"}, "operate"),
        ("PUT", "/gateways/a/state", {"state": "drained"}, "operate"),
        ("POST", "/opt-outs", {"number": NUMBER}, "operate"),
        ("DELETE", f"/opt-outs/{'0' * 32}", None, "operate"),
    ],
)
def test_each_operation_wants_its_scope_and_the_others_are_none(client, database, method, path, body, scope):
    others = [each for each in Scope if each != scope]

    refused = client.request(method, f"{API}{path}", json=body, headers=bearing(client, database, *others))
    allowed = client.request(method, f"{API}{path}", json=body, headers=bearing(client, database, scope))

    assert code(refused) == (403, "forbidden")
    assert scope in refused.json()["detail"]
    assert allowed.status_code in {200, 201, 404}


# ── campaigns ───────────────────────────────────────────────────────────────────────────────────


def test_a_campaign_is_made_once_and_found_by_who_asks_again(api, database):
    wanted = {"template": "{name}{honorific}，您好"}

    first = api.put(f"{API}/campaigns/春", json=wanted)
    second = api.put(f"{API}/campaigns/春", json=wanted)
    found = api.get(f"{API}/campaigns/春")
    other = api.put(f"{API}/campaigns/春", json={"template": "{name}"})

    assert [each.status_code for each in (first, second, found)] == [201, 200, 200]
    assert api.get(first.headers["location"]).json()["name"] == "春"
    assert first.json() | {"counts": 0} == second.json() | {"counts": 0} == found.json() | {"counts": 0}
    assert (found.json()["template"], found.json()["state"]) == (wanted["template"], "running")
    assert code(other) == (409, "other_template")
    assert [(each.deed, each.who, each.via) for each in entries(database, campaign="春")] == [
        *[("start", "token:program", "api")]
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"template": "{town}"}, (400, "bad_template")),
        ({"gateway": "nobody"}, (400, "unknown_gateway")),
        ({"audience": "tokens"}, (400, "bad_audience")),
        ({"templat": "{name}"}, (422, "invalid")),
        ({"template": 5}, (422, "invalid")),
        ({"only_ids": [1], "sample": 1}, (422, "invalid")),
        ({"only_ids": []}, (422, "invalid")),
        ({"template": "x" * 2_001}, (422, "invalid")),
        ([], (422, "invalid")),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_made(api, body, expected):
    assert code(api.put(f"{API}/campaigns/a", json=body)) == expected
    assert api.get(f"{API}/campaigns").json() == {"campaigns": [], "next": None}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"template": "\\ud842"}', b"[" * 10_000])
def test_what_is_no_json_is_refused(api, content):
    answer = api.put(f"{API}/campaigns/a", content=content, headers={"content-type": "application/json"})

    assert code(answer) in {(422, "invalid"), (400, "refused")}


@pytest.mark.parametrize(("language", "said"), [("en", "did you mean spring?"), ("zh", "是不是spring?")])
def test_of_an_unknown_campaign_the_one_that_may_be_meant_is_named(api, database, language, said):
    trigger(database, "spring", 10)

    answer = api.get(f"{API}/campaigns/sprnig", headers={"accept-language": language})

    assert code(answer) == (404, "unknown_campaign")
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("name", ["..%2f..", "a%0d%0ab", ".a", "a%20b", "%F0%9F%8E%89"])
def test_a_bad_name_is_refused(api, name):
    assert api.put(f"{API}/campaigns/{name}", json={}).status_code in {400, 404}


def test_a_campaign_costs_more_than_may_be_spent_without_a_word(api, tmp_path, monkeypatch):
    (tmp_path / "gateways.toml").write_text(
        '[net]\nkind = "smpp"\nhost = "127.0.0.1"\nport = 2775\nsystem_id = "sms"\npassword_env = "W"\nprice = "1"\n'
    )
    monkeypatch.setenv("W", "s3cret")
    house = api.app.state.house
    house.settings = house.settings.model_copy(
        update={"sms_gateways": tmp_path / "gateways.toml", "sms_ask_above": 1.0}
    )
    wanted = {"gateway": "net", "template": "{name}"}

    refused = api.put(f"{API}/campaigns/a", json=wanted)
    agreed = api.put(f"{API}/campaigns/a", json={**wanted, "confirm": 5})

    assert code(refused) == (409, "unconfirmed_cost")
    assert agreed.status_code == 201
    (gateway,) = api.get(f"{API}/gateways").json()["gateways"]
    assert (gateway["name"], gateway["address"]) == ("net", "127.0.0.1:2775")
    assert "s3cret" not in str(gateway)


def test_who_has_it_as_it_is_gets_no_more_than_that_word(api, database):
    trigger(database, "a", 10)
    first = api.get(f"{API}/campaigns/a")

    again = api.get(f"{API}/campaigns/a", headers={"if-none-match": first.headers["etag"]})
    api.put(f"{API}/campaigns/a/state", json={"state": "paused"})
    changed = api.get(f"{API}/campaigns/a", headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (changed.status_code, changed.json()["state"]) == (200, "paused")


def test_campaigns_come_a_page_at_a_time_and_none_twice(api, database):
    for number in range(5):
        trigger(database, f"a{number}", 10)
    api.put(f"{API}/campaigns/a3/state", json={"state": "cancelled"})
    names, cursor = [], None
    while cursor is not None or not names:
        page = api.get(f"{API}/campaigns", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        names += [each["name"] for each in page["campaigns"]]
        cursor = page["next"]

    cancelled = api.get(f"{API}/campaigns", params={"state": "cancelled"}).json()
    assert names == ["a4", "a3", "a2", "a1", "a0"]
    assert [each["name"] for each in cancelled["campaigns"]] == ["a3"]
    assert code(api.get(f"{API}/campaigns", params={"cursor": "x"})) == (422, "invalid")


def test_a_parameter_that_is_not_known_is_refused_and_the_known_ones_are_named(api):
    answer = api.get(f"{API}/campaigns", params={"stat": "failed"})

    assert code(answer) == (422, "invalid")
    assert answer.json()["detail"] == "stat: not known; there is cursor, limit, state"


def test_a_state_is_set_and_a_repeat_is_no_error(api, database):
    trigger(database, "a", 10)

    def put(state):
        return api.put(f"{API}/campaigns/a/state", json={"state": state})

    answers = [put(each) for each in ("paused", "paused", "running", "running", "cancelled", "cancelled")]
    wrong = put("running")

    assert [each.status_code for each in answers] == [200] * 6
    assert [each.json()["campaign"]["state"] for each in answers][::2] == ["paused", "running", "cancelled"]
    assert answers[0].json()["still_sending"] == []
    assert code(wrong) == (409, "wrong_state")
    assert [each.deed for each in entries(database, campaign="a")] == ["cancel", "resume", "pause", "start"]
    assert code(put("finished")) == (422, "invalid")
    assert code(api.put(f"{API}/campaigns/b/state", json={"state": "paused"})) == (404, "unknown_campaign")


def test_shards_are_told_with_what_is_in_them(api, database):
    trigger(database, "a", 2)

    shards = api.get(f"{API}/campaigns/a/shards").json()["shards"]

    assert [(each["after_id"], each["to_id"], each["state"]) for each in shards] == [
        *((0, 2, "open"), (2, 4, "open"), (4, 5, "open"))
    ]


def test_a_campaign_may_be_for_some_of_its_audience(api):
    some = api.put(f"{API}/campaigns/some", json={"only_ids": [3, 1, 3]})
    sample = api.put(f"{API}/campaigns/sample", json={"sample": 2})
    others = api.put(f"{API}/campaigns/some", json={"only_ids": [4]})

    assert [each.json()["counts"]["audience"] for each in (some, sample)] == [2, 2]
    assert code(others) == (409, "other_customers")


def test_samples_are_drawn_one_at_a_time(api, monkeypatch):
    both = Barrier(2)
    met = []

    def draw(*_):
        with suppress(BrokenBarrierError):
            both.wait(0.3)
            met.append(True)
        return [1]

    monkeypatch.setattr("app.campaigns.start.choose", draw)
    with ThreadPoolExecutor(3) as threads:
        names = [f"sample-{each}" for each in range(3)]
        done = list(threads.map(lambda name: api.put(f"{API}/campaigns/{name}", json={"sample": 1}), names))

    assert [each.status_code for each in done] == [201, 201, 201]
    assert met == []


# ── customers ───────────────────────────────────────────────────────────────────────────────────


def follow(api, path, what, **params):
    """Everything of a list, by its cursor."""
    found, cursor = [], 0
    while cursor is not None:
        page = api.get(f"{API}{path}", params={**params, "cursor": cursor, "limit": 2}).json()
        found += page[what]
        cursor = page["next"]
    return found


def as_lines(api, path, **params):
    answer = api.get(f"{API}{path}", params=params, headers={"accept": "application/x-ndjson"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(each) for each in answer.text.splitlines()]


def test_who_was_rejected_is_told_page_by_page_or_line_by_line(api, database, monkeypatch):
    monkeypatch.setattr(rejects, "PAGE_ROWS", 2)
    campaign = trigger(database, "a", 10)
    reasons = [Reason.NO_NAME, Reason.NO_MOBILE, Reason.NO_NAME, Reason.DUPLICATE, Reason.NO_NAME]
    with writing(database) as connection:
        found = [Reject(number, each) for number, each in enumerate(reasons, 1)]
        rejects.insert(connection, campaign.id, 0, found)

    everybody = [{"customer_id": number, "reason": each} for number, each in found]
    assert follow(api, "/campaigns/a/rejects", "rejects") == as_lines(api, "/campaigns/a/rejects") == everybody
    nameless = follow(api, "/campaigns/a/rejects", "rejects", reason="no_name")
    assert [each["customer_id"] for each in nameless] == [1, 3, 5]
    assert as_lines(api, "/campaigns/a/rejects", cursor=4) == everybody[4:]


STATES = [Delivery.DELIVERED, Delivery.REFUSED, Delivery.UNKNOWN, Delivery.ACCEPTED, Delivery.DELIVERED]


def test_what_became_of_each_message_is_told_page_by_page_or_line_by_line(api, database):
    recorded(database, "net", STATES)

    found = follow(api, "/campaigns/net/messages", "messages")

    assert found == as_lines(api, "/campaigns/net/messages")
    assert [each["state"] for each in found] == [each.value for each in STATES]
    delivered = follow(api, "/campaigns/net/messages", "messages", state="delivered")
    assert [each["customer_id"] for each in delivered] == [1, 5]
    assert [each["customer_id"] for each in as_lines(api, "/campaigns/net/messages", cursor=3)] == [4, 5]


def test_a_campaign_to_logs_has_no_messages_to_tell_of(api, database):
    trigger(database, "a", 10)

    assert code(api.get(f"{API}/campaigns/a/messages")) == (409, "no_ledger")
    assert code(api.get(f"{API}/campaigns/b/messages")) == (404, "unknown_campaign")


def test_a_number_is_searched_for_by_a_body_and_stands_in_no_answer(api, database):
    campaign = recorded(database, "net", STATES)
    change_shard(database, campaign, lease_until_ms=0)
    with writing(database) as connection:
        connection.exec_driver_sql(f"UPDATE messages SET mobile = {NUMBER} WHERE customer_id = 2")
    added = api.post(f"{API}/opt-outs", json={"number": NUMBER, "signature": "【店】"}).json()

    answer = api.post(f"{API}/messages/search", json={"number": "+86 138-0000-0001"})

    (found,) = answer.json()["found"]
    assert (found["campaign"], found["message"]["state"], found["message"]["mobile"]) == (
        *("net", "refused", "138****0001"),
    )
    assert answer.json()["number_id"] == added["number_id"]
    assert answer.json()["opted_out"] == ["【店】"]
    assert NUMBER not in answer.text + str(added)
    assert code(api.post(f"{API}/messages/search", json={"number": "12345"})) == (400, "bad_number")


def test_a_preview_costs_nothing_and_shows_no_number(api):
    answer = api.post(f"{API}/previews", json={"template": "{name}{honorific}，您好{mobile}"})

    found = answer.json()
    assert (answer.status_code, found["messages"], found["sms"], found["exact"]) == (200, 5, 5, True)
    assert "138****0001" in found["examples"][0]["text"]
    assert NUMBER not in answer.text
    assert code(api.post(f"{API}/previews", json={"customer_id": 99})) == (404, "unknown_customer")


# ── opt-outs ────────────────────────────────────────────────────────────────────────────────────


def test_an_opt_out_is_made_found_and_removed_by_the_id_of_its_number(api, database):
    first = api.post(f"{API}/opt-outs", json={"number": NUMBER})
    again = api.post(f"{API}/opt-outs", json={"number": f"+86{NUMBER}"})
    path = first.headers["location"]

    assert (first.status_code, again.status_code) == (201, 200)
    assert NUMBER not in path
    assert api.get(path).json() == first.json() == again.json()
    assert code(api.get(path, params={"signature": "another"})) == (404, "unknown_number")
    assert [api.delete(path).status_code, code(api.delete(path))[0], code(api.get(path))[0]] == [204, 404, 404]
    assert [(each.deed, each.subject, each.who) for each in entries(database)][:2] == [
        *(("opt_out_remove", "138****0001", "token:program"), ("opt_out_add", "138****0001", "token:program"))
    ]


def test_opt_outs_come_a_page_at_a_time(api):
    for number in range(5):
        api.post(f"{API}/opt-outs", json={"number": f"1380000000{number}", "signature": "【~店】"})
    found, cursor = [], ""
    while cursor is not None:
        page = api.get(f"{API}/opt-outs", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        found += [each["number"] for each in page["opt_outs"]]
        cursor = page["next"]

    assert found == [f"138****000{number}" for number in range(5)]


def test_many_opt_outs_are_imported_whole_or_not_at_all_and_again_without_harm(api, database):
    numbers = [f"1380000000{number}" for number in range(5)]

    bad = api.post(f"{API}/opt-outs/imports", json={"numbers": [*numbers, "12345"]})
    nothing = api.get(f"{API}/opt-outs").json()["opt_outs"]
    answers = [api.post(f"{API}/opt-outs/imports", json={"numbers": [*numbers, numbers[0]]}).json() for _ in range(2)]

    assert (code(bad), nothing) == ((400, "bad_number"), [])
    assert answers == [{"given": 6, "added": 5}, {"given": 6, "added": 0}]
    assert [each.deed for each in entries(database)][:2] == ["opt_out_import", "token_add"]


@pytest.mark.parametrize("number_id", ["0" * 32, "f" * 32])
def test_an_id_that_was_made_up_is_nobodys(api, number_id):
    assert code(api.get(f"{API}/opt-outs/{number_id}")) == (404, "unknown_number")
    assert code(api.get(f"{API}/opt-outs", params={"cursor": f"{number_id}~*"})) == (400, "bad_cursor")


# ── the document ────────────────────────────────────────────────────────────────────────────────


def test_the_document_is_there_for_everybody_and_says_what_each_operation_may_answer(client):
    document = client.get(f"{API}/openapi.json").json()

    assert document["openapi"].startswith("3.1")
    operations = [(path, each) for path, of in document["paths"].items() for each in of.values()]
    assert len(operations) == 21
    for path, each in operations:
        assert path.startswith(API)
        assert each["security"] in [[{"token": [scope]}] for scope in Scope]
        assert each["description"]
        for status in ("400", "401", "403", "422", "503"):
            assert list(each["responses"][status]["content"]) == ["application/problem+json"]
    assert all("/health" not in path for path, _ in operations)
