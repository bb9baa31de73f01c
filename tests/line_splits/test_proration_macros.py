"""The proration macros beside exact arithmetic: rendered, and executed by DuckDB.

`test_a_changed_macro_is_noticed` changes the macros in every place where an operator, a comparison
or a number can be another one, and expects that a value differs.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import floor
from random import Random

import duckdb
import jinja2

from dagster_project.settings import PROJECT_ROOT


def macros_of_duckdb(file: str) -> str:
    """The macros of a file without those of other engines, dispatched to DuckDB's."""
    text = (PROJECT_ROOT / "dbt" / "macros" / file).read_text(encoding="utf-8")
    text = re.sub(r"\{% macro spark__.*?\{%- endmacro %\}", "", text, flags=re.DOTALL)
    return re.sub(r"adapter\.dispatch\('(\w+)'\)", r"duckdb__\1", text)


MACROS = macros_of_duckdb("whole_numbers.sql") + macros_of_duckdb("prorated_part.sql")
UNITS = 10**10
CALLS = {
    "part": "prorated_part('amount', 'low', 'high', 'total', 'narrow')",
    "wide_part": "prorated_part('amount', 'low', 'high', 'total', '0')",
    "unrounded": "unrounded_part('amount', 'low', 'high', 'total', 'narrow')",
    "units": "smallest_units('amount', 'hugeint')",
    "limit": "narrow_limit('total')",
    "share": "cumulative_share('high', 'total')",
    "basis": "basis_units('abs(amount)', 'abs(amount)')",
}

Case = tuple[Decimal | None, int, int, int]
"""An amount, and a range of units of a total."""


