"""Landing files to raw tables, once per content.

`sync` makes the raw tables hold exactly what lies in landing: new contents are read, contents
that are gone are withdrawn, the same content under two names or in two archives counts once.
All of it is one transaction: either the whole landing folder is in, or nothing changed.
"""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import duckdb
import pyarrow as pa

from dagster_project.errors import (
    ChangedWhileRead,
    NoLandingFolder,
    NotAPlainFile,
    RefusedFile,
    TooLarge,
    UnknownFeed,
)
from dagster_project.feeds import formats, readers
from dagster_project.feeds.formats import FORMATS, FileFormat, match_key
from dagster_project.settings import FEEDS, Limits

Progress = Callable[[str], None]

UNFINISHED = {".part", ".crdownload", ".filepart", ".tmp"}
"""Endings that programs give to files they still write to."""


@dataclass(frozen=True)
class LandedFile:
    """One file of landing and what became of it. Sizes in bytes, times in UTC."""

    file: str
    feed: str | None
    format: str | None
    status: str
    reason: str | None
    file_hash: str | None
    content_hash: str | None
    size_bytes: int
    modified_at: datetime
    row_count: int = 0
    rejected_count: int = 0
    unknown_columns: str = "[]"


@dataclass(frozen=True)
class IngestReport:
    """What one `sync` found: every file with its status, and the rows each raw table holds."""

    files: tuple[LandedFile, ...]
    withdrawn_row_count: int
    row_counts: dict[str, int]

    def count(self, status: str) -> int:
        """How many files have this status."""
        return sum(each.status == status for each in self.files)


def sync(
    landing: Path,
    connection: duckdb.DuckDBPyConnection,
    limits: Limits | None = None,
    progress: Progress = lambda message: None,
) -> IngestReport:
    """Make the raw tables of `connection` hold what lies in `landing`, and say what was found.

    Raises NoLandingFolder. A file that cannot be used is listed with its reason and does not
    stop the others; a row that is no row lands in raw.rejected_rows.
    """
    require_landing(landing)
    limits = limits or Limits.from_environment()
    connection.begin()
    try:
        report = _sync(landing, connection, limits, progress)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
    return report


def require_landing(landing: Path) -> None:
    """Raise NoLandingFolder, with what to do, where there is nothing to read."""
    if not landing.is_dir():
        raise NoLandingFolder(
            f"no folder {landing}: put bills into {landing}/billing_lines/ (README.md, "
            "'The data folder', says what else may lie there)"
        )


def list_landing(landing: Path) -> Iterator[Path]:
    """Every file below `landing` in order of name; hidden ones and office lock files apart."""
    for path in sorted(landing.rglob("*")):
        hidden = any(part.startswith((".", "~$")) for part in path.relative_to(landing).parts)
        if not hidden and (path.is_symlink() or not path.is_dir()):
            yield path


