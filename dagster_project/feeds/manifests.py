"""Manifests of billing exports: which files make up one delivery.

Three providers write one: Partner Center's billing export, Azure Cost Management, and AWS for Data
Exports and for Cost and Usage Reports. Belongs here: reading a manifest's bytes. Does not: finding
the files it lists, which landing does.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from dagster_project.errors import BrokenManifest, UnsafePath
from dagster_project.feeds.formats import match_key

MAX_MANIFEST_BYTES = 4 * 1024**2


@dataclass(frozen=True)
class Blob:
    """One part of an export. Size in bytes of the file as stored, null where not stated."""

    path: PurePosixPath
    """Path in the provider's storage; Partner Center states the bare file name."""
    size_bytes: int | None
    row_count: int | None

    @property
    def name(self) -> str:
        """The file name, without the folders of the provider's storage."""
        return self.path.name


@dataclass(frozen=True)
class Manifest:
    """The parts of one export run."""

    export_id: str
    version: str
    """Identifies the run among all runs of the export: an eTag or a run id."""
    created_at: datetime | None
    """UTC instant without zone, null where the manifest states none."""
    series: str | None
    """The export that this is a run of, null where the manifest does not say."""
    is_whole_period: bool
    """Each run of the series holds its invoice or its billing period to date, as a whole."""
    blobs: tuple[Blob, ...]
    row_count: int | None = None
    """Rows of all parts together, null where not stated."""


def is_manifest(data: bytes, name: str) -> bool:
    """Whether a file is a manifest: by its content, or by its name if it is damaged."""
    if is_named_as_manifest(name):
        return True
    return len(data) <= MAX_MANIFEST_BYTES and (
        data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
        and re.search(rb'"(blobs|dataFiles|reportKeys)"\s*:\s*\[', data, re.IGNORECASE) is not None
    )


def is_named_as_manifest(name: str) -> bool:
    """Whether a file has the name of a manifest, as exports write it."""
    return re.fullmatch(r"(.*[-_. ])?manifest\.json", name, re.IGNORECASE) is not None


def read_manifest(data: bytes) -> Manifest:
    """The manifest in a file: Partner Center's (alone or within its operation), Azure's or AWS's.

    Raises BrokenManifest where it is cut, contradicts itself, or names a file by an unsafe path.
    Sources: Partner Center billing export API, resource `manifest`; Azure Cost Management,
    export manifest 2024-04-01; AWS Data Exports user guide, manifest file reference; AWS Cost and
    Usage Reports user guide, report manifest.
    """
    try:
        parsed = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BrokenManifest(
            f"the manifest is truncated or damaged ({error}); download the export again"
        ) from error
    manifest = _by_key(parsed)
    if isinstance(manifest.get("resourcelocation"), dict):
        manifest = _by_key(manifest["resourcelocation"])
    if "datafiles" in manifest:
        return _aws(manifest, "datafiles", version="executionid", export="exportarn")
    if "reportkeys" in manifest:
        return _aws(manifest, "reportkeys", version="assemblyid", export="reportid")
    if "exportconfig" in manifest or "runinfo" in manifest:
        return _azure(manifest)
    return partner_center_manifest(manifest)


def partner_center_manifest(received: Mapping[str, Any]) -> Manifest:
    """Partner Center's manifest, from a file or as the API answers it.

    Raises BrokenManifest.
    """
    manifest = _by_key(received)
    listed = _listed(manifest, "blobs")
    blobs = tuple(
        Blob(
            path=_beside(blob.get("name")),
            size_bytes=_whole_number(blob, "size", "sizeinbytes", "sizebytes", "contentlength"),
            row_count=_whole_number(blob, "rowcount", "linecount", "recordcount", "lineitemcount"),
        )
        for blob in (_by_key({"name": each} if isinstance(each, str) else each) for each in listed)
    )
    if _whole_number(manifest, "blobcount") is None:
        raise BrokenManifest("the manifest has no blobCount")
    _require_count(manifest, blobs)
    version = manifest.get("etag")
    if not isinstance(version, str) or not version.strip():
        raise BrokenManifest("the manifest has no eTag, so that its version is unknown")
    return Manifest(
        export_id=str(manifest.get("id") or ""),
        version=version,
        created_at=_instant(manifest.get("createddatetime")),
        # Each export contains its complete invoice.
        series="partner center",
        is_whole_period=True,
        blobs=blobs,
    )


