"""Closed periods: append-only Parquet postings, chained by SHA-256, checked before every run.

    ledger/000001-2026-01.parquet   the split lines of one closed period as billed, and the shared
                                    costs passed on
    ledger/chain.jsonl              one entry per posting, with the hash of the previous entry

Postings never change. Later changes become correction rows of an open period and are posted with
that period. Reading changes no file. Only the holder of the writer's lock completes or removes the
files of an interrupted closing. Belongs here: the files. Does not: the conditions for closing
(closing.py), the recorded heads (anchors.py), corrections (dbt's ledger models).
"""

import hashlib
import hmac
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path

import duckdb

from dagster_project import database, relations
from dagster_project.errors import LedgerBroken
from dagster_project.files import BUILDING, flush
from dagster_project.quoting import sql_literal
from dagster_project.table_versions import ROWS_VERSION

CHAIN = "chain.jsonl"
GENESIS = "0" * 64

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
    "provider": "varchar",
    "is_default": "boolean",
    "quantity_unit": "varchar",
    "billed_cost": "decimal(38,18)",
    "effective_cost": "decimal(38,18)",
    "list_cost": "decimal(38,18)",
    "contracted_cost": "decimal(38,18)",
    "billing_period_start": "timestamp",
    "billing_period_end": "timestamp",
}
"""Columns of a posted split line. FOCUS amounts are null where they equal total_cost, and in older
postings; the bounds of the billing period are null unless the provider states them."""

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
    "sales_share": "decimal(18,10)",
}
"""Columns that only posted shared costs have; their amounts are in no column of a line."""

ROW_TYPES = LINE_TYPES | SHARED_COST_TYPES
"""Columns of a posted row. New columns are null for older postings; none may be removed."""

POSTING_TYPES = {
    "posting_number": "bigint",
    "billing_period": "varchar",
    "closed_at": "timestamp",
    "closed_by": "varchar",
    "override_reason": "varchar",
    "row_count": "bigint",
    "entry_hash": "varchar",
}
"""Columns of raw.ledger_postings."""

POSTED_ROWS = f"""
    select
        cast({{number}} as bigint) as posting_number,
        {{casts}}
    from (
        select * from {relations.REPORT_ROWS}
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
            shared_sales,
            sales_share
        from {relations.SHARED_COSTS}
    )
    where billing_period = ?
    order by
        line_id, cost_center_id, shared_step, shared_source_kind, shared_source_id, currency,
        product_name, receiving_cost_center_id, organization_id
    """
"""SQL of the posted rows: split lines, and shared costs passed on."""


SCHEMA_VERSION = 2
"""Version of new entries. Entries of all earlier versions stay readable."""


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
    schema_version: int = 1
    state_id: str | None = None
    """The published state that was posted (version 2)."""
    signature: str | None = None
    """HMAC-SHA256 of the entry under the key of APPORTION_LEDGER_KEY_FILE, if one is set."""

    @property
    def entry_hash(self) -> str:
        """The hash of the entry, which the next entry contains."""
        return hashlib.sha256(self.hashed_text()).hexdigest()

    def hashed_text(self) -> bytes:
        """The bytes that the hash covers: the entry without the hash."""
        return json.dumps(self._fields(), sort_keys=True).encode()

    def as_line(self) -> str:
        """The entry as a line of the chain."""
        return json.dumps(self._fields() | {"entry_hash": self.entry_hash}, sort_keys=True)

    def signed_text(self) -> bytes:
        """The bytes that the signature covers: the entry without the signature."""
        fields = self._fields()
        fields.pop("signature", None)
        return json.dumps(fields, sort_keys=True).encode()

    def _fields(self) -> dict[str, object]:
        """The fields of the entry's own version."""
        fields = asdict(self)
        if self.schema_version == 1:
            for name in ("schema_version", "state_id", "signature"):
                del fields[name]
        return fields

    @classmethod
    def from_line(cls, line: str) -> "Posting":
        """The entry of a line. Raises ValueError if the line was edited."""
        values = json.loads(line)
        entry_hash = values.pop("entry_hash")
        posting = cls(**values)
        if posting.schema_version > SCHEMA_VERSION:
            raise ValueError(
                f"schema version {posting.schema_version} is newer than this Apportion reads"
                f" ({SCHEMA_VERSION})"
            )
        if posting.entry_hash != entry_hash or posting.as_line() != line:
            raise ValueError("the entry was edited")
        return posting


