"""Object storage: landing fetched from it before a run, the published version put into it after.

Belongs here: copying between a data folder and addresses like s3://bucket/landing, by fsspec. Does
not: reading landing (landing.sync), publishing (publish).

A run works on local files in between, so that no figure depends on the storage. Readers of the
storage find the version in `current.json`, which is written last: they see the version before or
the new one, never a part.
"""

import hashlib
import json
import os
import posixpath
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from dagster_project.errors import ApportionError, UsageError
from dagster_project.files import replaced_at_once
from dagster_project.settings import DataFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

    import fsspec

POINTER = "current.json"
VERSIONS = "versions"

Progress = Callable[[str], None]


class StorageRefused(ApportionError):
    """The object storage cannot be reached, or refuses what is asked."""


class AddressInvalid(UsageError):
    """The address is not one of an object storage that fsspec knows, or its package is missing."""


class FetchConflict(ApportionError):
    """An object and a landed file have the same name and other content, or a name is unusable."""


class PutInterrupted(ApportionError):
    """The published version was removed or changed while it was put."""


@dataclass(frozen=True)
class Fetched:
    """What a fetch did: the number of files."""

    new: int
    removed: int
    kept: int


@dataclass(frozen=True)
class _Copy:
    """An object as it was fetched, and the file that it became."""

    etag: str
    size: int
    modified_ns: int


def fetch(data: DataFolder, address: str, progress: Progress = lambda message: None) -> Fetched:
    """Make landing have the files below an address, like s3://bucket/landing.

    A file that was fetched and is gone there is removed; files that landed otherwise, such as
    changes made in the app, stay. Either all new files are complete on the disk or, after an error,
    those named by `progress`. Raises AddressInvalid, StorageRefused and FetchConflict.
    """
    system, root = _opened(address)
    record = data.root / "fetched.json"
    every = _read_record(record)
    known = every.get(address, {})
    with _storage_errors(address):
        objects = _objects(system, root)
    _require_names(objects)
    if not objects and known:
        raise StorageRefused(
            f"{address} is empty and was not before: nothing is removed. If this is right, delete"
            f" {record.name} and the files in landing"
        )
    copies: dict[str, _Copy] = {}
    count = 0
    try:
        for name, facts in objects.items():
            copy = known.get(name)
            path = data.landing / name
            if copy is not None and copy.etag == _etag(facts) and _is_unchanged(path, copy):
                copies[name] = copy
                continue
            copies[name] = _fetch_one(system, root, name, facts, path, copy, address)
            progress(f"fetched  {name}")
            count += 1
        gone = known.keys() - objects.keys()
        for name in sorted(gone):
            path = data.landing / name
            if path.exists() and not _is_unchanged(path, known[name]):
                raise FetchConflict(
                    f"{name} is gone from {address} and was changed here: remove it, or keep it"
                    " under another name"
                )
            path.unlink(missing_ok=True)
            progress(f"removed  {name}")
    finally:
        # After an error, what was fetched is known, and what is not yet removed is too.
        left = {name: copy for name, copy in known.items() if (data.landing / name).exists()}
        _write_record(record, every | {address: left | copies})
    return Fetched(count, len(gone), len(objects) - count)


def put(
    data: DataFolder,
    address: str,
    progress: Progress = lambda message: None,
    *,
    keep: int = 2,
) -> str | None:
    """Put the published version below an address; returns its id, None if it is there already.

    Its files are below `versions/<id>/`; `current.json`, written last, names it with the size and
    the SHA-256 of each file. The newest `keep` versions stay for readers. Raises AddressInvalid,
    StorageRefused, PutInterrupted, and UsageError if nothing is published.
    """
    current = data.published / "current"
    if not current.is_symlink():
        raise UsageError(f"nothing is published in {data.root} yet: run apportion run first")
    folder = data.published / current.readlink()
    version = folder.name
    system, root = _opened(address)
    pointer = posixpath.join(root, POINTER)
    with _storage_errors(address):
        before = _read_pointer(system, pointer)
        if before.get("version") == version and before.get("state") == _state(folder):
            return None
        files = []
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder).as_posix()
            files.append(
                _put_one(system, posixpath.join(root, VERSIONS, version, name), path, name)
            )
            progress(f"put      {name}")
        shown = [before["version"], *before.get("earlier", [])] if before else []
        earlier = [each for each in shown if each != version]
        superseded = earlier[keep - 1 :]
        content = {
            "version": version,
            "state": _state(folder),
            "published_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "path": f"{VERSIONS}/{version}",
            "earlier": earlier[: keep - 1],
            "files": files,
        }
        system.pipe_file(pointer, (json.dumps(content, indent=1) + "\n").encode())
        for each in superseded:
            below = posixpath.join(root, VERSIONS, PurePosixPath(str(each)).name)
            if system.exists(below):
                system.rm(below, recursive=True)
                progress(f"removed  {VERSIONS}/{each}")
    return version


# --- objects ------------------------------------------------------------------------------------


def _opened(address: str) -> "tuple[fsspec.AbstractFileSystem, str]":
    import fsspec

    if "://" not in address:
        raise AddressInvalid(f"{address!r} is not an address like s3://bucket/landing")
    try:
        # Not from a cache: another process may have changed the objects.
        system, root = fsspec.core.url_to_fs(address, skip_instance_cache=True)
    except (ValueError, ImportError) as error:
        raise AddressInvalid(
            f"{address}: {error}. Install s3fs for s3://, adlfs for abfs://, gcsfs for gs://"
        ) from error
    return system, root.rstrip("/")


