"""Shared costs, end to end through real dbt builds: landing files to marts, closing, random rules.

A build takes seconds, so each contains several cases. Lists are tables of words two or more spaces
apart; `-` is an empty cell.
"""

import csv
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
from conftest import Company
from written_tables import book, in_words, table

from dagster_project.errors import ClosingRefused
from dagster_project.ledger import closing

NewCompany = Callable[[], Company]
CYCLE = "cycleCharge. From 1 Dec 2025 to 31 Dec 2025 (31 days)"
SPLIT = "Cost center split adjusted"
SEED = int(os.environ.get("APPORTION_TEST_SEED", "20260106"))


def drop(company: Company, name: str, header: str, rows: Sequence[Sequence[str]]) -> Path:
    path = company.data.landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


RULES = (
    "Organization,Shared Cost Center ID,Subscription ID,Product,Method,Cost Center ID,Percent,"
    "Valid From,Valid To"
)


def drop_rules(company: Company, name: str, text: str, written: int = 0) -> None:
    """Rules. Columns: organization, cost center, subscription, product, method, receiver,
    percent, from, to."""
    path = drop(company, f"shared_costs/{name}.csv", RULES, table(text))
    os.utime(path, (1_767_225_600 + 3600 * written,) * 2)


def drop_bill(company: Company, name: str, day: str, text: str) -> None:
    """A broker's bill, one line each. Columns: organization, cost center, product, cost, sales.

    A subscription is called after its cost center and product, and is split once, all to the cost
    center, with a license per unit of its name's length.
    """
    rows = table(text)
    drop(
        company,
        f"billing_lines/{name}.csv",
        "Organization,Subscription ID,ProductName,Quantity,TotalCost,TotalSales,Currency,"
        "ChargeStartDate,BillingDate,BillingLineDetails",
        [
            [who, name, product, "1", cost, sales, "USD", "2025-12-01", day, CYCLE]
            for who, center, product, cost, sales in rows
            for name in [f"{who} {center} {product}"]
        ],
    )
    drop(
        company,
        f"split_history/{name}.csv",
        "Subscription ID,Event,Datetime,Total Quantity,Cost Center ID,Cost Center,"
        "Allocated Quantity,Organization",
        [
            [f"{who} {center} {product}", SPLIT, "2025-11-01", seats, center, center, seats, who]
            for who, center, product, _, _ in rows
            for seats in [str(len(product))]
        ],
    )


def drop_centers(company: Company, text: str) -> None:
    """Cost centers and their organizations. Columns: organization, id, default, shared, until."""
    names = dict.fromkeys(row[0] for row in table(text))
    drop(company, "organizations/all.csv", "Organization,Name", [[each, each] for each in names])
    drop(
        company,
        "cost_centers/centers.csv",
        "Cost Center ID,Organization,Name,Is Default,Is Shared,Valid To",
        [[center, who, center, *rest] for who, center, *rest in table(text)],
    )


def passed_on(company: Company, where: str = "true") -> list[str]:
    """Shared costs passed on: step, source, method, from, to, product, cost, sales."""
    return in_words(
        company.query(
            f"""
            select
                step, source_id, method, from_cost_center_id, to_cost_center_id, product_name,
                shared_cost, shared_sales
            from marts.shared_costs where {where}
            """
        )
    )


def after(company: Company, where: str = "true") -> list[str]:
    """Cost and sales of cost centers, before and after."""
    return in_words(
        company.query(
            f"""
            select
                organization_id, cost_center_id, sum(total_cost), sum(cost_after_sharing),
                sum(total_sales), sum(sales_after_sharing)
            from marts.chargeback where {where}
            group by organization_id, cost_center_id
            having sum(total_cost) <> 0 or sum(cost_after_sharing) <> 0
            """
        )
    )


def findings(company: Company, where: str = "true") -> list[str]:
    return in_words(
        company.query(
            f"""
            select organization_id, kind, severity, amount_at_stake, message
            from marts.findings where kind like 'shared%' and {where}
            """
        )
    )


