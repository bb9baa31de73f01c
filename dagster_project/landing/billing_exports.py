"""Billing exports in landing: a manifest and its blobs, loaded completely or not at all."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path, PurePosixPath

import duckdb

from dagster_project.errors import BrokenManifest, EmptyFile, IncompleteExport, RefusedFile
from dagster_project.feeds import manifests
from dagster_project.feeds.manifests import Manifest
from dagster_project.landing import contents, deliveries, folder, raw_tables, registry
from dagster_project.landing.folder import FileBytes
from dagster_project.landing.registry import KnownContents, LandedFile
from dagster_project.landing.understanding import Reading
from dagster_project.settings import Limits

DATA_FILE = (".csv", ".csv.gz", ".json", ".json.gz", ".jsonl", ".jsonl.gz", ".parquet", ".zip")


@dataclass(frozen=True)
class Export:
    """A manifest in landing, its blobs, and files beside them that no manifest lists."""

    manifest_path: Path
    manifest: Manifest | None
    blob_paths: tuple[Path, ...] = ()
    manifest_copies: tuple[Path, ...] = ()
    """AWS writes the manifest of a report's last run into the folder of the period too. Where runs
    overwrite the files of the one before, manifests of earlier runs are here as well."""
    left_over: tuple[Path, ...] = ()
    problem: str | None = None
    """The reason for which the export cannot be used."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files of the export, and the files that no manifest lists."""
        return (self.manifest_path, *self.manifest_copies, *self.blob_paths, *self.left_over)


@dataclass
class _Files:
    """The landed bills by name, and the files that a manifest lists."""

    by_name: dict[str, list[Path]]
    claimed: dict[Path, Path] = field(default_factory=dict)
    """The manifest that lists a file, by the file."""


def find_exports(landing: Path, paths: Sequence[Path], limits: Limits) -> list[Export]:
    """The billing exports in landing.

    `left_over` has the data files in an export's folders that no manifest lists. They may belong
    to another version of the export, and would be billed in addition.
    """
    bills = [
        path for path in paths if folder.feed_of(folder.name_of(path, landing)) == "billing_lines"
    ]
    files = _Files(by_name={})
    for path in bills:
        files.by_name.setdefault(path.name, []).append(path)
    manifest_bytes = {
        path: data for path in bills if (data := _manifest_bytes(path, limits)) is not None
    }
    exports: list[Export] = []
    # Manifests of last runs come first: those of earlier runs may list the same files.
    for path, *copies in sorted(
        _copies_together(manifest_bytes, files),
        key=lambda manifest: (-len(manifest), len(manifest[0].parts)),
    ):
        last_run = _last_run_of(path, manifest_bytes[path], files, exports)
        if last_run is not None:
            at = exports.index(last_run)
            known_copies = (*last_run.manifest_copies, path, *copies)
            exports[at] = replace(last_run, manifest_copies=known_copies)
            continue
        export = _find_blobs(path, manifest_bytes[path], landing, files)
        exports.append(replace(export, manifest_copies=tuple(copies)))
    exports.sort(key=lambda export: export.manifest_path)
    taken = {path for export in exports for path in export.paths}
    found = []
    for export in exports:
        folders = {path.parent for path in export.paths}
        left_over = tuple(
            path
            for path in bills
            if path.parent in folders
            and path not in taken
            and path.name.lower().endswith(DATA_FILE)
        )
        taken.update(left_over)
        found.append(replace(export, left_over=left_over))
    return found


def _copies_together(manifest_bytes: Mapping[Path, bytes], files: _Files) -> list[list[Path]]:
    """The manifests, each with its copies in a folder above it that has none of its files."""
    found: list[list[Path]] = []
    for path in sorted(manifest_bytes, key=lambda path: (-len(path.parts), path)):
        original = next(
            (
                each
                for each in found
                if path.parent in each[0].parents
                and path.name == each[0].name
                and manifest_bytes[path] == manifest_bytes[each[0]]
                and not _has_blob_beside(path, manifest_bytes[path], files)
            ),
            None,
        )
        if original is None:
            found.append([path])
        else:
            original.append(path)
    return sorted(found)


