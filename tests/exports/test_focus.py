"""Bills in FOCUS: the files contain the bill in FOCUS terms, to the last decimal."""

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import Company
from focus_sample import ALL_PERIODS, Written, published, ratio, written_sample

from dagster_project.exports.focus import ChargesWithoutSales, write_focus
from dagster_project.exports.scope import NothingInScope, Scope
from dagster_project.ledger import closing

DATASETS = {
    "cost_and_usage": "Cost and Usage",
    "invoice_detail": "Invoice Detail",
    "billing_period": "Billing Period",
    "contract_commitment": "Contract Commitment",
}

# FinOps Foundation, FOCUS 1.4 (CC BY 4.0): one row per dataset and column.
SPECIFICATION = list(
    csv.DictReader(
        Path(__file__).with_name("focus_1_4_columns.csv").open(encoding="utf-8", newline="")
    )
)

HALF_OF_TENTH_DECIMAL = Decimal("0.00000000005")

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


def columns(dataset: str) -> dict[str, dict[str, str]]:
    """A dataset's columns by their names, as FOCUS 1.4 has them."""
    return {row["column"]: row for row in SPECIFICATION if row["dataset"] == DATASETS[dataset]}


def columns_of_1_2() -> set[str]:
    """Those of Cost and Usage that 1.2 had, and two that went since."""
    known = {name for name, row in columns("cost_and_usage").items() if row["version"] <= "1.2"}
    return known | {"ProviderName", "PublisherName"}


@pytest.fixture(scope="session")
def sample(sample_company: Company) -> Written:
    return written_sample(sample_company.data)


def header(sample: Written, dataset: str, version: str) -> list[str]:
    return list(sample.rows(dataset, version)[0])


def billed(sample: Written, version: str = "1.4") -> list[dict[str, str]]:
    """The parts of billing lines: all rows but the months of prepaid purchases."""
    return [row for row in sample.rows("cost_and_usage", version) if not row["x_PrepaidLineId"]]


def test_focus_1_2_had_57_columns() -> None:
    assert len(columns_of_1_2()) == 57


# --- columns and values -------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_mandatory_column_exists(sample: Written, dataset: str) -> None:
    mandatory = {
        name for name, row in columns(dataset).items() if row["feature_level"] == "Mandatory"
    }
    assert mandatory <= set(header(sample, dataset, "1.4"))


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_file_has_the_columns_of_its_version_then_custom_columns(
    sample: Written, dataset: str
) -> None:
    names = header(sample, dataset, "1.4")
    focus = [name for name in names if not name.startswith("x_")]
    assert set(focus) <= set(columns(dataset))
    assert names == focus + [name for name in names if name.startswith("x_")]


def test_a_1_2_file_has_1_2_columns_then_custom_columns(sample: Written) -> None:
    names = header(sample, "cost_and_usage", "1.2")
    focus = [name for name in names if not name.startswith("x_")]
    assert set(focus) <= columns_of_1_2()
    assert names == focus + [name for name in names if name.startswith("x_")]
    mandatory = {
        name
        for name, row in columns("cost_and_usage").items()
        if row["feature_level"] == "Mandatory" and row["version"] <= "1.2"
    }
    assert mandatory | {"ProviderName", "PublisherName"} <= set(focus)
    assert [file.dataset for file in sample.files if file.version == "1.2"] == [
        "focus_cost_and_usage",
        "focus_cost_and_usage",
    ]


def test_both_versions_contain_the_same_charges(sample: Written) -> None:
    def key(row: dict[str, str]) -> tuple[str, ...]:
        return tuple(
            row[name] for name in ("x_BillingPeriod", "x_LineId", "x_CostCenterId", "BilledCost")
        )

    older = {key(row): row for row in sample.rows("cost_and_usage", "1.2")}
    newer = {key(row): row for row in sample.rows("cost_and_usage", "1.4")}
    assert older.keys() == newer.keys()
    for name, row in newer.items():
        assert older[name]["x_AllocatedResourceId"] == row["AllocatedResourceId"]
        assert older[name]["x_AllocatedMethodDetails"] == row["AllocatedMethodDetails"]


