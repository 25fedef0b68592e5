"""Turns a trigger into a campaign with its shards, in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from app.campaigns.checked_audience import HIGHEST_ID, check_audience, check_ids
from app.campaigns.checked_template import check_template, text_of
from app.campaigns.choosing import choose
from app.campaigns.spending import ANYTHING, Spending
from app.domain.actor import Actor, Deed
from app.domain.audience import CUSTOMERS
from app.domain.campaign import LOG, State, check_name
from app.domain.choice import EVERYBODY, Choice, These, next_of
from app.domain.greeting import DEFAULT_TEMPLATE, Template
from app.domain.people import People
from app.domain.receipt import RECEIPTS_FOR_S
from app.domain.sharding import count_within, split
from app.errors import BadRequest, UnknownCampaign
from app.gateways.base import Network
from app.store import campaigns, customers, shards, trail
from app.store.campaigns import Campaign
from app.store.chosen import insert as insert_chosen
from app.store.faults import write

MOST_SHARDS = 4_000
"""Of one campaign. To find so many takes a second; a watcher's line has all of them."""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The campaign that now has the name, its shard numbers, and whether this trigger made it."""

    campaign: Campaign
    shards: list[int]
    created: bool
    chosen: int | None = None
    """How many of its audience it is for, where this trigger made it for some."""
    not_there: int = 0
    """How many of the ids that it was given nobody has."""


def dispatch(
    database: Engine,
    name: str,
    shard_size: int,
    *,
    template: str | None = None,
    allow_duplicates: bool | None = None,
    added_columns: Collection[str] = (),
    gateway: str | None = None,
    default_gateway: str = LOG,
    networks: Mapping[str, Network] | None = None,
    template_name: str | None = None,
    spending: Spending = ANYTHING,
    audience: str | None = None,
    choice: Choice | None = None,
    by: Actor | None = None,
) -> Dispatched:
    """Make the campaign, or find the one that has the name. Who comes second changes nothing.

    Raises BadRequest for a name, template or audience that cannot be, and for a name that stands for another template,
    choice about duplicates, gateway, audience or choice of it; who names none of them, None, finds any campaign.
    `added_columns`: see checked_template. A campaign that names no gateway gets `default_gateway`, and one that names
    no audience, a table or view of the same database, `customers`. Of `networks`, which are known by name beside the
    log, a new campaign's has to be one, and it has to take the text; what that comes to has to be within `spending`.
    `template_name`: of a gateway that sends what its provider approved, in place of `template`. `choice`: whom of the
    audience it is for, fixed by who is there at this moment. `by`: None is who runs this program.
    """
    name = check_name(name)
    greeted, is_new = _audience(database, name, audience)
    chosen = gateway or default_gateway
    if networks is not None and (template_name is not None or chosen in networks):
        template = _named(database, name, networks.get(chosen), chosen, template, template_name)
    text = DEFAULT_TEMPLATE if template is None else template
    compiled = check_template(database, text, added_columns, audience=greeted)
    network = (networks or {}).get(chosen)
    if networks is not None and chosen != LOG:
        _check_gateway(database, name, chosen, template, compiled, networks, template_name or "")
    # Only now: for a sample everybody is looked at, and what is refused anyway shall not cost that.
    ids = _chosen(database, name, greeted, choice) if choice and is_new else None
    if network is not None and is_new:
        spending.check(database, name, greeted, compiled, network, ids, template_name or "")
    receipts_for_s = RECEIPTS_FOR_S if network is None else network.receipts_for_s
    of = (name, text, shard_size, chosen, template_name or "", receipts_for_s, greeted)
    key = EVERYBODY if choice is None else choice.key
    created = is_new and _create(database, *of, key, ids, by, allow_duplicates=bool(allow_duplicates))
    found = _find(database, name)
    if found is None:  # it was there a moment ago
        raise UnknownCampaign(name)
    campaign, numbers = found
    if audience not in {None, campaign.audience}:
        raise BadRequest("other_audience", audience=campaign.audience)
    if choice is not None and choice.key != campaign.chosen:
        raise BadRequest("other_customers", audience=campaign.audience)
    other_choice = allow_duplicates not in {None, campaign.allow_duplicates}
    if gateway not in {None, campaign.gateway}:
        raise BadRequest("other_gateway", gateway=campaign.gateway)
    if template_name not in {None, campaign.template_name}:
        raise BadRequest("other_template")
    if other_choice or (template is not None and campaign.template != text):
        raise BadRequest("other_template")
    if not created or ids is None:
        return Dispatched(campaign, numbers, created)
    not_there = len(choice.ids) - len(ids) if isinstance(choice, These) else 0
    return Dispatched(campaign, numbers, created, len(ids), not_there)


