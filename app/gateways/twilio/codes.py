"""Twilio's error codes and message states, and what each says about a message. Pure.

Sources: twilio.com/docs/api/errors (the dictionary of errors, a page a code), and for states
twilio.com/docs/messaging/api/message-resource#message-status-values.
"""

from app.domain.delivery import Delivery
from app.gateways.verdict import Verdict

_VERDICTS = {
    # the account, its sender and its permissions
    20003: (Verdict.OURS, "authentication failed"),
    20005: (Verdict.OURS, "the account is not active"),
    20404: (Verdict.OURS, "there is no such account"),
    10001: (Verdict.OURS, "the account is not active"),
    10002: (Verdict.OURS, "a trial account cannot do this"),
    21212: (Verdict.OURS, "the sender is not valid"),
    21603: (Verdict.OURS, "there is no sender"),
    21606: (Verdict.OURS, "the sender cannot send SMS, or is not ours"),
    21611: (Verdict.THROTTLED, "the sender's queue is full"),
    21701: (Verdict.OURS, "there is no such messaging service"),
    21703: (Verdict.OURS, "the messaging service has no sender"),
    21704: (Verdict.OURS, "the messaging service has no sender that fits"),
    30002: (Verdict.OURS, "the account is suspended"),
    63038: (Verdict.OURS, "the account's messages of this day are used up"),
    # how fast we are
    20429: (Verdict.THROTTLED, "too many requests"),
    14107: (Verdict.THROTTLED, "too many messages to one number"),
    30001: (Verdict.THROTTLED, "the queue is full"),
    30022: (Verdict.THROTTLED, "the carrier's limit is reached"),
    # this one message
    21211: (Verdict.PERMANENT, "the number is not valid"),
    21217: (Verdict.PERMANENT, "the number does not look like one"),
    21265: (Verdict.PERMANENT, "the number is a short code"),
    21266: (Verdict.PERMANENT, "the number is the sender's own"),
    21408: (Verdict.PERMANENT, "the account may not send to this country"),
    21602: (Verdict.PERMANENT, "the text is missing"),
    21604: (Verdict.PERMANENT, "the number is missing"),
    21605: (Verdict.PERMANENT, "the text is too long"),
    21608: (Verdict.PERMANENT, "a trial account may not send to this number"),
    21610: (Verdict.PERMANENT, "the recipient opted out at Twilio"),
    21612: (Verdict.PERMANENT, "the number cannot be reached from this sender"),
    21614: (Verdict.PERMANENT, "the number is not a mobile"),
    21617: (Verdict.PERMANENT, "the text is longer than 1,600 characters"),
    21619: (Verdict.PERMANENT, "the text is missing"),
    30007: (Verdict.PERMANENT, "filtered as unwanted"),
    # theirs
    20503: (Verdict.TEMPORARY, "not available now"),
}

OPTED_OUT = 21610
"""Somebody answered STOP to Twilio itself, which then refuses messages to them."""

STATES = {
    "accepted": Delivery.ACCEPTED,
    "scheduled": Delivery.ACCEPTED,
    "queued": Delivery.ACCEPTED,
    "sending": Delivery.ACCEPTED,
    "sent": Delivery.ACCEPTED,
    "delivered": Delivery.DELIVERED,
    "partially_delivered": Delivery.UNDELIVERED,
    "read": Delivery.DELIVERED,
    "undelivered": Delivery.UNDELIVERED,
    "failed": Delivery.UNDELIVERED,
    "canceled": Delivery.UNDELIVERED,
}
"""What a message's status says. Twilio's `accepted`, `queued`, `sending` and `sent` are all before the phone."""


def verdict(status: int, code: str) -> Verdict:
    """Of an HTTP status and the code in its body, '' where it has none. After an error of the server's own nobody knows
    whether it took the message; any other refusal that is not in the table is for good, as SMPP's are."""
    if code.isdecimal() and int(code) in _VERDICTS:
        return _VERDICTS[int(code)][0]
    if status == 429:
        return Verdict.THROTTLED
    if status in {401, 403}:
        return Verdict.OURS
    is_theirs = bool(code) and code != str(status)
    if status >= 500 or status < 400 or not (is_theirs or status in {400, 404}):
        return Verdict.DOUBT  # as a 408 of something on the way
    return Verdict.PERMANENT


def name(status: int, code: str) -> str:
    """`21211`, or `http_500` where there is no code; Twilio's SDK gives the status as code where a body has none."""
    return code if code and code != str(status) else f"http_{status}"
