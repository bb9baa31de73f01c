"""Evidence on the delivery of a landed bill, from the names of its folders and file.

A delivery is one handover by a provider: one file, several parts, or a folder of an export run.
Belongs here: reading paths. Does not: which of two deliveries counts, which dbt decides from their
rows (int_deliveries).
"""

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

PERIOD = re.compile(r"billing[-_ ]?period=\d{4}-\d{2}(-\d{2})?", re.IGNORECASE)
"""The partition of AWS Data Exports; each run below it holds the period to date."""
RANGE = re.compile(r"(20\d{6})-(20\d{6})")
"""The date range of Azure Cost Management exports; each run below it holds the range to date."""
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
RUN_WORD = re.compile(
    r"(?<![a-z])(run|execution|exec|version|attempt|v)(?:[-_ =]*(\d{1,9}))?(?![a-z0-9])",
    re.IGNORECASE,
)
INSTANT = re.compile(
    r"(?<![0-9a-z])(20\d\d)(-?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])"
    r"(?:[T_ -]?([01]\d|2[0-3])[:.-]?([0-5]\d)(?:[:.-]?([0-5]\d)(?:\.\d+)?)?Z?)?(?![0-9a-z])",
    re.IGNORECASE,
)
PART = re.compile(
    r"(?<![a-z])(part|page|chunk|slice|blob|teil|seite|partie|parte|pagina)[-_ ]?(\d+)([-_]\d{4,})?"
    r"(?![0-9])|[-_](0\d{3,})$|(?<![0-9a-z])(\d{1,4})(?=[-_ ]?of[-_ ]?\d{1,4}(?![0-9a-z]))",
    re.IGNORECASE,
)
PART_COUNT = re.compile(r"[-_ ]*of[-_ ]*(\d{1,4})(?!\d)", re.IGNORECASE)
"""The number of all parts, behind the number of a part."""
MOST_MISSING = 5
"""Parts that a message names one by one."""
AGAIN = re.compile(r"( \(\d+\)| - copy( \(\d+\))?|[ _-]copy)+$", re.IGNORECASE)
"""Suffixes that browsers and file managers append to the name of a second copy."""
ENDINGS = re.compile(r"(\.(csv|tsv|txt|jsonl?|ndjson|parquet|xlsx|snappy|gz|zip))+$", re.IGNORECASE)
EXPORT_BLOB = re.compile(
    rf"part-\d{{5}}-{GUID.pattern}(\.c\d+)?\.json(\.gz)?",
    re.IGNORECASE,
)
"""A blob of Partner Center's billing export, which always has a manifest."""


@dataclass(frozen=True)
class Place:
    """Evidence of a file's path on the delivery that the file belongs to."""

    delivery: str | None
    """Equal for all files of one handover; null for a file that is a delivery of its own."""
    series: str | None
    """Equal for all runs of one export; null if the path names no run."""
    run_group: str | None
    """The dated folder of the file: a run, or only the day on which it was saved."""
    delivered_at: datetime | None
    run_number: int | None
    is_whole_period: bool
    """Whether each run of the series contains its billing period to date; the last one counts."""
    base_name: str
    """The file name without the suffix of a second download."""


def place_of(name: str) -> Place:
    """The evidence in the path of a file below landing/billing_lines."""
    path = PurePosixPath(name)
    folders = path.parts[1:-1]
    base_name = AGAIN.sub("", ENDINGS.sub("", path.name)).lower()
    period_at = next(
        (
            at
            for at in reversed(range(len(folders)))
            if PERIOD.fullmatch(folders[at]) or RANGE.fullmatch(folders[at])
        ),
        None,
    )
    run_at = {
        at
        for at, folder in enumerate(folders)
        if (at != period_at and _names_run(folder)) or (period_at is not None and at > period_at)
    }
    runs = [folders[at] for at in sorted(run_at)]
    folder = "/".join(folders).lower()
    stem = PART.sub("#", base_name)
    parts = f"parts:{folder}/{stem}" if stem != base_name else None
    if period_at is not None:
        last = period_at + 1
        while last < len(folders) and (last == period_at + 1 or _names_run(folders[last])):
            last += 1
        run_folder = "/".join(folders[:last]).lower()
        # An Azure export with one file per run writes all runs into one folder, with ids as suffix.
        is_run_in_name = (
            last == period_at + 1
            and RANGE.fullmatch(folders[period_at]) is not None
            and re.search(rf"_{GUID.pattern}$", base_name) is not None
        )
        return Place(
            delivery=f"run:{run_folder}/{base_name}" if is_run_in_name else f"run:{run_folder}",
            series=_series(folders[: period_at + 1], run_at),
            run_group=None,
            delivered_at=_instant(runs),
            run_number=_run_number(runs),
            is_whole_period=True,
            base_name=base_name,
        )
    if run_at:
        # A folder that is named by a day only may be an inbox, with files of several runs.
        is_run = any(GUID.search(each) or RUN_WORD.search(each) for each in runs)
        is_run = is_run or any(match[5] for each in runs for match in INSTANT.finditer(each))
        last_run = max(run_at)
        return Place(
            delivery=f"run:{'/'.join(folders[: last_run + 1]).lower()}" if is_run else parts,
            series=_series(folders, run_at),
            run_group=None if is_run else folder,
            delivered_at=_instant(runs),
            run_number=_run_number(runs),
            is_whole_period=False,
            base_name=base_name,
        )
    masked = RUN_WORD.sub("*", INSTANT.sub("*", GUID.sub("*", stem)))
    return Place(
        delivery=parts,
        series=f"{folder}/{masked}" if masked != stem else None,
        run_group=None,
        delivered_at=_instant([stem]),
        run_number=_run_number([stem]),
        is_whole_period=False,
        base_name=base_name,
    )