@dataclass(frozen=True)
class PostedTotal:
    """The amounts of one currency in a posting.

    `total_cost` of a posting is a sum over all its currencies, which the chain keeps as a checksum.
    """

    currency: str
    charged_amount: Decimal
    total_cost: Decimal


def posted_totals(folder: Path, posting: Posting) -> tuple[PostedTotal, ...]:
    """The totals of a posting by currency: shared costs change no total."""
    with database.connect(folders=(folder,)) as connection:
        rows = connection.execute(
            """
            with bills as (
                select
                    organization_id, currency, sum(total_cost) as total_cost,
                    case
                        when count(total_sales) > 0 then sum(total_sales) else sum(total_cost)
                    end as charged_amount
                from read_parquet($file)
                where total_cost is not null
                group by organization_id, currency
            )
            select currency, sum(charged_amount), sum(total_cost)
            from bills
            group by currency
            order by currency
            """,
            {"file": str(folder / posting.file)},
        ).fetchall()
    return tuple(PostedTotal(*row) for row in rows)


def read_postings(folder: Path) -> tuple[Posting, ...]:
    """The postings in order, each file checked against its hash. Changes no file.

    Raises LedgerBroken, with the file, if a file was edited, removed or added, or if the chain was
    changed.
    """
    return tuple(posting for posting, _ in _checked_postings(folder))


def _checked_postings(folder: Path) -> Iterator[tuple[Posting, bytes]]:
    """Each posting with the checked bytes of its file."""
    previous_hash = GENESIS
    known = {CHAIN}
    for number, line in enumerate(_chain_lines(folder), start=1):
        try:
            posting = Posting.from_line(line)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LedgerBroken(
                f"{folder / CHAIN} line {number} is not a posting ({error}); restore it from a"
                " backup"
            ) from error
        if posting.previous_hash != previous_hash or posting.posting_number != number:
            raise LedgerBroken(
                f"{folder / CHAIN} line {number} does not follow from the line before:"
                " the chain was edited; restore it from a backup"
            )
        yield posting, _posted_bytes(folder, posting)
        previous_hash = posting.entry_hash
        known.add(posting.file)
    for path in _files(folder):
        if path.name in known or path.name.startswith(".") or path.name.endswith(BUILDING):
            continue
        if not (folder / CHAIN).exists():
            raise LedgerBroken(
                f"{folder / CHAIN} is missing although {path.name} is there; restore it from a"
                " backup"
            )
        raise LedgerBroken(
            f"{path} is in no posting. If the chain was cut, restore {CHAIN} from a backup; a file"
            " that was never posted does not belong here"
        )


def _files(folder: Path) -> list[Path]:
    """The files of the ledger by name; none without a ledger."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _posted_bytes(folder: Path, posting: Posting) -> bytes:
    """The bytes of a posting's file, which an interrupted closing may not have renamed yet."""
    path = folder / posting.file
    for candidate in (path, folder / (posting.file + BUILDING)):
        if candidate.is_file():
            content = candidate.read_bytes()
            if hashlib.sha256(content).hexdigest() == posting.file_hash:
                return content
            if candidate == path:
                raise LedgerBroken(
                    f"{path} was edited after it was posted; restore it from a backup"
                )
    raise LedgerBroken(f"{path} is missing; restore it from a backup")


def complete_interrupted(folder: Path) -> None:
    """Rename the complete files of an interrupted closing, and remove unfinished ones.

    The caller holds the writer's lock, because a running closing has such files too.
    """
    # Without such a file nothing is checked here. Reading a posting checks its hash.
    if not any(path.name.endswith(BUILDING) for path in _files(folder)):
        return
    for posting in read_postings(folder):
        building = folder / (posting.file + BUILDING)
        if not (folder / posting.file).exists():
            building.replace(folder / posting.file)
    for path in _files(folder):
        if path.name.endswith(BUILDING):
            path.unlink()


