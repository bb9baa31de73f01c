"""The summary of a run names each cause of quarantine once."""

from conftest import Company

from dagster_project import dbt_runner, publish
from dagster_project.summary import summarize

HEADER = (
    "Subscription ID,ProductName,Quantity,TotalCost,ChargeStartDate,BillingDate,"
    "BillingLineDetails,Organization,Currency\n"
)
DETAILS = "cycleCharge. From 1 Jan 2026 to 31 Jan 2026 (31 days)"


def test_rows_of_one_cause_are_one_line_with_their_number_and_cost(company: Company) -> None:
    row = "S{},Suite,{},{},1 Jan 2026,6 Feb 2026," + DETAILS + ",acme,USD\n"
    company.drop(
        "billing_lines/bill.csv",
        HEADER
        + row.format(0, 1, 10)
        + "".join(row.format(number, "ten", "2.50") for number in range(1, 13))
        + row.format(13, 1, "x" * 5000),
    )
    company.build()
    publish.publish(company.data, dbt_runner.read_manifest(), "state")
    lines = summarize(company.data).splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("Quarantine"))
    assert lines[at] == "Quarantine    13 rows or files, not billed"
    assert lines[at + 1].startswith(
        "  billing_lines/bill.csv: 12 rows, the first is row 3: Quantity is not a number"
    )
    assert "(found: 'ten')" in lines[at + 1]
    assert lines[at + 1].endswith("; cost 30.00 USD")
    assert lines[at + 2].startswith("  billing_lines/bill.csv: row 15: TotalCost is not a number")
    assert f"(found: '{'x' * 80}...')" in lines[at + 2]
