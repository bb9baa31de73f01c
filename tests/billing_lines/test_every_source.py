"""Every source of bills and prices beyond the plain bill, end to end through dbt."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from bills_of_subscriptions import findings, reconciliation, report
from conftest import Company, NewCompany
from every_source import land_every_source
from written_tables import book, in_words


@pytest.fixture(scope="module")
def bills(new_company: NewCompany) -> Company:
    company = new_company()
    land_every_source(company)
    company.build(expect_success=False)
    # Incomplete exports block publishing; no other check fails.
    (failure,) = company.failures
    assert failure.startswith("every_delivery_is_decided_and_whole")
    return company


# --- legacy bills --------------------------------------------------------------------------------


def test_a_legacy_bill_in_csv_and_in_json_counts_once(bills: Company) -> None:
    assert report(
        bills, "charge_type, charge_kind, quantity, total_cost", "organization_id = 'alder'"
    ) == book(
        """
        Cycle fee               cycle   500  25965
        Cycle instance prorate  refund  500  -25965
        Cycle instance prorate  extra   500  22614.68
        Cycle instance prorate  extra   550  3685.35
        """
    )
    # The second file is a replaced delivery: its four rows are accounted for, not billed again.
    assert bills.query(
        """
            select sum(billed_row_count), sum(replaced_row_count)
            from marts.delivery_reconciliation
            where file like 'billing_lines/legacy/january.%'
            """
    ) == [(4, 4)]


def test_a_legacy_bill_is_dated_to_the_usual_day_after_its_last_charge_starts(
    bills: Company,
) -> None:
    assert bills.query(
        """
        select distinct billing_date, billing_period, invoice_number from marts.billing_report
        where organization_id = 'alder'
        """
    ) == [(date(2026, 2, 6), "2026-02", None)]
    assert len(findings(bills, "billing_date_assumed", "alder")) == 1


def test_the_pieces_of_a_legacy_cycle_are_explained_by_its_unrounded_price(bills: Company) -> None:
    assert in_words(
        bills.query(
            """
            select charge_days, cycle_days, total_cost, proration_rule
            from marts.prorated_lines where organization_id = 'alder'
            """
        )
    ) == book(
        """
        31  31  -25965    legacy
        27  31  22614.68  legacy
        4   31  3685.35   legacy
        """
    )


# --- daily usage ---------------------------------------------------------------------------------


def test_an_invoice_whose_usage_is_billed_by_day_ties_to_the_last_decimal(bills: Company) -> None:
    # 50 + (10.123456789012345678 + 12.376543210987654322 + 8.5) + 7 + 3, and no sums of usage.
    assert reconciliation(bills, "U1") == ["91 91 91 6 reconciled"]
    assert bills.query(
        "select variance, rounding_residual from marts.invoice_reconciliation"
        " where invoice_number = 'U1'"
    ) == [(Decimal(0), Decimal(0))]


def test_usage_uses_its_split_else_its_tags_else_default(bills: Company) -> None:
    assert report(
        bills,
        "subscription_id, charge_start_date, charge_kind, cost_center_id, total_cost, split_reason",
        "organization_id = 'birch' and subscription_id <> 'trade'",
    ) == book(
        """
        office   2026-01-05  cycle  CC-0  50            no_snapshot
        azure    2026-01-02  usage  CC-1  10.123456789  tag_rule
        azure    2026-01-03  usage  CC-2  12.376543211  tag_rule
        azure    2026-01-04  usage  CC-0  8.5           not_a_license
        storage  2026-01-10  usage  CC-2  7             snapshot
        """
    )


def test_usage_tagged_for_a_deleted_cost_center_goes_to_its_successor(bills: Company) -> None:
    # Trade ended in December; its successor is Sales.
    assert report(
        bills, "cost_center_id, total_cost, split_reason", "subscription_id = 'trade'"
    ) == ["CC-1 3 tag_rule"]


def test_usage_without_a_matching_tag_rule_is_a_finding(bills: Company) -> None:
    ((amount, message),) = findings(bills, "no_tag_rule", "birch")
    assert amount == Decimal("8.5")
    assert "Azure plan" in message and "Default" in message


# --- FOCUS ---------------------------------------------------------------------------------------


def test_focus_in_csv_and_in_parquet_gives_the_same_lines(bills: Company) -> None:
    def staged(file: str) -> list[tuple]:
        return bills.query(
            """
            select * exclude (file, row_number, content_hash)
            from staging.stg_focus__billing_lines where file = $file order by all
            """,
            {"file": file},
        )

    in_csv = staged("billing_lines/focus/january.csv")
    assert len(in_csv) == 4
    assert staged("billing_lines/focus/january.parquet") == in_csv
    # Without an invoice, the same line in two files is one line.
    assert report(
        bills,
        "charge_type, charge_kind, charge_start_date, charge_end_date, quantity, total_cost,"
        " cost_center_id, split_reason",
        "organization_id = 'cedar'",
    ) == book(
        """
        Usage               usage   2026-01-03  2026-01-03  2.6  3.25  CC-1  tag_rule
        Purchase Recurring  cycle   2026-01-01  2026-01-31  4    40    CC-0  no_snapshot
        Tax                 tax     2026-01-01  2026-01-31  0    8.2   CC-0  not_a_license
        Credit              credit  2026-01-01  2026-01-31  0    -5    CC-1  tag_rule
        """
    )


def test_a_focus_bill_without_invoice_is_dated_to_the_end_of_its_billing_period(
    bills: Company,
) -> None:
    assert bills.query(
        """
        select distinct billing_date, subscription_id, product_name from marts.billing_report
        where organization_id = 'cedar'
        """
    ) == [(date(2026, 2, 1), "focus", "Cloud")]
    assert findings(bills, "billing_date_assumed", "cedar") == []
    ((amount, _),) = findings(bills, "no_tag_rule", "cedar")
    assert amount == 40


def test_the_subscription_of_a_focus_row_is_its_resource_if_so_configured(company: Company) -> None:
    company.drop(
        "billing_lines/cloud.csv",
        "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,"
        "ChargeCategory,ChargePeriodStart,ChargePeriodEnd,SubAccountId,ResourceId,SubAccountName,"
        "ResourceName\n"
        "1,acme,USD,2026-01-01,2026-02-01,Usage,2026-01-05,2026-01-06,account,machine,Games,Build\n"
        "2,acme,USD,2026-01-01,2026-02-01,Tax,2026-01-05,2026-01-06,account,,Games,\n"
        "3,acme,USD,2026-01-01,2026-02-01,Usage,2026-01-05,2026-01-06,,machine,,Build\n",
    )
    staged = ("stg_focus__billing_lines", "stg_focus__services")
    lines = """
        select subscription_id, subscription_name
        from staging.stg_focus__billing_lines
        inner join staging.stg_focus__services using (file, row_number)
        order by row_number
    """
    machine, account = ("machine", "Build"), ("account", "Games")
    company.build("--select", *staged, "--vars", "{focus_subscription: ResourceId}")
    # A row without a resource, as taxes are, has its account.
    assert company.query(lines) == [machine, account, machine]
    company.build(models=staged)
    assert company.query(lines) == [account, account, machine]


# --- billing exports -----------------------------------------------------------------------------


def files_of(company: Company, folder: str) -> dict[str, tuple[str, str | None]]:
    """The status and the reason of each file of an export, by name."""
    return {
        Path(file).name: (status, reason)
        for file, status, reason in company.query(
            "select file, status, reason from raw.landed_files where starts_with(file, $folder)",
            {"folder": f"billing_lines/exports/{folder}/"},
        )
    }


def test_a_complete_export_is_billed_and_ties(bills: Company) -> None:
    assert {status for status, _ in files_of(bills, "WHOLE").values()} == {"loaded"}
    assert reconciliation(bills, "WHOLE") == ["30 30 30 2 reconciled"]


@pytest.mark.parametrize(
    ("number", "files", "reason"),
    [
        ("MISSES", {"manifest.json", "part-1.json.gz"}, "blob part-2.json.gz is missing"),
        (
            "CUT",
            {"manifest.json", "part-1.json.gz", "part-2.json.gz"},
            "blob part-2.json.gz: the gzip file is truncated or damaged",
        ),
        (
            "SIZE",
            {"manifest.json", "part-1.json.gz", "part-2.json.gz"},
            "bytes, the manifest says 7",
        ),
        (
            "COUNT",
            {"manifest.json", "part-1.json.gz", "part-2.json.gz"},
            "blob part-2.json.gz has 1 rows, the manifest says 2",
        ),
    ],
)
def test_an_incomplete_export_is_refused_and_reported(
    bills: Company, number: str, files: set[str], reason: str
) -> None:
    found = files_of(bills, number)
    assert set(found) == files
    for status, given_reason in found.values():
        assert status == "refused"
        assert given_reason and "the whole export is refused" in given_reason
        assert reason in given_reason
    assert bills.query(
        "select count(*) from raw.new_commerce_reconciliation where invoice_number = $number",
        {"number": number},
    ) == [(0,)]
    assert reconciliation(bills, number) == ["30 0 0 0 no_lines"]
    quarantined = bills.query(
        "select file from marts.quarantined_rows where starts_with(file, $folder)",
        {"folder": f"billing_lines/exports/{number}/"},
    )
    assert {Path(file).name for (file,) in quarantined} == files


def test_a_blob_that_no_manifest_lists_is_refused_and_not_billed(bills: Company) -> None:
    found = files_of(bills, "SPARE")
    status, reason = found.pop("part-3.json.gz")
    assert status == "refused"
    assert reason and "whose manifest does not list it" in reason
    assert {status for status, _ in found.values()} == {"loaded"}
    assert reconciliation(bills, "SPARE") == ["30 30 30 2 reconciled"]


def test_an_export_with_a_new_e_tag_replaces_the_older_one(bills: Company) -> None:
    assert reconciliation(bills, "AGAIN") == ["35 35 35 2 reconciled"]
    ((message,),) = bills.query(
        "select message from marts.findings"
        " where kind = 'delivery_replaced' and contains(message, 'AGAIN')"
    )
    assert "AGAIN a" in message


def test_the_same_export_in_two_folders_counts_once(bills: Company) -> None:
    folders = [files_of(bills, folder) for folder in ("TWICE", "TWICE downloaded again")]
    assert [len(files) for files in folders] == [3, 3]
    statuses = [{status for status, _ in files.values()} for files in folders]
    assert sorted(map(sorted, statuses)) == [["duplicate"], ["loaded"]]
    assert reconciliation(bills, "TWICE") == ["30 30 30 2 reconciled"]


def test_an_incomplete_newer_export_leaves_the_older_one_in_force(bills: Company) -> None:
    assert {status for status, _ in files_of(bills, "KEPT b").values()} == {"refused"}
    assert reconciliation(bills, "KEPT") == ["30 30 30 2 reconciled"]


def test_identical_lines_in_two_blobs_are_both_billed(bills: Company) -> None:
    assert reconciliation(bills, "TWINS") == ["130 130 130 4 reconciled"]


# --- sales prices --------------------------------------------------------------------------------


def test_sales_come_from_the_price_list_prorated_and_in_the_currency_of_the_bill(
    bills: Company,
) -> None:
    # 35 EUR = 38.50 USD: 10 x 38.5 = 385; the refund has the price of the charge it refunds,
    # 10 x 38.5 x 16 / 31 = 198.7096774194; from 15 Jan it is 36 EUR = 39.60 USD, and
    # 12 x 39.6 x 16 / 31 = 245.2645161290. Teams: 4 x (8 - 25 %). The offer of Power BI ends on
    # 20 Jan; then, as for Visio, whose own price is no number, and the credit, it is cost + 15 %.
    assert in_words(
        bills.query(
            """
            select subscription_id, total_cost, sum(total_sales), sum(total_margin), price_source
            from marts.billing_report where organization_id = 'elm'
            group by line_id, subscription_id, total_cost, price_source
            """
        )
    ) == book(
        """
        office  300      385              85              customer_price
        office  -154.84  -198.7096774194  -43.8696774194  customer_price
        office  185.81   245.264516129    59.454516129    customer_price
        office  0        0                0               free_of_charge
        teams   20       24               4               customer_percent
        visio   30       34.5             4.5             customer_percent
        power   30       27               -3              offer
        later   30       34.5             4.5             customer_percent
        azure   -5       -5.75            -0.75           customer_percent
        """
    )


def test_a_row_explains_the_applied_price(bills: Company) -> None:
    ((explanation,),) = bills.query(
        """
        select distinct price_explanation from marts.billing_report
        where organization_id = 'elm' and charge_kind = 'refund'
        """
    )
    for figure in ("2025-07-01", "35 EUR", "2026-01-02", "38.5 USD", "16 / 31 days", "x 10"):
        assert figure in explanation
    ((offer,),) = bills.query(
        "select distinct price_explanation from marts.billing_report"
        " where subscription_id = 'power'"
    )
    assert "winter" in offer and "9 USD" in offer


def test_a_rate_more_than_a_month_older_than_the_bill_is_a_finding(bills: Company) -> None:
    ((_, message),) = findings(bills, "old_exchange_rate", "elm")
    assert "2026-01-02" in message and "EUR" in message and "2026-02-06" in message


def test_without_a_rate_or_a_price_sales_are_unknown_and_a_finding(bills: Company) -> None:
    assert report(
        bills,
        "subscription_id, currency, total_cost, total_sales, total_margin, price_source",
        "organization_id = 'fern'",
    ) == book(
        """
        office-f  GBP  100  -  -  -
        board-f   USD  9    -  -  -
        """
    )
    ((amount, message),) = findings(bills, "no_exchange_rate", "fern")
    assert amount == 100
    assert "USD" in message and "GBP" in message and "2026-02-06" in message
    ((amount, message),) = findings(bills, "no_price", "fern")
    assert amount == 9
    assert "Whiteboard" in message


def test_a_bad_cell_of_a_workbook_is_named_by_sheet_and_cell(bills: Company) -> None:
    rows = bills.query(
        """
        select row_number, column_name, value, cell, reason from marts.quarantined_rows
        where file = 'price_list/prices.xlsx' order by row_number
        """
    )
    assert [row[:4] for row in rows] == [
        (5, "Unit Price", "abc", "Prices!C5"),
        (6, "Markup Percent", "#REF!", "Prices!D6"),
    ]
    assert "is not a number" in rows[0][4]
    assert "cell D6" in rows[1][4]
