"""A file as a run would read it: its place in landing, its columns, rows, sums and faults.

Belongs here: reading by the readers and staging models of a run, in a temporary data folder. Does
not: suggestions (suggesting) and layout (report).
"""

import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb

from dagster_project import copies, database
from dagster_project.errors import ApportionError, RefusedFile, UnknownFormat, UsageError
from dagster_project.feeds import archives, manifests
from dagster_project.feeds.declarations import Declaration, Declarations, read_declarations
from dagster_project.feeds.formats import FileFormat
from dagster_project.feeds.readers import LandedRows
from dagster_project.inspection.every_fault import with_every_fault
from dagster_project.inspection.suggesting import Suggestion, suggest
from dagster_project.landing import contents, deliveries, folder, forgetting, understanding
from dagster_project.landing.sync import sync
from dagster_project.landing.understanding import Reading
from dagster_project.quoting import sql_identifier
from dagster_project.settings import FEEDS, DataFolder, Limits

SHOWN_ROWS = 3
REJECTION = "macro.apportion.rejection"
BLOB = "blob"
"""Name of an export's blob while it is inspected; a run refuses one without its manifest."""
NOT_SHOWN = (
    *("file", "row_number", "content_hash", "source_format", "charge_source", "raw_row"),
    *("charge_key", "broad_charge_key", "period_key", "rounding_residual"),
    *("rejected_column", "rejected_value", "rejected_reason"),
)
"""Columns of staging without a value from the file."""
SUMMED = (
    *("billed_quantity", "quantity", "total_cost", "total_sales", "billed_margin", "list_cost"),
    *("tax", "tax_total", "subtotal", "total", "amount"),
)
"""Columns of staging whose sums a person can compare with the document."""


class FileNotInspected(UsageError):
    """The named file does not exist, or its place is no place in landing."""


class StagingFailed(ApportionError):
    """dbt could not read the rows; the rules or models are damaged."""


@dataclass(frozen=True)
class UnusableRow:
    """A fault of a row that a run would put into quarantined_rows; a row can have several."""

    row_number: int
    column_name: str | None
    value: str | None
    reason: str


@dataclass(frozen=True)
class StagedRows:
    """Rows as staging understands them: `first` has the values by column of usable rows."""

    usable_count: int
    first: tuple[tuple[int, dict[str, object]], ...]
    sums: tuple[tuple[str | None, dict[str, Decimal]], ...]
    """Sums by column, per currency; None where the format has no currency."""
    unusable: tuple[UnusableRow, ...]
    """In order of rows, one for each column with a fault."""

    @property
    def unusable_count(self) -> int:
        """The number of rows with a fault."""
        return len({each.row_number for each in self.unusable})

    @property
    def row_count(self) -> int:
        """The number of all rows."""
        return self.usable_count + self.unusable_count


@dataclass(frozen=True)
class Inspection:
    """One file, or one member of an archive, as a run would read it."""

    place: str
    """Path below landing; of an archive's member, with its name in the archive."""
    refusal: str | None
    as_they_stand: LandedRows | None
    """The rows under the header of the file; None if the file is not a table."""
    file_format: FileFormat | None
    declared: Declaration
    notes: tuple[str, ...]
    staged: StagedRows | None
    suggestion: Suggestion | None

    @property
    def is_usable(self) -> bool:
        """Whether a run would use every row of the file."""
        return self.refusal is None and not (self.staged and self.staged.unusable)


