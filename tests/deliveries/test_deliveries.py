"""Which delivery of a bill counts, end to end from files to the reconciliation of deliveries.

Two builds contain all cases, each with an invoice of its own: in `decided` every bill is decided,
in `undecided` none is. The expected result is next to each case.
"""

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from conftest import Company, NewCompany
from made_deliveries import (
    FEBRUARY,
    JANUARY,
    MARCH,
    Landing,
    azure_manifest,
    broker,
    focus,
    invoices,
    partner_center,
    partner_center_json,
    usage,
)

from dagster_project import summary

MODELS = (
    "delivery_reconciliation",
    "findings",
    "invoice_reconciliation",
    "stg_landing__billing_amounts",
)
RUN = "3a9f3d28-8f2f-4a1c-8a56-740bed1165a5"
OTHER_RUN = "0c1d2e3f-0000-4000-8000-123456789012"


def put_listed(landing: Landing, invoice: str, parts: list[str]) -> None:
    contents = {
        f"part_{number}_0001.csv": focus(invoice, rows) for number, rows in enumerate(parts)
    }
    for name, content in contents.items():
        landing.put(f"azure/{invoice}/{name}", content)
    landing.put(f"azure/{invoice}/manifest.json", azure_manifest(invoice, contents))


def cur_runs() -> Iterator[tuple[str, str]]:
    """Files of AWS Cost and Usage Reports by name: the last run is that of the assembly `c9`."""
    period = "cur/CUR/20260101-20260201"
    runs = {"b1": ["4 a 1", "5 a 2"], "c9": ["4 a 10", "6 a 40"]}
    manifest = ""
    for number, (assembly, parts) in enumerate(runs.items()):
        names = [f"{period}/{assembly}/CUR-{at}.csv" for at in (1, 2)]
        for name, rows in zip(names, parts, strict=True):
            yield name, focus("CUR", f"{rows}\n{7 + number} a 0", account="a9")
        manifest = json.dumps(
            {
                "assemblyId": assembly,
                "account": "123456789012",
                "reportId": "r1",
                "reportName": "CUR",
                "billingPeriod": {"start": "20260101T000000.000Z", "end": "20260201T000000.000Z"},
                "bucket": "b",
                "compression": "GZIP",
                "reportKeys": names,
            }
        )
        yield f"{period}/{assembly}/CUR-Manifest.json", manifest
    yield f"{period}/CUR-Manifest.json", manifest