@pytest.mark.parametrize("dataset", DATASETS)
def test_values_are_allowed_by_focus(sample: Written, dataset: str) -> None:
    rows = sample.rows(dataset)
    assert rows
    wrong = []
    for name, column in columns(dataset).items():
        if name not in rows[0]:
            continue
        allowed = json.loads(column["allowed_values"] or "null")
        for row in rows:
            value = row[name]
            if not value:
                is_right = column["allows_nulls"] == "True"
            elif allowed:
                is_right = value in allowed
            elif column["data_type"] == "Date/Time":
                is_right = INSTANT.fullmatch(value) is not None
            elif column["data_type"] == "Decimal":
                is_right = NUMBER.fullmatch(value) is not None and value != "-0"
            elif column["data_type"] == "JSON":
                is_right = isinstance(json.loads(value), dict)
            elif column["value_format"] == "Currency":
                is_right = re.fullmatch("[A-Z]{3}", value) is not None
            else:
                is_right = value == value.strip()
            if not is_right:
                wrong.append((name, value))
    assert wrong == []


def test_a_subcategory_belongs_to_its_category(sample: Written) -> None:
    # "Other (Security)" and the like name their category themselves.
    for row in sample.rows("cost_and_usage"):
        if row["ServiceSubcategory"].startswith("Other ("):
            assert row["ServiceSubcategory"] == f"Other ({row['ServiceCategory']})"


@pytest.mark.parametrize("version", ["1.2", "1.4"])
@pytest.mark.parametrize("dataset", DATASETS)
def test_csv_and_parquet_agree(sample: Written, dataset: str, version: str) -> None:
    if version == "1.2" and dataset != "cost_and_usage":
        return
    relation = duckdb.read_parquet(str(sample.path(dataset, version, "parquet")))
    as_text = [
        {
            "TIMESTAMP WITH TIME ZONE": (
                f"""strftime("{name}" at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ')"""
            ),
            "VARCHAR": f'"{name}"',
        }.get(str(kind), f"""rtrim(rtrim(cast("{name}" as varchar), '0'), '.')""")
        for name, kind in zip(relation.columns, relation.types, strict=True)
    ]
    kinds = {str(kind).partition("(")[0] for kind in relation.types}
    assert kinds <= {"TIMESTAMP WITH TIME ZONE", "VARCHAR", "DECIMAL"}, "never a binary float"
    of_parquet = [
        tuple(value or "" for value in row)
        for row in relation.project(", ".join(as_text)).fetchall()
    ]
    assert of_parquet == [tuple(row.values()) for row in sample.rows(dataset, version)]


def test_a_csv_file_has_no_byte_order_mark_and_no_guards(sample: Written) -> None:
    assert sample.path("cost_and_usage", "1.4").read_bytes().startswith(b"AllocatedMethodDetails,")
    cells = {cell for row in sample.rows("cost_and_usage") for cell in row.values()}
    assert [cell for cell in cells if cell.startswith("'")] == []
    assert any(cell.startswith("-") for cell in cells), "and there is what a guard would change"


# --- the bill -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.2", "1.4"])
@pytest.mark.parametrize(
    ("column", "measure"),
    [
        ("BilledCost", "total_cost"),
        ("x_TotalSales", "total_sales"),
        ("x_TotalMargin", "total_margin"),
    ],
)
def test_every_cost_center_has_the_cost_of_the_billing_report(
    sample: Written, version: str, column: str, measure: str
) -> None:
    totals: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    row_counts: Counter[tuple[str, ...]] = Counter()
    for row in billed(sample, version):
        key = (
            row["x_BillingPeriod"],
            row["BillingAccountId"],
            row["x_CostCenterId"],
            row["BillingCurrency"],
        )
        totals[key] += Decimal(row[column] or 0)
        row_counts[key] += 1
    expected = sample.connection.execute(
        f"""
        select billing_period, organization_id, cost_center_id, currency,
            coalesce(sum({measure}), 0)
        from billing_report
        group by all
        """
    ).fetchall()
    wanted = {(*key,): total for *key, total in expected}
    assert totals.keys() == wanted.keys()
    # Bills print up to 18 decimals, the report has ten: half of the tenth is left out per row.
    most = HALF_OF_TENTH_DECIMAL if column == "BilledCost" else Decimal(0)
    assert [key for key in totals if abs(totals[key] - wanted[key]) > most * row_counts[key]] == []


