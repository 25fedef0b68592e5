"""The trigger's requests and answers: what stands in a frame, and the lines that go back. Pure.

A frame's body is plain text, the campaign's name, or a JSON object. Every answer is one line: plain text to plain
text, a JSON object to JSON.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.domain.progress import ShardProgress
from app.domain.tally import Tally
from app.errors import BadRequest

HEADER_BYTES = 4
MAX_FRAME_BYTES = 2**16
"""A template has 2,000 characters at most, 24 KB where JSON escapes each of them."""

NAMED_TASKS = 64
"""Of one campaign in the answer to its trigger; a list of all could have thousands."""

_VERBS = {"pause": "暂停", "resume": "继续", "cancel": "取消"}
_HINTS = dict.fromkeys(("paused", "failed"), ",用resume继续")
"""What can be done with a campaign in such a state."""
_FIELDS: dict[str, type] = {
    **{"campaign": str, "template": str, "watch": bool, "token": str, "allow_duplicates": bool},
    **dict.fromkeys(_VERBS, str),
}
_TOKEN = re.compile(rb'"token"\s*:\s*("(?:[^"\\]|\\.)*+")', re.DOTALL)
_TYPE_NAMES = {str: "字符串", bool: "true或false"}


@dataclass(frozen=True, slots=True)
class Trigger:
    """A request to start a campaign, or to watch the one that has the name; None for a template is the default one.

    With `allow_duplicates` a number that several customers have gets a message for each; None is no, for a new one.
    """

    campaign: str
    template: str | None = None
    watch: bool = False
    token: str = field(default="", repr=False)
    allow_duplicates: bool | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """A request to be told of the progress of a campaign that is there."""

    campaign: str
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Control:
    """A request to do to a campaign what `verb` says: pause, resume or cancel."""

    verb: str
    campaign: str
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """One task in a progress line; `done` of `of` ids are done."""

    number: int
    sent: int
    done: int
    of: int
    finished: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """A progress line as a client reads it. The line does not tell the forms of address, which are 0, and of an older
    server not who was rejected or gone."""

    campaign: str
    state: str
    reason: str
    tally: Tally
    tasks: list[TaskProgress]
    preparing: bool = False

    @property
    def done(self) -> int:
        """Ids that are done."""
        return sum(each.done for each in self.tasks)

    @property
    def of(self) -> int:
        """All ids of the campaign."""
        return sum(each.of for each in self.tasks)

    @property
    def share(self) -> float:
        """What is done of all, 0 to 1; a campaign without tasks is done."""
        return self.done / self.of if self.of else 1.0


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


def parse(body: bytes) -> Trigger | Watch | Control:
    """The request in a frame's body, header removed. Raises BadRequest with one sentence for the client."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("bad_utf8", "请求不是有效的UTF-8") from None
    if not is_json(body):
        return Trigger(text.strip())
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequest("bad_json", "请求不是有效的JSON") from None
    if isinstance(fields.get("watch"), str) and "campaign" not in fields:
        return _parse_watch(fields)
    unknown = [name for name in fields if name not in _FIELDS]
    if unknown:
        raise BadRequest("unknown_field", f"未知的字段{json.dumps(unknown[0][:64])},可用的有: {', '.join(_FIELDS)}")
    for name, value in fields.items():
        if not isinstance(value, _FIELDS[name]):
            raise BadRequest("bad_field", f"字段{name}必须是{_TYPE_NAMES[_FIELDS[name]]}")
    verbs = [verb for verb in _VERBS if verb in fields]
    if len(verbs) + ("campaign" in fields) != 1:
        raise BadRequest("bad_field", "字段campaign, pause, resume, cancel必须有一个,且只能有一个")
    if not verbs:
        return Trigger(**fields)
    name, token = fields.pop(verbs[0]), fields.pop("token", "")
    if fields:
        raise BadRequest("bad_field", f"字段{next(iter(fields))}不能与{verbs[0]}一起使用")
    return Control(verbs[0], name, token)


def _parse_watch(fields: dict[str, Any]) -> Watch:
    others = [name for name in fields if name not in ("watch", "token")]
    if others:
        raise BadRequest("unknown_field", f"watch是任务名时,只能再有字段token,不能有{json.dumps(others[0][:64])}")
    if not isinstance(fields.get("token", ""), str):
        raise BadRequest("bad_field", "字段token必须是字符串")
    return Watch(fields["watch"], fields.get("token", ""))


def request(trigger: Trigger | Watch) -> bytes:
    """The JSON body of a request; what is not set is left out. In ASCII, so that what is no Unicode gets there and is
    refused."""
    if isinstance(trigger, Watch):
        asked = {"watch": trigger.campaign} | ({"token": trigger.token} if trigger.token else {})
        return json.dumps(asked).encode()
    fields: dict[str, Any] = {"campaign": trigger.campaign}
    if trigger.template is not None:
        fields["template"] = trigger.template
    if trigger.allow_duplicates is not None:
        fields["allow_duplicates"] = trigger.allow_duplicates
    if trigger.watch:
        fields["watch"] = True
    if trigger.token:
        fields["token"] = trigger.token
    return json.dumps(fields).encode()


