"""The decimals in which a bill prints its margin change no line id."""

import csv
import io
import shutil
from decimal import Decimal
from pathlib import Path

from conftest import EXAMPLE, SAMPLE, Company, NewCompany

LEDGER_0_1_0 = Path(__file__).parents[1] / "golden" / "ledger_0_1_0"
LINE_IDS = [
    "4f7957592c8f06cfd52441bc49fb6198",
    "b516ffdc51c7c5cfc56a45088601c0a5",
    "e92baa520137a9d99aa53c28f2b37530",
]
EXAMPLE_IDS = "select line_id, min(total_cost) from marts.billing_report group by 1 order by 1"


def reprinted(report: Path, decimals: int | None) -> str:
    """The report with its margins rounded to some decimals, or without the column."""
    with report.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        margin = Decimal(row.pop("TotalMargin"))
        if decimals is not None:
            row["TotalMargin"] = f"{margin:.{decimals}f}"
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def test_the_published_example_keeps_its_line_ids(example: Company, company: Company) -> None:
    for decimals in (2, None):
        report = reprinted(EXAMPLE / "billing_report.csv", decimals)
        company.drop(f"billing_lines/{decimals}.csv", report)
    company.drop("split_history/splits.csv", (EXAMPLE / "split_history.csv").read_bytes())
    company.build()
    assert company.query(EXAMPLE_IDS) == example.query(EXAMPLE_IDS)
    assert [line_id for line_id, _ in company.query(EXAMPLE_IDS)] == LINE_IDS


def test_lines_posted_by_version_0_1_0_are_posted_once(new_company: NewCompany) -> None:
    # The posted ids contain the margins as the bill printed them, with up to eight decimals. It
    # comes again with other decimals; all files are in landing.
    company = new_company()
    shutil.copytree(LEDGER_0_1_0, company.data.ledger)
    report = SAMPLE / "landing" / "billing_lines" / "broker" / "evergreen-2026-01.csv"
    company.drop("billing_lines/a.csv", reprinted(report, 3))
    company.drop("billing_lines/b.csv", report.read_bytes())
    company.drop("billing_lines/c.csv", reprinted(report, None))
    company.build()
    assert company.query(
        """
        select billing_period, is_posted, count(distinct line_id), sum(total_cost)
        from marts.billing_report
        where organization_id = 'evergreen'
        group by all
        """
    ) == [("2026-01", True, 3, Decimal("578.15"))]