def _last_run_of(
    path: Path, data: bytes, files: _Files, exports: Sequence[Export]
) -> Export | None:
    """The export whose last run overwrote all files that this manifest lists, if there is one.

    AWS keeps the manifest of the last run in the folder of the period, above those of the runs.
    """
    try:
        blobs = manifests.read_manifest(data).blobs
        listed = [_locate(each.path, path, files.by_name.get(each.name, [])) for each in blobs]
    except (BrokenManifest, IncompleteExport):
        return None
    owners = {files.claimed.get(each) for each in listed}
    for export in exports:
        of_period = (export.manifest_path, *export.manifest_copies)
        if owners == {export.manifest_path} and any(
            each.parent in path.parents and each.name == path.name for each in of_period
        ):
            return export
    return None


def _has_blob_beside(path: Path, data: bytes, files: _Files) -> bool:
    try:
        blobs = manifests.read_manifest(data).blobs
    except BrokenManifest:
        # Each damaged manifest is a problem of its own.
        return True
    return any(path.parent / blob.name in files.by_name.get(blob.name, ()) for blob in blobs)


def _manifest_bytes(path: Path, limits: Limits) -> bytes | None:
    try:
        if path.suffix.lower() != ".json":
            return None
        if path.lstat().st_size > manifests.MAX_MANIFEST_BYTES:
            # Empty, it is a damaged manifest, so that its blobs are not read as bills.
            return b"" if manifests.is_named_as_manifest(path.name) else None
        data, _ = folder.read_bytes(path, limits)
    except (RefusedFile, FileNotFoundError):
        return None
    return data if manifests.is_manifest(data, path.name) else None


def _find_blobs(manifest_path: Path, data: bytes, landing: Path, files: _Files) -> Export:
    try:
        manifest = manifests.read_manifest(data)
    except BrokenManifest as refusal:
        name = folder.name_of(manifest_path, landing)
        return Export(manifest_path, None, problem=f"{name}: {refusal}")
    found: list[Path] = []
    problem = None
    for blob in manifest.blobs:
        try:
            path = _locate(blob.path, manifest_path, files.by_name.get(blob.name, []))
        except IncompleteExport as refusal:
            problem = problem or str(refusal)
            continue
        if path in files.claimed:
            problem = problem or f"blob {blob.name} is listed by another manifest too"
            continue
        files.claimed[path] = manifest_path
        found.append(path)
    return Export(manifest_path, manifest, tuple(found), problem=problem)


def _locate(blob: PurePosixPath, manifest_path: Path, candidates: Iterable[Path]) -> Path:
    """The landed file of a blob: beside the manifest, else by its path in storage."""
    beside = (manifest_path.parent / blob, manifest_path.parent / blob.name)
    candidates = list(candidates)
    for path in beside:
        if path in candidates:
            return path
    # AWS writes manifests to a separate folder. The end of the path identifies a file: its name
    # and at least one folder.
    ranked = sorted(
        (
            (
                _common_end(path, blob),
                _common_count(path.parts, manifest_path.parts),
                path,
            )
            for path in candidates
            if _common_end(path, blob) >= 2
        ),
        reverse=True,
    )
    if not ranked:
        raise IncompleteExport(f"blob {blob.name} is missing")
    if len(ranked) > 1 and ranked[0][:2] == ranked[1][:2]:
        raise IncompleteExport(
            f"blob {blob.name} exists more than once; keep one copy of the export per folder"
        )
    return ranked[0][2]


def _common_end(path: Path, blob: PurePosixPath) -> int:
    """The number of equal names at the end of both paths."""
    return _common_count(reversed(path.parts), reversed(blob.parts))


def _common_count(names: Iterable[str], others: Iterable[str]) -> int:
    """The number of equal names at the beginning."""
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(names, others, strict=False))
    )