# --- from landing to marts ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def company(new_company: NewCompany) -> Company:
    """Organizations with a story each, billed once, on 6 January.

    Alder's IT is shared by cost and gets Azure by percentages before; Birch's rules go in a circle,
    Cedar's in three steps; Dale's are misspelled in every way; Elm has no rule and Fir no
    receiver.
    """
    company = new_company()
    drop_centers(
        company,
        """
        alder  Rest   yes  -    -
        alder  IT     -    yes  -
        alder  Law    -    -    -
        alder  Sales  -    -    -
        alder  Annex  -    -    2026-01-05
        birch  Rest   yes  -    -
        birch  IT     -    yes  -
        birch  HR     -    yes  -
        birch  Sales  -    -    -
        cedar  Rest   yes  -    -
        cedar  IT     -    yes  -
        cedar  HR     -    yes  -
        cedar  Pool   -    yes  -
        cedar  Sales  -    -    -
        dale   Rest   yes  -    -
        dale   IT     -    yes  -
        dale   HR     -    yes  -
        dale   Law    -    yes  -
        dale   Sales  -    -    -
        elm    Rest   yes  -    -
        elm    IT     -    yes  -
        fir    Rest   yes  -    -
        fir    IT     -    yes  -
        """,
    )
    drop_bill(
        company,
        "january",
        "2026-01-06",
        """
        alder  Rest   Azure  50   60
        alder  IT     E3     10   -
        alder  Law    E3     300  330
        alder  Sales  Azure  0.1  0.2
        alder  Sales  E3     100  110
        birch  IT     E3     10   12
        birch  HR     E3     20   24
        birch  Sales  E3     5    6
        cedar  IT     E3     10   12
        cedar  HR     E3     20   24
        cedar  Sales  E3     5    6
        dale   IT     E3     10   12
        dale   HR     E3     20   24
        dale   Law    E3     30   36
        dale   Sales  E5     5    6
        elm    IT     E3     10   12
        fir    IT     E3     10   12
        """,
    )
    drop_rules(
        company,
        "rules",
        """
        alder  IT    -  -      direct_cost  -      -     2026-01-01  -
        alder  -     -  azure  percent      IT     60 %  2026-01-01  -
        alder  -     -  azure  percent      Sales  30    2026-01-01  -
        birch  IT    -  -      even         HR     -     2025-01-01  -
        birch  HR    -  -      even         IT     -     2025-01-01  -
        cedar  IT    -  -      even         HR     -     2025-01-01  -
        cedar  HR    -  -      even         Pool   -     2025-01-01  -
        cedar  Pool  -  -      even         -      -     2025-01-01  -
        dale   IT    -  -      percent      Sales  70    2025-01-01  -
        dale   IT    -  -      percent      Rest   31    2025-01-01  -
        dale   HR    -  -      evenly       -      -     2025-01-01  -
        dale   HR    -  -      even         Sales  -     2025-01-01  -
        dale   Law   -  -      seats        Slaes  -     2025-01-01  -
        dale   Lwa   -  -      seats        Sales  -     2025-01-01  -
        dale   -     -  E55    seats        Sales  -     2025-01-01  -
        dale   -     -  E5     percent      Sales  -     2025-01-01  -
        dale   -     -  E5     percent      Sales  101   2025-01-01  -
        dale   -     -  E5     percent      Sales  0     2025-01-01  -
        dale   -     -  E5     percent      Sales  half  2025-01-01  -
        dale   -     -  E5     percent      -      50    2025-01-01  -
        dale   -     -  E5     even         Sales  50    2025-01-01  -
        dale   -     S  E5     even         Sales  -     2025-01-01  -
        dale   -     -  -      even         Sales  -     2025-01-01  -
        dale   -     -  E5     even         Sales  -     1/1/2025    -
        dale   -     -  E5     even         Sales  -     2025-01-01  2025-01-01
        dale   -     -  E5     even         Sales  -     2025-01-01  soon
        dale   IT    S  -      even         Sales  -     2025-01-01  -
        -      IT    -  -      even         -      -     2025-01-01  -
        dale   IT    -  -      -            -      -     2026-02-01  -
        fir    IT    -  -      headcount    -      -     2025-01-01  -
        """,
    )
    return company.build()


