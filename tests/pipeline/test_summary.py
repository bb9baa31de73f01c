"""The summary of a run: each cause of quarantine once, the amounts charged, what to do next."""

from datetime import timedelta
from pathlib import Path

import duckdb
from conftest import Company
from published_company import copied

from dagster_project import dbt_runner, finding_keys, publish, reviews
from dagster_project.records import Person, now
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


def test_the_amounts_lead_with_what_is_charged(sample_company: Company) -> None:
    lines = summarize(sample_company.data).splitlines()
    at = lines.index("Chargeback 2026-04 (latest billing period)")
    assert lines[at + 1].split()[:5] == ["organization", "cost", "center", "currency", "charged"]
    assert lines[at + 1].endswith("cost before sharing  sales before sharing")
    (engineering,) = [line for line in lines[at:] if " Engineering " in line]
    assert engineering.split()[-4:] == ["USD", "2,915.576507", "2,319.616", "2,505.18528"]


def test_the_summary_has_the_form_of_the_locale(sample_company: Company, tmp_path: Path) -> None:
    data = copied(sample_company.data, tmp_path / "german")
    data.declarations.write_text('[display]\nlocale = "de-DE"\n')
    lines = summarize(data).splitlines()
    (engineering,) = [line for line in lines if " Engineering " in line]
    assert engineering.split()[-4:] == ["USD", "2.915,576507", "2.319,616", "2.505,18528"]


def test_accepted_findings_are_counted_apart(sample_company: Company, tmp_path: Path) -> None:
    data = copied(sample_company.data, tmp_path / "reviewed")
    with duckdb.connect(str(data.published_database), read_only=True) as marts:
        marts.execute("use marts")
        keyed = marts.execute(
            f"""
            select finding_key, amount_at_stake, kind, severity
            from {finding_keys.with_keys("findings")} where severity <> 'info'
            order by kind, message
            """,
            dict(finding_keys.PARAMETERS),
        ).fetchall()
    ann, today = Person("Ann"), now().date()
    (key, amount, kind, severity), (ended, ended_amount, _, _), (theirs, theirs_amount, _, _) = (
        keyed[:3]
    )
    reviews.accept(data, ann, key, "known", until=today, amount=amount, today=today)
    # An acceptance that has ended, and one of an organization, do not count.
    past = today - timedelta(days=1)
    reviews.accept(data, ann, ended, "known", until=past, amount=ended_amount, today=past)
    reviews.accept(
        data, ann, theirs, "known", until=today, amount=theirs_amount, today=today, side="alder"
    )
    lines = summarize(data).splitlines()
    assert f"Findings      {len(keyed)} to review before billing, 1 of them accepted," in "\n".join(
        lines
    )
    (of_kind,) = [line for line in lines if line.split()[:1] == [severity] and f" {kind}: " in line]
    assert of_kind.endswith(" (1 accepted)")
    assert sum(line.endswith(" accepted)") for line in lines) == 1
    assert f"review {len(keyed) - 1} findings and see the results in a browser" in "\n".join(lines)

    with data.reviews.open("a") as record:
        record.write("not JSON\n")
    text = summarize(data)
    assert f"Findings      {len(keyed)} to review before billing, in marts.findings" in text
    assert "note      accepted findings are not counted: reviews.jsonl line 4 is damaged" in text


def test_the_summary_ends_with_what_to_do_next(sample_company: Company) -> None:
    text = summarize(sample_company.data)
    *_, review, export, close = text.splitlines()
    with duckdb.connect(str(sample_company.data.published_database), read_only=True) as marts:
        ((count,),) = marts.execute(
            "select count(*) from marts.findings where severity <> 'info'"
        ).fetchall()
    # Amounts at stake are not added: several findings can be about the same money.
    assert review == (
        f"  make app                    review {count} findings and see the results in a browser"
    )
    assert export.startswith("  make export PERIOD=2026-04  write statements, workbook")
    assert close == (
        "  make close PERIOD=2026-01   close January 2026, the oldest open period,"
        " once it is billed"
    )
    unchanged = summarize(sample_company.data, has_next_steps=False)
    assert text.startswith(unchanged)
    assert "make close" not in unchanged


def test_without_findings_and_bills_the_app_is_next(company: Company) -> None:
    company.build()
    publish.publish(company.data, dbt_runner.read_manifest(), "state")
    assert summarize(company.data).splitlines()[-2:] == [
        "Next",
        "  make app  see the results in a browser",
    ]
