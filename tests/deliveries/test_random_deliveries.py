"""Random deliveries: in any order of arrival the last run of each month is billed.

One landing folder holds many companies. For each, two providers deliver one month in 1 to 5 runs of
1 to 7 parts under one invoice number, in one of the layouts that providers use. The files are
written in random order at random times; names are random where the layout allows it.
"""

import json
import os
import random
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import Company, NewCompany

COMPANIES = int(os.environ.get("APPORTION_FUZZ_ORDERS", "60"))
"""Companies, each with its own order of arrival; `make fuzz` tests 1,000."""
MODELS = (
    "delivery_reconciliation",
    "int_findings_deliveries",
    "int_findings_files",
    "stg_landing__billing_amounts",
)

HEADER = (
    "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,"
    "ChargeCategory,ChargePeriodStart,ChargePeriodEnd,PricingQuantity,ProviderName,ResourceId,"
    "ServiceName,SubAccountId,InvoiceId"
)
PROVIDERS = ("Northwind Cloud", "Southwind Cloud")

Run = list[tuple[str, Decimal]]
"""The rows of one run: all columns after the cost, and the cost."""


@dataclass
class Month:
    """The deliveries of one provider for one month, and the expected rows."""

    invoice: str
    provider: str
    runs: list[Run]
    files: dict[str, str] = field(default_factory=dict)

    @property
    def billed(self) -> Decimal:
        """The last run."""
        return sum((cost for _, cost in self.runs[-1]), Decimal(0))

    @property
    def replaced(self) -> Decimal:
        """All runs before it."""
        return sum((cost for run in self.runs[:-1] for _, cost in run), Decimal(0))


def amount(source: random.Random) -> Decimal:
    return Decimal(source.randrange(-(10**8), 10**10)).scaleb(-source.choice((2, 4, 10)))


def row(invoice: str, provider: str, account: str, day: int, resource: str) -> str:
    start, end = f"2026-01-{day:02}T00:00:00Z", f"2026-01-{day + 1:02}T00:00:00Z"
    return (
        f"{account},USD,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,Usage,{start},{end},1,"
        f"{provider},{resource},Compute,{account}-1,{invoice}"
    )