def test_two_steps_pass_on_everything_and_percentages_leave_the_rest(company: Company) -> None:
    # Azure: 60 % of 50 and of 0.1 go to IT, 30 % to Sales, 10 % stay. IT then has 10 of E3 and
    # 30.06 of Azure; Law bears 300 of its own and Sales 100 (its Azure is passed on): 3 to 1.
    assert passed_on(company, "organization_id = 'alder'") == book(
        """
        1 azure percent Rest IT Azure 30 36
        1 azure percent Rest Sales Azure 15 18
        1 azure percent Sales IT Azure 0.06 0.12
        1 azure percent Sales Sales Azure 0.03 0.06
        2 IT direct_cost IT Law Azure 22.545 27.09
        2 IT direct_cost IT Sales Azure 7.515 9.03
        2 IT direct_cost IT Law E3 7.5 -
        2 IT direct_cost IT Sales E3 2.5 -
        """
    )
    # Rest keeps 10 % of 50; Sales 100 + 0.1 - 0.09 + 15.03 + 7.515 + 2.5.
    assert after(company, "organization_id = 'alder'") == book(
        """
        alder IT 10 0 - 0
        alder Law 300 330.045 330 357.09
        alder Rest 50 5 60 6
        alder Sales 100.1 125.055 110.2 137.11
        """
    )


def test_the_explanation_does_the_arithmetic(company: Company) -> None:
    assert company.query(
        """
        select explanation from marts.shared_costs
        where to_cost_center_id = 'Law' and product_name = 'Azure'
        """
    ) == [
        (
            "IT passes on 30.06 of Azure, including received costs, by direct_cost: Law has"
            " 300 of 400, so 30.06 x 0.75 = 22.545",
        )
    ]


def test_a_circle_a_third_step_and_a_bad_rule_move_nothing_and_state_the_reason(
    company: Company,
) -> None:
    assert passed_on(company, "organization_id <> 'alder'") == []
    assert after(company, "organization_id = 'birch'") == book(
        """
        birch HR 20 20 24 24
        birch IT 10 10 12 12
        birch Sales 5 5 6 6
        """
    )
    circle = "is not passed on: the rules form a circle"
    third = "is not passed on: the rules pass costs on a third time"
    row = "is not passed on: one of its rows is in quarantine: shared_costs/rules.csv row"
    assert findings(company) == sorted(
        [
            f"birch shared_cost_circle error 10 the cost of IT {circle}, IT > HR > IT",
            f"birch shared_cost_circle error 20 the cost of HR {circle}, HR > IT > HR",
            f"cedar shared_cost_third_step error 10 the cost of IT {third}, IT > HR > Pool",
            f"cedar shared_cost_third_step error 20 the cost of HR {third}, IT > HR > Pool",
            f"cedar shared_cost_third_step error - the cost of Pool {third}, IT > HR > Pool",
            # One of its rows is the one that names a subscription besides.
            f"dale shared_rule_unusable error 10 the cost of IT {row} 28",
            f"dale shared_rule_unusable error 20 the cost of HR {row} 12",
            "dale shared_rule_unusable error 30 the cost of Law is not passed on: it names Slaes,"
            " which is not in the list of cost centers",
            "dale shared_rule_unusable error - the cost of Lwa is not passed on: Lwa is not in the"
            " list of cost centers",
            f"dale shared_rule_unusable error 5 the cost of E5 {row} 17",
            "dale shared_source_unknown warning - no bill of dale contains the product E55 that a"
            " rule shares from 2025-01-01",
            f"dale shared_rule_unusable error - the cost of subscription S {row} 23",
            "dale shared_source_unknown warning - no bill of dale contains the subscription S that"
            " a rule shares from 2025-01-01",
            "elm shared_without_rule info 10 IT (IT) is marked as shared, but no rule passes its"
            " cost on",
            "fir shared_cost_not_passed_on warning 10 IT is not passed on: no receiving cost"
            " center has any users in the directory",
        ]
    )


def test_every_unusable_row_is_in_quarantine_complete(company: Company) -> None:
    rows = company.query(
        """
        select row_number, column_name, value, reason, raw_row
        from marts.quarantined_rows where feed = 'shared_costs' order by row_number
        """
    )
    assert [row[:3] for row in rows] == [
        (12, "Method", "evenly"),
        (17, "Percent", ""),
        (18, "Percent", "101"),
        (19, "Percent", "0"),
        (20, "Percent", "half"),
        (21, "Cost Center ID", ""),
        (22, "Percent", "50"),
        (23, "Subscription ID", "S"),
        (24, "Shared Cost Center ID", ""),
        (25, "Valid From", "1/1/2025"),
        (26, "Valid To", "2025-01-01"),
        (27, "Valid To", "soon"),
        (28, "Shared Cost Center ID", "IT"),
        (29, "Organization", ""),
        (30, "Method", ""),
    ]
    assert rows[0][3] == "Method is not one of percent, even, direct_cost, seats, headcount"
    assert '"method":"evenly"' in rows[0][4]