def read_answer(line: str) -> dict[str, Any]:
    """The facts in a line that answers a JSON request. Raises ValueError when the line is none of ours."""
    facts = json.loads(line)
    if not isinstance(facts, dict) or "message" not in facts:
        raise ValueError("not an answer of this protocol")
    return facts


def read_progress(facts: dict[str, Any]) -> Progress:
    """What a progress line says. Raises ValueError when it is none of ours."""
    try:
        tasks = [
            TaskProgress(int(each["task"]), int(each["sent"]), int(each["done"]), int(each["of"]), each["finished"])
            for each in facts["tasks"]
        ]
        return Progress(
            campaign=str(facts["campaign"]),
            state=str(facts["state"]),
            reason=str(facts["reason"]),
            tally=Tally(
                sent=int(facts["sent"]),
                rejected=int(facts.get("rejected", 0)),
                gone=int(facts.get("gone", 0)),
                audience=None if facts.get("audience") is None else int(facts["audience"]),
            ),
            tasks=tasks,
            preparing=bool(facts.get("preparing", False)),
        )
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError("not a progress line of this protocol") from error


def accepted(campaign: str, shards: Sequence[int], state: str, *, as_json: bool) -> bytes:
    """A new campaign is on its way. Of very many tasks the first are named, and how many there are."""
    if shards:
        named = ",".join(map(str, shards[:NAMED_TASKS]))
        more = f"等{len(shards)}个任务" if len(shards) > NAMED_TASKS else ""
        message = f"分发任务给了task{named}{more}执行,您将收到短信提醒"
    else:
        message = f"没有客户,任务{campaign}已完成"
    return _line(
        {"ok": True, "created": True, "campaign": campaign, "state": state, **_tasks(shards)}, message, as_json
    )


def _tasks(shards: Sequence[int]) -> dict[str, Any]:
    named = {"tasks": list(shards[:NAMED_TASKS])}
    return named | {"task_count": len(shards)} if len(shards) > NAMED_TASKS else named


def exists(campaign: str, shards: Sequence[int], state: str, *, as_json: bool) -> bytes:
    """The campaign was there before; nothing was started."""
    message = f"任务{campaign}已存在,状态: {state}{_HINTS.get(state, '')}"
    return _line(
        {"ok": True, "created": False, "campaign": campaign, "state": state, **_tasks(shards)}, message, as_json
    )


def controlled(
    verb: str, campaign: str, state: str, sent: int, still_sending: Sequence[int], *, as_json: bool
) -> bytes:
    """A campaign was paused, resumed or cancelled. `still_sending`: shards whose task has not stopped yet."""
    message = f"任务{campaign}已{_VERBS[verb]},已发送{sent}"
    if still_sending:
        message += f",task{','.join(map(str, still_sending))}尚未停下"
    facts = {"ok": True, "campaign": campaign, "state": state, "sent": sent, "still_sending": list(still_sending)}
    return _line(facts, message, as_json)


def wrong_state(verb: str, campaign: str, state: str, *, as_json: bool) -> bytes:
    """The campaign cannot be paused, resumed or cancelled in the state it is in."""
    message = f"任务{campaign}的状态是{state},不能{_VERBS[verb]}"
    return _line({"ok": False, "error": "wrong_state", "campaign": campaign, "state": state}, message, as_json)


def unknown_campaign(campaign: str, *, as_json: bool) -> bytes:
    """There is nothing of this name to pause, resume or cancel."""
    return _line({"ok": False, "error": "unknown_campaign"}, f"没有名为{campaign}的任务", as_json)


def refused(code: str, message: str, *, as_json: bool) -> bytes:
    """The request was not obeyed; `code` is stable, `message` is for people."""
    return _line({"ok": False, "error": code}, message, as_json)


def progress(
    campaign: str,
    state: str,
    reason: str,
    shards: Sequence[ShardProgress],
    *,
    preparing: bool = False,
    as_json: bool,
) -> bytes:
    """How far a campaign got; the last such line has a final state. While it is preparing nothing is sent yet."""
    tally = sum((each.tally for each in shards), Tally())
    tasks = [
        {
            "task": each.number,
            "sent": each.tally.sent,
            "done": each.last_id - each.after_id,
            "of": each.to_id - each.after_id,
            "finished": each.finished,
            "rejected": each.tally.rejected,
            "gone": each.tally.gone,
            "audience": each.tally.audience,
        }
        for each in shards
    ]
    facts = {
        "campaign": campaign,
        "state": state,
        "reason": reason,
        "preparing": preparing,
        "sent": tally.sent,
        "rejected": tally.rejected,
        "gone": tally.gone,
        "audience": tally.audience,
        "tasks": tasks,
    }
    words = f"任务{campaign}: {state}, {'准备中' if preparing else f'已发送{tally.sent}'}"
    return _line(facts, f"{words}, 未发送{tally.rejected}" if tally.rejected else words, as_json)


def _line(facts: dict[str, Any], message: str, as_json: bool) -> bytes:
    text = json.dumps({**facts, "message": message}, ensure_ascii=False) if as_json else message
    return text.encode("utf-8", "replace") + b"\n"
