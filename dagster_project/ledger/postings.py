"""Closed periods: append-only Parquet postings, chained by SHA-256, checked before every run.

    ledger/000001-2026-01.parquet   the split lines of one closed period as they were billed, and
                                    what was passed on of shared costs
    ledger/chain.jsonl              one entry per posting; each holds the hash of the one before

Nothing here is ever written again: what comes to light later becomes correction rows of an open
period, and these are posted with it. Belongs here: the files. Does not: what may be closed
(closing.py), what corrections are (dbt's int_correction_rows).
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from dagster_project.errors import LedgerBroken
from dagster_project.quoting import sql_literal

CHAIN = "chain.jsonl"
GENESIS = "0" * 64
BUILDING = ".building"

LINE_TYPES = {
    "posting_number": "bigint",
    "billing_period": "varchar",
    "billing_date": "date",
    "invoice_number": "varchar",
    "organization_id": "varchar",
    "organization_name": "varchar",
    "subscription_id": "varchar",
    "product_name": "varchar",
    "sku_id": "varchar",
    "charge_type": "varchar",
    "charge_kind": "varchar",
    "charge_start_date": "date",
    "charge_end_date": "date",
    "billing_line_details": "varchar",
    "line_id": "varchar",
    "cost_center_id": "varchar",
    "cost_center_name": "varchar",
    "quantity": "decimal(28,10)",
    "total_cost": "decimal(28,10)",
    "total_sales": "decimal(28,10)",
    "total_margin": "decimal(28,10)",
    "currency": "varchar",
    "share": "decimal(18,10)",
    "snapshot_effective_at": "timestamp",
    "split_reason": "varchar",
    "is_unallocated": "boolean",
    "refund_of_line_id": "varchar",
    "charge_class": "varchar",
    "explanation": "varchar",
    "cost_center_name_then": "varchar",
    "original_billing_period": "varchar",
    "corrects_line_id": "varchar",
    "source_format": "varchar",
    "file": "varchar",
    "row_number": "bigint",
    "snapshot_id": "varchar",
    "product_id": "varchar",
    "unit_price": "decimal(28,10)",
    "allocated_quantity": "decimal(28,10)",
    "price_source": "varchar",
    "price_explanation": "varchar",
    "proration_rule": "varchar",
}
"""Columns of a posted split line."""

SHARED_COST_TYPES = {
    "shared_step": "integer",
    "shared_source_kind": "varchar",
    "shared_source_id": "varchar",
    "shared_source_name": "varchar",
    "shared_method": "varchar",
    "receiving_cost_center_id": "varchar",
    "receiving_cost_center_name": "varchar",
    "shared_cost": "decimal(28,10)",
    "shared_sales": "decimal(28,10)",
}
"""Columns that only posted shared costs have; their money is in none of a line's columns."""

ROW_TYPES = LINE_TYPES | SHARED_COST_TYPES
"""Columns of a posted row. Columns may be added, with null for older postings; none may go."""

POSTED_ROWS = """
    select
        cast({number} as bigint) as posting_number,
        {casts}
    from (
        select * from intermediate.int_report_rows
        union all by name
        select
            billing_period,
            organization_id,
            organization_name,
            currency,
            from_cost_center_id as cost_center_id,
            from_cost_center_name as cost_center_name,
            product_name,
            share,
            explanation,
            step as shared_step,
            source_kind as shared_source_kind,
            source_id as shared_source_id,
            source_name as shared_source_name,
            method as shared_method,
            to_cost_center_id as receiving_cost_center_id,
            to_cost_center_name as receiving_cost_center_name,
            shared_cost,
            shared_sales
        from intermediate.int_shared_costs
    )
    where billing_period = ?
    order by
        line_id, cost_center_id, shared_step, shared_source_kind, shared_source_id, currency,
        product_name, receiving_cost_center_id, organization_id
    """
"""SQL of the rows that are posted: split lines, and what was passed on of shared costs."""


