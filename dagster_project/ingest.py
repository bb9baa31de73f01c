"""Landing files to raw tables, once per content.

`sync` makes the raw tables hold exactly what lies in landing: new contents are read, contents
that are gone are withdrawn, the same content under two names or in two archives counts once.
All of it is one transaction: either the whole landing folder is in, or nothing changed.
"""

import hashlib
import json
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import duckdb
import pyarrow as pa

from dagster_project import forgetting
from dagster_project.errors import (
    ChangedWhileRead,
    EmptyFile,
    IncompleteExport,
    NoLandingFolder,
    NotAPlainFile,
    RefusedFile,
    RepeatedColumns,
    TooLarge,
    UnknownFeed,
    UnknownFormat,
)
from dagster_project.feeds import formats, manifests, parquet_files, readers, workbooks
from dagster_project.feeds.formats import FORMATS, FileFormat, match_key
from dagster_project.forgetting import ForgottenIdentifier
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
    sheet: str | None = None
    column_letters: str = "{}"
    """Column letter by match key of the header, as JSON: where a workbook's values stand."""
    delivery: str | None = None
    """The billing export the file is a part of; all parts of one count together."""
    delivered_at: datetime | None = None
    """When the export was made, where its manifest tells."""


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
    forgotten: Sequence[ForgottenIdentifier] = (),
) -> IngestReport:
    """Make the raw tables of `connection` hold what lies in `landing`, and say what was found.

    Who is in `forgotten` is in no raw table under a name of their own. Raises NoLandingFolder. A
    file that cannot be used is listed with its reason and does not stop the others; a row that is
    no row lands in raw.rejected_rows.
    """
    require_landing(landing)
    limits = limits or Limits.from_environment()
    connection.begin()
    try:
        report = _sync(landing, connection, _Reading(limits, tuple(forgotten), progress))
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
    """Every file below `landing` in order of name; hidden ones and office lock files apart.

    A folder that cannot be looked into stands for what lies in it, so that it is told.
    """
    for path in sorted(landing.rglob("*")):
        hidden = any(part.startswith((".", "~$")) for part in path.relative_to(landing).parts)
        is_open_folder = (
            not path.is_symlink() and path.is_dir() and os.access(path, os.R_OK | os.X_OK)
        )
        if not hidden and not is_open_folder:
            yield path


def recognize(path: Path, limits: Limits | None = None) -> tuple[bytes, FileFormat]:
    """The bytes of a file that lies anywhere, and its format, found as it would be in landing.

    Raises RefusedFile, and FileNotFoundError.
    """
    limits = limits or Limits.from_environment()
    _require_finished(path)
    data, _ = _read_bytes(path, limits)
    if manifests.is_manifest(data):
        raise UnknownFormat("the manifest of a billing export, which is nothing without its blobs")
    reading = _Reading(limits, (), progress=lambda message: None)
    rows = _rows_of(readers.unpack(data, limits.unpacked_bytes), reading, path.name)
    try:
        file_format = formats.identify(rows.headers)
    except RefusedFile as refusal:
        raise _on_sheet(rows, refusal) from refusal
    formats.require_container(file_format, rows.container)
    if not rows.table.num_rows and not rows.rejected:
        raise EmptyFile("the file has a header and no rows")
    return data, file_format


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


def reader_version(forgotten: Sequence[ForgottenIdentifier] = ()) -> str:
    """A hash of what makes rows of files: after a change of it every file is read again."""
    digest = hashlib.sha256(repr(forgotten).encode())
    for module in [Path(__file__), *sorted(Path(formats.__file__).parent.glob("*.py"))]:
        digest.update(module.read_bytes())
    return digest.hexdigest()


# --- the raw tables --------------------------------------------------------------------