def half_up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def expected(case: Case) -> dict[str, object]:
    """The exact values: cumulative rounding to millionths, and the last part gets the rest."""
    amount, low, high, total = case
    if amount is None:
        return {"part": None, "wide_part": None}
    size, sign = abs(Fraction(amount)), -1 if amount < 0 else 1
    before = Fraction(half_up(size * low / total * 10**6), 10**6)
    through = size if high == total else Fraction(half_up(size * high / total * 10**6), 10**6)
    part = sign * (through - before) if low != high else Fraction(0)
    return {
        "part": part,
        "wide_part": part,
        "unrounded": sign * Fraction(half_up(size * (high - low) / total * UNITS), UNITS),
        "units": int(Fraction(amount) * UNITS),
        "limit": Fraction(max((2**63 - 1) // (2 * max(total, 1)) - 5001, 0), UNITS),
        "share": Fraction(half_up(Fraction(high, total) * UNITS), UNITS),
        "basis": int(size * UNITS) if size < 10**12 else int(size * 100),
    }


def cases() -> list[Case]:
    """Amounts and ranges at every limit of the macros, and random ones."""
    found: list[Case] = [
        (None, 0, 1, 3),
        (Decimal("100"), 0, 1, 3),
        (Decimal("100"), 1, 2, 3),
        (Decimal("100"), 2, 3, 3),
        (Decimal("-100.0000000001"), 2, 3, 3),
        (Decimal("0.000001"), 0, 1, 2),
        (Decimal("0.0000005"), 0, 1, 1),
        (Decimal("0.000001"), 1, 1, 2),
        (Decimal("0.0000000001"), 0, 1, 2),
        (Decimal("7"), 2, 2, 2),
        (Decimal("0"), 0, 1, 2),
        (Decimal("-0.0000000001"), 0, 2, 2),
        (Decimal("999999999999"), 0, 1, 3),
        (Decimal("1000000000000"), 0, 1, 3),
        (Decimal("999999999999.9999999999"), 1, 2, 7),
        (Decimal("1234567890123456.0123456789"), 1, 2, 3),
        (Decimal("1"), 0, 1, 10**12),
        (Decimal("1"), 0, 1, 4 * 10**14),
        (Decimal("1"), 10**9, 10**10, 10**12),
        (Decimal("0.0000009999"), 0, 1, 2),
        (Decimal("100000000000000000"), 1, 1, 3),
    ]
    source = Random(20260106)
    for _ in range(60):
        total = source.choice((1, 2, 3, 7, 30, 31, 365, 1000, 10**6, 10**8))
        low, high = sorted(source.randint(0, total) for _ in range(2))
        amount = Decimal(source.randrange(-(10**9), 10**9)).scaleb(-source.choice((0, 2, 6, 10)))
        found.append((amount, low, high, total))
        # The largest amount that 64 bits hold for this total, and the next one.
        limit = Decimal(max((2**63 - 1) // (2 * total) - 5001, 0)).scaleb(-10)
        found += [(limit, low, high, total), (limit + Decimal("1e-10"), low, high, total)]
    # Amounts around the limit of floats, with ten decimals.
    for _ in range(400):
        whole = source.choice((source.randrange(225_000), source.randrange(2_000_000), 224_999))
        amount = whole + Decimal(source.randrange(10**10)).scaleb(-10)
        found.append((amount * source.choice((1, -1)), 1, 2, 7))
    return found


class Cases:
    """Cases in a table of DuckDB, with the exact values."""

    def __init__(self, chosen: Sequence[Case]) -> None:
        self.cases = chosen
        self.expected = [expected(case) for case in chosen]
        self.connection = duckdb.connect()
        self.connection.execute(
            "create table cases (place int, amount decimal(28, 10), low bigint, high bigint,"
            " total bigint)"
        )
        values = ", ".join(
            f"({place}, '{amount}', {low}, {high}, {total})".replace("'None'", "null")
            for place, (amount, low, high, total) in enumerate(chosen)
        )
        self.connection.execute(f"insert into cases values {values}")

    def values(self, macros: str) -> list[dict[str, object]]:
        """The values of all macros for each case."""
        environment = jinja2.Environment()
        sql = {
            name: environment.from_string(f"{macros}{{{{ {call} }}}}").render({"return": str.strip})
            for name, call in CALLS.items()
        }
        columns = ", ".join(f"{each} as {name}" for name, each in sql.items())
        found = self.connection.execute(
            f"select {columns} from (select *, {sql['limit']} as narrow from cases) order by place"
        )
        return [dict(zip(CALLS, row, strict=True)) for row in found.fetchall()]

    def differing(self, macros: str) -> Iterator[str]:
        """The values that differ from the exact ones, in words."""
        for case, row, exact in zip(self.cases, self.values(macros), self.expected, strict=True):
            for name, value in exact.items():
                is_equal = (
                    row[name] is None
                    if value is None
                    else row[name] is not None and Fraction(str(row[name])) == value
                )
                if not is_equal:
                    yield f"{case}: {name} is {row[name]}, not {value}"


def test_the_macros_agree_with_exact_arithmetic() -> None:
    assert list(Cases(cases()).differing(MACROS)) == []


def test_the_parts_of_an_amount_sum_to_it() -> None:
    source = Random(1)
    for _ in range(20):
        total = source.randint(1, 40)
        cuts = sorted({0, total, *(source.randint(0, total) for _ in range(4))})
        amount = Decimal(source.randrange(-(10**12), 10**12)).scaleb(-10)
        parts = [(amount, low, high, total) for low, high in pairwise(cuts)]
        summed = sum(Decimal(str(row["part"])) for row in Cases(parts).values(MACROS))
        assert summed == amount


CHANGES = {
    "<=": ("<", ">="),
    "<": ("<=", ">"),
    "=": ("<>",),
    "+": ("-",),
    "-": ("+",),
    "*": ("+",),
    "//": ("*",),
    "greatest": ("least",),
    "abs": ("",),
    "hugeint": ("bigint",),
    "null": ("not null",),
}
"""The words that are changed, with what takes their place; for numbers see other_numbers."""

SAME_RESULT = {
    "when abs({{ amount }}) [<=] {{ narrow_limit }} -> <": "both paths are exact at the limit",
    "when abs({{ amount }}) [<] 225000 -> <=": "floats are exact beyond the limit too",
    "when abs({{ amount }}) < [225000] -> 225001": "floats are exact beyond the limit too",
    "case when {{ amount }} [<] 0 then -1 else 1 end -> <=": "the sign of zero",
    "[0] -> 1": "more units than any split has",
}
"""Changes that make no difference to an amount, with the reason."""


def other_numbers(number: str, before: str) -> tuple[str, ...]:
    """Numbers in place of one in SQL: other values, and fewer digits of a type."""
    if re.search(r"decimal\(\d*$", before):
        return (str(int(number) // 2),)
    if re.search(r"decimal\(\d+, $", before):
        return () if number == "0" else (str(int(number) - 1),)
    if before.endswith("0."):
        return (f"0{number}",)
    return (str(int(number) + 1),) if number == "0" else (str(int(number) + 1), f"{number}0")


def mutants() -> Iterator[tuple[str, str]]:
    """Macros with one change outside of comments, each with the changed line."""
    end = MACROS.index("{% macro default_split_id")
    for match in re.finditer(
        r"(?<!%)<=|//|(?<!=)=(?!=)|[<+*]|(?<= )-(?= )|\b(?:greatest|abs|hugeint|null)\b|\b\d+\b",
        MACROS[:end],
    ):
        before, after = MACROS[: match.start()], MACROS[match.end() :]
        if before.rfind("{#") > before.rfind("#}"):
            continue
        word = match[0]
        line = f"{before.rpartition(chr(10))[2]}[{word}]{after.partition(chr(10))[0]}".strip()
        for other in CHANGES.get(word) or other_numbers(word, before):
            yield f"{line} -> {other}", f"{before}{other}{after}"


def is_noticed(chosen: Cases, macros: str) -> bool:
    try:
        return next(chosen.differing(macros), None) is not None
    except duckdb.Error:
        return True


def test_a_changed_macro_is_noticed() -> None:
    chosen = Cases(cases())
    changed = list(mutants())
    assert len(changed) > 50
    survivors = [line for line, macros in changed if not is_noticed(chosen, macros)]
    assert set(survivors) <= set(SAME_RESULT)
    assert len(survivors) * 10 <= len(changed)