def inspect_file(path: Path, data: DataFolder, place: str | None = None) -> tuple[Inspection, ...]:
    """The file as a run on `data` would read it; of a zip archive, each file in it.

    `place` is the path below landing that the file would have. Without it, the place is that of
    the file if it has landed, and otherwise the folder of the feed that its header names. Raises
    FileNotInspected, DeclarationInvalid and StagingFailed.
    """
    try:
        if path.is_dir():
            raise FileNotInspected(f"{path}: a folder; inspect one file")
        path = path.resolve(strict=True)
    except FileNotFoundError:
        raise FileNotInspected(f"{path}: the file does not exist") from None
    if place is not None and folder.feed_of(place) is None:
        raise FileNotInspected(
            f"{place}: not a path in the folder of a feed, such as billing_lines/{path.name};"
            f" the feeds are {', '.join(FEEDS)}"
        )
    declarations = read_declarations(data.declarations)
    reading = Reading(Limits.from_environment(), (), lambda message: None, declarations)
    members, refusal = _members(path, reading)
    if place is None and path.is_relative_to(data.landing.resolve()):
        place = folder.name_of(path, data.landing.resolve())
    if place is None:
        place = _place(path.name, members[0].content if members else b"", reading)
    if refusal is not None or not members:
        return (_refused(place or path.name, declarations, str(refusal)),)
    inspected = [
        _inspect(f"{place or path.name}{f'/{each.name}' if each.name else ''}", each, reading)
        for each in members
    ]
    if any(each.file_format is None for each in inspected) or place is None:
        return tuple(inspected)
    return tuple(_with_rows(inspected, path, place, data, declarations))


def _members(
    path: Path, reading: Reading
) -> tuple[tuple[archives.Member, ...], RefusedFile | None]:
    try:
        folder.require_finished(path)
        contents.require_within_limits(path, reading)
        content, _ = folder.read_bytes(path, reading.limits)
        if manifests.is_manifest(content, path.name):
            raise UnknownFormat(
                "the manifest of a billing export; inspect the files that it lists, or land all of"
                " them together"
            )
        return archives.unpack(content, reading.limits.unpacked_bytes), None
    except RefusedFile as refusal:
        return (), refusal


def _refused(place: str, declarations: Declarations, refusal: str) -> Inspection:
    declared = declarations.of_file(place)
    return Inspection(place, refusal, None, None, declared, (), None, None)


def _place(name: str, content: bytes, reading: Reading) -> str | None:
    """The place in the folder of the feed that the header names, alone or as it is declared."""
    try:
        return f"{understanding.understand(content, name, None, reading).file_format.feed}/{name}"
    except RefusedFile:
        pass
    places = []
    for feed in FEEDS:
        if reading.declarations.of_file(f"{feed}/{name}") != reading.declarations.all_files:
            try:
                understanding.understand(content, f"{feed}/{name}", feed, reading)
            except RefusedFile:
                continue
            places.append(f"{feed}/{name}")
    return places[0] if len(places) == 1 else None


def _inspect(name: str, member: archives.Member, reading: Reading) -> Inspection:
    """The member by its header alone: the rows are read by staging."""
    feed = folder.feed_of(name)
    declared = reading.declarations.of_file(name)
    try:
        as_they_stand = understanding.rows_as_they_stand(member.content, reading, name, declared)
    except RefusedFile as refusal:
        return _refused(name, reading.declarations, str(refusal))
    try:
        understood = understanding.understand(member.content, name, feed, reading)
    except RefusedFile as refusal:
        suggestion = suggest(member.content, as_they_stand, declared, feed, None)
        return Inspection(name, str(refusal), as_they_stand, None, declared, (), None, suggestion)
    return Inspection(
        name,
        None,
        as_they_stand,
        understood.file_format,
        declared,
        tuple(each.message for each in understood.notes),
        None,
        suggest(member.content, as_they_stand, declared, feed, understood.file_format),
    )


def _with_rows(
    inspected: list[Inspection],
    path: Path,
    place: str,
    data: DataFolder,
    declarations: Declarations,
) -> Iterator[Inspection]:
    """The inspections with rows, read by a run's own steps in a temporary data folder."""
    with copies.temporary_folder(data) as root:
        copy = DataFolder(root)
        is_blob = deliveries.EXPORT_BLOB.fullmatch(path.name) is not None
        landed_at = str(PurePosixPath(place).with_name(BLOB)) if is_blob else place
        landed = copy.landing / landed_at
        landed.parent.mkdir(parents=True)
        shutil.copy2(path, landed)
        with database.connect(
            copy.warehouse, memory_bytes=database.LOADING_MEMORY_BYTES
        ) as connection:
            report = sync(
                copy.landing,
                connection,
                forgotten=forgetting.read_list(data.forgotten_users),
                declarations=declarations,
            )
        read = {each.format for each in report.files if each.format}
        models = _staged(copy, sorted(read)) if read else {}
        statements = _statements(copy, models.values())
        with database.connect(copy.warehouse, is_read_only=True) as connection:
            for each in inspected:
                file = each.place.replace(place, landed_at, 1)
                found = next((one for one in report.files if one.file == file), None)
                if found is None or found.format is None:
                    yield replace(each, refusal=(found and found.reason) or each.refusal)
                else:
                    model = models[found.format]
                    rows = _read_staged(
                        connection, model, statements.get(model), found.content_hash
                    )
                    yield replace(each, staged=rows)