def put_decided(landing: Landing) -> None:
    # Parts of one invoice that do not repeat each other's rows all count.
    for number, rows in enumerate(["4 a 200", "6 a 25"], start=1):
        landing.put(f"aws/BILLING_PERIOD=2026-01/focus-{number:05}.csv", focus("CHUNKS", rows))
    for number, rows in enumerate(["s1 10\ns2 20", "s3 30\ns4 40"], start=1):
        landing.put(f"pc/PARTS {number}.csv", partner_center("PARTS", rows), FEBRUARY + number)
    for number, rows in enumerate(["s1 1", "s2 2", "s3 4"], start=1):
        landing.put(f"pc/PAGES page-{number}.json", partner_center_json("PAGES", rows))
    # The parts that a manifest lists are one delivery, in any folder of its storage; two identical
    # parts both count.
    put_listed(landing, "LISTED", ["4 a 100", "6 a 50"])
    put_listed(landing, "TWINS", ["4 a 7", "4 a 7"])

    # Daily runs of the month to date, nothing overwritten: the last one counts as a whole. It
    # restates the 4th, has no row of the 5th any more, and was downloaded first.
    runs = {"05": "4 a 10\n5 a 20", "06": "4 a 10\n5 a 20\n6 a 30", "07": "4 a 11\n6 a 30\n7 b 40"}
    for number, (day, rows) in enumerate(reversed(runs.items())):
        content = focus("TO-DATE", rows)
        folder = f"azure/daily/20260101-20260131/{number}{RUN[1:]}"
        landing.put(f"{folder}/part_0_0001.csv", content, JANUARY + number)
        manifest = azure_manifest("daily", {"part_0_0001.csv": content}, f"2026-01-{day}T06:00:00Z")
        landing.put(f"{folder}/manifest.json", manifest, JANUARY + number)
    # A second execution of a billing period replaces the first without repeating its rows.
    for moment, run, rows in [("05T06-00-00Z", RUN, "4 a 1"), ("06T06-00-00Z", OTHER_RUN, "6 b 2")]:
        execution = f"BILLING_PERIOD=2026-01/2026-01-{moment}-{run}"
        landing.put(f"aws2/data/{execution}/focus-00001.csv", focus("AGAIN", rows, account="a2"))
        landing.put(
            f"aws2/metadata/{execution}/focus-Manifest.json",
            json.dumps({"dataFiles": [f"s3://b/aws2/data/{execution}/focus-00001.csv"]}),
        )
    # Two runs of a Cost and Usage Report: each with its manifest, the last one's also above them.
    for name, manifest in cur_runs():
        landing.put(name, manifest)
    # Reports whose runs overwrite the files of the one before: the manifest of the last run is in
    # the folder of the period, those of all runs below it or in a folder of their own.
    period = "over/20260101-20260201"
    names = [f"{period}/OVER-0000{at}.csv" for at in (1, 2)]
    for name, rows in zip(names, ["4 a 10", "6 a 5"], strict=True):
        landing.put(name, focus("OVER", rows, account="b1"))
    last, first = (json.dumps({"assemblyId": run, "reportKeys": names}) for run in ("c9", "b1"))
    for folder, manifest in [("/b1", first), ("/c9", last), ("", last)]:
        landing.put(f"{period}{folder}/OVER-Manifest.json", manifest)
    data = "over2/data/BILLING_PERIOD=2026-01/OVER2-00001.csv"
    landing.put(data, focus("OVER2", "4 a 3", account="b2"))
    last, first = (json.dumps({"executionId": run, "dataFiles": [data]}) for run in ("c9", "b1"))
    for folder, manifest in [("/b1", first), ("/c9", last), ("", last)]:
        landing.put(f"over2/metadata/BILLING_PERIOD=2026-01{folder}/OVER2-Manifest.json", manifest)
    # A part that is the same in two runs is a part of both.
    for run in (1, 2):
        landing.put(f"x/run-{run}/a.csv", focus("SHARED", "4 a 10", account="a3"), MARCH - run)
        landing.put(f"x/run-{run}/b.csv", focus("SHARED", f"6 a {run}", account="a3"))

    # Without runs, the file with later usage is newer, regardless of the times of the files.
    landing.put("flat/one.csv", focus("USAGE", "4 a 10\n5 a 20", account="a4"), MARCH)
    landing.put("flat/two.csv", focus("USAGE", "4 a 12\n5 a 20\n6 a 30", account="a4"), JANUARY)
    # An invoice number comes with the second run; the charges are the same.
    landing.put("flat/early.csv", focus("", "4 a 10\n5 a 20", account="a5"), JANUARY)
    landing.put("flat/late.csv", focus("NUMBERED", "4 a 10\n5 a 20\n6 a 1", account="a5"), FEBRUARY)

    # Two providers with one invoice number, named by the bill or by its folder.
    landing.put("x/n.csv", focus("SAME-NO", "4 a 10", "Northwind", "a6"))
    landing.put("x/s.csv", focus("SAME-NO", "4 a 5", "Southwind", "a6"))
    landing.put("gcp/bill.csv", focus("FOLDER-NO", "4 a 10", "", "a7"))
    landing.put("oci/bill.csv", focus("FOLDER-NO", "4 a 5", "", "a7"))

    # A file that repeats all rows replaces the older one.
    landing.put("pc/REISSUED.csv", partner_center("REISSUED", "s1 50\ns2 5"), JANUARY)
    landing.put("pc/REISSUED new.csv", partner_center("REISSUED", "s2 5\ns1 40"), FEBRUARY)
    # One delivery in one file, then again in two parts.
    landing.put("pc/SPLIT.csv", partner_center("SPLIT", "s1 1\ns2 2"), JANUARY)
    landing.put("pc/SPLIT a.csv", partner_center("SPLIT", "s1 3"), FEBRUARY)
    landing.put("pc/SPLIT b.csv", partner_center("SPLIT", "s2 4"), FEBRUARY + 1)
    # Some rows are repeated and others are not: the invoice's subtotal decides.
    landing.put("pc/DROPPED.csv", partner_center("DROPPED", "s1 50\ns2 5"), JANUARY)
    landing.put("pc/DROPPED new.csv", partner_center("DROPPED", "s1 40\ns3 7"), FEBRUARY)
    landing.put("pc/BOTH.csv", partner_center("BOTH", "s1 50\ns2 5"), JANUARY)
    landing.put("pc/BOTH new.csv", partner_center("BOTH", "s1 50\ns3 7"), FEBRUARY)
    landing.put("pc/OLDER.csv", partner_center("OLDER", "s1 50\ns2 5"), FEBRUARY)
    landing.put("pc/OLDER too.csv", partner_center("OLDER", "s1 40\ns2 6"), FEBRUARY)
    # The folder or the name decides too: a later day, a second download of the same file.
    landing.put("inbox/2026-02-09/DAYS.csv", partner_center("DAYS", "s1 50\ns2 5"), MARCH)
    landing.put("inbox/2026-02-10/DAYS.csv", partner_center("DAYS", "s1 40"), FEBRUARY)
    landing.put("pc/NAMED.csv", partner_center("NAMED", "s1 50\ns2 5"), JANUARY)
    landing.put("pc/NAMED (1).csv", partner_center("NAMED", "s1 40"), FEBRUARY)

    # Copies add nothing: renamed, packed, in another folder, as JSON.
    landing.put("pc/COPIED.csv", partner_center("COPIED", "s1 10"), JANUARY)
    landing.put("pc/elsewhere/x.csv", partner_center("COPIED", "s1 10"), MARCH)
    packed = gzip.compress(partner_center("COPIED", "s1 10").encode())
    landing.put("pc/x.csv.gz", packed)
    landing.put("pc/COPIED.jsonl", partner_center_json("COPIED", "s1 10"), JANUARY)

    # Daily usage replaces the line of the invoice that sums it up.
    landing.put("pc/DETAIL.csv", partner_center("DETAIL", "s1 10\nazure 31"))
    landing.put("pc/DETAIL usage.csv", usage("DETAIL", "3 10\n4 21"))

    # Reports without invoice number that overlap: each line counts once, as declared.
    landing.put(
        "broker/1.csv", broker("s1 2026-01-10 1\ns2 2026-01-20 2\ns5 2026-01-20 16"), JANUARY
    )
    landing.put("broker/2.csv", broker("s2 2026-01-20 2\ns3 2026-01-20 4\ns4 2026-02-10 8"))
    landing.company.drop(
        "invoices/invoices.csv",
        invoices(
            """
            DROPPED  47   -
            BOTH     112  -
            OLDER    46   -
            SAME-NO  10   Northwind
            SAME-NO  6    southwind
            """
        ),
    )


