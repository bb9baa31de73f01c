"""The exports of a period that are written, as one file to download.

Belongs here: finding, packing and writing them. Does not: their content (dagster_project/exports),
Streamlit.

An organization gets its customer's edition, as the broker exported it. Exports of another version
than the published one are not shown: their figures can differ from those of the pages.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from app.published import Viewer
from dagster_project.errors import ApportionError, WarehouseBusy
from dagster_project.exports import customer, delivery
from dagster_project.exports.scope import Scope, open_published
from dagster_project.publish import published_state
from dagster_project.published_tables import STATE
from dagster_project.settings import DataFolder, Limits
from dagster_project.writer import only_writer


class ExportsRefused(ApportionError):
    """No exports were written."""


@dataclass(frozen=True)
class WrittenExports:
    """A folder of exports of the published version."""

    folder: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """Its files, in order of their names."""
        return tuple(sorted(path for path in self.folder.rglob("*") if path.is_file()))

    def packed(self) -> bytes:
        """All files as a zip file; equal files give equal bytes."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in self.files:
                entry = zipfile.ZipInfo(path.relative_to(self.folder).as_posix())
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
        return packed.getvalue()


def written(
    data: DataFolder, viewer: Viewer, period: str, organization_id: str | None
) -> WrittenExports | None:
    """The exports of a period that a viewer may have; None if none are of the published version.

    Raises ValueError for an owner of cost centers: there is no edition for owners.
    """
    if viewer.cost_center_ids is not None:
        raise ValueError("owners of cost centers have no exports")
    for folder in _folders(data, viewer, period, organization_id):
        if folder.is_dir():
            return WrittenExports(folder)
    return None


def _folders(
    data: DataFolder, viewer: Viewer, period: str, organization_id: str | None
) -> Iterator[Path]:
    """Where the exports can be; for a customer, in the broker's exports of all or of that one."""
    if viewer.customer_id is None:
        folder = delivery.folder_of(data, Scope(period, period, organization_id))
        if _is_current(data, folder):
            yield folder
        return
    with open_published(data) as connection:
        name = customer.organization_file_names(connection).get(viewer.customer_id)
    for scope in (Scope(period, period), Scope(period, period, viewer.customer_id)):
        folder = delivery.folder_of(data, scope)
        if name is not None and _is_current(data, folder):
            yield folder / customer.ORGANIZATIONS / name


def _is_current(data: DataFolder, folder: Path) -> bool:
    """Whether the exports in a folder are of the published version."""
    try:
        of = json.loads((folder / STATE).read_text(encoding="ascii"))["state_id"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(of == published_state(data))


def write(
    data: DataFolder,
    period: str,
    organization_id: str | None,
    progress: Callable[[str], None],
) -> None:
    """Write the exports of a period, as `apportion export` does.

    Raises ExportsRefused while a run or another export is writing, and the errors of the exports.
    """
    limits = replace(Limits.from_environment(), lock_wait_seconds=0)
    try:
        with only_writer(data, limits):
            delivery.deliver(data, period, period, organization_id, progress=progress)
    except WarehouseBusy as error:
        raise ExportsRefused(
            "a run or another export is writing; try again when it has ended"
        ) from error