def _staged(copy: DataFolder, format_names: list[str]) -> dict[str, str]:
    """The staging view by format, made in the copy's warehouse. Raises StagingFailed."""
    from dagster_project import compiled_build, dbt_runner

    manifest = dbt_runner.read_manifest()
    models = {
        name: node["name"]
        for name in format_names
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and node["depends_on"]["nodes"] == [f"source.apportion.raw.{name}"]
        and _states_rejections(node, manifest["macros"])
    }
    if compiled_build.build_models(copy.warehouse, models.values()):
        return models
    outcome = dbt_runner.invoke(
        ["run", "--no-write-json", "--select", *models.values()], copy, copy.run_folder / "dbt"
    )
    if not outcome.is_success:
        raise StagingFailed("; ".join(outcome.failures))
    return models


def _states_rejections(model: dict[str, Any], macros: dict[str, Any]) -> bool:
    """Whether a staging model has the columns of the macro rejection, of its own or by a macro."""
    return any(
        REJECTION in (name, *macros[name]["depends_on"]["macros"])
        for name in model["depends_on"]["macros"]
    )


def _statements(copy: DataFolder, models: Collection[str]) -> dict[str, str]:
    """The SQL of staging models that _staged has made, by name, as dbt compiled it."""
    from dagster_project import compiled_build

    kept = compiled_build.kept()
    if kept is not None:
        by_name = {each.unique_id.split(".")[-1]: each.code for each in kept.statements}
        return {model: by_name[model] for model in models if model in by_name}
    files = (copy.run_folder / "dbt" / "compiled").rglob("*.sql")
    return {path.stem: path.read_text(encoding="utf-8") for path in files if path.stem in models}


def _read_staged(
    connection: duckdb.DuckDBPyConnection,
    model: str,
    statement: str | None,
    content_hash: str | None,
) -> StagedRows:
    """The rows of one content, as the staging view of its format has them."""
    view = sql_identifier("staging", model)
    described = connection.execute(f"describe {view}").fetchall()
    types = {str(name): str(kind) for name, kind, *_ in described}
    shown = [name for name in types if name not in NOT_SHOWN and not name.startswith("exact_")]
    columns = ", ".join(sql_identifier(name) for name in shown)
    content = {"content_hash": content_hash}
    first = connection.execute(
        f"select row_number, {columns} from {view}"
        " where content_hash = $content_hash and rejected_reason is null"
        f" order by row_number limit {SHOWN_ROWS}",
        content,
    ).fetchall()
    summed = [name for name in SUMMED if types.get(name, "").startswith("DECIMAL")]
    currency = "currency" if "currency" in types else "cast(null as varchar)"
    totals = ", ".join(
        ["count(*)", *(f"coalesce(sum({sql_identifier(name)}), 0)" for name in summed)]
    )
    sums = connection.execute(
        f"select {currency}, {totals} from {view}"
        " where content_hash = $content_hash and rejected_reason is null group by 1 order by 1",
        content,
    ).fetchall()
    every_fault = with_every_fault(statement) if statement else None
    staged = f"({every_fault})" if every_fault else view
    unusable = connection.execute(
        f"""
        select row_number, rejected_column, rejected_value, rejected_reason from {staged}
        where content_hash = $content_hash and rejected_reason is not null
        union all
        select row_number, column_name, value, reason from raw.rejected_rows
        where content_hash = $content_hash
        order by row_number, rejected_column
        """,
        content,
    ).fetchall()
    return StagedRows(
        usable_count=sum(count for _, count, *_ in sums),
        first=tuple((number, dict(zip(shown, row, strict=True))) for number, *row in first),
        sums=tuple((name, dict(zip(summed, row, strict=True))) for name, _, *row in sums if summed),
        unusable=tuple(UnusableRow(*row) for row in unusable),
    )