def month(source: random.Random, invoice: str, provider: str, account: str) -> Month:
    """Runs of the month to date: later ones have more days, and restate some amounts."""
    run_count = source.randint(1, 5)
    last_days = sorted(source.sample(range(3, 31), run_count))
    charges: dict[tuple[int, str], Decimal] = {}
    runs = []
    for last_day in last_days:
        for day in range(1, last_day + 1):
            for resource in range(source.randint(0, 2)):
                charges.setdefault((day, f"r{resource}"), amount(source))
        charges.setdefault((last_day, "r0"), amount(source))
        for key in source.sample(sorted(charges), len(charges) // 4):
            # The key has the sign of the money: a charge that is restated stays a charge.
            sign = -1 if charges[key] < 0 else 1
            charges[key] = sign * abs(amount(source))
        runs.append(
            [
                (row(invoice, provider, account, day, resource), cost)
                for (day, resource), cost in charges.items()
            ]
        )
    return Month(invoice, provider, runs)


def parts(source: random.Random, run: Run) -> list[str]:
    """The run in 1 to 7 files, rows in any order."""
    shuffled = source.sample(run, len(run))
    count = source.randint(1, min(7, len(run)))
    return [
        "\n".join([HEADER, *(f"{cost:f},{rest}" for rest, cost in shuffled[place::count])]) + "\n"
        for place in range(count)
    ]


def guid(source: random.Random) -> str:
    text = f"{source.getrandbits(128):032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def azure(source: random.Random, month: Month, folder: str) -> None:
    """Run folders named by random ids; the manifests state their order."""
    for number, run in enumerate(month.runs):
        run_id = guid(source)
        at = f"{folder}/daily/20260101-20260131/{run_id}"
        contents = parts(source, run)
        manifest = {
            "manifestVersion": "2024-04-01",
            "blobCount": len(contents),
            "dataRowCount": len(run),
            "exportConfig": {
                "exportName": "daily",
                "resourceId": f"/providers/Microsoft.Billing/billingAccounts/{folder}"
                "/providers/Microsoft.CostManagement/exports/daily",
                "type": "FocusCost",
                "timeFrame": "MonthToDate",
            },
            "runInfo": {
                "runId": run_id,
                "submittedTime": f"2026-01-{number + 3:02}T06:00:00.0000000Z",
            },
            "blobs": [],
        }
        for place, content in enumerate(contents):
            name = f"part_{place}_0001.csv"
            month.files[f"{at}/{name}"] = content
            manifest["blobs"].append(
                {
                    "blobName": f"exports/{at}/{name}",
                    "byteCount": len(content),
                    "dataRowCount": content.count("\n") - 1,
                }
            )
        month.files[f"{at}/manifest.json"] = json.dumps(manifest)


def aws(source: random.Random, month: Month, folder: str) -> None:
    """Execution folders that begin with a time; manifests in a folder of their own, or none."""
    has_manifests = source.random() < 0.5
    for number, run in enumerate(month.runs):
        execution = f"2026-01-{number + 3:02}T06-00-00.000Z-{guid(source)}"
        data = f"{folder}/focus/data/BILLING_PERIOD=2026-01/{execution}"
        names = []
        for place, content in enumerate(parts(source, run), start=1):
            names.append(f"{data}/focus-{place:05}.csv")
            month.files[names[-1]] = content
        if has_manifests:
            path = f"{folder}/focus/metadata/BILLING_PERIOD=2026-01/{execution}"
            month.files[f"{path}/focus-Manifest.json"] = json.dumps(
                {
                    "exportArn": f"arn:aws:bcm-data-exports:us-east-1:1:export/{folder}",
                    "executionId": execution,
                    "dataFiles": [f"s3://bucket/prefix/{name}" for name in names],
                }
            )


def run_folders(source: random.Random, month: Month, folder: str) -> None:
    """Numbered run folders with files of any name."""
    for number, run in enumerate(month.runs):
        for content in parts(source, run):
            name = f"{source.getrandbits(48):012x}.csv"
            month.files[f"{folder}/run-{8 + number}/{name}"] = content


def one_file_per_run(source: random.Random, month: Month, folder: str) -> None:
    """Every run in a file of any name: the days of usage show which one is the last."""
    for run in month.runs:
        name = f"{source.getrandbits(48):012x}.csv"
        (month.files[f"{folder}/{name}"],) = [
            "\n".join([HEADER, *(f"{cost:f},{rest}" for rest, cost in run)]) + "\n"
        ]


def parts_of_one_run(source: random.Random, month: Month, folder: str) -> None:
    """One run in files of any name in one folder."""
    month.runs = month.runs[-1:]
    for content in parts(source, month.runs[0]):
        month.files[f"{folder}/{source.getrandbits(48):012x}.csv"] = content


LAYOUTS = (azure, aws, run_folders, one_file_per_run, parts_of_one_run)


def deliver(source: random.Random, company: Company, months: list[Month]) -> None:
    """Write all files in random order, each at a random time."""
    files = [each for month in months for each in month.files.items()]
    source.shuffle(files)
    for name, content in files:
        path: Path = company.drop(f"billing_lines/{name}", content)
        written = source.uniform(1_767_000_000, 1_770_000_000)
        os.utime(path, (written, written))


def made(source: random.Random, company: Company, count: int) -> list[Month]:
    months = []
    for number in range(count):
        for provider in PROVIDERS:
            one = month(source, f"INV-{number:04}", provider, f"acc-{number}")
            source.choice(LAYOUTS)(source, one, f"{provider.split()[0].lower()}/{number}")
            months.append(one)
    deliver(source, company, months)
    return months


def balances(company: Company) -> dict[tuple[str, str], tuple[Decimal, ...]]:
    return {
        (invoice, provider): tuple(rest)
        for invoice, provider, *rest in company.query(
            """
            select
                invoice_number, provider, sum(landed_total), sum(billed_total),
                sum(quarantined_total), sum(replaced_total)
            from marts.delivery_reconciliation
            group by all
            """
        )
    }


@pytest.fixture
def seed() -> int:
    """A new seed for each run, printed with a failure; APPORTION_SEED repeats one."""
    seed = int(os.environ.get("APPORTION_SEED", random.SystemRandom().randrange(10**9)))
    print(f"APPORTION_SEED={seed}")
    return seed


def test_in_any_order_the_last_run_is_billed_and_all_that_landed_is_accounted_for(
    new_company: NewCompany, seed: int
) -> None:
    source = random.Random(seed)
    company = new_company()
    months = made(source, company, COMPANIES)
    company.build(models=MODELS)
    assert (
        company.query(
            "select message from intermediate.int_findings_deliveries"
            " where kind = 'undecided_delivery'"
            " union all select message from intermediate.int_findings_files"
            " where kind = 'incomplete_export'"
        )
        == []
    )
    found = balances(company)
    assert found == {
        (each.invoice, each.provider): (
            each.billed + each.replaced,
            each.billed,
            Decimal(0),
            each.replaced,
        )
        for each in months
    }
