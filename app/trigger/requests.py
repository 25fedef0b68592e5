"""The trigger's requests: what stands in a frame. Pure.

A frame's body is plain text, the campaign's name, or a JSON object.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from app.domain.choice import HIGHEST_ID
from app.errors import BadRequest

HEADER_BYTES = 4
MAX_FRAME_BYTES = 2**16
"""A template has 2,000 characters at most, 24 KB where JSON escapes each of them."""

_VERBS = ("pause", "resume", "cancel")
_FIELDS: dict[str, type] = {
    **{"campaign": str, "template": str, "watch": bool, "token": str, "allow_duplicates": bool, "gateway": str},
    **{"template_name": str, "confirm": int, "audience": str},
    **{"only_ids": list, "only_list": str, "sample": int},
    **dict.fromkeys(_VERBS, str),
}
_CHOICES = ("only_ids", "only_list", "sample")
_TOKEN = re.compile(rb'"token"\s*:\s*("(?:[^"\\]|\\.)*+")', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A request to start a campaign, or to find the one that has the name; None for a template is the default one. Who
    asks to watch it then (`"watch": true`) hears of it as after a Watch.

    With `allow_duplicates` a number that several customers have gets a message for each; None is no, for a new one.
    `gateway` is the way out by its name; None is the server's default, for a new one. `template_name` is one of those
    that its provider approved, in place of `template`. `confirm` is how many parts are agreed to, where the server asks
    for that. `audience` is the table or view of those to greet; None is `customers`, for a new one. It is for
    all of them, or for some: those with `only_ids`, with the ids that a command put into the database under the name
    `only_list`, or a `sample` of so many.
    """

    campaign: str
    template: str | None = None
    then_watch: bool = False
    token: str = field(default="", repr=False)
    allow_duplicates: bool | None = None
    gateway: str | None = None
    template_name: str | None = None
    confirm: int | None = None
    audience: str | None = None
    only_ids: tuple[int, ...] | None = None
    only_list: str | None = None
    sample: int | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """A request to be told of the progress of a campaign that is there."""

    campaign: str
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class AskStats:
    """A request for the server in numbers: `{"stats": true}`."""

    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Control:
    """A request to do to a campaign what `verb` says: pause, resume or cancel."""

    verb: str
    campaign: str
    token: str = field(default="", repr=False)


def is_json(body: bytes) -> bool:
    """Whether a body is meant as JSON, and answered in it."""
    return body.lstrip()[:1] == b"{"


def token_of(body: bytes) -> str:
    """The token that an object bears, found without reading what stands around it; '' where there is none, as in plain
    text. Whoever does not know the token has no more read than this; whoever does says the same to `parse`."""
    found = _TOKEN.search(body) if is_json(body) else None
    try:
        return str(json.loads(found[1])) if found else ""
    except ValueError:
        return ""


def parse(body: bytes) -> Trigger | Watch | AskStats | Control:
    """The request in a frame's body, header removed. Raises BadRequest with one sentence for the client."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("bad_utf8") from None
    if not is_json(body):
        return Trigger(text.strip())
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequest("bad_json") from None
    if isinstance(fields.get("watch"), str) and "campaign" not in fields:
        return _parse_watch(fields)
    if "stats" in fields:
        return _parse_stats(fields)
    unknown = [name for name in fields if name not in _FIELDS]
    if unknown:
        raise BadRequest("unknown_field", field=json.dumps(unknown[0][:64]), known=", ".join(_FIELDS))
    for name, value in fields.items():
        if not isinstance(value, _FIELDS[name]) or (_FIELDS[name] is int and isinstance(value, bool)):
            raise BadRequest(f"bad_field.not_{_FIELDS[name].__name__}", field=name)
    verbs = [verb for verb in _VERBS if verb in fields]
    if len(verbs) + ("campaign" in fields) != 1:
        raise BadRequest("bad_field.one_of")
    if not verbs:
        return Trigger(then_watch=fields.pop("watch", False), **(fields | _choice(fields)))
    name, token = fields.pop(verbs[0]), fields.pop("token", "")
    if fields:
        raise BadRequest("bad_field.not_with", field=next(iter(fields)), verb=verbs[0])
    return Control(verbs[0], name, token)


def _choice(fields: dict[str, Any]) -> dict[str, Any]:
    """What is to be put right in fields that say whom of the audience is meant. Raises BadRequest."""
    if sum(name in fields for name in _CHOICES) > 1:
        raise BadRequest("bad_choice.both", fields=", ".join(_CHOICES))
    if fields.get("sample", 1) < 1:
        raise BadRequest("bad_field.not_a_count", field="sample")
    if "only_ids" not in fields:
        return {}
    ids = fields["only_ids"]
    if not ids or not all(type(each) is int and 1 <= each <= HIGHEST_ID for each in ids):
        raise BadRequest("bad_field.not_ids", field="only_ids", most=HIGHEST_ID)
    return {"only_ids": tuple(ids)}


def _parse_watch(fields: dict[str, Any]) -> Watch:
    others = [name for name in fields if name not in ("watch", "token")]
    if others:
        raise BadRequest("unknown_field.of_watch", field=json.dumps(others[0][:64]))
    if not isinstance(fields.get("token", ""), str):
        raise BadRequest("bad_field.not_str", field="token")
    return Watch(fields["watch"], fields.get("token", ""))


def _parse_stats(fields: dict[str, Any]) -> AskStats:
    if others := [name for name in fields if name not in ("stats", "token")]:
        raise BadRequest("unknown_field", field=json.dumps(others[0][:64]), known="stats, token")
    if fields["stats"] is not True:
        raise BadRequest("bad_field.not_bool", field="stats")
    if not isinstance(fields.get("token", ""), str):
        raise BadRequest("bad_field.not_str", field="token")
    return AskStats(fields.get("token", ""))


def request(trigger: Trigger | Watch | AskStats) -> bytes:
    """The JSON body of a request; what is not set is left out. In ASCII, so that what is no Unicode gets there and is
    refused."""
    if not isinstance(trigger, Trigger):
        what = {"watch": trigger.campaign} if isinstance(trigger, Watch) else {"stats": True}
        asked = what | ({"token": trigger.token} if trigger.token else {})
        return json.dumps(asked).encode()
    fields: dict[str, Any] = {"campaign": trigger.campaign}
    if trigger.template is not None:
        fields["template"] = trigger.template
    if trigger.allow_duplicates is not None:
        fields["allow_duplicates"] = trigger.allow_duplicates
    if trigger.gateway is not None:
        fields["gateway"] = trigger.gateway
    if trigger.template_name is not None:
        fields["template_name"] = trigger.template_name
    if trigger.confirm is not None:
        fields["confirm"] = trigger.confirm
    if trigger.audience is not None:
        fields["audience"] = trigger.audience
    fields |= {name: value for name in _CHOICES if (value := getattr(trigger, name)) is not None}
    if trigger.then_watch:
        fields["watch"] = True
    if trigger.token:
        fields["token"] = trigger.token
    return json.dumps(fields).encode()
