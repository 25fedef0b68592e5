"""Word lists that customers are drawn from: Faker's own, read once."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from faker.providers.person.zh_CN import Provider as Names
from faker.providers.phone_number.zh_CN import Provider as Phones

MOBILE_PREFIX = re.compile(r"1[3-9][0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Which people a country has. The order of each list counts: it decides who a seed draws."""

    surnames: Sequence[tuple[str, float]]
    """Family names, each with its share of the population; shares need no particular sum."""
    women: Sequence[str]
    """Given names of gender 0, all equally frequent."""
    men: Sequence[str]
    """Given names of gender 1, all equally frequent."""
    prefixes: Sequence[str]
    """First three digits of a mobile, without repetition."""


def zh_cn() -> Profile:
    """China's, from Faker. A newer Faker may have other lists, and then a seed gives other rows.

    Faker weighs surnames (percent of the population) and nothing else.
    """
    prefixes = dict.fromkeys(str(prefix) for prefix in Phones.phonenumber_prefixes)
    return Profile(
        surnames=tuple(Names.last_names.items()),
        women=tuple(Names.first_names_female),
        men=tuple(Names.first_names_male),
        prefixes=tuple(prefix for prefix in prefixes if MOBILE_PREFIX.fullmatch(prefix)),
    )