def _audience(database: Engine, name: str, audience: str | None) -> tuple[str, bool]:
    """Whom a campaign of this name greets, and whether there is none yet: one that is there already greets whom it
    does. Raises BadRequest."""
    with database.connect() as connection:
        campaign = campaigns.find(connection, name)
        if campaign is None:
            return CUSTOMERS if audience is None else check_audience(connection, audience), True
        return campaign.audience, False


def _chosen(database: Engine, name: str, audience: str, choice: Choice) -> Sequence[int]:
    """Ids of whom it means now. Raises BadRequest where ids are given and nobody has any of them."""
    ids = choose(database, audience, choice, name)
    if isinstance(choice, These) and not len(ids):
        raise BadRequest("bad_choice.nobody", audience=audience, count=len(choice.ids))
    return ids


def _named(
    database: Engine,
    name: str,
    network: Network | None,
    gateway: str,
    template: str | None,
    template_name: str | None,
) -> str | None:
    """See text_of. A campaign that is there already has its text."""
    if template is not None and template_name is not None:
        raise BadRequest("template_twice")
    with database.connect() as connection:
        campaign = campaigns.find(connection, name)
    if campaign is not None:
        return template if template_name is None else campaign.template
    return text_of(network, gateway, template, template_name)


def _check_gateway(
    database: Engine,
    name: str,
    chosen: str,
    template: str | None,
    compiled: Template,
    networks: Mapping[str, Network],
    template_name: str,
) -> None:
    """Raises BadRequest where a campaign with this name cannot be made. One that is there already is as it is."""
    with database.connect() as connection:
        if campaigns.find(connection, name) is not None:
            return
    if chosen not in networks:
        raise BadRequest("unknown_gateway", gateway=chosen[:64], known=", ".join([LOG, *networks]))
    if template is None:
        raise BadRequest("no_template", gateway=chosen)
    network = networks[chosen]
    shortest = compiled.fill(People.of([(1, "", "", None, *[""] * len(compiled.columns))])).rstrip("\n")
    _, parts = network.message(shortest, template_name)
    if parts > network.max_parts:
        raise BadRequest("text_too_long", gateway=chosen, parts=parts, most=network.max_parts)


def look_up(database: Engine, name: str) -> Dispatched:
    """The campaign of that name. Raises UnknownCampaign, and BadRequest for a name that cannot be."""
    with database.connect() as connection:
        campaign = campaigns.named(connection, check_name(name))
        return Dispatched(campaign, _numbers(connection, campaign), created=False)


def _find(database: Engine, name: str) -> tuple[Campaign, list[int]] | None:
    with database.connect() as connection:
        campaign = campaigns.find(connection, name)
        if campaign is None:
            return None
        return campaign, _numbers(connection, campaign)


def _numbers(connection: Connection, campaign: Campaign) -> list[int]:
    return [each.number for each in shards.of_campaign(connection, campaign.id)]


def _create(
    database: Engine,
    name: str,
    template: str,
    shard_size: int,
    gateway: str,
    template_name: str,
    receipts_for_s: int,
    audience: str,
    choice: str,
    ids: Sequence[int] | None,
    by: Actor | None,
    *,
    allow_duplicates: bool,
) -> bool:
    with database.connect() as connection:
        if campaigns.find(connection, name):
            return False

    def insert(connection: Connection) -> None:
        lowest, highest = customers.extent(connection, audience)
        if lowest < 1:
            raise BadRequest("bad_ids", count=customers.count_below(connection, audience))
        if highest > HIGHEST_ID:
            raise BadRequest("bad_audience.high_ids", audience=audience, highest=highest, most=HIGHEST_ID)
        next_id = partial(customers.next_id, connection, audience) if ids is None else partial(next_of, ids)
        found = split(next_id, highest if ids is None else max(ids[-1:], default=0), shard_size)
        ranges = list(islice(found, MOST_SHARDS + 1))
        if len(ranges) > MOST_SHARDS:
            raise BadRequest("too_many_shards", most=MOST_SHARDS)
        check_ids(connection, audience, ranges)
        campaign_id = campaigns.insert(
            connection,
            name,
            template,
            ranges,
            allow_duplicates=allow_duplicates,
            gateway=gateway,
            template_name=template_name,
            receipts_for_s=receipts_for_s,
            audience=audience,
            chosen=choice,
            audiences=[] if ids is None else [count_within(ids, each) for each in ranges],
        )
        if ids is not None:
            insert_chosen(connection, campaign_id, ids)
        after = {
            "state": State.RUNNING if ranges else State.FINISHED,
            "template": template,
            "gateway": gateway,
            "template_name": template_name,
            "audience": audience,
            "chosen": "" if ids is None else len(ids),
            "allow_duplicates": allow_duplicates,
            "tasks": len(ranges),
        }
        trail.note(connection, by, Deed.START, campaign=name, after=after)

    try:
        write(database, insert)
    except IntegrityError:  # somebody triggered the same name at the same moment
        return False
    return True
