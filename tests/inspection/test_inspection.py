"""`apportion inspect`: what a run would read from a file, and the settings it suggests."""

import io
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import builds
import duckdb
import openpyxl
import pytest
from conftest import SAMPLE, Company

from dagster_project.cli import main
from dagster_project.feeds.declarations import NO_DECLARATIONS, NOTHING_DECLARED
from dagster_project.inspection import report
from dagster_project.inspection.every_fault import with_every_fault
from dagster_project.inspection.reading import FileNotInspected, Inspection, inspect_file
from dagster_project.inspection.suggesting import suggest
from dagster_project.landing import contents, folder, understanding
from dagster_project.settings import Limits

Inspect = Callable[[str, str | bytes], tuple[Inspection, ...]]

HEADER = (
    "Subscription ID,ProductName,Quantity,TotalCost,ChargeStartDate,BillingDate,BillingLineDetails"
)
DETAILS = "cycleCharge. From 28 Dec 2025 to 27 Jan 2026 (31 days)"
GERMAN = (
    "Rechnung für Praxis Süd;;;;;;\n;;;;;;\n"
    "Abonnement;Produkt;Menge;Kosten;Beginn;Rechnungsdatum;Einzelheiten\n"
    "office;Büro;10;1.000,50;05.01.2026;02.02.2026;"
    "cycleCharge. From 5 Jan 2026 to 31 Jan 2026 (27 days)\n"
    "Summe;;;1.000,50;;;\n"
).encode("cp1252")
DISTRIBUTOR = (
    "Company,Product,Plan,Start,End,Qty,Cost,Price,Invoice\n"
    "Vet Clinic,Office,office,2026-01-01,2026-01-31,10,100.00,13.00,PX-7\n"
)
JAPANESE = (
    "顧客名,製品名,数量,合計金額,開始日,終了日,請求書番号,通貨\n"
    "獣医,オフィス,10,120000,2026/01/01,2026/01/31,PX-8,JPY\n"
).encode("cp932")


@pytest.fixture
def inspected(company: Company, tmp_path: Path) -> Inspect:
    """Inspect content under a name that has not landed; the company's folder has apportion.toml."""
    company.data.landing.mkdir(parents=True)
    builds.prepare()

    def inspect(name: str, content: str | bytes) -> tuple[Inspection, ...]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return inspect_file(path, company.data)

    return inspect