def load_postings(folder: Path, connection: duckdb.DuckDBPyConnection) -> tuple[Posting, ...]:
    """Check the ledger and fill raw.ledger_postings and raw.ledger_lines with it.

    All files are checked. Rows of postings that were loaded before stay: postings never change.
    Rows that differ from those that were loaded are loaded again. The caller holds the writer's
    lock.
    """
    # Imported here because a run without changes does not need it.
    import pyarrow.parquet

    complete_interrupted(folder)
    checked = _checked_postings(folder)
    postings: list[Posting] = []
    for entry_hash in _loaded(connection):
        posting, _ = next(checked, (None, b""))
        if posting is None or posting.entry_hash != entry_hash:
            # Another ledger, or an older copy of this one.
            postings, checked = [], _checked_postings(folder)
            break
        postings.append(posting)
    if not postings:
        _create_tables(connection)
    loaded_count = len(postings)
    for posting, content in checked:
        postings.append(posting)
        # The checked bytes are loaded. DuckDB would read a path as a pattern.
        connection.register("posted", pyarrow.parquet.read_table(io.BytesIO(content)))
        connection.execute("insert into raw.ledger_lines by name select * from posted")
        connection.unregister("posted")
        connection.execute(
            "insert into raw.ledger_postings values (?, ?, ?, ?, ?, ?, ?)",
            [
                posting.posting_number,
                posting.billing_period,
                posting.closed_at,
                posting.closed_by,
                posting.override_reason,
                posting.row_count,
                posting.entry_hash,
            ],
        )
    if len(postings) > loaded_count:
        connection.execute(
            f"comment on table raw.ledger_lines is {sql_literal(_version_of_lines(connection))}"
        )
    return tuple(postings)


def _version_of_lines(connection: duckdb.DuckDBPyConnection) -> str:
    """The number and the hash of the loaded rows, which is also the comment of their table."""
    row = connection.execute(f"select {ROWS_VERSION} from raw.ledger_lines").fetchone()
    return str(row[0]) if row else ""


def _create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create schema if not exists raw")
    for table, types in (("ledger_postings", POSTING_TYPES), ("ledger_lines", ROW_TYPES)):
        columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
        connection.execute(f"create or replace table raw.{table} ({columns})")


def _loaded(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The hashes of the entries whose rows are in the warehouse, in order.

    Empty if the tables are not as this version fills them, if an interrupted load left a part, or
    if somebody changed a row.
    """
    for table, types in (("ledger_postings", POSTING_TYPES), ("ledger_lines", ROW_TYPES)):
        columns = connection.execute(
            "select column_name, data_type from duckdb_columns()"
            " where schema_name = 'raw' and table_name = ? order by column_index",
            [table],
        ).fetchall()
        if columns != [(name, kind.upper()) for name, kind in types.items()]:
            return ()
    comment = connection.execute(
        "select comment from duckdb_tables()"
        " where schema_name = 'raw' and table_name = 'ledger_lines'"
    ).fetchone()
    if comment != (_version_of_lines(connection),):
        return ()
    postings = connection.execute(
        "select posting_number, row_count, entry_hash from raw.ledger_postings"
        " order by posting_number"
    ).fetchall()
    lines = connection.execute(
        "select posting_number, count(*) from raw.ledger_lines group by all order by all"
    ).fetchall()
    if lines != [(number, row_count) for number, row_count, _ in postings if row_count]:
        return ()
    return tuple(entry_hash for _, _, entry_hash in postings)


def append_posting(
    folder: Path,
    connection: duckdb.DuckDBPyConnection,
    billing_period: str,
    closed_at: str,
    closed_by: str,
    override_reason: str | None,
    state_id: str | None = None,
    key: bytes | None = None,
) -> Posting:
    """Post the rows of one period from `connection`'s int_report_rows and int_shared_costs.

    Returns the posting, signed if a key is given. The caller holds the writer's lock. The file
    is complete before the chain names it, and an interruption at any point leaves a ledger that
    the next run can read.
    """
    complete_interrupted(folder)
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
        schema_version=SCHEMA_VERSION,
        state_id=state_id,
    )
    if key is not None:
        posting = replace(posting, signature=signature_of(posting, key))
    chain_building = folder / (CHAIN + BUILDING)
    lines = [*(each.as_line() for each in postings), posting.as_line()]
    chain_building.write_text("".join(line + "\n" for line in lines), encoding="ascii")
    # The files are on disk before the chain refers to them.
    flush(building)
    flush(chain_building)
    chain_building.replace(folder / CHAIN)
    building.replace(folder / file)
    return posting


def _chain_lines(folder: Path) -> Iterator[str]:
    chain = folder / CHAIN
    if chain.is_dir():
        raise LedgerBroken(f"{chain} is a folder; restore the file from a backup")
    if chain.exists():
        try:
            text = chain.read_bytes().decode("ascii")
        except UnicodeDecodeError as error:
            raise LedgerBroken(f"{chain} is not a chain of postings ({error})") from error
        yield from text.removesuffix("\n").split("\n")


def signature_of(posting: Posting, key: bytes) -> str:
    """The HMAC-SHA256 of an entry under a key, in hexadecimal digits."""
    return hmac.new(key, posting.signed_text(), hashlib.sha256).hexdigest()


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
