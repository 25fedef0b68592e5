"""`python -m app gateways`."""

from typing import Any

from app import config, console
from app.catalogue import say
from app.cli import views
from app.cli.shared import Json, opened
from app.console import out
from app.gateways.accounts import SmppAccount
from app.gateways.networks import accounts_of
from app.store.accounts import binds_in_use


def gateways(as_json: Json = False) -> None:
    """List the accounts that messages can go out by, and how many of their sessions send now."""
    settings = config.load()
    accounts = accounts_of(settings)
    with opened(settings).connect() as connection:
        in_use = binds_in_use(connection)
    found: list[dict[str, Any]] = [
        {
            "gateway": name,
            "kind": each.kind,
            "address": each.address,
            "account": each.login,
            "rate": each.rate,
            "binds": each.binds,
            "binds_in_use": in_use.get(name, 0),
            "receives": each.bind if isinstance(each, SmppAccount) else "pull" if each.receipts else "",
        }
        for name, each in accounts.items()
    ]
    if as_json:
        console.print_json(found)
    elif found:
        rows = [
            {
                "gateway": each["gateway"],
                "kind": each["kind"],
                "address": each["address"],
                "account": each["account"],
                "parts_per_s": "" if each["rate"] is None else f"{each['rate']:,g}",
                "binds_in_use": f"{each['binds_in_use']}/{each['binds']}",
                "receives": each["receives"],
            }
            for each in found
        ]
        out.print(views.table(rows, ("kind", "account", "receives")))
    else:
        out.print(say("gateways.none"))
