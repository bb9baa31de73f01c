"""Billing exports in landing: a manifest and the blobs it lists, loaded whole or not at all."""

import hashlib
from dataclasses import replace
from pathlib import Path

import duckdb

from dagster_project.errors import EmptyFile, IncompleteExport, RefusedFile
from dagster_project.feeds import manifests
from dagster_project.landing import contents, folder, raw_tables, registry
from dagster_project.landing.contents import Reading
from dagster_project.landing.registry import KnownContents, LandedFile
from dagster_project.settings import Limits


def find_exports(
    landing: Path, paths: list[Path], limits: Limits
) -> tuple[dict[Path, list[Path]], set[Path]]:
    """The manifests in landing, each with what is left over beside it, and all paths of exports.

    Left over is a blob that lies among an export's and is in no manifest: it is of another
    version, and whoever reads it for itself would bill it.
    """
    listed_by: dict[Path, set[Path]] = {}
    for path in paths:
        if (
            path.suffix.lower() != ".json"
            or folder.feed_of(folder.name_of(path, landing)) != "billing_lines"
        ):
            continue
        try:
            if path.lstat().st_size > manifests.MAX_MANIFEST_BYTES:
                continue
            data, _ = folder.read_bytes(path, limits)
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


def read_export(
    manifest_path: Path,
    left_over: list[Path],
    landing: Path,
    connection: duckdb.DuckDBPyConnection,
    reading: Reading,
    known: KnownContents,
) -> list[LandedFile]:
    """The files of one export: all of them loaded, or all of them refused."""
    listed: list[Path] = []
    loaded: list[LandedFile] = []
    before = set(known.contents)
    try:
        data, modified_ns = folder.read_bytes(manifest_path, reading.limits)
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
        made_at = manifest.created_at or folder.modified_at(modified_ns)
        loaded.append(
            replace(
                registry.as_read(
                    folder.name_of(manifest_path, landing), "billing_lines", data, modified_ns
                ),
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
                registry.as_read(
                    folder.name_of(path, landing), "billing_lines", blob_data, blob_modified_ns
                ),
                delivery=delivery,
                delivered_at=made_at,
            )
            landed = known.find(here) if hashes.count(blob_hash) == 1 else None
            if landed is None:
                try:
                    content = contents.only_content(blob_data, reading.limits)
                    landed = contents.read_content(
                        here, content, connection, reading, known, blob.name
                    )
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
        reading.progress(f"refused   {folder.name_of(manifest_path, landing)}: {reason}")
        for landed in loaded:
            if landed.content_hash not in before:
                raw_tables.delete_content(connection, landed)
        known.contents.intersection_update(before)
        there = [path for path in listed if path.is_symlink() or path.exists()]
        return [
            registry.refused(path, folder.name_of(path, landing), IncompleteExport(reason))
            for path in [manifest_path, *there, *left_over]
        ]
    not_listed = IncompleteExport("lies among an export's blobs; its manifest does not list it")
    return loaded + [
        registry.refused(path, folder.name_of(path, landing), not_listed) for path in left_over
    ]


def _read_blob(blob: manifests.Blob, path: Path, limits: Limits) -> tuple[bytes, int]:
    try:
        data, modified_ns = folder.read_bytes(path, limits)
    except FileNotFoundError as error:
        raise IncompleteExport(f"blob {blob.name} is missing") from error
    except RefusedFile as refusal:
        raise IncompleteExport(f"blob {blob.name}: {refusal}") from refusal
    if blob.size_bytes is not None and blob.size_bytes != len(data):
        raise IncompleteExport(
            f"blob {blob.name} has {len(data):,} bytes, the manifest says {blob.size_bytes:,}"
        )
    return data, modified_ns