def missing_parts(names: Iterable[str]) -> dict[str, str]:
    """A sentence by file, for the first file of each bill whose numbered parts have a gap.

    `names` are the files below landing/billing_lines that no manifest lists. Part numbers begin
    with 0 or 1. A number without a word such as `part` may be that of an invoice, so it shows a gap
    only if the first one is there too.
    """
    numbered: dict[tuple[str, str], dict[int, str]] = {}
    counts: dict[tuple[str, str], int] = {}
    worded: set[tuple[str, str]] = set()
    for name in sorted(names):
        path = PurePosixPath(name)
        base_name = AGAIN.sub("", ENDINGS.sub("", path.name)).lower()
        match = PART.search(base_name)
        if match is None:
            continue
        # Azure writes part_0_0001 and part_1_0001.
        stem = f"{base_name[: match.start()]}#{match[3] or ''}{base_name[match.end() :]}"
        bill = (str(path.parent), stem)
        numbered.setdefault(bill, {}).setdefault(int(match[2] or match[4] or match[5]), name)
        if match[2] or match[5]:
            worded.add(bill)
        if count := PART_COUNT.match(base_name, match.end()):
            counts[bill] = int(count[1])
    found = {}
    for bill, files in numbered.items():
        first, last = min(files), max(files)
        if bill not in worded and first > 1:
            continue
        first = min(first, 1)
        last = max(last, counts.get(bill, 0) - (0 if first else 1))
        missing = [each for each in range(first, last + 1) if each not in files]
        if missing:
            found[min(files.values())] = _missing_in_words(missing, len(files))
    return found


def _missing_in_words(missing: Sequence[int], present_count: int) -> str:
    numbers = ", ".join(map(str, missing[:MOST_MISSING]))
    if len(missing) > MOST_MISSING:
        numbers += f" and {len(missing) - MOST_MISSING} more"
    parts, are = ("part", "is") if len(missing) == 1 else ("parts", "are")
    files = "file is" if present_count == 1 else "files are"
    return (
        f"{present_count} numbered {files} there, but {parts} {numbers} {are} missing; land the"
        " missing files, or rename the files if their numbers are not those of parts"
    )


def _series(folders: Sequence[str], run_at: Container[int]) -> str:
    """The path with a star for each folder that names a run."""
    return "/".join("*" if at in run_at else each for at, each in enumerate(folders)).lower()


def _names_run(folder: str) -> bool:
    return any(pattern.search(folder) for pattern in (GUID, RUN_WORD, INSTANT))


def _instant(names: list[str]) -> datetime | None:
    """The latest instant in the names: a folder of a day may contain a folder of an hour."""
    instants = []
    for match in (each for name in names for each in INSTANT.finditer(name)):
        year, month, day, hour, minute, second = (
            int(match[group] or 0) for group in (1, 3, 4, 5, 6, 7)
        )
        try:
            instants.append(datetime(year, month, day, hour, minute, second))
        except ValueError:
            continue
    return max(instants, default=None)


def _run_number(names: list[str]) -> int | None:
    numbers = [match[2] for name in names for match in RUN_WORD.finditer(name) if match[2]]
    return int(numbers[-1]) if numbers else None