def test_ratios_of_one_charge_sum_to_exactly_1(sample: Written) -> None:
    ratios: dict[tuple[str, str], list[Decimal | None]] = defaultdict(list)
    for row in sample.rows("cost_and_usage"):
        ratios[row["x_BillingPeriod"], row["x_LineId"]].append(ratio(row))
    split = [parts for parts in ratios.values() if parts != [None]]
    assert split
    assert [parts for parts in split if None in parts or sum(filter(None, parts)) != 1] == []


def test_parts_sum_to_their_charge_and_have_its_dimensions(sample: Written) -> None:
    own = {
        *("AllocatedMethodDetails", "AllocatedResourceId", "AllocatedResourceName"),
        *("AllocatedTags", "BilledCost", "ConsumedQuantity", "ContractApplied", "ContractedCost"),
        *("ContractedUnitPrice", "EffectiveCost", "ListCost", "ListUnitPrice", "PricingQuantity"),
        *("x_CostCenterId", "x_CostCenterName", "x_EffectiveSales"),
        *("x_SplitReason", "x_TotalMargin", "x_TotalSales"),
    }
    parts: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in sample.rows("cost_and_usage"):
        parts[row["x_BillingPeriod"], row["x_LineId"]].append(row)
    for rows in parts.values():
        assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(
            rows[0]["x_LineBilledCost"]
        )
        for name in rows[0].keys() - own:
            assert len({row[name] for row in rows}) == 1, name


def test_only_unallocated_parts_have_no_resource(sample: Written) -> None:
    report = {
        (period, line, center): (is_unallocated, reason, has_snapshot)
        for period, line, center, is_unallocated, reason, has_snapshot in sample.connection.execute(
            """
            select billing_period, line_id, cost_center_id, is_unallocated, split_reason,
                snapshot_effective_at is not null
            from billing_report
            """
        ).fetchall()
    }
    seen = set()
    for row in billed(sample):
        key = (row["x_BillingPeriod"], row["x_LineId"], row["x_CostCenterId"])
        is_unallocated, reason, has_snapshot = report[key]
        if is_unallocated and has_snapshot:
            seen.add("the rest of a split")
            assert not row["AllocatedResourceId"]
            assert row["AllocatedMethodId"] == "license-split"
        elif has_snapshot:
            is_default = row["x_CostCenterName"] in ("Default", "Unallocated")
            seen.add("Default by name" if is_default else "a cost center")
            assert row["AllocatedResourceId"] == row["x_CostCenterId"]
            assert row["AllocatedResourceName"] == row["x_CostCenterName"]
        elif reason in ("no_snapshot", "not_a_license"):
            seen.add("nothing to split by")
            assert not row["AllocatedResourceId"] + row["AllocatedMethodId"]
            assert not row["AllocatedMethodDetails"] + row["AllocatedTags"]
    assert seen >= {"the rest of a split", "Default by name", "nothing to split by"}


def test_the_end_of_a_charge_is_the_day_after_its_last(sample: Written) -> None:
    days = {
        (period, line): (start, end)
        for period, line, start, end in sample.connection.execute(
            """
            select distinct billing_period, line_id,
                strftime(charge_start_date, '%Y-%m-%dT00:00:00Z'),
                strftime(charge_end_date + 1, '%Y-%m-%dT00:00:00Z')
            from billing_report
            """
        ).fetchall()
    }
    for row in billed(sample):
        assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == days[
            row["x_BillingPeriod"], row["x_LineId"]
        ]


def test_the_billing_period_of_a_license_is_the_month_in_which_its_charge_begins(
    sample: Written,
) -> None:
    # FOCUS bills state theirs: March for both, also for the reservation that begins on 5 March.
    for row in sample.rows("cost_and_usage"):
        month = row["ChargePeriodStart"][:7]
        assert row["BillingPeriodStart"] == f"{month}-01T00:00:00Z"
        year, number = (int(part) for part in month.split("-"))
        following = f"{year + number // 12}-{number % 12 + 1:02}-01T00:00:00Z"
        assert row["BillingPeriodEnd"] == following
    assert any(
        row["BillingPeriodStart"][:7] < row["x_BillingPeriod"]
        for row in sample.rows("cost_and_usage")
    )


def test_the_list_cost_of_a_license_is_unit_price_times_quantity(sample: Written) -> None:
    # 25 licenses at 17.60 for 28 of 31 days, and the refund of 25 for 20 of 31 days.
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for row in sample.rows("cost_and_usage"):
        totals[row["x_LineBilledCost"]] += Decimal(row["ListCost"])
    assert totals["397.419354838709677419"] == 440
    assert totals["-283.870967741935483871"] == -440