def landing_fingerprint(landing: Path) -> str:
    """A hash that changes when any landed file is added, removed or written to."""
    digest = hashlib.sha256()
    for path in list_landing(landing):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        digest.update(os.fsencode(path.relative_to(landing)))
        digest.update(f"\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def reader_version() -> str:
    """A hash of the code that reads files: after a change of it every file is read again."""
    digest = hashlib.sha256()
    for module in (formats.__file__, readers.__file__, __file__):
        digest.update(Path(module).read_bytes())
    return digest.hexdigest()


# --- the raw tables --------------------------------------------------------------------


def _create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create schema if not exists raw")
    connection.execute("create table if not exists raw.reader_version (version varchar)")
    version = connection.execute("select version from raw.reader_version").fetchone()
    if version != (reader_version(),):
        for (table,) in connection.execute(
            """
            select table_name from information_schema.tables
            where table_schema = 'raw' and table_name not like 'ledger%'
            """
        ).fetchall():
            connection.execute(f'drop table raw."{table}"')
        connection.execute("create table raw.reader_version (version varchar)")
        connection.execute("insert into raw.reader_version values (?)", [reader_version()])
    connection.execute(
        """
        create table if not exists raw.landed_files (
            file varchar, feed varchar, format varchar, status varchar, reason varchar,
            file_hash varchar, content_hash varchar, size_bytes bigint, modified_at timestamp,
            row_count bigint, rejected_count bigint, unknown_columns varchar
        )
        """
    )
    connection.execute(
        """
        create table if not exists raw.rejected_rows (
            file varchar, content_hash varchar, feed varchar, format varchar, row_number bigint,
            column_name varchar, value varchar, reason varchar, raw_row varchar,
            known_values varchar
        )
        """
    )
    for each in FORMATS:
        columns = ", ".join(f'"{column}" varchar' for column in each.columns)
        connection.execute(
            f'create table if not exists raw."{each.name}" (file varchar, row_number bigint, '
            f"content_hash varchar, loaded_at timestamp, other_columns varchar, {columns})"
        )


# --- one run of the sync ---------------------------------------------------------------


def _sync(
    landing: Path, connection: duckdb.DuckDBPyConnection, limits: Limits, progress: Progress
) -> IngestReport:
    _create_tables(connection)
    known_by_file_hash: dict[str | None, LandedFile] = {
        each.file_hash: each
        for each in _read_registry(connection)
        if each.file_hash and each.status != "refused"
    }
    loaded_contents = {each.content_hash for each in known_by_file_hash.values()}
    files: list[LandedFile] = []
    for path in list_landing(landing):
        # A name in another encoding is shown as well as it can be.
        name = os.fsencode(path.relative_to(landing).as_posix()).decode("utf-8", "replace")
        try:
            landed = _read_file(
                path, name, connection, limits, known_by_file_hash, loaded_contents, progress
            )
        except FileNotFoundError:
            # It was there when landing was listed; whoever took it away meant to.
            progress(f"gone      {name}")
            continue
        except RefusedFile as refusal:
            progress(f"refused   {name}: {refusal}")
            landed = _refused(path, name, refusal)
        files.append(landed)
        if landed.content_hash:
            loaded_contents.add(landed.content_hash)
    files = _mark_copies(files)
    withdrawn = _withdraw_missing(connection, files)
    _write_registry(connection, files)
    return IngestReport(
        files=tuple(files),
        withdrawn_row_count=withdrawn,
        row_counts={each.name: _count(connection, each.name) for each in FORMATS},
    )


def _refused(path: Path, name: str, refusal: RefusedFile) -> LandedFile:
    try:
        status = path.lstat()
        size_bytes, modified_ns = status.st_size, status.st_mtime_ns
    except FileNotFoundError:
        size_bytes, modified_ns = 0, 0
    return LandedFile(
        file=name,
        feed=_feed_of(name),
        format=None,
        status="refused",
        reason=str(refusal),
        file_hash=None,
        content_hash=None,
        size_bytes=size_bytes,
        modified_at=_modified_at(modified_ns),
    )


def _read_file(
    path: Path,
    name: str,
    connection: duckdb.DuckDBPyConnection,
    limits: Limits,
    known_by_file_hash: dict[str | None, LandedFile],
    loaded_contents: set[str | None],
    progress: Progress,
) -> LandedFile:
    feed = _feed_of(name)
    if path.suffix.lower() in UNFINISHED:
        raise RefusedFile(f"looks like an unfinished download ({path.suffix}); rename it when done")
    if feed is None:
        raise UnknownFeed(f"not in the folder of a feed; the feeds are {', '.join(FEEDS)}")
    data, modified_ns = _read_bytes(path, limits)
    file_hash = hashlib.sha256(data).hexdigest()
    here = LandedFile(
        file=name,
        feed=feed,
        format=None,
        status="loaded",
        reason=None,
        file_hash=file_hash,
        content_hash=None,
        size_bytes=len(data),
        modified_at=_modified_at(modified_ns),
    )
    known = known_by_file_hash.get(file_hash)
    if known and known.feed == feed:
        return replace(
            known,
            file=name,
            status="loaded",
            reason=None,
            size_bytes=len(data),
            modified_at=here.modified_at,
        )
    content = readers.unpack(data, limits.unpacked_bytes)
    # The feed is part of the identity: a file in the wrong folder is refused there.
    content_hash = hashlib.sha256(feed.encode() + b"\0" + content).hexdigest()
    rows = readers.read_rows(content)
    file_format = formats.find_format(feed, rows.headers)
    _, unknown = file_format.assign(rows.headers)
    landed = replace(
        here,
        format=file_format.name,
        content_hash=content_hash,
        row_count=rows.table.num_rows,
        rejected_count=len(rows.rejected),
        unknown_columns=json.dumps(unknown, ensure_ascii=False),
    )
    if content_hash not in loaded_contents:
        progress(f"reading   {name} ({file_format.name}, {rows.table.num_rows:,} rows)")
        _insert(connection, landed, file_format, rows)
    return landed


def _feed_of(name: str) -> str | None:
    first, *rest = PurePosixPath(name).parts
    return first if first in FEEDS and rest else None


def _read_bytes(path: Path, limits: Limits) -> tuple[bytes, int]:
    """The file's bytes and its time of change in nanoseconds."""
    before = path.lstat()
    if not stat.S_ISREG(before.st_mode):
        raise NotAPlainFile("not a plain file (links, devices and pipes are not followed)")
    if before.st_size > limits.file_bytes:
        raise TooLarge(f"{before.st_size:,} bytes, over the limit of {limits.file_bytes:,}")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RefusedFile(f"cannot be read: {error.strerror}") from error
    after = path.lstat()
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise ChangedWhileRead("the file changed while it was read; the next run reads it again")
    return data, after.st_mtime_ns


def _modified_at(nanoseconds: int) -> datetime:
    # In whole microseconds: a float would lose the order of files written at once.
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000, tzinfo=None)


