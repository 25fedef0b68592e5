"""The trigger's answers: the lines that go back, written and read. Pure.

Every answer is one line: plain text to plain text, a JSON object to JSON.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.catalogue import Catalogue, english
from app.domain.delivery import Delivery
from app.domain.progress import ShardProgress
from app.domain.tally import Tally
from app.errors import Refused
from app.sentence import Sentence, from_json
from app.sentence import as_json as to_json

Facts = dict[str, Any]

NAMED_TASKS = 64
"""Of one campaign in the answer to its trigger; a list of all could have thousands."""

_CHINESE = Catalogue("zh", states=False)
"""Answers are in Chinese, as those of the tutorial are, whatever the language of this machine."""


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
    server not who was rejected or gone, nor states. `sent` is Tally.shown_as_sent."""

    campaign: str
    state: str
    reason: str
    tally: Tally
    tasks: list[TaskProgress]
    preparing: bool = False
    why: Sentence | None = None
    """The same as `reason`."""
    held_up_by: Sentence | None = None
    """What keeps messages from going out although it runs."""

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


def read_answer(line: str) -> Facts:
    """The facts in a line that answers a JSON request. Raises ValueError when the line is none of ours."""
    facts = json.loads(line)
    if not isinstance(facts, dict) or "message" not in facts:
        raise ValueError("not an answer of this protocol")
    return facts


def read_refusal(facts: Facts) -> Refused:
    """What an answer says that obeys nothing."""
    why = from_json(facts.get("why")) or Sentence(str(facts.get("error", "")))
    return Refused(why.code, str(facts["message"]), **why.facts)


def read_progress(facts: Facts) -> Progress:
    """What a progress line says. Raises ValueError when it is none of ours."""
    try:
        tasks = [
            TaskProgress(int(each["task"]), int(each["sent"]), int(each["done"]), int(each["of"]), each["finished"])
            for each in facts["tasks"]
        ]
        states = facts.get("states") or {}
        return Progress(
            campaign=str(facts["campaign"]),
            state=str(facts["state"]),
            reason=str(facts["reason"]),
            tally=Tally(
                sent=int(facts["sent"]),
                rejected=int(facts.get("rejected", 0)),
                gone=int(facts.get("gone", 0)),
                audience=None if facts.get("audience") is None else int(facts["audience"]),
                **{each.value: int(states[each]) for each in Delivery if each in states},
            ),
            tasks=tasks,
            preparing=bool(facts.get("preparing", False)),
            why=from_json(facts.get("why")),
            held_up_by=from_json(facts.get("held_up_by")),
        )
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError("not a progress line of this protocol") from error


def accepted(
    campaign: str, shards: Sequence[int], state: str, *, as_json: bool, chosen: int | None = None, not_there: int = 0
) -> bytes:
    """A new campaign is on its way. Of very many tasks the first are named, and how many there are. `chosen`: for how
    many of its audience it is, where it is for some; so many ids that were given are `not_there`."""
    facts = {"ok": True, "created": True, "campaign": campaign, "state": state, **_tasks(shards)}
    return _line(facts if chosen is None else facts | {"chosen": chosen, "not_there": not_there}, as_json)


def _tasks(shards: Sequence[int]) -> Facts:
    named = {"tasks": list(shards[:NAMED_TASKS])}
    return named | {"task_count": len(shards)} if len(shards) > NAMED_TASKS else named


def exists(campaign: str, shards: Sequence[int], state: str, *, as_json: bool) -> bytes:
    """The campaign was there before; nothing was started."""
    return _line({"ok": True, "created": False, "campaign": campaign, "state": state, **_tasks(shards)}, as_json)


def controlled(
    verb: str, campaign: str, state: str, sent: int, still_sending: Sequence[int], *, as_json: bool
) -> bytes:
    """A campaign was paused, resumed or cancelled. `still_sending`: shards whose task has not stopped yet."""
    facts = {"ok": True, "campaign": campaign, "state": state, "sent": sent, "still_sending": list(still_sending)}
    tasks = ",".join(map(str, still_sending))
    done = Sentence(f"done.{verb}_not_yet" if tasks else f"done.{verb}", campaign=campaign, sent=sent, tasks=tasks)
    return _line(facts, as_json, done)


def stats(server: Facts) -> bytes:
    """The server in numbers, those of the engine's Stats; who asks for them speaks JSON."""
    busy = sum(each["state"] == "busy" for each in server["task_workers"])
    workers, waiting = len(server["task_workers"]), server["tasks_waiting"]
    said = Sentence("stats", busy=busy, workers=workers, waiting=waiting)
    return _line({"ok": True, "stats": server}, True, said)


def refused(why: Sentence, *, as_json: bool) -> bytes:
    """The request was not obeyed. `error` and `why` are for programs, `message` is for people; `why` is there when it
    says more than `error`."""
    facts = {"ok": False, "error": why.kind}
    if why.kind == "wrong_state":
        facts |= why.facts
    if why.facts or why.code != why.kind:
        facts["why"] = to_json(why)
    return _line(facts, as_json, why)


def progress(
    campaign: str,
    state: str,
    reason: Sentence | None,
    shards: Sequence[ShardProgress],
    *,
    preparing: bool = False,
    held_up_by: Sentence | None = None,
    as_json: bool,
) -> bytes:
    """How far a campaign got; the last such line has a final state. While it is preparing nothing is sent yet."""
    tally = sum((each.tally for each in shards), Tally())
    tasks = [
        {
            "task": each.number,
            "sent": each.tally.shown_as_sent,
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
        "reason": english().word(reason) if reason else "",
        "why": to_json(reason) if reason else None,
        "preparing": preparing,
        "held_up_by": to_json(held_up_by) if held_up_by else None,
        "sent": tally.shown_as_sent,
        "rejected": tally.rejected,
        "gone": tally.gone,
        "audience": tally.audience,
        "states": tally.states,
        "tasks": tasks,
    }
    counts = {"sent": tally.shown_as_sent, "rejected": tally.rejected}
    said = {
        (False, False): Sentence("progress", campaign=campaign, state=state, **counts),
        (False, True): Sentence("progress.rejected", campaign=campaign, state=state, **counts),
        (True, False): Sentence("progress.preparing", campaign=campaign, state=state),
        (True, True): Sentence("progress.preparing_rejected", campaign=campaign, state=state, **counts),
    }
    return _line(facts, as_json, said[preparing, tally.rejected > 0])


def answer_of(facts: Facts) -> Sentence:
    """What the answer to a trigger or a watcher says."""
    campaign, state, tasks = str(facts["campaign"]), str(facts["state"]), facts["tasks"]
    if not facts["created"]:
        may_go_on = state in {"paused", "failed"}
        return Sentence("exists.resumable" if may_go_on else "exists", campaign=campaign, state=state)
    if not tasks:
        return Sentence("accepted.nobody", campaign=campaign)
    named = ",".join(map(str, tasks))
    if "task_count" in facts:
        return Sentence("accepted.many", campaign=campaign, tasks=named, all=facts["task_count"])
    return Sentence("accepted", campaign=campaign, tasks=named)


def _line(facts: Facts, as_json: bool, said: Sentence | None = None) -> bytes:
    """`said`: what the facts come to; without it they answer a trigger."""
    message = _CHINESE.word(said or answer_of(facts))
    text = json.dumps({**facts, "message": message}, ensure_ascii=False) if as_json else message
    return text.encode("utf-8", "replace") + b"\n"