def test_a_year_paid_in_advance_costs_something_in_each_month_of_its_use(sample: Written) -> None:
    # 4,608.00 for 365 days from 8 December; 633.33 for 301 days from 10 February, billed for March.
    # 4608 x 28 / 365 = 353.490411 for February; cost centers are rounded to millionths.
    costs: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for row in sample.rows("cost_and_usage"):
        if row["SubAccountId"] == "0f971fdf-8460-4ef4-bac5-14624b8650e5":
            total = costs[row["x_BillingPeriod"], row["ChargeCategory"]]
            for place, name in enumerate(("BilledCost", "EffectiveCost", "ListCost")):
                total[place] += Decimal(row[name])
    assert {key: [str(cost.normalize()) for cost in each] for key, each in costs.items()} == {
        ("2026-01", "Purchase"): ["4608", "0", "4608"],
        ("2026-01", "Usage"): ["0", "694.356164", "694.356164"],
        ("2026-02", "Usage"): ["0", "353.490412", "353.490412"],
        ("2026-03", "Purchase"): ["633.33", "0", "768"],
        ("2026-03", "Usage"): ["0", "496.5687", "518.939133"],
        ("2026-04", "Usage"): ["0", "441.862319", "455.284578"],
    }


def test_what_is_not_used_yet_is_still_prepaid(sample: Written) -> None:
    purchases = {
        (row["x_BillingPeriod"], row["x_LineId"], row["x_CostCenterId"]): row
        for row in billed(sample)
    }
    used: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for row in sample.rows("cost_and_usage"):
        if row["x_PrepaidLineId"]:
            used[row["x_OriginalBillingPeriod"], row["x_PrepaidLineId"], row["x_CostCenterId"]] += (
                Decimal(row["EffectiveCost"])
            )
            assert row["BilledCost"] == "0"
            assert not row["InvoiceId"] + row["InvoiceDetailId"]
            assert row["ChargePeriodEnd"] <= row["BillingPeriodEnd"] <= "2026-05-01T00:00:00Z"
    assert used
    for key, cost in used.items():
        assert purchases[key]["EffectiveCost"] == "0"
        assert 0 < cost / Decimal(purchases[key]["BilledCost"]) < 1


def test_a_reservation_keeps_its_effective_cost_of_zero(sample: Written) -> None:
    (row,) = (row for row in sample.rows("cost_and_usage") if row["PricingUnit"] == "Reservations")
    costs = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
    assert [row[name] for name in costs] == ["498", "0", "498", "498"]


def test_a_sku_of_partner_center_is_one_of_a_product(sample: Written) -> None:
    products: dict[str, set[str]] = defaultdict(set)
    for row in sample.rows("cost_and_usage"):
        if row["ChargeCategory"] in ("Usage", "Purchase"):
            assert row["SkuId"] and row["SkuPriceId"] and row["SkuMeter"]
            products[row["SkuId"]].add(row["ServiceName"])
    assert products["CFQ7TTC0LFLX:0001"] == {"Microsoft 365 E3"}
    assert products["CFQ7TTC0MM8R:0001"] == {"Microsoft 365 Copilot"}
    assert [names for names in products.values() if len(names) > 1] == []


def test_prices_times_quantity_are_the_costs(sample: Written) -> None:
    shown: Counter[str] = Counter()
    for row in sample.rows("cost_and_usage"):
        for price, cost in (
            ("ListUnitPrice", "ListCost"),
            ("ContractedUnitPrice", "ContractedCost"),
        ):
            if row["SkuPriceId"]:
                shown[row["ChargeCategory"]] += 1
                product = Decimal(row[price]) * Decimal(row["PricingQuantity"])
                allowed = Decimal("0.000000001") * max(abs(Decimal(row[cost])), 1)
                assert abs(product - Decimal(row[cost])) <= allowed
            else:
                assert not row[price]
    assert shown.keys() == {"Usage", "Purchase"}


def test_refunds_have_negative_quantities(sample: Written) -> None:
    refunds = [
        row
        for row in sample.rows("cost_and_usage")
        if row["x_ChargeKind"] == "refund" and Decimal(row["BilledCost"]) < 0
    ]
    assert refunds
    assert [row for row in refunds if Decimal(row["PricingQuantity"]) >= 0] == []


