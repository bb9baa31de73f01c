"""Download of complete exports into landing.

Belongs here: the check for versions already in landing, the workspace and the move. Does not: the
requests (client) and reading the downloaded files (landing).
"""

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from dagster_project.errors import ApportionError, BrokenManifest
from dagster_project.feeds.manifests import read_manifest
from dagster_project.partner_center.client import Clock, Conversation, Deadline, Progress
from dagster_project.partner_center.errors import (
    ExportUnavailable,
    ExportUnusable,
    LandingInTheWay,
)
from dagster_project.partner_center.manifest import ReceivedManifest, file_name, is_file_name
from dagster_project.partner_center.secrets import queries_kept_out_of_logs
from dagster_project.partner_center.settings import ExportSettings

FEED = "billing_lines"


@dataclass(frozen=True)
class DownloadedExport:
    """One export in landing: its folder, the version of its data, the packed size of its blobs."""

    invoice_id: str
    folder: Path
    e_tag: str
    blob_count: int
    size_bytes: int
    is_new: bool
    """False if this version was already in landing, so that nothing was downloaded."""


def download_exports(
    settings: ExportSettings,
    landing: Path,
    progress: Progress = lambda message: None,
    clock: Clock | None = None,
) -> tuple[DownloadedExport, ...]:
    """Download the exports of all configured invoices; a failure does not stop the others.

    Raises the error of the failed export after all were tried. If several failed, raises
    ExportUnavailable if another attempt may help one of them, else ExportUnusable, with all
    messages.
    """
    downloaded: list[DownloadedExport] = []
    failures: list[ApportionError] = []
    for invoice_id in settings.invoices:
        try:
            downloaded.append(download_export(settings, invoice_id, landing, progress, clock))
        except ApportionError as failure:
            progress(str(failure))
            failures.append(failure)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        can_be_retried = any(isinstance(failure, ExportUnavailable) for failure in failures)
        kind = ExportUnavailable if can_be_retried else ExportUnusable
        raise kind("\n".join(map(str, failures)))
    return tuple(downloaded)


def download_export(
    settings: ExportSettings,
    invoice_id: str,
    landing: Path,
    progress: Progress = lambda message: None,
    clock: Clock | None = None,
) -> DownloadedExport:
    """Download the export of an invoice to `landing/billing_lines/export-<invoice>-<eTag>/`.

    The folder contains the blobs under their names and `manifest.json`: the manifest as received,
    without its secrets. Secrets are the key `sasToken`, the query of `rootDirectory` and every
    repetition of these, replaced by `***`. No secret is written to disk.

    The folder is complete or absent: all files are written to `.run/downloads` beside landing,
    checked, and moved by one rename. Nothing else in Apportion adds files to landing, and files
    already in landing do not change. A version (eTag) already in landing is not downloaded again.
    The download ends within `settings.max_wait_seconds` plus one timeout.

    Raises ExportUnavailable (another attempt may succeed), ExportUnusable and LandingInTheWay.
    """
    deadline = Deadline(clock or Clock(), settings.max_wait_seconds)
    with (
        queries_kept_out_of_logs(),
        Conversation(settings, invoice_id, deadline, progress) as provider,
    ):
        manifest = provider.export()
        folder = landing / FEED / f"export-{file_name(invoice_id)}-{file_name(manifest.e_tag)}"
        if folder.exists() or folder.is_symlink():
            progress(f"billing export {invoice_id}: {folder.name} is in landing already")
            return _landed(folder, invoice_id, manifest)
        workspace = landing.parent / ".run" / "downloads" / f"export-{file_name(invoice_id)}"
        try:
            # Files of a run that was killed.
            shutil.rmtree(workspace, ignore_errors=True)
            workspace.mkdir(parents=True)
            sizes = [provider.download(manifest, name, workspace) for name in manifest.names]
            _write(workspace / "manifest.json", manifest.as_landed())
            _move(workspace, folder)
        finally:
            shutil.rmtree(workspace, ignore_errors=True)
    progress(
        f"billing export {invoice_id}: {len(sizes)} blobs, {sum(sizes):,} bytes, in {folder.name}"
    )
    return DownloadedExport(invoice_id, folder, manifest.e_tag, len(sizes), sum(sizes), is_new=True)


def _landed(folder: Path, invoice_id: str, manifest: ReceivedManifest) -> DownloadedExport:
    """The export already in landing. Raises LandingInTheWay if it is incomplete or another one."""
    try:
        landed = read_manifest((folder / "manifest.json").read_bytes())
        names = [str(blob.path) for blob in landed.blobs]
        is_same = landed.version == manifest.e_tag and all(is_file_name(name) for name in names)
        size_bytes = sum((folder / name).stat().st_size for name in names)
    except (OSError, BrokenManifest):
        is_same = False
    if not is_same:
        raise LandingInTheWay(
            f"billing export {invoice_id}: {folder} is incomplete or contains another export"
            " than its name states. Move the folder out of landing; the next run downloads it again"
        )
    return DownloadedExport(
        invoice_id, folder, manifest.e_tag, len(names), size_bytes, is_new=False
    )


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _move(workspace: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        workspace.rename(folder)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise LandingInTheWay(
            f"{folder.parent} is on another file system than {workspace.parent}, so that an"
            " export cannot be moved there in one step. Use one file system for both"
        ) from error
