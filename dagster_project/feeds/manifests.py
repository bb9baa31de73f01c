"""The manifest of a billing export: what has to lie beside it for the export to be whole.

Belongs here: reading a manifest's bytes. Does not: looking for the blobs, which landing does.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from dagster_project.errors import BrokenManifest
from dagster_project.feeds.formats import match_key

MAX_MANIFEST_BYTES = 16 * 1024**2


@dataclass(frozen=True)
class Blob:
    """One part of an export. Size in bytes of the file as it lies there, null where not told."""

    name: str
    size_bytes: int | None
    row_count: int | None


@dataclass(frozen=True)
class Manifest:
    """What an export consists of; `etag` is the version of its data."""

    export_id: str
    etag: str
    created_at: datetime | None
    blobs: tuple[Blob, ...]


def is_manifest(data: bytes) -> bool:
    """Whether a file is a manifest: a JSON object that lists blobs, whatever its name."""
    return (
        len(data) <= MAX_MANIFEST_BYTES
        and data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
        and re.search(rb'"blobs"\s*:\s*\[', data, re.IGNORECASE) is not None
    )


def read_manifest(data: bytes) -> Manifest:
    """The manifest in a file, as the export API gives it (alone or within its operation).

    Raises BrokenManifest where it is cut, counts other than it lists, or names a blob outside
    its own folder. Source: Partner Center billing export API, resource `manifest`.
    """
    try:
        parsed = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BrokenManifest(f"the manifest is no JSON ({error})") from error
    manifest = _by_key(parsed)
    if isinstance(manifest.get("resourcelocation"), dict):
        manifest = _by_key(manifest["resourcelocation"])
    listed = manifest.get("blobs")
    if not isinstance(listed, list):
        raise BrokenManifest("the manifest lists no blobs")
    blobs = tuple(_blob(each) for each in listed)
    counted = _whole_number(manifest, "blobcount")
    if counted is None:
        raise BrokenManifest("the manifest has no blobCount")
    if counted != len(blobs):
        raise BrokenManifest(f"the manifest counts {counted} blobs and lists {len(blobs)}")
    names = [blob.name for blob in blobs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BrokenManifest(f"the manifest lists a blob twice: {', '.join(twice)}")
    etag = str(manifest.get("etag") or "")
    if not etag:
        raise BrokenManifest("the manifest has no eTag, so that nobody can tell its version")
    return Manifest(
        export_id=str(manifest.get("id") or ""),
        etag=etag,
        created_at=_instant(manifest.get("createddatetime")),
        blobs=blobs,
    )


def _by_key(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BrokenManifest("the manifest is no JSON object")
    return {match_key(str(key)): each for key, each in value.items()}


def _blob(listed: object) -> Blob:
    blob = _by_key({"name": listed} if isinstance(listed, str) else listed)
    name = str(blob.get("name") or "")
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise BrokenManifest(f"the manifest names a blob that is no file beside it: {name!r}")
    return Blob(
        name=path.as_posix(),
        size_bytes=_whole_number(blob, "size", "sizeinbytes", "sizebytes", "contentlength"),
        row_count=_whole_number(blob, "rowcount", "linecount", "recordcount", "lineitemcount"),
    )


def _whole_number(values: dict[str, Any], *keys: str) -> int | None:
    for key in keys:
        if values.get(key) is not None:
            try:
                return int(str(values[key]))
            except ValueError as error:
                raise BrokenManifest(
                    f"the manifest's {key} is no whole number: {values[key]!r}"
                ) from error
    return None


def _instant(value: object) -> datetime | None:
    """A UTC instant without zone, or None where the manifest tells none that can be read."""
    try:
        instant = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant
