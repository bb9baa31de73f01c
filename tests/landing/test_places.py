"""Evidence in the path of a landed bill: its delivery, the export it is a run of, and when."""

from datetime import datetime

import pytest

from dagster_project.landing.deliveries import EXPORT_BLOB, Place, missing_parts, place_of

RUN = "3a9f3d28-8f2f-4a1c-8a56-740bed1165a5"
OTHER_RUN = "0c1d2e3f-0000-4000-8000-123456789012"


def place(name: str) -> Place:
    return place_of(f"billing_lines/{name}")


@pytest.mark.parametrize(
    "names",
    [
        (
            "aws/BILLING_PERIOD=2026-01/focus-00001.csv",
            "aws/BILLING_PERIOD=2026-01/focus-00002.csv",
        ),
        (
            f"aws/data/BILLING_PERIOD=2026-01/2026-01-31T12:30:03Z-{RUN}/x-00001.csv.gz",
            f"aws/data/BILLING_PERIOD=2026-01/2026-01-31T12:30:03Z-{RUN}/more/x-00002.csv.gz",
        ),
        (
            f"azure/daily/20260101-20260131/202601050600/{RUN}/part_0_0001.csv",
            f"azure/daily/20260101-20260131/202601050600/{RUN}/part_1_0001.csv",
        ),
        # The folder of a run below its period has any name, and its files may be named by ids.
        ("cur/20260101-20260201/b1/CUR-1.csv", "cur/20260101-20260201/b1/CUR-2.csv"),
        (
            f"azure/20260101-20260131/{RUN}/a_{RUN}.csv",
            f"azure/20260101-20260131/{RUN}/b_{RUN}.csv",
        ),
        ("azure/run/a.csv", "azure/run/b.csv"),
        ("run-2/eu/a.csv", "run-2/us/b.csv"),
        ("focus-00001.csv", "focus-00002.csv"),
        ("G1 part 1.csv", "G1 part 2.csv"),
        ("page-1.json", "page-2.json"),
        ("january 1of2.csv", "january 2of2.csv"),
        ("Rechnung (Teil 1).csv", "Rechnung (Teil 2).csv"),
    ],
)
def test_files_that_are_handed_over_at_once_belong_to_one_delivery(names: tuple[str, str]) -> None:
    first, second = (place(name).delivery for name in names)
    assert first == second is not None


@pytest.mark.parametrize(
    "name",
    [
        "invoice-G100200304.csv",
        "new_commerce/2026-03/bill.csv",
        "greyport-2026-02.csv",
        # A folder that is named for a day may be an inbox.
        "2026-02-09/bill.csv",
        "trunk.csv",
        "january (1).csv",
    ],
)
def test_any_other_file_is_a_delivery_of_its_own(name: str) -> None:
    assert place(name).delivery is None


@pytest.mark.parametrize(
    ("earlier", "later", "is_whole_period"),
    [
        (
            f"aws/BILLING_PERIOD=2026-01/2026-01-05T06:00:00Z-{RUN}/x-00001.csv",
            f"aws/BILLING_PERIOD=2026-01/2026-01-06T06:00:00Z-{OTHER_RUN}/x-00001.csv",
            True,
        ),
        (
            f"azure/daily/20260101-20260131/202601050600/{RUN}/part_0_0001.csv",
            f"azure/daily/20260101-20260131/202601060600/{OTHER_RUN}/part_0_0001.csv",
            True,
        ),
        ("x/run-2/a.csv", "x/run-10/b.csv", False),
        ("x/version 20/run-2/a.csv", "x/version 20/run-10/a.csv", False),
        ("x/2026-02-09/a.csv", "x/2026-02-10/b.csv", False),
        ("x/2026-02-09T0600/a.csv", "x/2026-02-09T1800/b.csv", False),
        ("usage_20260105.csv", "usage_20260106.csv", False),
        ("bill version 2.csv", "bill version 3.csv", False),
    ],
)
def test_runs_of_one_export_are_a_series_in_order(
    earlier: str, later: str, is_whole_period: bool
) -> None:
    first, second = place(earlier), place(later)
    assert first.series == second.series is not None
    assert first.delivery is None or first.delivery != second.delivery
    order = [(each.delivered_at or datetime.min, each.run_number or 0) for each in (first, second)]
    assert order[0] < order[1]
    assert {first.is_whole_period, second.is_whole_period} == {is_whole_period}


def test_runs_of_a_cost_and_usage_report_in_folders_of_any_name_are_runs_without_order() -> None:
    first, second = (place(f"cur/20260101-20260201/{run}/CUR-1.csv") for run in ("b1", "c9"))
    assert first.series == second.series == "cur/20260101-20260201"
    assert first.delivery != second.delivery
    assert first.is_whole_period