def test_statements_and_journal_are_after_sharing_and_add_up_to_the_bill(company: Company) -> None:
    assert in_words(
        company.query(
            """
            select cost_center_id, sum(billed_amount) from marts.statement_lines
            where organization_id = 'alder' group by 1
            """
        )
    ) == book("IT 0\nLaw 357.09\nRest 6\nSales 137.11")
    # 60 + 330 + 0.2 + 110: what is sold, before as after.
    assert company.query(
        """
        select sum(debit) - sum(credit) from marts.journal_entries
        where organization_id = 'alder' and entry_line = 1
        """
    ) == [(Decimal("500.2"),)]
    assert in_words(
        company.query(
            """
            select cost_center_id, debit, credit, entry_text from marts.journal_entries
            where organization_id = 'alder' and entry_type = 'shared' and entry_line = 1
            """
        )
    ) == book(
        """
        Law 27.09 0 Licenses 2026-01, Law, shared
        Rest 0 54 Licenses 2026-01, Rest, shared
        Sales 26.91 0 Licenses 2026-01, Sales, shared
        """
    )


# --- closing ------------------------------------------------------------------------------------


def test_a_period_is_not_closed_while_a_rule_cannot_be_applied_unless_a_reason_is_given(
    company: Company,
) -> None:
    with pytest.raises(ClosingRefused) as refused:
        closing.close(company.data, "2026-01")
    circle = "birch: the cost of IT is not passed on: the rules form a circle, IT > HR > IT"
    assert circle in str(refused.value)
    assert "dale: the cost of Law is not passed on: it names Slaes" in str(refused.value)
    assert "elm" not in str(refused.value)
    assert not company.data.ledger.exists()


def test_a_closed_period_keeps_its_shared_costs(
    new_company: NewCompany,
) -> None:
    company = new_company()
    centers = """
        acme  Rest   yes  -    -
        acme  IT     -    yes  -
        acme  HR     -    -    -
        acme  Sales  -    -    -
        """
    lines = """
        acme  IT     E3  90  120
        acme  HR     E3  10  12
        acme  Sales  E3  20  24
        """
    drop_centers(company, centers)
    drop_bill(company, "january", "2026-01-06", lines)
    drop_bill(company, "february", "2026-02-06", lines.replace("90  120", "60  80"))
    drop_rules(company, "rules", "acme  IT  -  -  headcount  -  -  2025-01-01  -")
    users = "User ID,Snapshot Date,Department,Organization"
    drop(
        company,
        "directory/users.csv",
        users,
        [[who, "2026-01-05", unit, "acme"] for who, unit in (("a", "HR"), ("b", "Sales"))],
    )
    company.build()
    by_heads = "1 IT headcount IT HR E3 {0} {1}\n1 IT headcount IT Sales E3 {0} {1}"
    january, february = "billing_period = '2026-01'", "billing_period = '2026-02'"
    assert passed_on(company, january) == book(by_heads.format(45, 60))
    assert passed_on(company, february) == book(by_heads.format(30, 40))
    published = {
        mart: company.query(f"select * from marts.{mart} where {january} order by all")
        for mart in ("chargeback", "statement_lines", "journal_entries", "billing_report")
    }
    shared = "select * exclude (is_posted) from marts.shared_costs where {0} order by all"
    shared_costs = company.query(shared.format(january))

    closing.close(company.data, "2026-01")
    # Other rules that reach back, other people, another name; then a line that comes late.
    drop_rules(company, "rules", "acme  IT  -  -  percent  HR  100  2025-01-01  -", written=5)
    drop(company, "directory/users.csv", users, [["a", "2026-01-05", "Sales", "acme"]])
    drop_centers(company, centers.replace("acme  HR  ", "acme  IT2  -  -  -\n        acme  HR  "))
    drop_bill(company, "late", "2026-01-06", "acme  IT  E5  6  8")
    company.build()
    for mart, rows in published.items():
        now = company.query(f"select * from marts.{mart} where {january} order by all")
        if mart == "billing_report":
            assert len(now) == len(rows)
        else:
            assert now == rows, mart
    assert company.query(shared.format(january)) == shared_costs
    assert company.query(f"select distinct is_posted from marts.shared_costs where {january}") == [
        (True,)
    ]
    # The late line is February's correction, and February's rule passes it on.
    assert passed_on(company, february) == book(
        """
        1 IT percent IT HR E3 60 80
        1 IT percent IT HR E5 6 8
        """
    )
    assert (
        company.query("select billing_period from marts.findings where kind like 'shared%'") == []
    )

    # Also closed, without its landing files: both come from the ledger alone.
    closing.close(company.data, "2026-02")
    before = company.query(shared.format("true"))
    for feed in ("shared_costs", "directory"):
        for path in (company.data.landing / feed).iterdir():
            path.unlink()
    company.build()
    assert company.query(shared.format("true")) == before
    assert company.query("select count(*) from raw.ledger_lines where shared_step is not null") == [
        (len(before),)
    ]