def test_the_invoice_detail_is_the_bill_by_invoice(sample: Written) -> None:
    totals: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in sample.rows("invoice_detail"):
        totals[row["InvoiceId"], row["BillingCurrency"]] += Decimal(row["BilledCost"])
    exact: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in sample.rows("cost_and_usage"):
        if row["InvoiceId"]:
            exact[row["InvoiceId"], row["BillingCurrency"]] += Decimal(row["BilledCost"])
    assert totals == exact
    expected = sample.connection.execute(
        """
        select invoice_number, currency, lines_total + rounding_residual
        from invoice_reconciliation
        where invoice_number is not null and line_count > 0
        """
    ).fetchall()
    assert totals == {(number, currency): total for number, currency, total in expected}


def test_every_charge_finds_its_invoice_period_and_commitment(sample: Written) -> None:
    details = {row["InvoiceDetailId"] for row in sample.rows("invoice_detail")}
    commitments = {row["ContractCommitmentId"] for row in sample.rows("contract_commitment")}
    periods = {
        (row["BillingPeriodStart"], row["InvoiceIssuerName"])
        for row in sample.rows("billing_period")
    }
    charges = sample.rows("cost_and_usage")
    assert {row["InvoiceDetailId"] for row in charges} - {""} == details
    assert {(row["BillingPeriodStart"], row["InvoiceIssuerName"]) for row in charges} == periods
    applied = {
        element["ContractCommitmentId"]
        for row in charges
        if row["ContractApplied"]
        for element in json.loads(row["ContractApplied"])["Elements"]
    }
    assert applied == commitments


def test_a_sub_account_has_one_name_from_its_bill(sample: Written) -> None:
    names: dict[str, set[str]] = defaultdict(set)
    for row in sample.rows("cost_and_usage"):
        names[row["SubAccountId"]].add(row["SubAccountName"])
    assert names.pop("") == {""}
    assert [names for names in names.values() if len(names) != 1 or "" in names] == []
    # Two accounts with several services each, and one next to the license of the same product.
    assert names["310000000017"] == {"cobalt-build"}
    assert names["310000000025"] == {"cobalt-live"}
    assert names["ws-discovery"] == {"Discovery archive"}
    assert names["832981d2-94f9-4f3e-993e-5c53032f3ff2"] == {"Visio Plan 2"}


COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")


@pytest.fixture(scope="module")
def other_cloud(
    new_company: Callable[[], Company], tmp_path_factory: pytest.TempPathFactory
) -> Written:
    """A bill with a September billing period, split over three cost centers; January is usage."""
    company = new_company()
    company.drop(
        "split_history/acme.csv",
        "Subscription ID,Event,Datetime,Total Quantity,Cost Center ID,Cost Center,"
        "Allocated Quantity,Organization\n"
        "reserved,Cost center split adjusted,2024-08-01T00:00:00Z,12,it,IT,7,acme\n"
        "reserved,Cost center split adjusted,2024-08-01T00:00:00Z,12,sales,Sales,4,acme\n"
        "reserved,Cost center split adjusted,2024-08-01T00:00:00Z,12,travel,Travel,1,acme\n",
    )
    company.drop(
        "billing_lines/cloud.csv",
        "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,BillingCurrency,"
        "BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,"
        "ServiceName,SubAccountId\n"
        "20.52,14.97651418586,21,20.6,acme,USD,2024-09-01 00:00:00,2024-10-01 00:00:00,Usage,"
        "2024-09-01 00:00:00,2024-10-01 00:00:00,Reserved machines,reserved\n"
        "0.00107392473,0.00000000000,,,acme,USD,2024-09-01,2024-10-01,Usage,"
        "2024-09-05,2024-09-06,Reserved machines,reserved\n"
        "1,,,,acme,USD,2026-01-01,2026-02-01,Usage,2026-01-05,2026-01-06,Machines,account\n"
        "2,,,,acme,USD,2026-01-01,2026-02-01,Usage,2026-01-05,2026-01-06,Storage,account\n",
    )
    connection = published(company.build())
    files = write_focus(connection, ALL_PERIODS, tmp_path_factory.mktemp("cloud"), "1.4", ("csv",))
    return Written(connection, files)


