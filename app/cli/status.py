"""`python -m app status`."""

from typing import Annotated

import typer

from app import config, console
from app.audit.whereabouts import told
from app.campaigns.snapshot import every_snapshot, snapshot
from app.catalogue import say, word
from app.cli import views
from app.cli.shared import Json, opened
from app.console import out
from app.domain.campaign import check_name
from app.gateways.log_file.folder import owner_of
from app.store.log_parts import lying_elsewhere


def status(
    name: Annotated[str | None, typer.Argument(help="One campaign; all without it.")] = None, as_json: Json = False
) -> None:
    """Show campaigns as the database knows them; the server need not run."""
    settings = config.load()
    database = opened(settings)
    if name is not None:
        one = snapshot(database, check_name(name))
        if as_json:
            console.print_json(views.snapshot_facts(one))
        else:
            out.print(views.campaign_table([one]), views.shard_table(one))
            if one.campaign.reason:
                out.print(word(one.campaign.reason))
            owner = owner_of(settings.sms_log_dir)
            learning, pruned = views.learning(one.campaign, one.tally), views.pruned(one.campaign)
            others = [part for parts in one.parts.values() for part in lying_elsewhere(parts, owner)]
            lies = [word(each) for each in told(others, settings.host_id)]
            facts = views.held_up([one]) + views.chosen(one.campaign) + learning + pruned
            for sentence in facts + lies + views.elsewhere(one, owner):
                out.print(sentence)
        return
    every = every_snapshot(database)
    if as_json:
        console.print_json([views.snapshot_facts(each) for each in every])
    elif every:
        out.print(views.campaign_table(every))
        for sentence in views.held_up(every):
            out.print(sentence)
    else:
        out.print(say("no_campaigns"))
