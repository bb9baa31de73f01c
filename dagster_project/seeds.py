"""The rules that finance can read (dbt seeds), for Python code that needs them.

Belongs here: reading a seed. Does not: presentation of a rule (wording, exports).
"""

import csv
from collections.abc import Mapping
from functools import cache

from dagster_project.settings import DBT_FOLDER

ANY_OTHER_CURRENCY = "(any other)"


@cache
def seed(name: str) -> tuple[Mapping[str, str], ...]:
    """The rows of a seed, in file order, with the columns of its header."""
    with (DBT_FOLDER / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@cache
def seed_values(name: str, key: str, value: str) -> Mapping[str, str]:
    """One column of a seed by another, unique one."""
    return {row[key]: row[value] for row in seed(name)}


def currency_decimals(currency: str | None) -> int:
    """The number of decimals of a currency (ISO 4217): 2, but 0 for JPY and 3 for KWD."""
    decimals = seed_values("currencies", "currency", "decimals")
    return int(decimals.get(currency or "", decimals[ANY_OTHER_CURRENCY]))
