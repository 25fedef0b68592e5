"""What is shown of a campaign's progress, whether its shards were read or only their sums."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from app.domain.campaign import LOG, State
from app.domain.tally import Tally
from app.sentence import Sentence
from app.store import drains
from app.store.campaigns import Campaign
from app.store.drains import Drain


class Pace(Protocol):
    """What the tasks under way do together, each over the time it worked so far; 0 where none is seen to work."""

    @property
    def messages_per_s(self) -> float: ...
    @property
    def ids_per_s(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Shown(ABC):
    """A campaign at one moment."""

    campaign: Campaign
    drain: Drain | None
    """Since when the gateway that it goes out by is drained, and by whom; None where it is not."""
    away: Sentence | None
    """Why the gateway that it goes out by cannot be reached now; None where it can, or nobody knows."""

    @property
    def waits_for(self) -> Drain | None:
        """Why nothing of it is submitted although it runs; None where that is not so."""
        return self.drain if self.campaign.state is State.RUNNING else None

    @property
    def held_up_by(self) -> Sentence | None:
        """What keeps its messages from going out although it runs, in a sentence."""
        if self.campaign.state is not State.RUNNING:
            return None
        return drains.said(self.campaign.gateway, self.drain) if self.drain else self.away

    @property
    @abstractmethod
    def tally(self) -> Tally:
        """Of all shards together. They are counted some moments after the trigger."""

    @property
    @abstractmethod
    def done_ids(self) -> int: ...

    @property
    @abstractmethod
    def all_ids(self) -> int: ...

    @property
    @abstractmethod
    def pace(self) -> Pace: ...

    @property
    def sent(self) -> int:
        """See Tally.shown_as_sent."""
        return self.tally.shown_as_sent

    @property
    def is_settled(self) -> bool:
        """See Campaign.is_settled."""
        return self.campaign.is_settled(self.tally)

    @property
    def state_word(self) -> str:
        """A word more than the states that a campaign is stored with."""
        campaign = self.campaign
        if campaign.is_preparing:
            return "preparing"
        is_settled = campaign.state is State.FINISHED and campaign.gateway != LOG and self.is_settled
        return "settled" if is_settled else campaign.state.value

    @property
    def done(self) -> float:
        """The share of the ids that is done, 0 to 1; a campaign without shards is done."""
        return self.done_ids / self.all_ids if self.all_ids else 1.0

    @property
    def messages_per_s(self) -> float:
        """While it runs, its pace. Once it has finished, all messages over the time from the trigger to the end,
        without pauses."""
        if self.campaign.state is State.RUNNING:
            return self.pace.messages_per_s
        return self.sent / self.campaign.ran_s if self.campaign.ran_s else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds until the end, at the pace of the tasks under way; None where that cannot be told."""
        if self.campaign.state is not State.RUNNING or not (ids_per_s := self.pace.ids_per_s):
            return None
        return (self.all_ids - self.done_ids) / ids_per_s
