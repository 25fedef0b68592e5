"""Receipts that a provider sends by itself: believed when they are signed, on record when they are answered."""

import base64
import hmac
from urllib.parse import parse_qsl, urlencode

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from twilio.request_validator import RequestValidator

from app.domain.delivery import Delivery
from app.receiving import incoming
from app.store.tables import early_receipts, messages
from app.web import inboxes
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_receipts import recorded
from tests.waiting import until

SID = "AC" + "0" * 32
CALLBACK = "https://sms.example.com/api/v1/receipts/net"
TOKEN = "auth-token"
FILE = f"""
[net]
kind = "twilio"
account_sid = "{SID}"
secret_env = "NET_SECRET"
source = "+15550001111"
status_callback = "{CALLBACK}"
country_code = "86"

[polled]
kind = "twilio"
account_sid = "{SID}"
secret_env = "NET_SECRET"
source = "+15550001111"
"""


@pytest.fixture
def settings(settings, tmp_path, monkeypatch):
    """With an account at Twilio that has a callback, and one that has none."""
    (tmp_path / "gateways.toml").write_text(FILE)
    monkeypatch.setenv("NET_SECRET", TOKEN)
    return settings.model_copy(update={"sms_gateways": tmp_path / "gateways.toml"})


@pytest.fixture
def campaign(database):
    """Whose two messages the gateway has, as id1 and id2."""
    move_in(database, crowd(5))
    return recorded(database, "summer", [Delivery.ACCEPTED, Delivery.ACCEPTED])


def told(status="delivered", sid="id1", **more):
    return {"MessageSid": sid, "MessageStatus": status, "To": "+8613800000001", "AccountSid": SID, **more}


def push(client, fields, *, gateway="net", ref="1-1-1", token=TOKEN, signature=None, body=None, headers=None):
    """As Twilio does, by its own way of signing."""
    url = f"{CALLBACK}?ref={ref}"
    made = RequestValidator(token).compute_signature(url, fields) if signature is None else signature
    return client.post(
        f"/api/v1/receipts/{gateway}?ref={ref}",
        content=urlencode(fields) if body is None else body,
        headers={"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": made, **(headers or {})},
    )


def states(database):
    with database.connect() as connection:
        return list(connection.scalars(sa.select(messages.c.state).order_by(messages.c.customer_id)))


def test_a_receipt_that_twilio_signed_is_on_record_when_it_is_answered(client, database, campaign):
    answer = push(client, told())

    assert (answer.status_code, answer.content) == (204, b"")
    assert states(database) == ["delivered", "accepted"]


def test_what_it_says_is_the_same_twice_and_never_goes_back(client, database, campaign):
    assert [push(client, told(each)).status_code for each in ("sent", "delivered", "delivered", "sent")] == [204] * 4

    assert states(database) == ["delivered", "accepted"]


def test_a_message_that_was_not_delivered_has_twilios_reason(client, database, campaign):
    push(client, told("undelivered", "id2", ErrorCode="30003"))

    with database.connect() as connection:
        row = connection.execute(sa.select(messages).where(messages.c.customer_id == 2)).one()
    assert (row.state, row.error) == ("undelivered", "30003")


def test_a_receipt_that_comes_before_its_message_is_on_record_waits(client, database, campaign):
    push(client, told(sid="id77"), ref="7-3-12")

    with database.connect() as connection:
        columns = early_receipts.c
        rows = connection.execute(sa.select(columns.provider_id, columns.reference)).all()
    assert rows == [("id77", "7-3-12")]


@pytest.mark.parametrize(
    "how",
    [
        {"token": "another"},
        {"signature": ""},
        {"signature": "\xff"},
        {"signature": "A" * 5_000},
        {"body": urlencode(told("delivered", "id2"))},
        {"body": b"\xff\xfe"},
        {"body": "&".join(f"a{each}=1" for each in range(101))},
        {"gateway": "polled"},
        {"gateway": "nowhere"},
        {"gateway": "..%2f..%2fetc"},
        {"gateway": "net%0d%0aX-A: b"},
    ],
)
def test_who_cannot_sign_learns_nothing_and_changes_nothing(client, database, campaign, how):
    if how.get("signature") == "\xff":
        how = {**how, "headers": {"x-twilio-signature": b"\xff"}}
    answer = push(client, told(), **how)
    stranger = push(client, told(), gateway="another", token="x")

    assert (answer.status_code, answer.json()) == (404, stranger.json())
    assert states(database) == ["accepted", "accepted"]


def test_another_address_than_the_one_that_was_signed_is_refused(client, database, campaign):
    signature = RequestValidator(TOKEN).compute_signature(f"{CALLBACK}?ref=1-1-1", told())

    assert push(client, told(), ref="1-1-2", signature=signature).status_code == 404


@pytest.mark.parametrize("more", [{"AccountSid": "AC" + "1" * 32}, {"MessageStatus": "dancing"}, {"MessageSid": ""}])
def test_what_is_signed_and_says_nothing_of_ours_is_taken_and_changes_nothing(client, database, campaign, more):
    assert push(client, {**told(), **more}).status_code == 204
    assert push(client, told(), ref="theirs").status_code == 204

    assert states(database) == ["accepted", "accepted"]


def test_no_body_is_read_that_is_longer_than_a_receipt(client, campaign):
    assert push(client, told(), body=b"a" * 65_537).status_code == 413
    assert push(client, told(), body=(b"a" * 1000 for _ in range(70))).status_code == 413
    assert push(client, told(), body=b"a" * 65_537, gateway="nowhere").status_code == 413


def test_while_the_database_is_away_it_is_asked_to_come_again(client, database, campaign, monkeypatch):
    write = incoming.write

    def away(*_):
        raise OperationalError("", {}, Exception(2003))

    monkeypatch.setattr(inboxes, "RECORDED_WITHIN_S", 0.5)
    monkeypatch.setattr(incoming, "write", away)
    assert push(client, told()).status_code == 503

    monkeypatch.setattr(incoming, "write", write)
    monkeypatch.setattr(inboxes, "RECORDED_WITHIN_S", 30)
    assert push(client, told()).status_code == 204
    assert states(database) == ["delivered", "accepted"]


def test_no_more_is_kept_than_it_may_be_while_the_database_is_away(client, database, campaign, monkeypatch):
    write = incoming.write

    def away(*_):
        raise OperationalError("", {}, Exception(2003))

    monkeypatch.setattr(inboxes, "RECORDED_WITHIN_S", 0.05)
    monkeypatch.setattr(inboxes, "MOST_WAITING", 3)
    monkeypatch.setattr(incoming, "write", away)
    assert [push(client, told(sid=f"id{number}")).status_code for number in range(1, 9)] == [503] * 8
    assert client.app.state.house.pushes._inboxes["net"].incoming.waiting == 3

    monkeypatch.setattr(incoming, "write", write)
    until(lambda: states(database) == ["delivered", "delivered"], within_s=20, what="what was kept is on record")


def test_the_signature_is_the_one_of_twilios_document(client):
    """By hand, beside Twilio's own code: twilio.com/docs/usage/security."""
    fields = told()
    text = f"{CALLBACK}?ref=1-1-1" + "".join(name + value for name, value in sorted(parse_qsl(urlencode(fields))))
    by_hand = base64.b64encode(hmac.digest(TOKEN.encode(), text.encode(), "sha1")).decode()

    assert push(client, fields, signature=by_hand).status_code == 204