def test_exports_of_azure_in_one_file_each_are_runs_without_order() -> None:
    first, second = (place(f"azure/20260101-20260131/daily_{run}.csv") for run in (RUN, OTHER_RUN))
    assert first.series == second.series == "azure/20260101-20260131"
    assert first.delivery != second.delivery
    assert first.delivered_at is first.run_number is None


@pytest.mark.parametrize(
    ("name", "other"),
    [
        # Another billing period, another export, another file.
        ("aws/BILLING_PERIOD=2026-01/x-00001.csv", "aws/BILLING_PERIOD=2026-02/x-00001.csv"),
        ("azure/a/20260101-20260131/x.csv", "azure/b/20260101-20260131/x.csv"),
        ("usage_20260105.csv", "licenses_20260105.csv"),
    ],
)
def test_runs_of_other_exports_are_another_series(name: str, other: str) -> None:
    assert place(name).series != place(other).series


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        (f"BILLING_PERIOD=2026-01/2026-01-31T12-30-03.250Z-{RUN}/x.csv", "2026-01-31 12:30:03"),
        ("x/202601311230/y.csv", "2026-01-31 12:30:00"),
        ("x/20260131T123003Z/y.csv", "2026-01-31 12:30:03"),
        ("x/2026-01-31/1830/y.csv", "2026-01-31 00:00:00"),
        ("x/2026-02-30/2026-01-31/y.csv", "2026-01-31 00:00:00"),
        ("usage 2026-01-31.csv", "2026-01-31 00:00:00"),
    ],
)
def test_the_time_in_a_folder_or_name_is_that_of_the_delivery(name: str, moment: str) -> None:
    assert place(name).delivered_at == datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    "name",
    ["x/2026-02/y.csv", "G100200304.csv", "20261301.csv", "x/2026-02-30/y.csv", "a20260131b.csv"],
)
def test_names_without_a_day_state_no_time(name: str) -> None:
    assert place(name).delivered_at is None


@pytest.mark.parametrize(
    "name",
    [
        "bill.csv",
        "old/bill (1).csv",
        "bill - Copy.csv.gz",
        "bill - Copy (2).parquet",
        "Bill_copy.CSV",
    ],
)
def test_a_second_download_has_the_base_name_of_the_first(name: str) -> None:
    assert place(name).base_name == "bill"


def test_a_blob_of_a_billing_export_is_known_by_its_name() -> None:
    assert EXPORT_BLOB.fullmatch(f"part-00000-{RUN}.c000.json.gz")
    assert not EXPORT_BLOB.fullmatch("part-00000.json.gz")


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("G1 part-1.csv", "G1 part-3.csv"), "part 2 is missing"),
        (("focus-00001.csv", "focus-00004.csv.gz"), "parts 2, 3 are missing"),
        (("part_0_0001.csv", "part_2_0001.csv"), "part 1 is missing"),
        (("page-2.json",), "1 numbered file is there, but part 1 is missing"),
        (("G1-part-1-of-3.csv", "G1-part-2-of-3.csv"), "part 3 is missing"),
        (("G1 page 0 of 3.csv", "G1 page 1 of 3.csv"), "part 2 is missing"),
        (("bill_1of3.csv", "bill_3of3.csv"), "part 2 is missing"),
        (("chunk1.csv", "chunk9.csv"), "parts 2, 3, 4, 5, 6 and 2 more are missing"),
    ],
)
def test_a_gap_in_the_numbers_of_parts_is_found(names: tuple[str, ...], missing: str) -> None:
    ((file, message),) = missing_parts(f"billing_lines/x/{name}" for name in names).items()
    assert file == f"billing_lines/x/{names[0]}"
    assert missing in message


@pytest.mark.parametrize(
    "names",
    [
        ("part_0_0001.csv", "part_1_0001.csv"),
        ("G1 part 1.csv", "G1 part 2 (1).csv", "G2 part 1.csv"),
        ("january/part-1.csv", "february/part-1.csv"),
        # Numbers of invoices.
        ("bill-00124.csv", "bill-00127.csv"),
        ("greyport-2026-02.csv", "greyport-2026-04.csv"),
        # Azure splits a large part again.
        ("part_0_0001.csv", "part_0_0002.csv"),
    ],
)
def test_other_numbers_show_no_gap(names: tuple[str, ...]) -> None:
    assert missing_parts(f"billing_lines/{name}" for name in names) == {}
