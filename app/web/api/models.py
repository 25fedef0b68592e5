"""What the API takes and gives, as its document says."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.campaigns.shown import Shown
from app.catalogue import Catalogue
from app.domain.campaign import State
from app.domain.choice import Choice, Sample, these
from app.domain.delivery import Delivery
from app.domain.tally import Tally
from app.store.drains import Drain

Name = Annotated[str, Field(min_length=1, max_length=64, description="1 to 64 letters, digits, - _ and .")]
CustomerId = Annotated[int, Field(ge=1, le=2**32 - 1)]


class Model(BaseModel):
    """A field that is not known is refused: better than to send a campaign without what somebody misspelt."""

    model_config = ConfigDict(extra="forbid")


class Counts(Model):
    """`sent + rejected + gone + waiting = audience`."""

    sent: int = Field(description="In the log; to a network, those that the gateway said it has.")
    rejected: int
    gone: int
    audience: int | None = Field(description="Null until it is counted.")
    states: dict[Delivery, int] = Field(description="Of messages to a network; states that none is in are left out.")

    @classmethod
    def of(cls, tally: Tally) -> "Counts":
        return cls(
            sent=tally.shown_as_sent,
            rejected=tally.rejected,
            gone=tally.gone,
            audience=tally.audience,
            states=tally.states,
        )


class Reason(Model):
    """Why a campaign failed: a code for programs, and words."""

    code: str
    detail: str


class Drained(Model):
    """Nothing is submitted over a gateway any more."""

    since: datetime
    by: str

    @classmethod
    def of(cls, drain: Drain | None) -> "Drained | None":
        return cls(since=drain.since, by=drain.who) if drain else None


class Campaign(Model):
    """A campaign at one moment."""

    name: str = Field(examples=["spring"])
    state: State
    preparing: bool = Field(description="It runs, and nothing is sent before duplicates are known.")
    settled: bool = Field(description="It is over, and no receipt changes anything in it any more.")
    reason: Reason | None
    template: str = Field(examples=["{name}{honorific}，您好"])
    template_name: str
    gateway: str = Field(examples=["log"])
    gateway_drained: Drained | None = Field(description="Why nothing is submitted, although it may run.")
    gateway_away: Reason | None = Field(description="Why nobody can reach the gateway now, where that is so.")
    audience: str = Field(examples=["customers"])
    allow_duplicates: bool
    created_at: datetime
    finished_at: datetime | None
    pruned_at: datetime | None
    learns_until: datetime | None
    counts: Counts
    done: float = Field(ge=0, le=1, description="The share of the ids that is done.")
    messages_per_s: float
    left_s: float | None

    @classmethod
    def of(cls, shown: Shown, words: Catalogue) -> "Campaign":
        campaign = shown.campaign
        why, away = campaign.reason, shown.away
        return cls(
            name=campaign.name,
            state=campaign.state,
            preparing=campaign.is_preparing,
            settled=shown.is_settled,
            reason=Reason(code=why.code, detail=words.word(why)) if why else None,
            template=campaign.template,
            template_name=campaign.template_name,
            gateway=campaign.gateway,
            gateway_drained=Drained.of(shown.drain),
            gateway_away=Reason(code=away.code, detail=words.word(away)) if away else None,
            audience=campaign.audience,
            allow_duplicates=campaign.allow_duplicates,
            created_at=campaign.created_at,
            finished_at=campaign.finished_at,
            pruned_at=campaign.pruned_at,
            learns_until=campaign.learns_until,
            counts=Counts.of(shown.tally),
            done=round(shown.done, 6),
            messages_per_s=round(shown.messages_per_s, 1),
            left_s=None if shown.left_s is None else round(shown.left_s, 1),
        )


class Campaigns(Model):
    """A page of them, the newest first."""

    campaigns: list[Campaign]
    next: str | None = Field(description="The cursor of the next page; null at the end.")


class NewCampaign(Model):
    """What a campaign is to be. Whatever is left out is as the server has it, and says nothing where the name is taken
    already."""

    template: str | None = Field(None, max_length=2_000, examples=["{name}{honorific}，您好"])
    template_name: str | None = Field(None, max_length=64, description="One that the gateway's provider approved.")
    gateway: str | None = Field(None, max_length=64, examples=["log"])
    audience: str | None = Field(None, max_length=64, examples=["customers"])
    only_ids: Annotated[list[CustomerId], Field(min_length=1, max_length=50_000)] | None = Field(
        None, description="For some of the audience: those who have these ids."
    )
    sample: Annotated[int, Field(ge=1, le=2**32 - 1)] | None = Field(
        None, description="For some of the audience: so many, the same ones each time."
    )
    allow_duplicates: bool | None = None
    confirm: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        None, description="How many SMS are agreed to, where SMS_ASK_ABOVE asks for that."
    )

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.only_ids is not None and self.sample is not None:
            raise ValueError("only_ids and sample exclude each other")
        return self

    @property
    def choice(self) -> Choice | None:
        """Whom of the audience; None: everybody."""
        if self.sample is not None:
            return Sample(self.sample)
        return None if self.only_ids is None else these(self.only_ids)


class Wanted(Model):
    """The state that a campaign is to be in."""

    state: Literal[State.PAUSED, State.RUNNING, State.CANCELLED]


class Controlled(Model):
    """The campaign after it. What tasks that have not stopped yet deliver is not counted, and taken back."""

    campaign: Campaign
    still_sending: list[int] = Field(description="Shards whose task has not stopped yet.")


class Shard(Model):
    """One range of ids, and how far it got."""

    number: int
    after_id: int
    to_id: int
    last_id: int
    state: Literal["open", "suspect", "finished"]
    late: bool
    counts: Counts


class Shards(Model):
    """All of a campaign."""

    shards: list[Shard]


class Problem(BaseModel):
    """RFC 9457, with the codes of the trigger and the facts behind its words."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field(description="For people, in the language that was asked for.")
    code: str = Field(description="For programs.", examples=["unknown_campaign"])