def _azure(manifest: Mapping[str, Any]) -> Manifest:
    blobs = tuple(
        Blob(
            path=_storage_path(str(blob.get("blobname") or blob.get("name") or "")),
            size_bytes=_whole_number(blob, "bytecount"),
            row_count=_whole_number(blob, "datarowcount"),
        )
        for blob in map(_by_key, _listed(manifest, "blobs"))
    )
    _require_count(manifest, blobs)
    config = _by_key(manifest.get("exportconfig") or {})
    run = _by_key(manifest.get("runinfo") or {})
    sizes = [blob.size_bytes for blob in blobs]
    total_bytes = _whole_number(manifest, "bytecount")
    known_bytes = sum(size or 0 for size in sizes)
    if total_bytes is not None and None not in sizes and total_bytes != known_bytes:
        raise BrokenManifest(
            f"the manifest states {total_bytes:,} bytes, its blobs add up to {known_bytes:,}"
        )
    # Two exports of one billing scope and kind hold the same costs: the daily one of the month to
    # date and the monthly one of the month before.
    resource = str(config.get("resourceid") or "").lower()
    billing_scope = resource.partition("/providers/microsoft.costmanagement/")[0]
    name = str(config.get("exportname") or "").lower()
    kind = str(config.get("type") or "").lower()
    is_whole_period = "month" in str(config.get("timeframe") or "").lower()
    export = (billing_scope if is_whole_period else resource) or name
    return Manifest(
        export_id=f"{resource or name} {kind}",
        version=str(run.get("runid") or ""),
        created_at=_instant(run.get("submittedtime")),
        series=f"azure {export} {kind}" if export else None,
        is_whole_period=is_whole_period,
        blobs=blobs,
        row_count=_whole_number(manifest, "datarowcount"),
    )


def _aws(manifest: Mapping[str, Any], files: str, *, version: str, export: str) -> Manifest:
    paths = [
        _storage_path(re.sub(r"^s3[an]?://[^/]+/", "", str(each), flags=re.IGNORECASE))
        for each in _listed(manifest, files)
    ]
    blobs = tuple(Blob(path, size_bytes=None, row_count=None) for path in paths)
    _require_count(manifest, blobs)
    return Manifest(
        export_id=str(manifest.get(export) or ""),
        version=str(manifest.get(version) or ""),
        created_at=None,
        # The folder BILLING_PERIOD=YYYY-MM or YYYYMMDD-YYYYMMDD names the export and the period.
        series=None,
        is_whole_period=True,
        blobs=blobs,
    )


def _by_key(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BrokenManifest("the manifest or a part of it is not a JSON object")
    return {match_key(str(key)): each for key, each in value.items()}


def _listed(manifest: Mapping[str, Any], key: str) -> list[Any]:
    listed = manifest.get(key)
    if not isinstance(listed, list):
        raise BrokenManifest("the manifest lists no files (blobs, dataFiles or reportKeys)")
    return listed


def _require_count(manifest: Mapping[str, Any], blobs: tuple[Blob, ...]) -> None:
    counted = _whole_number(manifest, "blobcount")
    if counted is not None and counted != len(blobs):
        raise BrokenManifest(
            f"the manifest states blobCount {counted} and lists {len(blobs)} blobs"
        )
    paths = [blob.path for blob in blobs]
    twice = sorted({str(path) for path in paths if paths.count(path) > 1})
    if twice:
        raise BrokenManifest(f"the manifest lists a blob twice: {', '.join(twice)}")


def _beside(name: object) -> PurePosixPath:
    path = PurePosixPath(name if isinstance(name, str) else "")
    if not path.name or path.is_absolute() or not _is_safe(str(name)):
        raise UnsafePath(f"the manifest names a blob outside of its folder: {name!r}", name)
    return path


def _storage_path(name: str) -> PurePosixPath:
    path = PurePosixPath(name.lstrip("/"))
    if not path.name or not _is_safe(name):
        raise UnsafePath(f"the manifest names a blob that is not a file in storage: {name!r}", name)
    return path


def _is_safe(name: str) -> bool:
    return (
        ".." not in PurePosixPath(name).parts
        and "\\" not in name
        and "\0" not in name
        and not name.endswith("/")
    )


def _whole_number(values: Mapping[str, Any], *keys: str) -> int | None:
    for key in keys:
        if values.get(key) is not None:
            try:
                return int(str(values[key]))
            except ValueError as error:
                raise BrokenManifest(
                    f"the manifest's {key} is not a whole number: {values[key]!r}"
                ) from error
    return None


def _instant(value: object) -> datetime | None:
    """A UTC instant without zone, or None where the manifest states none that can be read."""
    # Azure prints seven decimals of a second, Python reads six.
    text = re.sub(r"(\.\d{6})\d+", r"\1", str(value))
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant
