"""The buttons of a campaign: which there are for whom, and in which states each is there. Pure."""

from dataclasses import dataclass

from app.campaigns.retry import ALLOWED
from app.domain.campaign import LOG, TRANSITIONS, State, Verb
from app.domain.rights import Right
from app.store.campaigns import Campaign
from app.web.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Button:
    """One. Its words are `verb.CODE`."""

    code: str
    states: frozenset[State]
    """In which it is there."""
    asks: bool = False
    """It leads to a page that asks first; else it does it at once."""
    path: str = ""
    """Behind the campaign's; as its code where there is none."""

    @property
    def where(self) -> str:
        return self.path or self.code

    @property
    def when(self) -> str:
        """The states, for the page's script."""
        return " ".join(sorted(self.states))


_FAILED = frozenset({State.FAILED})


def buttons(visitor: Visitor, campaign: Campaign) -> list[Button]:
    """For this visitor."""
    found: list[Button] = []
    if visitor.may(Right.CONTROL):
        found.append(Button("pause", TRANSITIONS[Verb.PAUSE].start))
        found.append(Button("resume", TRANSITIONS[Verb.RESUME].start - _FAILED))
        if campaign.pruned_at is None:
            found.append(Button("resume_failed", _FAILED, asks=True, path="resume"))
        if campaign.gateway != LOG and campaign.pruned_at is None:
            found.append(Button("retry", ALLOWED, asks=True))
        found.append(Button("cancel", TRANSITIONS[Verb.CANCEL].start, asks=True))
    if visitor.may(Right.SEE) and campaign.pruned_at is None:
        found.append(Button("verify", frozenset(State)))
    return found
