"""A file that a person uploads: what a run would read from it, and putting it into landing.

Belongs here: names, places and the record of an upload. Does not: reading (dagster_project
inspection), Streamlit.

A file with a fault is not put into landing here: its rows would end in quarantine.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

from app import changes
from app.splits import AlreadyWritten
from dagster_project import copies
from dagster_project.errors import ApportionError
from dagster_project.inspection import report
from dagster_project.inspection.reading import inspect_file
from dagster_project.landing import folder
from dagster_project.records import Person
from dagster_project.settings import DataFolder


class UploadRefused(ApportionError):
    """The file cannot be put into landing."""


@dataclass(frozen=True)
class Checked:
    """What a run would read from a file, in words.

    `place` is its path below landing; None if the file names no feed. `is_usable` says whether a
    run would use every row.
    """

    place: str | None
    report: str
    is_usable: bool


def check(data: DataFolder, name: str, content: bytes, feed: str | None = None) -> Checked:
    """Read a file as a run would, in the folder of a feed or where its header belongs.

    Nothing is kept. Raises UploadRefused for its name, and the errors of `inspect_file`.
    """
    name = _name(name)
    with copies.temporary_folder(data) as root:
        path = root / name
        path.write_bytes(content)
        found = inspect_file(path, data, f"{feed}/{name}" if feed else None)
    # A member of an archive has its own name after that of the archive.
    feeds = {folder.feed_of(each.place) for each in found}
    known = feeds.pop() if len(feeds) == 1 else None
    return Checked(
        f"{known}/{name}" if known else None,
        "\n\n".join(map(report.as_text, found)),
        all(each.is_usable for each in found),
    )


def land(data: DataFolder, person: Person, checked: Checked, content: bytes) -> str:
    """Put a file that was checked into landing, and record who did; returns its place.

    No file is overwritten. Raises UploadRefused.
    """
    if checked.place is None or not checked.is_usable:
        raise UploadRefused("a run would not use every row of this file: correct it first")
    try:
        changes.save(
            data, person, "", checked.place, content, subject=checked.place, reason="uploaded"
        )
    except AlreadyWritten as error:
        raise UploadRefused(
            f"landing has a file {checked.place} already: rename yours, or remove the other one"
        ) from error
    return checked.place


def _name(name: str) -> str:
    """The name of the file without folders. Raises UploadRefused for one that a run ignores."""
    last = PurePosixPath(name.replace("\\", "/")).name
    if not last or last.startswith((".", "~")):
        raise UploadRefused(f"{name!r} is not the name of a file that a run reads")
    return last
