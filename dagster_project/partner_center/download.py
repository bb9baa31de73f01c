"""A whole export from the provider into landing, by one rename.

Belongs here: what is there already, the workspace, the move. Does not: the requests (client), and
reading what was downloaded (landing does, as of any landed file).
"""

import errno
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from dagster_project.errors import ApportionError
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
    """One export in landing: its folder, the version of its data, what its blobs weigh packed."""

    invoice_id: str
    folder: Path
    e_tag: str
    blob_count: int
    size_bytes: int
    is_new: bool
    """False where this version was in landing already and nothing was downloaded."""


def download_exports(
    settings: ExportSettings,
    landing: Path,
    progress: Progress = lambda message: None,
    clock: Clock | None = None,
) -> tuple[DownloadedExport, ...]:
    """Every configured invoice's export; one that fails does not keep the others from landing.

    Raises, when all were tried, the error of the one that failed; where several did,
    ExportUnavailable if another try may help one of them, else ExportUnusable, with all the
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
        is_worth_a_try = any(isinstance(failure, ExportUnavailable) for failure in failures)
        kind = ExportUnavailable if is_worth_a_try else ExportUnusable
        raise kind("\n".join(map(str, failures)))
    return tuple(downloaded)


def download_export(
    settings: ExportSettings,
    invoice_id: str,
    landing: Path,
    progress: Progress = lambda message: None,
    clock: Clock | None = None,
) -> DownloadedExport:
    """Put the export of an invoice into `landing/billing_lines/export-<invoice>-<eTag>/`.

    The folder holds the blobs under their names and `manifest.json`: the manifest as received
    but for its secrets, which are the key `sasToken`, a query of `rootDirectory`, and any
    repetition of these (`***` stands in its place). A secret never lands on disk.

    The folder is complete or absent: all is first written to `.run/downloads` beside landing,
    checked, and moved in by one rename. This is the only place that adds to landing, and it
    changes nothing that lies there. A version (eTag) that is there already is not downloaded
    again. All of it ends within `settings.max_wait_seconds`, give or take one timeout.

    Raises ExportUnavailable (try again), ExportUnusable (no use) and LandingInTheWay.
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
            # What a run that was killed left there is of no use to anybody.
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
    """The export that lies in landing; LandingInTheWay where it is not whole or another one."""
    try:
        landed = json.loads((folder / "manifest.json").read_bytes())
        names = [blob["name"] for blob in landed["blobs"]]
        is_it = landed["eTag"] == manifest.e_tag and all(is_file_name(name) for name in names)
        size_bytes = sum((folder / name).stat().st_size for name in names)
    except (OSError, ValueError, LookupError, TypeError):
        is_it = False
    if not is_it:
        raise LandingInTheWay(
            f"billing export {invoice_id}: {folder} is not the export it is named for, or not all"
            " of it; move the folder away, and the next run downloads it"
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
            f"{folder.parent} lies on another file system than {workspace.parent}, so that an"
            " export cannot be moved there in one step; put both on one"
        ) from error
