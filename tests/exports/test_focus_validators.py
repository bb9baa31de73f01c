"""FOCUS files checked by two validators: the FinOps Foundation's and a community tool.

Both are separate programs with incompatible packages. They are found by the variables
 APPORTION_FOCUS_VALIDATOR and APPORTION_FOCUS_TOOLKIT, which name their executables, or in
the environment `.venv-focus`. Without them these tests are skipped, with instructions.
"""

import json
import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from conftest import Company
from focus_sample import ALL_PERIODS, Written, written_sample

from dagster_project.exports.focus import write_focus
from dagster_project.exports.scope import Scope
from dagster_project.settings import PROJECT_ROOT

HOW_TO_INSTALL = """not installed, so it checks no FOCUS files. To install it (Python 3.12):
    python3.12 -m venv .venv-focus
    .venv-focus/bin/pip install "focus-validator==2.2.1" "pyarrow<22" "focus-data-toolkit==0.14.1"
"""

DATASETS = ("cost_and_usage", "invoice_detail", "billing_period", "contract_commitment")

NO_AMORTIZATION = {"EffectiveCost-C-005-C"}
"""Asks for an EffectiveCost of 0 on every purchase, though FOCUS does so only on purchases that
cover charges to come: issue 2673 of FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, open in 2026."""

NO_INVOICE, EVERY_INVOICE = "InvoiceId-C-004-C", "InvoiceId-C-005-C"
"""That no row has an InvoiceId, and that every row has one: FOCUS asks it by charge. One of them
fails on any file that has the column."""

ONE_OF_BOTH = {"InvoiceId-C-000-O", "InvoiceId-C-003-C"}
"""That one of the two holds; fails on a file of bills with and without a number."""


CRITERIA = ",".join(
    f"{criterion}_SUPPORTED"
    for criterion in (
        *("ACCOUNT_NAMING", "SUB_ACCOUNT", "TAGGING", "UNIT_PRICING", "USAGE_MEASUREMENT"),
        "MULTIPLE_PRICING_CATEGORIES",
    )
)
"""What the provider of our rows supports. Without it, the validator skips the rules of it."""


def executable(variable: str, name: str) -> Path:
    """A validator's program; skips the test with the reason if there is none."""
    named = os.environ.get(variable)
    path = Path(named) if named else PROJECT_ROOT / ".venv-focus" / "bin" / name
    if named and not path.exists():
        pytest.fail(f"{variable} names {path}, which is not there")
    if not path.exists():
        pytest.skip(f"{name} is {HOW_TO_INSTALL}")
    return path


def run(arguments: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="session")
def sample(sample_company: Company) -> Written:
    return written_sample(sample_company.data)


# --- the official validator, which has the rules of 1.2 -------------------------------------------


@pytest.fixture(scope="session")
def validator() -> Path:
    return executable("APPORTION_FOCUS_VALIDATOR", "focus-validator")


def failed_rules(validator: Path, file: Path) -> dict[str, int]:
    """The rules a file of 1.2 fails, with the violations the validator counts."""
    where = run(
        [
            validator.with_name("python"),
            "-c",
            "import pathlib, focus_validator as f; print(pathlib.Path(f.__file__).parents[1])",
        ],
        validator.parent,
    )
    # It finds its list of currencies from its own folder only, and exits 0 whatever fails.
    outcome = run(
        [
            *(validator, "--data-file", file, "--validate-version", "1.2", "--block-download"),
            *("--applicability-criteria", CRITERIA),
        ],
        Path(where.stdout.strip()),
    )
    total = re.search(r"Total: (\d+) \| Pass: (\d+) \| Fail: (\d+)", outcome.stdout)
    assert total, outcome.stdout + outcome.stderr
    assert int(total[2]) > 190, "it has checked something"
    failed = {
        rule: int(count)
        for rule, count in re.findall(r"❌ (\S+): FAIL\s+\(violations=(\d+)", outcome.stdout)
    }
    assert len(failed) == int(total[3])
    return failed


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_the_official_validator_reports_only_its_known_deviations(
    sample: Written, validator: Path, file_format: str
) -> None:
    failed = failed_rules(validator, sample.path("cost_and_usage", "1.2", file_format))
    # They fail on these rows only, and so for these reasons only.
    rows = sample.rows("cost_and_usage", "1.2")
    expected = {
        "EffectiveCost-C-005-C": sum(
            row["ChargeCategory"] == "Purchase" and row["EffectiveCost"] != "0" for row in rows
        ),
        NO_INVOICE: sum(row["InvoiceId"] != "" for row in rows),
        EVERY_INVOICE: sum(row["InvoiceId"] == "" for row in rows),
    }
    assert {rule: failed[rule] for rule in failed.keys() - ONE_OF_BOTH} == expected