def test_a_file_is_shown_as_a_run_reads_it(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    bill = company.drop(
        "billing_lines/a.csv",
        f"{HEADER},Currency,Remark\n"
        f'S1,"E3, yearly",1,1E1,28 Dec 2025,2026-01-06,"{DETAILS}",usd,x\n'
        f'S2,E5,2,"1,000",28 Dec 2025,2026-01-06,"{DETAILS}",USD,\n'
        f"S3,E3,1,5.25,28 Dec 2025,2026-01-06,{DETAILS},EUR,\n"
        f"S4,E5,2,2;5,28 Dec 2025,12/1/2025,{DETAILS},USD,\n",
    )
    before = bill.read_bytes(), bill.stat().st_mtime_ns
    builds.prepare()
    assert main(["inspect", str(bill), "--data", str(company.data.root)]) == 1
    shown = capsys.readouterr().out
    lines = shown.split("\n")
    assert "Place         landing/billing_lines/a.csv" in lines
    assert "File          delimited text, encoding UTF-8, delimiter ," in lines
    assert "Rows          4, 2 of them unusable" in lines
    assert "Unknown       Remark (kept, not used)" in lines
    assert "Missing       TotalSales, TotalMargin, Organization, SKU (all optional)" in lines
    rows = [line.split() for line in lines]
    assert ["column", "row", "2", "row", "4"] in rows
    assert ["total_cost", "10", "5.25"] in rows
    assert ["charge_start_date", "2025-12-28", "2025-12-28"] in rows
    assert "  EUR: billed_quantity 1, total_cost 5.25" in lines
    assert "  USD: billed_quantity 1, total_cost 10" in lines
    assert "  row 3 and 1 more: TotalCost is not a number" in shown
    assert "state decimals and thousands in apportion.toml (found: '1,000')" in shown
    assert 'date_order = "DMY"  # decide: 12/1/2025 in BillingDate can be' in shown
    assert lines[-2] == "A run would not use every row."
    # The inspection leaves nothing behind but dbt's log.
    assert (bill.read_bytes(), bill.stat().st_mtime_ns) == before
    assert {each.name for each in company.data.root.iterdir()} == {"landing", ".run"}
    assert not list(company.data.run_folder.glob("copy-*"))


def test_the_suggested_settings_read_a_german_report(company: Company, inspected: Inspect) -> None:
    (refused,) = inspected("januar.csv", GERMAN)
    assert not refused.is_usable
    assert refused.suggestion is not None
    settings = refused.suggestion.as_toml("billing_lines/januar.csv")
    assert 'encoding = "cp1252"\nheader_row = 3\n' in settings
    assert "decide: 05.01.2026 in Beginn" in settings
    company.data.declarations.write_text(settings, encoding="utf-8")
    (read,) = inspected("januar.csv", GERMAN)
    assert read.is_usable
    assert read.place == "billing_lines/januar.csv"
    assert read.staged is not None
    ((currency, sums),) = read.staged.sums
    assert currency is None
    assert (sums["billed_quantity"], sums["total_cost"]) == (Decimal(10), Decimal("1000.5"))
    assert str(read.staged.first[0][1]["charge_start_date"]) == "2026-01-05"
    assert "Known         Abonnement (as Subscription ID), Produkt (as ProductName)" in (
        report.as_text(read)
    )


def test_the_sheet_and_the_row_of_the_header_are_suggested(
    company: Company, inspected: Inspect
) -> None:
    book = openpyxl.Workbook()
    cover = book.worksheets[0]
    cover.append(["Customer", "Contact", "Telephone", "Address"])
    sheet = book.create_sheet("Lines")
    # Words in as many cells as the header has.
    sheet.append(["Invoice", "of", "January", "for", "the", "Vet", "Clinic"])
    sheet.append([])
    sheet.append(HEADER.split(","))
    sheet.append(["office", "E3", 1, 5, "2025-12-28", "2026-01-06", DETAILS])
    content = io.BytesIO()
    book.save(content)
    (refused,) = inspected("bill.xlsx", content.getvalue())
    assert refused.suggestion is not None
    assert refused.suggestion.settings == ('sheet = "Lines"', "header_row = 3")
    company.data.declarations.write_text(
        refused.suggestion.as_toml("billing_lines/bill.xlsx"), encoding="utf-8"
    )
    (read,) = inspected("bill.xlsx", content.getvalue())
    assert read.is_usable
    assert read.staged is not None
    assert read.staged.row_count == 1


def test_a_distributors_columns_are_suggested_and_open_ones_left_to_a_person(
    inspected: Inspect,
) -> None:
    (refused,) = inspected("january.csv", DISTRIBUTOR)
    suggestion = refused.suggestion
    assert suggestion is not None
    assert suggestion.file_format.name == "distributor_bill"
    # A price may be of a unit or of the line.
    assert suggestion.columns == {
        "Company": "Organization",
        "Product": "Product Name",
        "Plan": "Subscription ID",
        "Start": "Charge Start Date",
        "End": "Charge End Date",
        "Qty": "Quantity",
        "Cost": "Total Cost",
        "Invoice": "Invoice Number",
    }
    assert suggestion.values == ("Charge Type", "Currency")
    assert suggestion.lacking == ()


def test_a_japanese_bill_is_recognized(inspected: Inspect) -> None:
    (refused,) = inspected("bill.csv", JAPANESE)
    assert refused.suggestion is not None
    assert refused.suggestion.settings == ('format = "distributor_bill"', 'encoding = "cp932"')
    assert refused.suggestion.columns == {
        "顧客名": "Organization",
        "製品名": "Product Name",
        "数量": "Quantity",
        "合計金額": "Total Cost",
        "開始日": "Charge Start Date",
        "終了日": "Charge End Date",
        "請求書番号": "Invoice Number",
        "通貨": "Currency",
    }


def test_two_columns_of_one_meaning_are_not_suggested(inspected: Inspect) -> None:
    (refused,) = inspected("a.csv", DISTRIBUTOR.replace("Price", "Amount"))
    assert refused.suggestion is not None
    assert "Total Cost" not in refused.suggestion.columns.values()
    assert refused.suggestion.lacking == ("Total Cost",)


def test_a_number_of_two_readings_names_both(inspected: Inspect) -> None:
    (refused,) = inspected("a.csv", DISTRIBUTOR.replace("100.00", '"1,000"').replace("13.00", "13"))
    assert refused.suggestion is not None
    assert refused.suggestion.settings[1:] == (
        'decimals = "comma"',
        'thousands = "none"',
        "# decide: 1,000 can be 1.000 (decimals comma, thousands none) or 1000 (decimals point,"
        " thousands comma)",
    )


def test_no_settings_are_suggested_for_a_list_of_persons(company: Company) -> None:
    path = company.drop("directory/users.csv", "Ada Lovelace,ada@example.com\nB,b@example.com\n")
    (refused,) = inspect_file(path, company.data)
    assert refused.suggestion is None
    assert refused.refusal == "the header matches no format of directory"


def test_no_settings_are_suggested_for_readable_files() -> None:
    reading = contents.Reading(Limits(), (), lambda message: None, NO_DECLARATIONS)
    suggested = {}
    for path in folder.list_landing(SAMPLE / "landing"):
        name = folder.name_of(path, SAMPLE / "landing")
        if path.name != "manifest.json":
            content = contents.only_content(path.read_bytes(), Limits())
            feed = folder.feed_of(name)
            understood = understanding.understand(content, name, feed, reading)
            rows = understanding.rows_as_they_stand(content, reading, name, NOTHING_DECLARED)
            suggested[name] = suggest(content, rows, NOTHING_DECLARED, feed, understood.file_format)
    assert len(suggested) > 20
    assert {name for name, suggestion in suggested.items() if suggestion} == set()


@pytest.mark.parametrize("feed", ["budgets", "manual_forecasts"])
def test_plans_of_the_same_columns_are_read_as_the_folder_says(
    company: Company, tmp_path: Path, feed: str
) -> None:
    company.data.landing.mkdir(parents=True)
    builds.prepare()
    path = tmp_path / "plan.csv"
    path.write_text("Cost Center ID,Month,Currency,Amount\nF,2026-01,USD,80\nF,2026-13,USD,1\n")
    (unplaced,) = inspect_file(path, company.data)
    assert unplaced.refusal and "--as budgets/FILE" in unplaced.refusal
    (placed,) = inspect_file(path, company.data, f"{feed}/plan.csv")
    assert placed.file_format and placed.file_format.name == feed
    assert placed.staged and placed.staged.unusable_count == 1


def test_each_file_of_an_archive_is_shown(inspected: Inspect) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for part in (1, 2):
            line = f"S{part},E3,1,{part}.5,28 Dec 2025,2026-01-06,{DETAILS}"
            archive.writestr(f"part-{part}.csv", f"{HEADER}\n{line}\n")
    first, second = inspected("bills.zip", packed.getvalue())
    assert (first.place, second.place) == (
        "billing_lines/bills.zip/part-1.csv",
        "billing_lines/bills.zip/part-2.csv",
    )
    assert [each.staged and each.staged.sums[0][1]["total_cost"] for each in (first, second)] == [
        Decimal("1.5"),
        Decimal("2.5"),
    ]


def test_the_blob_of_an_export_is_read_without_its_manifest(company: Company) -> None:
    blobs = SAMPLE / "landing" / "billing_lines" / "new_commerce" / "2026-03"
    blob = next(blobs.rglob("part-00000-*.json.gz"))
    company.data.landing.mkdir(parents=True)
    builds.prepare()
    (read,) = inspect_file(blob, company.data)
    assert read.is_usable
    assert read.staged is not None
    assert read.staged.row_count > 0
    manifest = blob.with_name("manifest.json")
    assert "the manifest of a billing export" in (
        inspect_file(manifest, company.data)[0].refusal or ""
    )


@pytest.mark.parametrize(
    ("name", "place", "message"),
    [
        ("missing.csv", None, "the file does not exist"),
        (".", None, "a folder; inspect one file"),
        ("a.csv", "january.csv", "not a path in the folder of a feed"),
        ("a.csv", "bills/a.csv", "the feeds are billing_lines, split_history"),
    ],
)
def test_a_wrong_file_or_place_is_a_usage_error(
    name: str, place: str | None, message: str, company: Company
) -> None:
    company.drop("a.csv", HEADER)
    with pytest.raises(FileNotInspected, match=message) as error:
        inspect_file(company.data.landing / name, company.data, place)
    assert error.value.exit_code == 2


def test_every_fault_of_a_row_is_shown_and_equal_ones_once(inspected: Inspect) -> None:
    # By hand: ten rows with three faults each; row 12 has one, row 13 none.
    faulty = "".join(
        f'S1,E3,many,"905,50",2026-02-{day},2026-03-06,{DETAILS}\n' for day in range(30, 40)
    )
    text = (
        f"{HEADER}\n{faulty}S2,E3,0x14,5,2026-01-01,2026-03-06,{DETAILS}\n"
        f"S3,E3,20,5,2026-01-01,2026-03-06,{DETAILS}\n"
    )
    (inspection,) = inspected("faults.csv", text)
    shown = report.as_text(inspection).split("\n")
    assert "Rows          12, 11 of them unusable" in shown
    faults = sorted(line.strip() for line in shown if line.strip().startswith("row "))
    assert [each.split(" is ")[0] for each in faults] == [
        "row 2 and 10 more: Quantity",
        "row 2 and 9 more: ChargeStartDate",
        "row 2 and 9 more: TotalCost",
    ]
    assert "found: '905,50'" in faults[2]


def test_every_staging_model_marks_its_checks(company: Company) -> None:
    company.build()
    checked = [each for each in builds.compiled_once().statements if "failed_check" in each.code]
    assert len(checked) > 10
    with duckdb.connect(str(company.data.warehouse)) as connection:
        for each in checked:
            code = with_every_fault(each.code)
            assert code, each.unique_id
            assert connection.execute(f"select count(*) from ({code})").fetchone() == (0,)
