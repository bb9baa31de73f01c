"""The head of the ledger's chain, recorded outside the ledger.

The chain shows edits, gaps and additions. It does not show that its last postings or the whole
folder were removed. Every run therefore records the head beside the published tables, in their
state and in its own records, and refuses a ledger without that posting. These are in the data
folder. A log outside of it, named by APPORTION_LEDGER_ANCHOR_FILE, has a line per posting; it can
be kept in a version control system. Belongs here: recorded heads and the key. Does not: the chain
itself (postings.py), the answers of a time-stamping authority (timestamps.py).
"""

import hmac
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dagster_project.errors import LedgerBroken
from dagster_project.files import replaced_at_once
from dagster_project.ledger import timestamps
from dagster_project.ledger.postings import Posting, read_postings, signature_of
from dagster_project.published_tables import STATE
from dagster_project.settings import DataFolder, named_outside

KEY_FILE_VARIABLE = "APPORTION_LEDGER_KEY_FILE"
ANCHOR_FILE_VARIABLE = "APPORTION_LEDGER_ANCHOR_FILE"


@dataclass(frozen=True)
class Head:
    """The last posting of a chain: its number, hash and period."""

    posting_number: int
    entry_hash: str
    billing_period: str

    @classmethod
    def of(cls, posting: Posting) -> "Head":
        """The head of a chain that ends with this posting."""
        return cls(posting.posting_number, posting.entry_hash, posting.billing_period)

    def receipt(self) -> str:
        """The head in one line, to be kept outside the data folder."""
        return f"posting {self.posting_number}, {self.billing_period}, SHA-256 {self.entry_hash}"


@dataclass(frozen=True)
class Verification:
    """The result of a ledger check: the postings, and the records they were compared with."""

    postings: tuple[Posting, ...]
    anchors: tuple[Path, ...]
    signed_count: int
    """The number of checked signatures; zero without a key."""
    stamps: tuple[timestamps.Stamp, ...]
    """The checked time stamps; none without an authority."""


def anchor_files(data: DataFolder) -> tuple[Path, ...]:
    """The files that record the head: beside the published tables and in the run's records."""
    return data.published / "ledger_head.json", data.run_folder / "ledger_head.json"


def verify(data: DataFolder) -> Verification:
    """Read the ledger, which checks all hashes, and compare it with all records of it.

    Raises LedgerBroken if the ledger differs from what was written, or lacks a recorded posting.
    """
    return compare(data, read_postings(data.ledger))


def compare(data: DataFolder, postings: tuple[Posting, ...]) -> Verification:
    """Compare a ledger with the recorded heads, the signatures and the time stamps.

    Raises LedgerBroken, and BadSetting if a configured record cannot be used.
    """
    return Verification(
        postings,
        require_all_seen(data, postings),
        require_signatures(postings, read_key(data)),
        timestamps.require_stamped_as_posted(data, postings),
    )


def require_all_seen(data: DataFolder, postings: Sequence[Posting]) -> tuple[Path, ...]:
    """Raise LedgerBroken if a recorded head is not in the chain; returns the files read."""
    found = []
    present = {Head.of(posting) for posting in postings}
    log, state = anchor_log(data), data.published / "current" / STATE
    for path in (*anchor_files(data), state, *([log] if log else [])):
        heads = _published_heads(path) if path == state else _read_heads(path)
        if heads is None:
            continue
        if not heads and path != log:
            raise LedgerBroken(_damaged(path, "it is empty"))
        found.append(path)
        for head in heads:
            if head not in present:
                there = Head.of(postings[-1]).receipt() if postings else "no posting"
                raise LedgerBroken(
                    f"the ledger lacks a posting that an earlier run recorded: {path} records"
                    f" {head.receipt()}, but {data.ledger} ends with {there}. Nothing was changed."
                    f" Restore {data.ledger} from a backup"
                )
    return tuple(found)


def _read_heads(path: Path) -> list[Head] | None:
    """The heads in a file, one per line; None without the file. Raises LedgerBroken."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        return [Head(**json.loads(line)) for line in lines]
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise LedgerBroken(_damaged(path, error)) from error


def _published_heads(path: Path) -> list[Head] | None:
    """The head in the state of the published version; None if it has none or is damaged."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        return [Head(**each) for each in state["ledger_head"]] or None
    except (OSError, ValueError, TypeError, KeyError):
        # A version that is not as it was published is published again.
        return None


def _damaged(path: Path, reason: object) -> str:
    return (
        f"{path} is damaged ({reason}). Compare the ledger with the receipt of the last closing,"
        " then delete this file; the next run writes it again"
    )


def anchor_log(data: DataFolder) -> Path | None:
    """The log outside the data folder; None if none is configured. Raises BadSetting."""
    return named_outside(data, ANCHOR_FILE_VARIABLE)


def remember(data: DataFolder, postings: Sequence[Posting]) -> None:
    """Record the head beside the published tables, in the run's records and in the log outside.

    `postings` is the whole chain. The log gets the lines that it lacks; its lines never change. A
    configured authority stamps the postings that lack a time stamp.
    """
    if not postings:
        return
    log = anchor_log(data)
    if log is not None:
        known = set(_read_heads(log) or ())
        missing = [head for head in map(Head.of, postings) if head not in known]
        with log.open("a", encoding="ascii") as file:
            file.writelines(json.dumps(asdict(head), sort_keys=True) + "\n" for head in missing)
            file.flush()
            os.fsync(file.fileno())
    text = json.dumps(asdict(Head.of(postings[-1])), sort_keys=True) + "\n"
    for path in anchor_files(data):
        with replaced_at_once(path) as building:
            building.write_text(text, encoding="ascii")
    timestamps.obtain_missing(data, postings)


def read_key(data: DataFolder) -> bytes | None:
    """The signing key; None if none is configured.

    Raises LedgerBroken if the key cannot be read or is too short, and BadSetting if it is in the
    data folder, where a person who can change the ledger could change the signatures too.
    """
    path = named_outside(data, KEY_FILE_VARIABLE)
    if path is None:
        return None
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise LedgerBroken(
            f"{KEY_FILE_VARIABLE} is {path}, which cannot be read: {error.strerror}"
        ) from error
    if len(key) < 32:
        raise LedgerBroken(f"{KEY_FILE_VARIABLE} is {path}, which has fewer than 32 bytes")
    return key


def require_signatures(postings: Sequence[Posting], key: bytes | None) -> int:
    """Raise LedgerBroken if a signature does not match the key; returns the number checked.

    All postings after the first signed one must be signed.
    """
    if key is None:
        return 0
    checked = 0
    for posting in postings:
        if posting.signature is None and not checked:
            continue
        expected = signature_of(posting, key)
        if not hmac.compare_digest(posting.signature or "", expected):
            raise LedgerBroken(
                f"posting {posting.posting_number} ({posting.billing_period}) is not signed with"
                f" the key of {KEY_FILE_VARIABLE}; restore the ledger from a backup"
            )
        checked += 1
    return checked
