"""The raw tables: one asset per landed format, all filled by one pass over landing."""

from collections.abc import Iterable, Iterator
from hashlib import sha256

import dagster as dg

from dagster_project import database, progress, run_state, warehouse_file
from dagster_project.assets.downloads import BILLING_EXPORT_KEY
from dagster_project.assets.resources import Warehouse, plain_refusals
from dagster_project.feeds.declarations import read_declarations
from dagster_project.feeds.formats import FORMATS
from dagster_project.landing import forgetting, reader_process
from dagster_project.landing.sync import LandingReport, sync
from dagster_project.ledger import anchors
from dagster_project.ledger.anchors import Head
from dagster_project.ledger.postings import load_postings

READING = "reading   "
"""The beginning of the message on a file that is read."""

REGISTRY_TABLES = {
    "landed_files": "Every file in landing, with its status.",
    "declared_settings": "The settings of apportion.toml that figures depend on.",
    "rejected_rows": "Landed rows that do not fit the table of their file.",
    "ledger_lines": "The rows of closed periods, as they were posted.",
    "ledger_postings": "The closed periods and the instants they were closed.",
}

RAW_SPECS = [
    dg.AssetSpec(
        key=["raw", name],
        description=description,
        group_name="raw",
        kinds={"duckdb"},
        deps=[BILLING_EXPORT_KEY],
        skippable=True,
    )
    for name, description in {
        **{each.name: each.description for each in FORMATS},
        **REGISTRY_TABLES,
    }.items()
]


@dg.multi_asset(specs=RAW_SPECS, name="landing_files", can_subset=False)
def raw_tables(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """Read new landing files into the raw tables; remove the rows of deleted files."""
    data = warehouse.data
    warehouse_file.make_usable(data, print)
    with plain_refusals():
        run_state.begin(data)
    reading = progress.Step("Reading", "new files")

    def log(message: str) -> None:
        context.log.info(message)
        if message.startswith(READING):
            file = message.removeprefix(READING)
            reading.ended(file, file)

    with plain_refusals(), database.connect_for_loading(data.warehouse) as connection:
        postings = load_postings(data.ledger, connection)
        anchors.compare(data, postings)
        report = sync(
            data.landing,
            connection,
            progress=log,
            forgotten=forgetting.read_list(data.forgotten_users),
            declarations=read_declarations(data.declarations),
        )
    reader_process.close()
    reading.finish(f"{sum(report.row_counts.values()):,} rows in the warehouse")
    for each in FORMATS:
        files = [file for file in report.files if file.format == each.name]
        yield dg.MaterializeResult(
            asset_key=["raw", each.name],
            data_version=_version(file.content_hash for file in files if file.status == "loaded"),
            metadata={
                "dagster/row_count": report.row_counts[each.name],
                "files": sum(file.status == "loaded" for file in files),
                "rejected_rows": sum(file.rejected_count for file in files),
            },
        )
    yield dg.MaterializeResult(
        asset_key=["raw", "landed_files"],
        data_version=_version(
            f"{file.file} {file.modified_at} {file.status} {file.content_hash}"
            for file in report.files
        ),
        metadata={
            "dagster/row_count": len(report.files),
            "loaded": report.count("loaded"),
            "duplicate": report.count("duplicate"),
            "refused": report.count("refused"),
            "files": dg.MetadataValue.md(_file_table(report)),
        },
    )
    yield dg.MaterializeResult(asset_key=["raw", "declared_settings"])
    yield dg.MaterializeResult(
        asset_key=["raw", "rejected_rows"],
        metadata={
            "dagster/row_count": sum(file.rejected_count for file in report.files),
            "withdrawn_rows": report.withdrawn_row_count,
        },
    )
    ledger_version = _version(posting.entry_hash for posting in postings)
    yield dg.MaterializeResult(
        asset_key=["raw", "ledger_lines"],
        data_version=ledger_version,
        metadata={"dagster/row_count": sum(posting.row_count for posting in postings)},
    )
    yield dg.MaterializeResult(
        asset_key=["raw", "ledger_postings"],
        data_version=ledger_version,
        metadata={
            "dagster/row_count": len(postings),
            "closed_periods": ", ".join(posting.billing_period for posting in postings) or "none",
            "head": Head.of(postings[-1]).receipt() if postings else "none",
        },
    )


def _version(contents: Iterable[str | None]) -> dg.DataVersion:
    """The version of a raw table: what was loaded into it."""
    return dg.DataVersion(sha256("\0".join(sorted(map(str, contents))).encode()).hexdigest())


def _file_table(report: LandingReport) -> str:
    rows = [
        f"| {file.file} | {file.format or ''} | {file.status} | {file.row_count:,}"
        f" | {file.reason or ''} |"
        for file in report.files
    ]
    return "\n".join(["| file | format | status | rows | reason |", "|---|---|---|---|---|", *rows])
