"""The trigger's answers: the lines that go back, written and read. Pure.

Every answer is one line: plain text to plain text, a JSON object to JSON.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.progress import ShardProgress
from app.domain.tally import Tally

NAMED_TASKS = 64
"""Of one campaign in the answer to its trigger; a list of all could have thousands."""

_VERBS = {"pause": "暂停", "resume": "继续", "cancel": "取消"}
_HINTS = dict.fromkeys(("paused", "failed"), ",用resume继续")
"""What can be done with a campaign in such a state."""


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