def _insert(
    connection: duckdb.DuckDBPyConnection,
    landed: LandedFile,
    file_format: FileFormat,
    rows: readers.LandedRows,
) -> None:
    loaded_at = datetime.now(UTC).replace(tzinfo=None)
    count = rows.table.num_rows
    header_by_column, unknown = file_format.assign(rows.headers)
    others: list[str | None] = [
        json.dumps({key: value for key, value in row.items() if value}, ensure_ascii=False)
        for row in rows.table.select(list(unknown)).to_pylist()
    ]
    columns: dict[str, pa.Array] = {
        "file": pa.array([landed.file] * count, pa.string()),
        "row_number": rows.row_numbers,
        "content_hash": pa.array([landed.content_hash] * count, pa.string()),
        "loaded_at": pa.array([loaded_at] * count, pa.timestamp("us")),
        "other_columns": pa.array(others if unknown else [None] * count, pa.string()),
    } | {
        column: rows.table.column(header_by_column[column])
        for column in file_format.columns
        if column in header_by_column
    }
    new_rows = pa.table(columns)
    connection.register("new_rows", new_rows)
    connection.execute(f'insert into raw."{file_format.name}" by name select * from new_rows')
    connection.unregister("new_rows")
    if not rows.rejected:
        return
    connection.executemany(
        "insert into raw.rejected_rows values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                landed.file,
                landed.content_hash,
                landed.feed,
                landed.format,
                each.row_number,
                each.column_name,
                each.value,
                each.reason,
                each.raw_row,
                json.dumps(
                    {
                        file_format.column_by_key[match_key(header)]: value
                        for header, value in each.known_values.items()
                        if match_key(header) in file_format.column_by_key
                    },
                    ensure_ascii=False,
                ),
            )
            for each in rows.rejected
        ],
    )


# --- the registry of landed files ------------------------------------------------------


def _read_registry(connection: duckdb.DuckDBPyConnection) -> list[LandedFile]:
    rows = connection.execute(
        """
        select
            file, feed, format, status, reason, file_hash, content_hash, size_bytes,
            modified_at, row_count, rejected_count, unknown_columns
        from raw.landed_files
        """
    ).fetchall()
    return [LandedFile(*row) for row in rows]


def _mark_copies(files: list[LandedFile]) -> list[LandedFile]:
    """Each content counts once: under its first name, with the earliest time it was written."""
    first: dict[str, LandedFile] = {}
    for each in files:
        if each.content_hash:
            kept = first.setdefault(each.content_hash, each)
            earliest = min(kept.modified_at, each.modified_at)
            first[each.content_hash] = replace(kept, modified_at=earliest)
    marked = []
    for each in files:
        kept_file = first.get(each.content_hash or "")
        if kept_file is None:
            marked.append(each)
        elif kept_file.file == each.file:
            marked.append(kept_file)
        else:
            marked.append(
                replace(each, status="duplicate", reason=f"same content as {kept_file.file}")
            )
    return marked


def _withdraw_missing(connection: duckdb.DuckDBPyConnection, files: list[LandedFile]) -> int:
    """Delete rows whose content no longer lies in landing; put the kept file's name on the rest.

    Returns how many rows were withdrawn. So a run on a kept warehouse gives what a run on a new
    one would give.
    """
    current = pa.table(
        {
            "content_hash": [each.content_hash for each in files if each.status == "loaded"],
            "file": [each.file for each in files if each.status == "loaded"],
        },
        schema=pa.schema([("content_hash", pa.string()), ("file", pa.string())]),
    )
    connection.register("current_contents", current)
    withdrawn = 0
    for table in [*(each.name for each in FORMATS), "rejected_rows"]:
        row = connection.execute(
            f"""
            delete from raw."{table}"
            where content_hash not in (select content_hash from current_contents)
            """
        ).fetchone()
        withdrawn += row[0] if row else 0
        connection.execute(
            f"""
            update raw."{table}" as landed
            set file = current_contents.file
            from current_contents
            where landed.content_hash = current_contents.content_hash
                and landed.file <> current_contents.file
            """
        )
    connection.unregister("current_contents")
    return withdrawn


def _write_registry(connection: duckdb.DuckDBPyConnection, files: list[LandedFile]) -> None:
    connection.execute("delete from raw.landed_files")
    for each in files:
        connection.execute(
            "insert into raw.landed_files values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                each.file,
                each.feed,
                each.format,
                each.status,
                each.reason,
                each.file_hash,
                each.content_hash,
                each.size_bytes,
                each.modified_at,
                each.row_count,
                each.rejected_count,
                each.unknown_columns,
            ],
        )


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f'select count(*) from raw."{table}"').fetchone()
    return int(row[0]) if row else 0
