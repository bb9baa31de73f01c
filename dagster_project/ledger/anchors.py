"""The head of the ledger's chain, recorded outside the ledger.

The chain shows edits, gaps and additions. It does not show that its last postings or the whole
folder were removed. Every run therefore records the head beside the published tables and in its own
records, and refuses a ledger without that posting. Both records are in the data folder. A log
outside of it, named by APPORTION_LEDGER_ANCHOR_FILE, has a line per posting; it can be kept in a
version control system or be time-stamped. Belongs here: recorded heads and the key. Does not: the
chain itself (postings.py).
"""

import hmac
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dagster_project.errors import LedgerBroken
from dagster_project.files import replaced_at_once
from dagster_project.ledger.postings import Posting, read_postings, signature_of
from dagster_project.settings import DataFolder

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


def anchor_files(data: DataFolder) -> tuple[Path, ...]:
    """The files that record the head: beside the published tables and in the run's records."""
    return data.published / "ledger_head.json", data.run_folder / "ledger_head.json"


def verify(data: DataFolder) -> Verification:
    """Check the ledger: all hashes, the recorded heads and, with a key, the signatures.

    Raises LedgerBroken if the ledger differs from what was written, or lacks a recorded posting.
    """
    postings = read_postings(data.ledger)
    return Verification(
        postings, require_all_seen(data, postings), require_signatures(postings, read_key(data))
    )


def require_all_seen(data: DataFolder, postings: Sequence[Posting]) -> tuple[Path, ...]:
    """Raise LedgerBroken if a recorded head is not in the chain; returns the files read."""
    found = []
    present = {Head.of(posting) for posting in postings}
    log = anchor_log(data)
    for path in (*anchor_files(data), *([log] if log else [])):
        heads = _read_heads(path)
        if heads is None:
            continue
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
        raise LedgerBroken(
            f"{path} is damaged ({error}). Compare the ledger with the receipt of the last"
            " closing, then delete this file; the next run writes it again"
        ) from error


def anchor_log(data: DataFolder) -> Path | None:
    """The log outside the data folder; None if none is configured. Raises LedgerBroken."""
    return _named_outside(data, ANCHOR_FILE_VARIABLE)


def _named_outside(data: DataFolder, variable: str) -> Path | None:
    """The path in an environment variable. Raises LedgerBroken if it is in the data folder."""
    named = os.environ.get(variable)
    if not named:
        return None
    path = Path(named).resolve()
    if path.is_relative_to(data.root.resolve()):
        raise LedgerBroken(f"{variable} is {path}, in the data folder; keep it elsewhere")
    return path


def remember(data: DataFolder, postings: Sequence[Posting]) -> None:
    """Record the head beside the published tables, in the run's records and in the log outside.

    `postings` is the whole chain. The log gets the lines that it lacks; its lines never change.
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


def read_key(data: DataFolder) -> bytes | None:
    """The signing key; None if none is configured.

    Raises LedgerBroken if the key cannot be read, is too short, or is in the data folder, where a
    person who can change the ledger could change the signatures too.
    """
    path = _named_outside(data, KEY_FILE_VARIABLE)
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