def test_costs_of_a_focus_bill_are_kept_to_the_last_digit(other_cloud: Written) -> None:
    parts: dict[str, list[list[str]]] = defaultdict(list)
    for row in other_cloud.rows("cost_and_usage"):
        parts[row["x_LineBilledCost"]].append([row[name] for name in ("x_CostCenterName", *COSTS)])
    # By 7, 4 and 1 of 12: cumulative amounts in millionths, the last part has the rest.
    assert sorted(parts["20.52"]) == [
        ["Default", "0", "0", "0", "0"],
        ["IT", "11.97", "8.7363", "12.25", "12.016667"],
        ["Sales", "6.84", "4.992171", "7", "6.866666"],
        ["Travel", "1.71", "1.24804318586", "1.75", "1.716667"],
    ]
    # Without ListCost and ContractedCost, both are BilledCost.
    for column, total in zip(COSTS, ("0.00107392473", "0", *["0.00107392473"] * 2), strict=True):
        place = 1 + COSTS.index(column)
        whole = sum(Decimal(part[place]) for part in parts["0.00107392473"])
        assert whole == Decimal(total), column
    assert {tuple(part[1:]) for part in parts["2"]} == {("2", "2", "2", "2")}


def test_the_billing_period_of_a_focus_bill_is_kept(other_cloud: Written) -> None:
    names = ("BillingPeriodStart", "BillingPeriodEnd", "x_BillingPeriod")
    assert {tuple(row[name] for name in names) for row in other_cloud.rows("cost_and_usage")} == {
        # The bill is dated on the day after its period.
        ("2024-09-01T00:00:00Z", "2024-10-01T00:00:00Z", "2024-10"),
        ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-02"),
    }


def test_a_sub_account_that_its_bill_does_not_name_is_called_by_its_id(
    other_cloud: Written,
) -> None:
    rows = [row for row in other_cloud.rows("cost_and_usage") if row["SubAccountId"] == "account"]
    assert {row["ServiceName"] for row in rows} == {"Machines", "Storage"}
    assert {row["SubAccountName"] for row in rows} == {"account"}


def test_a_charge_after_its_term_has_no_commitment(sample: Written) -> None:
    # Visio of brightwater: a year until 13 January 2026, then a month of extended service.
    subscription = "dbd11553-ec9c-4401-bf20-ff2c53e26e09"
    terms = {
        row["ContractCommitmentPeriodStart"][:10]: row
        for row in sample.rows("contract_commitment")
        if row["ContractId"] == subscription
    }
    assert {
        start: (
            row["ContractCommitmentPeriodEnd"][:10],
            row["ContractCommitmentDurationType"],
            row["ContractCommitmentDescription"],
        )
        for start, row in terms.items()
    } == {
        "2025-01-14": (
            "2026-01-14",
            "1 Year",
            "Visio Plan 2, One-Year commitment for monthly billing",
        ),
        "2026-02-14": (
            "2027-02-14",
            "1 Year",
            "Visio Plan 2, One-Year commitment for monthly billing",
        ),
    }
    extended = [
        row
        for row in sample.rows("cost_and_usage")
        if row["SubAccountId"] == subscription and row["x_ChargeType"] == "extendedServiceTerm"
    ]
    assert extended
    assert {row["ContractApplied"] for row in extended} == {""}


def test_a_scope_holds_its_own_rows_only(sample: Written, tmp_path: Path) -> None:
    scope = Scope("2026-01", "2026-01", "cobalt")
    files = write_focus(sample.connection, scope, tmp_path, "1.4", ("csv",))
    assert files[0].path.name == "focus-1.4-cost-and-usage-2026-01-cobalt.csv"
    written = Written(sample.connection, files)
    charges = written.rows("cost_and_usage")
    assert {(row["x_BillingPeriod"], row["BillingAccountId"]) for row in charges} == {
        ("2026-01", "cobalt")
    }
    assert {row["x_BillingPeriod"] for row in written.rows("billing_period")} == {"2026-01"}
    assert {row["BillingAccountId"] for row in written.rows("invoice_detail")} == {"cobalt"}
    assert {row["x_BillingAccountId"] for row in written.rows("contract_commitment")} == {"cobalt"}


def test_a_second_export_writes_the_same_files(sample: Written, tmp_path: Path) -> None:
    again = write_focus(sample.connection, ALL_PERIODS, tmp_path, "1.4")
    for file in again:
        before = sample.path(file.dataset.removeprefix("focus_"), "1.4", file.file_format)
        assert file.path.read_bytes() == before.read_bytes()