@dataclass(frozen=True)
class Posting:
    """One entry of the chain. `closed_at` is a UTC instant in ISO 8601."""

    posting_number: int
    billing_period: str
    closed_at: str
    closed_by: str
    override_reason: str | None
    file: str
    row_count: int
    total_cost: str
    file_hash: str
    previous_hash: str

    @property
    def entry_hash(self) -> str:
        """The hash that stands behind the entry and that the next entry holds."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def as_line(self) -> str:
        """The entry as it stands in the chain."""
        return json.dumps(asdict(self) | {"entry_hash": self.entry_hash}, sort_keys=True)

    @classmethod
    def from_line(cls, line: str) -> "Posting":
        """The entry of a line; raises ValueError where it is not as it was written."""
        values = json.loads(line)
        entry_hash = values.pop("entry_hash")
        posting = cls(**values)
        if posting.entry_hash != entry_hash or posting.as_line() != line:
            raise ValueError("the entry was edited")
        return posting


def read_postings(folder: Path) -> tuple[Posting, ...]:
    """The postings in their order, every file checked against its hash.

    Raises LedgerBroken, naming the file, where one was edited, is missing or was added, or
    where the chain itself was changed.
    """
    postings: list[Posting] = []
    previous_hash = GENESIS
    for number, line in enumerate(_chain_lines(folder), start=1):
        try:
            posting = Posting.from_line(line)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LedgerBroken(f"{folder / CHAIN} line {number} is no posting ({error})") from error
        if posting.previous_hash != previous_hash or posting.posting_number != number:
            raise LedgerBroken(
                f"{folder / CHAIN} line {number} does not follow from the line before:"
                " the chain was edited"
            )
        _finish_interrupted(folder / posting.file, posting.file_hash)
        path = folder / posting.file
        if not path.is_file():
            raise LedgerBroken(f"{path} is missing; restore it from a backup")
        if _hash(path) != posting.file_hash:
            raise LedgerBroken(f"{path} was edited after it was posted; restore it from a backup")
        previous_hash = posting.entry_hash
        postings.append(posting)
    known = {posting.file for posting in postings} | {CHAIN}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.endswith(BUILDING):
            path.unlink()
        elif path.name not in known and not path.name.startswith("."):
            raise LedgerBroken(f"{path} is in no posting; move it out of the ledger")
    return tuple(postings)


def load_postings(folder: Path, connection: duckdb.DuckDBPyConnection) -> tuple[Posting, ...]:
    """Check the ledger and fill raw.ledger_postings and raw.ledger_lines with it."""
    postings = read_postings(folder)
    connection.execute("create schema if not exists raw")
    connection.execute(
        """
        create or replace table raw.ledger_postings (
            posting_number bigint, billing_period varchar, closed_at timestamp,
            closed_by varchar, override_reason varchar, row_count bigint
        )
        """
    )
    columns = ", ".join(f"{name} {kind}" for name, kind in ROW_TYPES.items())
    connection.execute(f"create or replace table raw.ledger_lines ({columns})")
    for posting in postings:
        connection.execute(
            "insert into raw.ledger_postings values (?, ?, ?, ?, ?, ?)",
            [
                posting.posting_number,
                posting.billing_period,
                posting.closed_at,
                posting.closed_by,
                posting.override_reason,
                posting.row_count,
            ],
        )
        connection.execute(
            "insert into raw.ledger_lines by name select * from read_parquet(?)",
            [str(folder / posting.file)],
        )
    return postings


def append_posting(
    folder: Path,
    connection: duckdb.DuckDBPyConnection,
    billing_period: str,
    closed_at: str,
    closed_by: str,
    override_reason: str | None,
) -> Posting:
    """Post the rows of one period from `connection`'s int_report_rows and int_shared_costs.

    Returns the posting. The file is complete before the chain names it, and an interruption at
    any point leaves a ledger that the next run can read.
    """
    postings = read_postings(folder)
    folder.mkdir(parents=True, exist_ok=True)
    number = len(postings) + 1
    file = f"{number:06d}-{billing_period}.parquet"
    building = folder / (file + BUILDING)
    names = [name for name in ROW_TYPES if name != "posting_number"]
    casts = ", ".join(f"cast({name} as {ROW_TYPES[name]}) as {name}" for name in names)
    connection.execute(
        "create or replace temp table posted_rows as"
        + POSTED_ROWS.format(number=number, casts=casts),
        [billing_period],
    )
    connection.execute(
        f"copy posted_rows to {sql_literal(building)} (format parquet, compression zstd)"
    )
    row = connection.execute("select count(*), sum(total_cost) from posted_rows").fetchone()
    row_count, total_cost = row or (0, None)
    posting = Posting(
        posting_number=number,
        billing_period=billing_period,
        closed_at=closed_at,
        closed_by=closed_by,
        override_reason=override_reason,
        file=file,
        row_count=row_count,
        total_cost=str(total_cost),
        file_hash=_hash(building),
        previous_hash=postings[-1].entry_hash if postings else GENESIS,
    )
    chain_building = folder / (CHAIN + BUILDING)
    lines = [*(each.as_line() for each in postings), posting.as_line()]
    chain_building.write_text("".join(line + "\n" for line in lines), encoding="ascii")
    _flush(building)
    _flush(chain_building)
    chain_building.replace(folder / CHAIN)
    building.replace(folder / file)
    return posting


def _chain_lines(folder: Path) -> Iterator[str]:
    chain = folder / CHAIN
    if chain.exists():
        try:
            text = chain.read_bytes().decode("ascii")
        except UnicodeDecodeError as error:
            raise LedgerBroken(f"{chain} is no chain of postings ({error})") from error
        yield from text.removesuffix("\n").split("\n")


def _finish_interrupted(path: Path, file_hash: str) -> None:
    """A posting that is in the chain but whose file was not renamed yet."""
    building = path.with_name(path.name + BUILDING)
    if not path.exists() and building.exists() and _hash(building) == file_hash:
        building.replace(path)


def _flush(path: Path) -> None:
    """Bring a file to the disk before anything refers to it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