def test_the_invoice_rules_pass_if_every_bill_has_a_number(
    sample: Written, validator: Path, tmp_path: Path
) -> None:
    numbered, unnumbered = Counter[str](), Counter[str]()
    for row in sample.rows("cost_and_usage", "1.2"):
        (numbered if row["InvoiceId"] else unnumbered)[row["BillingAccountId"]] += 1
    organization = next(name for name, _ in numbered.most_common() if name not in unnumbered)
    scope = Scope(ALL_PERIODS.first_period, ALL_PERIODS.last_period, organization)
    (file,) = write_focus(sample.connection, scope, tmp_path, "1.2", ("csv",))
    assert failed_rules(validator, file.path).keys() == NO_AMORTIZATION | {NO_INVOICE}


def test_the_official_validator_detects_errors(
    sample: Written, validator: Path, tmp_path: Path
) -> None:
    text = sample.path("cost_and_usage", "1.2").read_text(encoding="utf-8")
    broken = tmp_path / "broken.csv"
    broken.write_text(text.replace(",USD,", ",Dollar,", 1), encoding="utf-8")
    assert any("BillingCurrency" in rule for rule in failed_rules(validator, broken))


# --- the community's linter of 1.4, and its checks across datasets --------------------------------


@pytest.fixture(scope="session")
def toolkit() -> Path:
    return executable("APPORTION_FOCUS_TOOLKIT", "focus-toolkit")


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_linter_has_no_findings(sample: Written, toolkit: Path, dataset: str) -> None:
    file = sample.path(dataset, "1.4")
    outcome = run([toolkit, "validate", "--dataset", dataset.replace("_", "-"), file], file.parent)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "lint OK" in outcome.stdout


def test_the_four_datasets_go_together(sample: Written, toolkit: Path, tmp_path: Path) -> None:
    files = [
        argument
        for dataset in DATASETS
        for argument in (f"--{dataset.replace('_', '-')}", sample.path(dataset, "1.4"))
    ]
    report = tmp_path / "report.json"
    outcome = run([toolkit, "validate-bundle", *files, "--report", report], tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    counts = json.loads(report.read_text(encoding="utf-8"))["counts"]
    assert counts["ERROR"] == counts["WARNING"] == 0


ALLOCATION_CHECK = """
import csv, json, sys
from decimal import Decimal
from focus_data_toolkit.validate.allocation import validate_split_allocation
from focus_data_toolkit.validate.reconciliation import reconcile_invoice_detail

charges, details = (list(csv.DictReader(open(path, encoding="utf-8"))) for path in sys.argv[1:3])
exactly = {"ratio_tolerance": Decimal(0), "cost_tolerance": Decimal(0)}
# Its rule that every part has a resource is not FOCUS's: what is not allocated has none.
grouped = [
    row | {
        "x_SplitOriginId": f"{row['x_BillingPeriod']}/{row['x_LineId']}",
        "x_SplitOriginCost": row["x_LineBilledCost"],
        "AllocatedResourceId": row["AllocatedResourceId"] or "nobody",
    }
    for row in charges
    if row["AllocatedMethodDetails"]
]
part = next(row for row in grouped if row["x_SplitReason"] == "snapshot")
off_by_little = [
    row | {"BilledCost": str(Decimal(row["BilledCost"]) + Decimal("0.0000000001"))}
    if row is part else row
    for row in grouped
]
print(json.dumps({
    "as_written": [each.code for each in validate_split_allocation(charges, **exactly)],
    "group_count": len({row["x_SplitOriginId"] for row in charges if row["x_SplitOriginId"]}),
    "all_groups": [each.code for each in validate_split_allocation(grouped, **exactly)],
    "off_by_little": [each.code for each in validate_split_allocation(off_by_little, **exactly)],
    "invoices": [
        each.code for each in reconcile_invoice_detail(charges, details, tolerance=Decimal(0))
    ],
}))
"""


def test_parts_and_invoices_add_up_without_any_tolerance(sample: Written, toolkit: Path) -> None:
    outcome = run(
        [
            toolkit.with_name("python"),
            "-c",
            ALLOCATION_CHECK,
            sample.path("cost_and_usage", "1.4"),
            sample.path("invoice_detail", "1.4"),
        ],
        toolkit.parent,
    )
    assert outcome.returncode == 0, outcome.stderr
    found = json.loads(outcome.stdout)
    assert found["group_count"] > 0
    assert found["as_written"] == found["all_groups"] == found["invoices"] == []
    assert found["off_by_little"] == ["FDT-ALLOC-002"], "it would have seen a ten-billionth"