def _objects(system: "fsspec.AbstractFileSystem", root: str) -> dict[str, dict[str, Any]]:
    """Objects below a folder by their name there, in order, without folders and hidden ones."""
    if not system.exists(root):
        return {}
    prefix = f"{root.strip('/')}/"
    found = {
        str(path).lstrip("/").removeprefix(prefix): facts
        for path, facts in system.find(root, detail=True).items()
    }
    return {
        name: facts
        for name, facts in sorted(found.items())
        if name and not name.endswith("/") and not _is_hidden(name)
    }


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "~$")) for part in name.split("/") if part not in (".", ".."))


def _require_names(names: Iterable[str]) -> None:
    """Raise FetchConflict for a name that is no file below landing, or one for two objects."""
    seen: dict[str, str] = {}
    for name in names:
        parts = name.split("/")
        if {"", ".", ".."} & {*parts} or "\\" in name or "\0" in name:
            raise FetchConflict(f"the object {name!r} has no name that a file in landing can have")
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise FetchConflict(
                f"the objects {other!r} and {name!r} differ by case only: rename one of them"
            )


def _etag(facts: Mapping[str, Any]) -> str:
    """What changes when an object is replaced."""
    return str(facts.get("ETag") or facts.get("etag") or facts.get("md5Hash") or _modified(facts))


def _modified(facts: Mapping[str, Any]) -> datetime | None:
    for name in ("LastModified", "last_modified", "updated", "created", "mtime"):
        value = facts.get(name)
        if isinstance(value, datetime):
            return value
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
    return None


def _fetch_one(
    system: "fsspec.AbstractFileSystem",
    root: str,
    name: str,
    facts: Mapping[str, Any],
    path: Path,
    copy: _Copy | None,
    address: str,
) -> _Copy:
    fetched = path.with_name(f".{path.name}.fetched")
    with replaced_at_once(fetched) as building, _storage_errors(address):
        system.get_file(posixpath.join(root, name), str(building))
    try:
        size = fetched.stat().st_size
        if size != facts.get("size", size):
            raise StorageRefused(f"{address}/{name} changed while it was fetched: fetch again")
        # The times of files decide which of two deliveries is newer.
        if (modified := _modified(facts)) is not None:
            os.utime(fetched, (modified.timestamp(), modified.timestamp()))
        is_own = path.exists() and (copy is None or not _is_unchanged(path, copy))
        if is_own and _sha256(path) != _sha256(fetched):
            raise FetchConflict(
                f"{name} is in landing with other content than in {address}: remove or rename one"
            )
        fetched.replace(path)
    finally:
        fetched.unlink(missing_ok=True)
    status = path.stat()
    return _Copy(_etag(facts), status.st_size, status.st_mtime_ns)


def _is_unchanged(path: Path, copy: _Copy) -> bool:
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return (status.st_size, status.st_mtime_ns) == (copy.size, copy.modified_ns)


def _put_one(
    system: "fsspec.AbstractFileSystem", target: str, path: Path, name: str
) -> dict[str, object]:
    try:
        before, digest = path.stat(), _sha256(path)
        system.put_file(str(path), target)
        after = path.stat()
    except FileNotFoundError as error:
        if path.exists():
            raise
        raise PutInterrupted(f"{name} was removed while it was put: put again") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise PutInterrupted(f"{name} changed while it was put: put again")
    system.invalidate_cache()
    if (size := system.info(target)["size"]) != after.st_size:
        raise StorageRefused(f"{name} has {size} bytes there instead of {after.st_size}")
    return {"name": name, "size": after.st_size, "sha256": digest}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _state(folder: Path) -> str | None:
    """The hash of the state of a published version, if it has one."""
    path = folder / "state.json"
    return _sha256(path) if path.exists() else None


@contextmanager
def _storage_errors(address: str) -> "Iterator[None]":
    """Errors of the storage and of the network as StorageRefused."""
    try:
        yield
    except ApportionError:
        raise
    except Exception as error:
        # Each storage has errors of its own, from packages that need not be installed.
        words = " ".join(str(error).split()) or type(error).__name__
        raise StorageRefused(f"{address}: {words}") from error


def _read_pointer(system: "fsspec.AbstractFileSystem", pointer: str) -> dict[str, Any]:
    if not system.exists(pointer):
        return {}
    try:
        content = json.loads(system.cat_file(pointer))
        return content if isinstance(content.get("version"), str) else {}
    except (ValueError, AttributeError) as error:
        raise StorageRefused(f"{pointer} is not a file that Apportion wrote") from error


# --- the record ---------------------------------------------------------------------------------


def _read_record(path: Path) -> dict[str, dict[str, _Copy]]:
    """What was fetched from each address: copies by the name of their object."""
    if not path.exists():
        return {}
    try:
        return {
            address: {name: _Copy(**copy) for name, copy in copies.items()}
            for address, copies in json.loads(path.read_text(encoding="utf-8")).items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise FetchConflict(f"{path.name} is damaged: delete it, and fetch again") from error


def _write_record(path: Path, record: Mapping[str, Mapping[str, _Copy]]) -> None:
    content = {
        address: {name: asdict(copy) for name, copy in sorted(copies.items())}
        for address, copies in record.items()
    }
    with replaced_at_once(path) as building:
        building.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