# Per invoice and provider: what landed, what is billed, what is replaced.
DECIDED = """
    CHUNKS     Northwind     225   225   0
    PARTS      Microsoft     100   100   0
    PAGES      Microsoft     7     7     0
    LISTED     Northwind     150   150   0
    TWINS      Northwind     14    14    0
    TO-DATE    Northwind     171   81    90
    AGAIN      Northwind     3     2     1
    CUR        Northwind     53    50    3
    OVER       Northwind     15    15    0
    OVER2      Northwind     3     3     0
    SHARED     Northwind     23    12    11
    USAGE      Northwind     92    62    30
    NUMBERED   Northwind     31    31    0
    SAME-NO    Northwind     10    10    0
    SAME-NO    Southwind     5     5     0
    FOLDER-NO  Google-Cloud  10    10    0
    FOLDER-NO  Oracle        5     5     0
    REISSUED   Microsoft     100   45    55
    SPLIT      Microsoft     10    7     3
    DROPPED    Microsoft     102   47    55
    BOTH       Microsoft     112   112   0
    OLDER      Microsoft     101   46    55
    DAYS       Microsoft     95    40    55
    NAMED      Microsoft     95    40    55
    COPIED     Microsoft     40    10    30
    DETAIL     Microsoft     72    41    31
"""