def read_export(
    export: Export,
    landing: Path,
    connection: duckdb.DuckDBPyConnection,
    reading: Reading,
    known: KnownContents,
) -> list[LandedFile]:
    """The files of one export, all loaded or all refused."""
    loaded: list[LandedFile] = []
    before = set(known.contents)
    try:
        if export.problem is not None or export.manifest is None:
            raise IncompleteExport(export.problem)
        loaded += _read_parts(export, export.manifest, landing, connection, reading, known)
        _require_row_count(export.manifest, loaded)
    except (RefusedFile, FileNotFoundError) as refusal:
        reason = f"the whole export is refused: {refusal}"
        reading.progress(f"refused   {folder.name_of(export.manifest_path, landing)}: {reason}")
        for content_hash in known.contents - before:
            raw_tables.delete_content(connection, content_hash)
        known.contents.intersection_update(before)
        refused_paths = [path for path in export.paths if path.is_symlink() or path.exists()]
        return [
            registry.refused(path, folder.name_of(path, landing), IncompleteExport(reason))
            for path in refused_paths
        ]
    not_listed = IncompleteExport(
        "is in the folder of an export whose manifest does not list it; it may belong to another"
        " version: remove it, or move it to another folder"
    )
    return loaded + [
        registry.refused(path, folder.name_of(path, landing), not_listed)
        for path in export.left_over
    ]


def _read_parts(
    export: Export,
    manifest: Manifest,
    landing: Path,
    connection: duckdb.DuckDBPyConnection,
    reading: Reading,
    known: KnownContents,
) -> list[LandedFile]:
    """The manifest and its blobs, read. Raises IncompleteExport."""
    read = [
        _examine_blob(blob, path, reading.limits)
        for blob, path in zip(manifest.blobs, export.blob_paths, strict=True)
    ]
    hashes = sorted(file.file_hash for file in read)
    place = _place_of(export, manifest, landing, hashes)
    loaded: list[LandedFile] = []
    for path in (export.manifest_path, *export.manifest_copies):
        here = registry.as_read(
            folder.name_of(path, landing), "billing_lines", folder.examine(path, reading.limits)
        )
        here = replace(here, format="export_manifest", file_hash=None, content_hash=place.delivery)
        loaded.append(registry.in_delivery(here, place, has_manifest=True))
    for blob, path, file in zip(manifest.blobs, export.blob_paths, read, strict=True):
        here = registry.as_read(folder.name_of(path, landing), "billing_lines", file)
        try:
            landed = known.find(here) or contents.read_blob(here, file, connection, reading, known)
        except EmptyFile:
            # A part can have no lines.
            landed = here
        except RefusedFile as refusal:
            raise IncompleteExport(f"blob {blob.name}: {refusal}") from refusal
        known.add(landed)
        loaded.append(registry.in_delivery(landed, place, has_manifest=True, part=str(blob.path)))
        row_count = landed.row_count + landed.rejected_count
        if blob.row_count is not None and blob.row_count != row_count:
            raise IncompleteExport(
                f"blob {blob.name} has {row_count:,} rows, the manifest says {blob.row_count:,}"
            )
    return loaded


def _place_of(
    export: Export, manifest: Manifest, landing: Path, hashes: Sequence[str]
) -> deliveries.Place:
    """The delivery of all files of the export. A copy of the export is the same delivery."""
    place = deliveries.place_of(
        folder.name_of((*export.blob_paths, export.manifest_path)[0], landing)
    )
    identity = "\0".join([manifest.export_id, manifest.version, *hashes])
    # The folder of a manifest is one run, whatever its name.
    parent = folder.name_of(export.manifest_path.parent.parent, landing)
    return replace(
        place,
        delivery=f"manifest:{hashlib.sha256(identity.encode()).hexdigest()}",
        series=manifest.series or place.series or f"{parent}/*",
        run_group=None,
        delivered_at=manifest.created_at or place.delivered_at,
        is_whole_period=manifest.is_whole_period or place.is_whole_period,
    )


def _require_row_count(manifest: Manifest, loaded: Sequence[LandedFile]) -> None:
    row_count = sum(landed.row_count + landed.rejected_count for landed in loaded)
    if manifest.row_count is not None and manifest.row_count != row_count:
        raise IncompleteExport(
            f"its blobs have {row_count:,} rows, the manifest says {manifest.row_count:,}"
        )


def _examine_blob(blob: manifests.Blob, path: Path, limits: Limits) -> FileBytes:
    try:
        file = folder.examine(path, limits)
    except FileNotFoundError as error:
        raise IncompleteExport(f"blob {blob.name} is missing") from error
    except RefusedFile as refusal:
        raise IncompleteExport(f"blob {blob.name}: {refusal}") from refusal
    if blob.size_bytes is not None and blob.size_bytes != file.size_bytes:
        raise IncompleteExport(
            f"blob {blob.name} has {file.size_bytes:,} bytes, the manifest says {blob.size_bytes:,}"
        )
    return file