# --- random rules against arithmetic with fractions ---------------------------------------------

CENTERS = ("A", "B", "C", "D", "E", "Rest")
PRODUCTS = ("E3", "Copilot", "Azure")
METHODS = ("percent", "even", "direct_cost", "seats", "headcount")


@dataclass
class Rule:
    """A rule: `receivers` by id, with percent; empty for the others."""

    kind: str
    source: str
    method: str
    receivers: dict[str, Decimal | None]


@dataclass
class House:
    """An organization: what is billed, its people and its rules."""

    name: str
    shared: set[str]
    costs: dict[tuple[str, str], Decimal]
    sales: dict[tuple[str, str], Decimal | None]
    people: dict[str, int]
    rules: list[Rule] = field(default_factory=list)


def amount(random: Random) -> Decimal:
    whole = random.choice((0, 1, 7, 100, 12_345, 999_999_999))
    cents = Decimal(random.randrange(10**10)).scaleb(-random.choice((2, 4, 10)))
    return random.choice((1, 1, 1, 1, -1)) * (whole + cents)


def house(random: Random, number: int) -> House:
    pairs = [(c, p) for c in CENTERS for p in PRODUCTS if random.random() < 0.6]
    if not pairs:
        pairs = [("A", "E3")]
    made = House(
        f"house{number}",
        {center for center in CENTERS[:4] if random.random() < 0.3},
        {pair: amount(random) for pair in pairs},
        {pair: amount(random) if random.random() < 0.7 else None for pair in pairs},
        {center: random.choice((0, 1, 3)) for center in CENTERS},
    )
    sources = [("cost_center", c) for c in CENTERS] + [("product", p) for p in PRODUCTS]
    sources += [("subscription", f"{made.name} {c} {p}") for c, p in pairs]
    for kind, source in random.sample(sources, random.choice((0, 1, 2, 3, 4))):
        method = random.choice(METHODS)
        some = random.sample(CENTERS, random.choice((1, 1, 2, 3)))
        receivers: dict[str, Decimal | None] = {}
        if method == "percent":
            left = Decimal(100)
            for center in some:
                part = min(left, Decimal(random.choice(("100", "33.33333333", "50", "0.5", "20"))))
                if part:
                    receivers[center] = part
                    left -= part
        elif random.random() < 0.4:
            receivers = dict.fromkeys(some)
        made.rules.append(Rule(kind, source, method, receivers))
    return made


def expected(made: House, amounts: Mapping[tuple[str, str], Decimal]) -> dict[str, Fraction]:
    """The exact cost of each cost center after sharing; written independently of the SQL."""
    sources = {rule.source for rule in made.rules if rule.kind == "cost_center"}
    others = [c for c in CENTERS[:-1] if c not in made.shared and c not in sources]

    def receivers(rule: Rule) -> list[str]:
        return list(rule.receivers) or others

    def fed(rule: Rule) -> list[Rule]:
        return [
            each
            for each in made.rules
            if each.kind == "cost_center" and each.source in receivers(rule)
        ]

    blocked = set()
    for first in made.rules:
        for second in fed(first):
            if second is first:
                blocked.add(id(first))
            for third in fed(second):
                blocked |= {id(first), id(second), id(third)}
    rules = [rule for rule in made.rules if id(rule) not in blocked]

    def rule_of(center: str, product: str) -> Rule | None:
        names = (
            ("subscription", f"{made.name} {center} {product}"),
            ("product", product),
            ("cost_center", center),
        )
        found = [each for name in names for each in rules if (each.kind, each.source) == name]
        return found[0] if found else None

    own: dict[str, Fraction] = defaultdict(Fraction)
    bears: dict[str, Fraction] = defaultdict(Fraction)
    for (center, product), amount in amounts.items():
        bears[center] += Fraction(amount)
        if rule_of(center, product) is None:
            own[center] += Fraction(amount)
    seats: dict[str, Fraction] = defaultdict(Fraction)
    for center, product in made.costs:
        seats[center] += len(product)

    def shares(rule: Rule) -> dict[str, Fraction]:
        if rule.method == "percent":
            return {c: Fraction(p or 0) / 100 for c, p in rule.receivers.items()}
        basis = {
            "even": lambda center: Fraction(1),
            "direct_cost": lambda center: max(own[center], Fraction(0)),
            "seats": lambda center: seats[center],
            "headcount": lambda center: Fraction(made.people[center]),
        }[rule.method]
        total = sum(basis(center) for center in receivers(rule))
        return {c: basis(c) / total for c in receivers(rule)} if total else {}

    second = {id(each) for rule in rules for each in fed(rule)}
    received: dict[str, Fraction] = defaultdict(Fraction)
    for step in (1, 2):
        for rule in rules:
            if (id(rule) in second) != (step == 2):
                continue
            pools: dict[str, Fraction] = defaultdict(Fraction)
            for (center, product), amount in amounts.items():
                if rule_of(center, product) is rule:
                    pools[center] += Fraction(amount)
            if step == 2:
                pools[rule.source] += received[rule.source]
            for center, share in shares(rule).items():
                for giver, pool in pools.items():
                    bears[giver] -= pool * share
                    bears[center] += pool * share
                    if step == 1:
                        received[center] += pool * share
    return bears