@pytest.fixture(scope="module")
def decided(new_company: NewCompany) -> Company:
    company = new_company()
    company.data.root.mkdir(parents=True, exist_ok=True)
    company.data.declarations.write_text('[reports]\nequal_lines = "once"\n', encoding="utf-8")
    put_decided(Landing(company))
    return company.build(models=MODELS)


def plain(value: Decimal) -> str:
    return f"{value.normalize():f}" if value else "0"


@pytest.mark.parametrize("story", [line.split() for line in DECIDED.strip().splitlines()], ids=str)
def test_the_right_deliveries_are_billed(decided: Company, story: list[str]) -> None:
    invoice, provider, *amounts = story
    ((landed, billed, quarantined, replaced),) = decided.query(
        """
        select
            sum(landed_total), sum(billed_total), sum(quarantined_total), sum(replaced_total)
        from marts.delivery_reconciliation
        where invoice_number = $invoice and replace(provider, ' ', '-') = $provider
        """,
        {"invoice": invoice, "provider": provider},
    )
    assert [plain(amount) for amount in (landed, billed, replaced)] == amounts
    assert quarantined == 0


def test_every_invoice_is_in_a_story(decided: Company) -> None:
    found = decided.query(
        "select distinct invoice_number from marts.invoice_reconciliation"
        " where invoice_number is not null"
    )
    assert {invoice for (invoice,) in found} == {
        line.split()[0] for line in DECIDED.strip().splitlines()
    }


def test_the_bills_contain_all_landed_amounts(decided: Company) -> None:
    sums = "sum(landed_total), sum(quarantined_total), sum(replaced_total)"
    assert decided.query(
        f"select {sums}, sum(lines_total) from marts.invoice_reconciliation"
    ) == decided.query(f"select {sums}, sum(billed_total) from marts.delivery_reconciliation")
    assert decided.query(
        "select count(*) from marts.invoice_reconciliation"
        " where landed_total <> lines_total + quarantined_total + replaced_total"
    ) == [(0,)]


def test_a_bill_without_invoice_number_is_replaced_by_one_with_a_number(decided: Company) -> None:
    assert decided.query(
        """
        select billing_date::varchar, lines_total, replaced_total, status
        from marts.invoice_reconciliation
        where invoice_number is null and provider = 'Northwind'
        """
    ) == [("2026-02-01", 0, 30, "replaced")]


def test_overlapping_reports_bill_each_line_once(decided: Company) -> None:
    assert decided.query(
        """
        select billing_date::varchar, lines_total, replaced_total
        from marts.invoice_reconciliation
        where provider = 'Broker'
        order by 1
        """
    ) == [("2026-01-10", 1, 0), ("2026-01-20", 22, 2), ("2026-02-10", 8, 0)]


def test_each_provider_ties_to_its_own_invoice(decided: Company) -> None:
    assert decided.query(
        """
        select provider, invoice_total, variance, status
        from marts.invoice_reconciliation
        where invoice_number = 'SAME-NO'
        order by 1
        """
    ) == [("Northwind", 10, 0, "reconciled"), ("Southwind", 6, 1, "variance")]


@pytest.mark.parametrize(
    ("file", "reason", "by"),
    [
        ("pc/REISSUED.csv", "delivered_again", "pc/REISSUED new.csv"),
        ("pc/DROPPED.csv", "invoice_total", None),
        ("pc/elsewhere/x.csv", "same_content", "pc/COPIED.csv"),
        ("inbox/2026-02-09/DAYS.csv", "later_run", "inbox/2026-02-10/DAYS.csv"),
        ("broker/2.csv", "same_line", None),
        ("pc/DETAIL.csv", "usage_in_detail", None),
    ],
)
def test_a_replaced_delivery_states_the_reason_and_the_replacement(
    decided: Company, file: str, reason: str, by: str | None
) -> None:
    ((found_reason, found_by),) = decided.query(
        """
        select replaced_reason, replaced_by from marts.delivery_reconciliation
        where file = $file and replaced_row_count > 0
        """,
        {"file": f"billing_lines/{file}"},
    )
    assert found_reason == reason
    if by:
        assert found_by == f"billing_lines/{by}"