def _create_tables(connection: duckdb.DuckDBPyConnection, reading_version: str) -> None:
    connection.execute("create schema if not exists raw")
    connection.execute("create table if not exists raw.reader_version (version varchar)")
    version = connection.execute("select version from raw.reader_version").fetchone()
    if version != (reading_version,):
        for (table,) in connection.execute(
            """
            select table_name from information_schema.tables
            where table_schema = 'raw' and table_name not like 'ledger%'
            """
        ).fetchall():
            connection.execute(f'drop table raw."{table}"')
        connection.execute("create table raw.reader_version (version varchar)")
        connection.execute("insert into raw.reader_version values (?)", [reading_version])
    connection.execute(
        """
        create table if not exists raw.landed_files (
            file varchar, feed varchar, format varchar, status varchar, reason varchar,
            file_hash varchar, content_hash varchar, size_bytes bigint, modified_at timestamp,
            row_count bigint, rejected_count bigint, unknown_columns varchar, sheet varchar,
            column_letters varchar, delivery varchar, delivered_at timestamp
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


@dataclass(frozen=True)
class _Reading:
    """How this run reads: within which limits, whom to leave out, and whom to tell."""

    limits: Limits
    forgotten: tuple[ForgottenIdentifier, ...]
    progress: Progress


def _sync(landing: Path, connection: duckdb.DuckDBPyConnection, reading: _Reading) -> IngestReport:
    _create_tables(connection, reader_version(reading.forgotten))
    known = _Known(_read_registry(connection))
    paths = list(list_landing(landing))
    exports, export_paths = _find_exports(landing, paths, reading.limits)
    files: list[LandedFile] = []
    for path in paths:
        if path in export_paths:
            continue
        name = _name_of(path, landing)
        try:
            landed = _read_file(path, name, connection, reading, known)
        except FileNotFoundError:
            # It was there when landing was listed; whoever took it away meant to.
            reading.progress(f"gone      {name}")
            continue
        except RefusedFile as refusal:
            reading.progress(f"refused   {name}: {refusal}")
            landed = _refused(path, name, refusal)
        files.append(landed)
        known.add(landed)
    for manifest_path, left_over in exports.items():
        files += _read_export(manifest_path, left_over, landing, connection, reading, known)
    files.sort(key=lambda landed: landed.file)
    files = _mark_copies(files)
    withdrawn = _withdraw_missing(connection, files)
    _write_registry(connection, files)
    return IngestReport(
        files=tuple(files),
        withdrawn_row_count=withdrawn,
        row_counts={each.name: _count(connection, each.name) for each in FORMATS},
    )


class _Known:
    """What earlier runs and this one have read, so that no content is read twice."""

    def __init__(self, registry: list[LandedFile]) -> None:
        self._by_file: dict[tuple[str | None, str | None, str | None], LandedFile] = {
            (each.file_hash, each.feed, each.delivery): each
            for each in registry
            if each.file_hash and each.status != "refused"
        }
        self.contents = {each.content_hash for each in self._by_file.values()}

    def find(self, here: LandedFile) -> LandedFile | None:
        """What became of these bytes when they were read, put under the name they have now."""
        known = self._by_file.get((here.file_hash, here.feed, here.delivery))
        return known and replace(
            known,
            file=here.file,
            status="loaded",
            reason=None,
            size_bytes=here.size_bytes,
            modified_at=here.modified_at,
        )

    def add(self, landed: LandedFile) -> None:
        if landed.content_hash:
            self.contents.add(landed.content_hash)


def _name_of(path: Path, landing: Path) -> str:
    # A name in another encoding is shown as well as it can be, and one that would steer the
    # terminal it is printed on is not.
    name = os.fsencode(path.relative_to(landing).as_posix()).decode("utf-8", "replace")
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(each) in ("Cc", "Cf") else each
        for each in name
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
    reading: _Reading,
    known: _Known,
) -> LandedFile:
    feed = _feed_of(name)
    _require_finished(path)
    if feed is None:
        raise UnknownFeed(f"not in the folder of a feed; the feeds are {', '.join(FEEDS)}")
    data, modified_ns = _read_bytes(path, reading.limits)
    here = _as_read(name, feed, data, modified_ns)
    return known.find(here) or _read_content(here, data, connection, reading, known)


def _as_read(name: str, feed: str, data: bytes, modified_ns: int) -> LandedFile:
    """A file whose bytes are read and whose content is not yet."""
    return LandedFile(
        file=name,
        feed=feed,
        format=None,
        status="loaded",
        reason=None,
        file_hash=hashlib.sha256(data).hexdigest(),
        content_hash=None,
        size_bytes=len(data),
        modified_at=_modified_at(modified_ns),
    )


def _read_content(
    here: LandedFile,
    data: bytes,
    connection: duckdb.DuckDBPyConnection,
    reading: _Reading,
    known: _Known,
    part: str | None = None,
) -> LandedFile:
    """The rows of a file's bytes, inserted unless the same content is there already."""
    assert here.feed is not None
    content = readers.unpack(data, reading.limits.unpacked_bytes)
    # The feed is part of the identity: a file in the wrong folder is refused there. So are the
    # export and the part of it: parts count together, also where they are alike.
    identity = f"{here.feed}\0{here.delivery or ''}\0{part or ''}\0".encode()
    content_hash = hashlib.sha256(identity + content).hexdigest()
    rows = _rows_of(content, reading, here.file)
    try:
        file_format = formats.find_format(here.feed, rows.headers)
    except (UnknownFormat, RepeatedColumns) as refusal:
        if here.feed == "directory":
            # A file without a header has a person in its place.
            raise type(refusal)("the header is of no format known for directory") from None
        raise _on_sheet(rows, refusal) from refusal
    except RefusedFile as refusal:
        raise _on_sheet(rows, refusal) from refusal
    formats.require_container(file_format, rows.container)
    _, unknown = file_format.assign(rows.headers)
    landed = replace(
        here,
        format=file_format.name,
        content_hash=content_hash,
        row_count=rows.table.num_rows,
        rejected_count=len(rows.rejected),
        unknown_columns=json.dumps(unknown, ensure_ascii=False),
        sheet=rows.sheet,
        column_letters=json.dumps(
            {match_key(header): letters for header, letters in rows.column_letters.items()}
        ),
    )
    if content_hash not in known.contents:
        reading.progress(
            f"reading   {landed.file} ({file_format.name}, {rows.table.num_rows:,} rows)"
        )
        _insert(connection, landed, file_format, rows, reading.forgotten)
    return landed


def _on_sheet(rows: readers.LandedRows, refusal: RefusedFile) -> RefusedFile:
    return type(refusal)(f"sheet {rows.sheet}: {refusal}") if rows.sheet else refusal


def _rows_of(content: bytes, reading: _Reading, name: str) -> readers.LandedRows:
    """The rows of a file's content, whatever kind of file it is."""
    if workbooks.is_workbook(content):
        book = workbooks.read_workbook(content, reading.limits.workbook_bytes)
        if book.ignored_sheets:
            ignored = ", ".join(book.ignored_sheets)
            reading.progress(f"sheets    {name}: {book.sheet} is read, not {ignored}")
        return replace(
            book.rows,
            container=formats.WORKBOOK,
            sheet=book.sheet,
            column_letters=book.column_letters,
        )
    if parquet_files.is_parquet(content):
        rows = parquet_files.read_parquet(content, reading.limits.unpacked_bytes)
        return replace(rows, container=formats.PARQUET)
    return readers.read_rows(content)


# --- billing exports: a manifest and the blobs it lists ----------------------------------


def _find_exports(
    landing: Path, paths: list[Path], limits: Limits
) -> tuple[dict[Path, list[Path]], set[Path]]:
    """The manifests in landing, each with what is left over beside it, and all paths of exports.

    Left over is a blob that lies among an export's and is in no manifest: it is of another
    version, and whoever reads it for itself would bill it.
    """
    listed_by: dict[Path, set[Path]] = {}
    for path in paths:
        if path.suffix.lower() != ".json" or _feed_of(_name_of(path, landing)) != "billing_lines":
            continue
        try:
            if path.lstat().st_size > manifests.MAX_MANIFEST_BYTES:
                continue
            data, _ = _read_bytes(path, limits)
        except (RefusedFile, FileNotFoundError):
            continue
        if manifests.is_manifest(data):
            listed_by[path] = set(_blob_paths(path, data))
    export_paths = {*listed_by, *(path for listed in listed_by.values() for path in listed)}
    left_over: dict[Path, list[Path]] = {}
    for manifest_path in listed_by:
        left_over[manifest_path] = [
            path
            for path in paths
            if path.parent == manifest_path.parent
            and path.name.lower().endswith(".json.gz")
            and path not in export_paths
        ]
        export_paths.update(left_over[manifest_path])
    return left_over, export_paths


def _blob_paths(manifest_path: Path, data: bytes) -> list[Path]:
    try:
        manifest = manifests.read_manifest(data)
    except RefusedFile:
        return []
    return [manifest_path.parent / blob.name for blob in manifest.blobs]


def _read_export(
    manifest_path: Path,
    left_over: list[Path],
    landing: Path,
    connection: duckdb.DuckDBPyConnection,
    reading: _Reading,
    known: _Known,
) -> list[LandedFile]:
    """The files of one export: all of them loaded, or all of them refused."""
    listed: list[Path] = []
    loaded: list[LandedFile] = []
    before = set(known.contents)
    try:
        data, modified_ns = _read_bytes(manifest_path, reading.limits)
        manifest = manifests.read_manifest(data)
        listed = [manifest_path.parent / blob.name for blob in manifest.blobs]
        blobs = [
            _read_blob(blob, path, reading.limits)
            for blob, path in zip(manifest.blobs, listed, strict=True)
        ]
        hashes = [hashlib.sha256(blob_data).hexdigest() for blob_data, _ in blobs]
        delivery = hashlib.sha256(
            "\0".join([manifest.export_id, manifest.etag, *sorted(hashes)]).encode()
        ).hexdigest()
        made_at = manifest.created_at or _modified_at(modified_ns)
        loaded.append(
            replace(
                _as_read(_name_of(manifest_path, landing), "billing_lines", data, modified_ns),
                format="export_manifest",
                file_hash=None,
                content_hash=delivery,
                delivery=delivery,
                delivered_at=made_at,
            )
        )
        for blob, path, (blob_data, blob_modified_ns), blob_hash in zip(
            manifest.blobs, listed, blobs, hashes, strict=True
        ):
            here = replace(
                _as_read(_name_of(path, landing), "billing_lines", blob_data, blob_modified_ns),
                delivery=delivery,
                delivered_at=made_at,
            )
            landed = known.find(here) if hashes.count(blob_hash) == 1 else None
            if landed is None:
                try:
                    landed = _read_content(here, blob_data, connection, reading, known, blob.name)
                except EmptyFile:
                    # A part without lines is a part all the same.
                    landed = here
                except RefusedFile as refusal:
                    raise IncompleteExport(f"blob {blob.name}: {refusal}") from refusal
            loaded.append(landed)
            known.add(landed)
            row_count = landed.row_count + landed.rejected_count
            if blob.row_count is not None and blob.row_count != row_count:
                raise IncompleteExport(
                    f"blob {blob.name} has {row_count:,} rows, the manifest says {blob.row_count:,}"
                )
    except (RefusedFile, FileNotFoundError) as refusal:
        reason = f"the whole export is refused: {refusal}"
        reading.progress(f"refused   {_name_of(manifest_path, landing)}: {reason}")
        for landed in loaded:
            if landed.content_hash not in before:
                _delete_content(connection, landed)
        known.contents.intersection_update(before)
        there = [path for path in listed if path.is_symlink() or path.exists()]
        return [
            _refused(path, _name_of(path, landing), IncompleteExport(reason))
            for path in [manifest_path, *there, *left_over]
        ]
    not_listed = IncompleteExport("lies among an export's blobs; its manifest does not list it")
    return loaded + [_refused(path, _name_of(path, landing), not_listed) for path in left_over]


def _read_blob(blob: manifests.Blob, path: Path, limits: Limits) -> tuple[bytes, int]:
    try:
        data, modified_ns = _read_bytes(path, limits)
    except FileNotFoundError as error:
        raise IncompleteExport(f"blob {blob.name} is missing") from error
    except RefusedFile as refusal:
        raise IncompleteExport(f"blob {blob.name}: {refusal}") from refusal
    if blob.size_bytes is not None and blob.size_bytes != len(data):
        raise IncompleteExport(
            f"blob {blob.name} has {len(data):,} bytes, the manifest says {blob.size_bytes:,}"
        )
    return data, modified_ns


def _delete_content(connection: duckdb.DuckDBPyConnection, landed: LandedFile) -> None:
    for table in (landed.format, "rejected_rows"):
        if table and table != "export_manifest":
            connection.execute(
                f'delete from raw."{table}" where content_hash = ?', [landed.content_hash]
            )


def _feed_of(name: str) -> str | None:
    first, *rest = PurePosixPath(name).parts
    return first if first in FEEDS and rest else None


def _require_finished(path: Path) -> None:
    if path.suffix.lower() in UNFINISHED:
        raise RefusedFile(f"looks like an unfinished download ({path.suffix}); rename it when done")


def _read_bytes(path: Path, limits: Limits) -> tuple[bytes, int]:
    """The file's bytes and its time of change in nanoseconds."""
    before = path.lstat()
    if stat.S_ISDIR(before.st_mode):
        raise NotAPlainFile("a folder that cannot be looked into: permission denied")
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
    forgotten: Sequence[ForgottenIdentifier],
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
    is_personal = file_format.feed == "directory"
    new_rows = pa.table(columns)
    if is_personal:
        new_rows = forgetting.erase(new_rows, forgotten)
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
                # A damaged row cannot be searched for a person, so of people none is kept.
                None if is_personal else each.value,
                each.reason,
                None if is_personal else each.raw_row,
                None
                if is_personal
                else json.dumps(
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
            modified_at, row_count, rejected_count, unknown_columns, sheet, column_letters,
            delivery, delivered_at
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
    counted = [each for each in files if each.status == "loaded" and each.content_hash]
    current = pa.table(
        {
            "content_hash": [each.content_hash for each in counted],
            "file": [each.file for each in counted],
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
            f"insert into raw.landed_files values ({', '.join('?' * 16)})",
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
                each.sheet,
                each.column_letters,
                each.delivery,
                each.delivered_at,
            ],
        )


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f'select count(*) from raw."{table}"').fetchone()
    return int(row[0]) if row else 0