def test_random_rules_never_change_a_total_and_agree_with_plain_arithmetic(
    new_company: NewCompany,
) -> None:
    print(f"APPORTION_TEST_SEED={SEED}")
    random = Random(SEED)
    houses = [house(random, number) for number in range(150)]
    company = new_company()
    drop_centers(
        company,
        "\n".join(
            f"{each.name}  {c}  {'yes' if c == 'Rest' else '-'}"
            f"  {'yes' if c in each.shared else '-'}  -"
            for each in houses
            for c in CENTERS
        ),
    )
    drop_bill(
        company,
        "january",
        "2026-01-06",
        "\n".join(
            f"{each.name}  {c}  {p}  {cost:f}"
            f"  {'-' if (sold := each.sales[c, p]) is None else f'{sold:f}'}"
            for each in houses
            for (c, p), cost in each.costs.items()
        ),
    )
    drop_rules(
        company,
        "rules",
        "\n".join(
            "  ".join(
                [
                    each.name,
                    *(
                        rule.source if rule.kind == kind else "-"
                        for kind in ("cost_center", "subscription", "product")
                    ),
                    rule.method,
                    center or "-",
                    "-" if percent is None else f"{percent:f}",
                    "2025-01-01",
                    "-",
                ]
            )
            for each in houses
            for rule in each.rules
            for center, percent in (rule.receivers or {"": None}).items()
        ),
    )
    drop(
        company,
        "directory/users.csv",
        "User ID,Snapshot Date,Department,Organization",
        [
            [f"{each.name} {c} {n}", "2026-01-05", c, each.name]
            for each in houses
            for c, count in each.people.items()
            for n in range(count)
        ],
    )
    # The data tests of the project hold on it: whatever is passed on, every total stays.
    company.build()
    assert (
        company.query(
            """
        select organization_id from marts.chargeback
        group by organization_id
        having sum(total_cost) <> sum(cost_after_sharing)
            or sum(total_sales) <> sum(sales_after_sharing)
        """
        )
        == []
    )
    moved = {name for (name,) in company.query("select organization_id from marts.shared_costs")}
    assert len(moved) > 50, "hardly anything was passed on"
    for measure in ("cost", "sales"):
        found: dict[str, dict[str, Decimal]] = defaultdict(dict)
        for name, center, amount in company.query(
            f"""
            select organization_id, cost_center_id, sum({measure}_after_sharing)
            from marts.chargeback
            group by all
            """
        ):
            found[name][center] = amount or Decimal(0)
        for each in houses:
            # Lines without sales count as zero, for their pool and as a basis.
            sold = {key: each.sales[key] or Decimal(0) for key in each.costs}
            amounts = each.costs if measure == "cost" else sold
            wanted = expected(each, amounts)
            # A share is off by 10^-10 at most, a part by a millionth.
            largest = sum(abs(amount) for amount in amounts.values())
            tolerance = Fraction(largest) / 10**9 + Fraction(1, 10**4)
            for center in CENTERS:
                difference = Fraction(found[each.name].get(center, Decimal(0))) - wanted[center]
                assert abs(difference) <= tolerance, (SEED, each, measure, center, difference)