def test_an_empty_scope_is_reported_and_writes_nothing(sample: Written, tmp_path: Path) -> None:
    with pytest.raises(NothingInScope, match="no charges for 1999-01"):
        write_focus(sample.connection, Scope("1999-01", "1999-01"), tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- the customer's edition ---------------------------------------------------------------------

CUSTOMER = Scope("2000-01", "2199-12", "evergreen", "customer")


def test_a_customer_sees_sales_for_costs(sample: Written, tmp_path: Path) -> None:
    files = write_focus(sample.connection, CUSTOMER, tmp_path, reseller_name="Northgate Cloud")
    rows = Written(sample.connection, files).rows("cost_and_usage")
    expected = sample.connection.execute(
        """
        select cost_center_id, sum(total_sales) from billing_report
        where organization_id = 'evergreen' group by all
        """
    ).fetchall()
    for column in ("BilledCost", "EffectiveCost", "ContractedCost", "ListCost"):
        totals: dict[str, Decimal] = defaultdict(Decimal)
        for row in rows:
            totals[row["x_CostCenterId"]] += Decimal(row[column])
        assert totals == dict(expected)
    assert {row["InvoiceIssuerName"] for row in rows} == {"Northgate Cloud"}
    for row in rows:
        parts = [part for part in rows if part["x_LineId"] == row["x_LineId"]]
        total = sum(Decimal(part["BilledCost"]) for part in parts)
        assert total == Decimal(row["x_LineBilledCost"])
    assert {row["x_RefundOfLineId"] for row in rows} <= {"", *(row["x_LineId"] for row in rows)}


def test_a_customer_does_not_see_free_text_of_the_provider(sample: Written, tmp_path: Path) -> None:
    # Another cloud's bill may state its price there; our own texts stay.
    scope = Scope("2000-01", "2199-12", "cobalt", "customer")
    files = write_focus(sample.connection, scope, tmp_path, "1.4", ("csv",))
    rows = Written(sample.connection, files).rows("cost_and_usage")
    seen = {row["ServiceName"]: row["ChargeDescription"] for row in rows}
    written = {
        row["ServiceName"]: row["ChargeDescription"] for row in sample.rows("cost_and_usage")
    }
    assert written["Amazon DynamoDB"] == "Write request units"
    assert seen["Amazon DynamoDB"] == "Usage. From 1 Mar 2026 to 31 Mar 2026"
    licenses = {row["ChargeDescription"] for row in rows if row["ServiceName"] == "Power BI Pro"}
    assert "cycleCharge. From 22 Feb 2026 to 21 Mar 2026 (28 days)" in licenses


def test_no_customer_file_contains_a_cost(sample: Written, tmp_path: Path) -> None:
    for version in ("1.2", "1.4"):
        write_focus(sample.connection, CUSTOMER, tmp_path, version, ("csv",))  # type: ignore[arg-type]
    secrets = [
        text
        for (text,) in sample.connection.execute(
            """
            select unnest([
                rtrim(rtrim(cast(total_cost as varchar), '0'), '.'),
                rtrim(rtrim(cast(total_margin as varchar), '0'), '.'),
                line_id
            ])
            from billing_report
            where organization_id = 'evergreen' and total_cost <> 0
            """
        ).fetchall()
    ]
    assert secrets
    names = sorted(path.name for path in tmp_path.iterdir())
    assert all("customer" in name for name in names)
    assert not [name for name in names if "invoice" in name]
    for path in tmp_path.iterdir():
        with path.open(encoding="utf-8", newline="") as file:
            cells = {cell for row in csv.reader(file) for cell in row}
        assert cells.isdisjoint(secrets)
        assert cells.isdisjoint({"x_TotalSales", "x_TotalMargin", "InvoiceDetailId"})


# --- corrections, and bills that are not whole ----------------------------------------------------


def broker_report(rows: str) -> str:
    """A broker's report of identical charges, except for the values in `rows`."""
    head = (
        "Organization,Currency,BillingLineDetails,ChargeStartDate,BillingDate,ProductName,"
        "Subscription ID,Quantity,TotalCost,TotalSales\n"
    )
    details = "cycleCharge. From 10 Dec 2025 to 9 Jan 2026 (31 days)"
    return head + "".join(
        f"alder,USD,{details},2025-12-10,{row}\n" for row in rows.strip().splitlines()
    )


@pytest.fixture(scope="module")
def corrected(
    new_company: Callable[[], Company], tmp_path_factory: pytest.TempPathFactory
) -> Written:
    """January is closed with ten of twelve seats given out; then a correction gives out all."""
    company = new_company()
    company.drop(
        "split_history/alder.csv",
        "Subscription ID,Event,Datetime,Total Quantity,Cost Center ID,Cost Center,"
        "Allocated Quantity,Organization\n"
        "one,Cost center split adjusted,2025-12-01T00:00:00Z,12,sales,Sales,7,alder\n"
        "one,Cost center split adjusted,2025-12-01T00:00:00Z,12,market,Market,3,alder\n",
    )
    company.drop(
        "billing_lines/january.csv",
        broker_report('2026-01-06,"=1+1 ""Suite""",one,12,120,144'),
    )
    company.build()
    closing.close(company.data, "2026-01", None)
    company.drop(
        "corrections/alder.csv",
        "Subscription ID,Billing Period,Cost Center ID,Allocated Quantity,Approved By,Reason\n"
        "one,2026-01,sales,7,Grace,two were forgotten\n"
        "one,2026-01,market,5,Grace,two were forgotten\n",
    )
    company.drop(
        "billing_lines/february.csv",
        broker_report("2026-02-06,Suite,one,12,120,"),
    )
    connection = published(company.build())
    files = write_focus(connection, ALL_PERIODS, tmp_path_factory.mktemp("focus"), "1.4")
    return Written(connection, files)


def test_a_correction_is_in_the_open_period_with_the_period_it_corrects(corrected: Written) -> None:
    rows = [row for row in corrected.rows("cost_and_usage") if row["ChargeClass"]]
    assert {row["ChargeClass"] for row in rows} == {"Correction"}
    assert {row["x_BillingPeriod"] for row in rows} == {"2026-02"}
    # The billing period is that of the corrected charge.
    assert {row["BillingPeriodStart"] for row in rows} == {"2025-12-01T00:00:00Z"}
    assert {row["ChargePeriodStart"] for row in rows} == {"2025-12-10T00:00:00Z"}
    assert {row["ChargePeriodEnd"] for row in rows} == {"2026-01-10T00:00:00Z"}
    assert {row["AllocatedMethodId"] for row in rows} == {"approved-correction"}
    # Differences are not parts of a whole.
    assert {row["AllocatedMethodDetails"] + row["x_SplitOriginId"] for row in rows} == {""}


def test_a_correction_reverses_an_unallocated_amount(corrected: Written) -> None:
    by_resource: dict[str, Decimal] = defaultdict(Decimal)
    for row in corrected.rows("cost_and_usage"):
        if row["x_OriginalBillingPeriod"] == "2026-01":
            by_resource[row["AllocatedResourceId"]] += Decimal(row["BilledCost"])
    assert by_resource == {"sales": Decimal(70), "market": Decimal(50), "": Decimal(0)}


def test_a_billing_period_with_charges_in_an_open_month_is_open(corrected: Written) -> None:
    (period,) = corrected.rows("billing_period")
    assert period["BillingPeriodStart"] == "2025-12-01T00:00:00Z"
    assert period["BillingPeriodStatus"] == "Open"
    assert period["x_BillingPeriod"] == "2026-02"


def test_a_text_that_looks_like_a_formula_stays_as_it_is(corrected: Written) -> None:
    names = {row["ServiceName"] for row in corrected.rows("cost_and_usage")}
    assert '=1+1 "Suite"' in names


def test_a_customers_bill_without_sales_is_not_written(corrected: Written, tmp_path: Path) -> None:
    scope = Scope("2026-02", "2026-02", "alder", "customer")
    with pytest.raises(ChargesWithoutSales, match="have no sales"):
        write_focus(corrected.connection, scope, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_without_rows_has_no_file(corrected: Written, tmp_path: Path) -> None:
    stale = tmp_path / "focus-1.4-invoice-detail-2026-01.csv"
    stale.write_text("of an export before")
    files = write_focus(corrected.connection, Scope("2026-01", "2026-01"), tmp_path, "1.4")
    assert {file.dataset for file in files} == {"focus_cost_and_usage", "focus_billing_period"}
    assert not stale.exists()
