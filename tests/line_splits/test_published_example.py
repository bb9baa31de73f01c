"""The broker platform's own published example, from files to marts."""

import csv
from decimal import Decimal

from conftest import EXAMPLE, Company

MEASURES = ("quantity", "total_cost", "total_sales", "total_margin")


def read(name: str) -> list[dict[str, str]]:
    with (EXAMPLE / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_all_nine_rows_match_the_printed_figures_within_a_hundred_thousandth(
    example: Company,
) -> None:
    ours = {
        (details, cost > 0 or (cost == 0 and line_cost > 0), center): measures
        for details, line_cost, center, cost, *measures in example.query(
            f"""
            select
                billing_line_details,
                sum(total_cost) over (partition by line_id),
                cost_center_name,
                total_cost,
                {", ".join(MEASURES)}
            from marts.billing_report
            """
        )
    }
    expected = read("expected.csv")
    is_charge = {"-": False}
    for index, row in enumerate(expected):
        # Rows come in threes, one per cost center; a zero row has the sign of its line.
        line = expected[index - index % 3]
        key = (
            row["BillingLineDetails"],
            is_charge.get(line["TotalCost"][0], True),
            row["CostCenter"],
        )
        printed = [Decimal(row[name]) for name in ("Quantity", "TotalCost", "TotalSales")]
        printed.append(Decimal(row["TotalMargin"]))
        for name, theirs, mine in zip(MEASURES, printed, ours.pop(key), strict=True):
            assert abs(theirs - mine) <= Decimal("0.00001"), (key, name, theirs, mine)
    assert not ours, "rows that the example does not have"


def test_the_parts_sum_to_the_lines_exactly(example: Company) -> None:
    lines = sorted(
        (Decimal(row["Quantity"]), Decimal(row["TotalCost"]), Decimal(row["TotalSales"]))
        for row in read("billing_report.csv")
    )
    sums = example.query(
        """
        select sum(quantity), sum(total_cost), sum(total_sales)
        from marts.billing_report
        group by line_id
        """
    )
    assert sorted(sums) == lines


def test_each_line_uses_the_split_of_its_kinds_cutoff(example: Company) -> None:
    chosen = example.query(
        """
        select charge_kind, strftime(min(snapshot_effective_at), '%d %b'), count(*)
        from marts.billing_report
        group by charge_kind
        order by charge_kind
        """
    )
    # The cycle charge of 28 Dec ignores the split of 29 Dec, although billed on 6 Jan.
    assert chosen == [("cycle", "20 Dec", 3), ("extra", "20 Dec", 3), ("refund", "15 Dec", 3)]


def test_the_explanation_does_the_arithmetic(example: Company) -> None:
    explanations = example.query(
        """
        select explanation from marts.billing_report
        where charge_kind = 'refund' and cost_center_name = 'Marketing'
        """
    )
    assert explanations == [
        (
            "refund (cutoff 2025-12-17 00:00 UTC), the latest split before the line's cutoff:"
            " split of 2025-12-15 00:00 UTC (Cost center split adjusted), Marketing has 5 of 15,"
            " so cost is -145.65 x 5 / 15 = -48.55; rounding 0",
        )
    ]