def test_a_reissued_invoice_is_a_finding_with_its_amount(decided: Company) -> None:
    assert decided.query(
        """
        select amount_at_stake, message from marts.findings
        where kind = 'invoice_reissued' and contains(message, 'invoice REISSUED')
        """
    ) == [
        (
            55,
            "invoice REISSUED: billing_lines/pc/REISSUED.csv (USD 55) is replaced by"
            " billing_lines/pc/REISSUED new.csv, which contains the same charges and is newer"
            " by the time of the file",
        )
    ]


# --- what cannot be decided -----------------------------------------------------------------------


UNDECIDED = {
    "SAME-TIME": ("contain the same charges with different amounts", "list the invoice"),
    "PARTLY": ("1 of 2 rows of billing_lines/PARTLY old.csv", "newer by the time of the file"),
    "SUBSET": ("1 of 2 rows of billing_lines/SUBSET old.csv",),
    "REPEATS": ("every row of billing_lines/REPEATS-00002.csv is also in",),
    "TWO-FORMATS": ("contain the same invoice in two formats",),
    "BESIDE": ("billing_lines/2026-02-09/BESIDE b.csv", "is not repeated, but other files"),
    "REPORT": ("REPORT a.csv (USD 3) and billing_lines/REPORT b.csv", 'state equal_lines = "once"'),
    "TWIN-TIME": ("TWIN-TIME a.csv", 'state equal_lines = "once"'),
    "INCREMENT": ("1 of 2 rows of billing_lines/INCREMENT_20260105.csv",),
    "MISSING": ("blob part-1.json.gz is missing",),
    "NO-MANIFEST": ("without its manifest.json",),
    "CUT": ("billing_lines/CUT/manifest.json: the manifest is truncated or damaged",),
    "AZURE-DAMAGED": ("20260101-20260131/r1/manifest.json: the manifest is truncated or damaged",),
    "AWS-DAMAGED": ("2026-01/focus-Manifest.json: the manifest is truncated or damaged",),
    "CUR-DAMAGED": ("20260101-20260201/a1/cur-Manifest.json: the manifest is truncated",),
    "UNLISTED": ("whose manifest does not list it",),
    "BYTES": ("bytes, the manifest says 1",),
    "ROWS": ("has 1 rows, the manifest says 2",),
}


def put_undecided(landing: Landing) -> None:
    landing.put("SAME-TIME a.csv", partner_center("SAME-TIME", "s1 10"))
    landing.put("SAME-TIME b.csv", partner_center("SAME-TIME", "s1 12"))
    landing.put("PARTLY old.csv", partner_center("PARTLY", "s1 10\ns2 20"), JANUARY)
    landing.put("PARTLY new.csv", partner_center("PARTLY", "s1 10\ns3 30"))
    landing.put("SUBSET old.csv", partner_center("SUBSET", "s1 10\ns2 20"), JANUARY)
    landing.put("SUBSET new.csv", partner_center("SUBSET", "s1 10"))
    landing.put("REPEATS-00001.csv", partner_center("REPEATS", "s1 10\ns2 20"))
    landing.put("REPEATS-00002.csv", partner_center("REPEATS", "s1 10"))
    landing.put("TWO-FORMATS.csv", partner_center("TWO-FORMATS", "s1 10"))
    landing.put("TWO-FORMATS focus.csv", focus("TWO-FORMATS", "4 a 10", "Microsoft"))
    landing.put("2026-02-09/BESIDE a.csv", partner_center("BESIDE", "s1 10\ns2 20"))
    landing.put("2026-02-09/BESIDE b.csv", partner_center("BESIDE", "s3 30"))
    landing.put("2026-02-10/BESIDE a.csv", partner_center("BESIDE", "s1 11"))

    # Some equal lines and no invoice number, of different times and of one time.
    landing.put("REPORT a.csv", broker("s1 2026-01-20 1\ns2 2026-01-20 2"), JANUARY)
    landing.put("REPORT b.csv", broker("s2 2026-01-20 2\ns3 2026-01-20 4"))
    landing.put("TWIN-TIME a.csv", broker("s1 2026-01-21 1\ns2 2026-01-21 2"))
    landing.put("TWIN-TIME b.csv", broker("s2 2026-01-21 2\ns3 2026-01-21 4"))

    # The second file brings a new day and restates one of two earlier ones.
    landing.put("INCREMENT_20260105.csv", focus("INCREMENT", "4 a 10\n5 a 20", account="a9"))
    landing.put("INCREMENT_20260106.csv", focus("INCREMENT", "5 a 21\n6 a 30", account="a9"))

    def export(name: str, parts: dict[str, str], **says: object) -> None:
        manifest = {
            "eTag": "1",
            "blobCount": len(parts),
            "blobs": [{"name": part, **says} for part in parts],
        }
        landing.put(f"{name}/manifest.json", json.dumps(manifest))
        for part, content in parts.items():
            landing.put(f"{name}/{part}", gzip.compress(content.encode()))

    one = {"part-0.json.gz": partner_center_json("MISSING", "s1 10")}
    export("MISSING", one | {"part-1.json.gz": ""})
    (landing.company.data.landing / "billing_lines/MISSING/part-1.json.gz").unlink()
    landing.put(
        f"NO-MANIFEST/part-00000-{RUN}.c000.json.gz",
        gzip.compress(partner_center_json("NO-MANIFEST", "s1 10").encode()),
    )
    export("CUT", {"part-0.json.gz": partner_center_json("CUT", "s1 10")})
    landing.put("CUT/manifest.json", '{"eTag": "1", "blo')
    # Manifests end in the middle of the list of their files; AWS writes them to another folder.
    content = focus("AZURE-DAMAGED", "4 a 10", account="a10")
    folder = "AZURE-DAMAGED/20260101-20260131/r1"
    landing.put(f"{folder}/part_0_0001.csv", content)
    manifest = azure_manifest("damaged", {"part_0_0001.csv": content})
    landing.put(f"{folder}/manifest.json", manifest[: manifest.index("part_0_0001")])
    period = "BILLING_PERIOD=2026-01"
    landing.put(
        f"AWS-DAMAGED/data/{period}/focus-00001.csv", focus("AWS-DAMAGED", "4 a 10", account="a11")
    )
    landing.put(
        f"AWS-DAMAGED/metadata/{period}/focus-Manifest.json",
        f'{{"executionId": "e", "dataFiles": ["s3://b/AWS-DAMAGED/data/{period}/foc',
    )
    folder = "CUR-DAMAGED/20260101-20260201/a1"
    landing.put(f"{folder}/cur-1.csv", focus("CUR-DAMAGED", "4 a 10", account="a12"))
    landing.put(
        f"{folder}/cur-Manifest.json", f'{{"reportKeys": ["{folder}/cur-1.csv", "{folder}/c'
    )
    export("UNLISTED", {"part-0.json.gz": partner_center_json("UNLISTED", "s1 10")})
    landing.put("UNLISTED/more.csv", partner_center("UNLISTED", "s2 20"))
    export("BYTES", {"part-0.json.gz": partner_center_json("BYTES", "s1 10")}, size=1)
    export("ROWS", {"part-0.json.gz": partner_center_json("ROWS", "s1 10")}, rowCount=2)


@pytest.fixture(scope="module")
def undecided(new_company: NewCompany) -> Company:
    company = new_company()
    put_undecided(Landing(company))
    return company.build(models=MODELS, expect_success=False)


@pytest.mark.parametrize("name", UNDECIDED)
def test_an_undecided_delivery_blocks_and_states_the_remedy(undecided: Company, name: str) -> None:
    ((message,),) = undecided.query(
        "select message from marts.findings"
        " where severity = 'blocking' and contains(message, $name)",
        {"name": name},
    )
    for each in UNDECIDED[name]:
        assert each in message


def test_only_the_check_for_it_fails(undecided: Company) -> None:
    (failure,) = undecided.failures
    assert failure.startswith("every_delivery_is_decided_and_whole")


def test_the_run_lists_the_deliveries_to_decide(undecided: Company) -> None:
    said = summary.blocking_findings(undecided.data)
    assert f"Not published: {len(UNDECIDED)} deliveries" in said
    for name in UNDECIDED:
        assert name in said


def test_each_undecided_row_is_billed_or_replaced(undecided: Company) -> None:
    assert undecided.query(
        """
        select count(*) from marts.delivery_reconciliation
        where landed_total <> billed_total + quarantined_total + replaced_total
        """
    ) == [(0,)]
