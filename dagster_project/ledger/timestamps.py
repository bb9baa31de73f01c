"""Time stamps of postings by a time-stamping authority (RFC 3161), which nobody can make later.

Belongs here: asking the authority, the kept answers and their check. Does not: the chain
(postings.py) and the recorded heads (anchors.py).

The authority signs the hash of a posting's entry, which is the SHA-256 of the receipt. An answer is
kept as it came, in `ledger_timestamps/` of the data folder, so that other programs can check it:

    openssl ts -verify -digest SHA-256 -in ledger_timestamps/000001-2026-01.tsr -CAfile roots.pem

The package rfc3161-client is optional. It makes the requests and checks the signatures.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dagster_project import wording
from dagster_project.errors import ApportionError, BadSetting, LedgerBroken
from dagster_project.files import replaced_at_once
from dagster_project.ledger.postings import Posting
from dagster_project.settings import DataFolder, named_outside

if TYPE_CHECKING:
    from rfc3161_client import Verifier

URL_VARIABLE = "APPORTION_TIMESTAMP_URL"
ROOTS_VARIABLE = "APPORTION_TIMESTAMP_ROOTS_FILE"
TIMEOUT_SECONDS = 20
MOST_BYTES = 1024**2
PART_BYTES = 2**14
SUFFIX = ".tsr"


class NotStamped(ApportionError):
    """The authority cannot be reached, refused, or gave an answer that proves nothing."""


@dataclass(frozen=True)
class Stamp:
    """A checked answer: the posting and the instant at which the authority saw it."""

    posting_number: int
    stamped_at: datetime
    path: Path


@dataclass(frozen=True)
class Authority:
    """The address of a time-stamping authority, and the file with the certificates it is under."""

    url: str
    roots: Path


def authority(data: DataFolder) -> Authority | None:
    """The authority that the environment names; None without one. Raises BadSetting."""
    url = os.environ.get(URL_VARIABLE)
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadSetting(f"{URL_VARIABLE} is no web address")
    roots = named_outside(data, ROOTS_VARIABLE)
    if roots is None:
        raise BadSetting(
            f"{URL_VARIABLE} needs {ROOTS_VARIABLE}: a file with the authority's root certificates,"
            " as PEM, outside the data folder"
        )
    return Authority(url, roots)


def obtain_missing(
    data: DataFolder,
    postings: Sequence[Posting],
    progress: Callable[[str], None] = lambda message: print(message, file=sys.stderr, flush=True),
) -> None:
    """Let the authority stamp the postings without a stamp, if one is configured.

    The caller holds the writer's lock. An authority that cannot be used stops nothing: `progress`
    gets the reason, and the next run asks again. Raises BadSetting.
    """
    chosen = authority(data)
    if chosen is None:
        return
    verifier = _verifier(chosen.roots)
    for posting in postings:
        path = _path(data, posting)
        if path.exists():
            continue
        try:
            answer = _ask(chosen, posting, verifier)
        except NotStamped as error:
            place = wording.address_without_secrets(chosen.url)
            progress(
                f"Posting {posting.posting_number} ({posting.billing_period}) has no time stamp"
                f" yet: {place}: {error}. The next run asks again."
            )
            return
        with replaced_at_once(path) as building:
            building.write_bytes(answer)


def require_stamped_as_posted(data: DataFolder, postings: Sequence[Posting]) -> tuple[Stamp, ...]:
    """Check every kept stamp if an authority is configured; returns them by number of the posting.

    Raises LedgerBroken if a stamp is of a posting that the ledger lacks, or is none of the
    authority, and BadSetting.
    """
    chosen = authority(data)
    if chosen is None:
        return ()
    verifier = _verifier(chosen.roots)
    by_path = {_path(data, posting): posting for posting in postings}
    stamps = []
    for path in stamp_files(data):
        posting = by_path.get(path)
        if posting is None:
            raise LedgerBroken(
                f"the ledger lacks a posting that the time-stamping authority saw: {path}. Restore"
                f" {data.ledger} from a backup"
            )
        try:
            stamped_at = _checked(path.read_bytes(), posting, verifier)
        except NotStamped as error:
            raise LedgerBroken(
                f"{path} is no time stamp of posting {posting.posting_number}"
                f" ({posting.billing_period}): {error}. If the ledger was changed, restore it from"
                " a backup; if this file was, restore the file"
            ) from error
        stamps.append(Stamp(posting.posting_number, stamped_at, path))
    return tuple(stamps)


def stamp_files(data: DataFolder) -> tuple[Path, ...]:
    """The kept answers in order of name."""
    return tuple(sorted(data.ledger_timestamps.glob(f"[!.]*{SUFFIX}")))


def _path(data: DataFolder, posting: Posting) -> Path:
    return data.ledger_timestamps / Path(posting.file).with_suffix(SUFFIX).name


def _verifier(roots: Path) -> "Verifier":
    try:
        from cryptography.x509 import load_pem_x509_certificates
        from rfc3161_client import VerifierBuilder
    except ImportError as error:
        raise BadSetting(
            f"{URL_VARIABLE} needs the package rfc3161-client: install requirements/service.txt"
        ) from error
    try:
        builder = VerifierBuilder()
        for certificate in load_pem_x509_certificates(roots.read_bytes()):
            builder = builder.add_root_certificate(certificate)
        return builder.build()
    except OSError as error:
        raise BadSetting(
            f"{ROOTS_VARIABLE} is {roots}, which cannot be read: {error.strerror}"
        ) from error
    except ValueError as error:
        raise BadSetting(
            f"{ROOTS_VARIABLE} is {roots}, which has no certificates as PEM"
        ) from error


def _ask(chosen: Authority, posting: Posting, verifier: "Verifier") -> bytes:
    """The authority's answer for a posting, checked. Raises NotStamped."""
    import requests
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

    request = (
        TimestampRequestBuilder()
        .data(posting.hashed_text())
        .hash_algorithm(HashAlgorithm.SHA256)
        .build()
    )
    try:
        with requests.post(
            chosen.url,
            data=request.as_bytes(),
            headers={"Content-Type": "application/timestamp-query"},
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code != 200:
                raise NotStamped(f"status {response.status_code}")
            # One part more than the limit has.
            parts = islice(response.iter_content(PART_BYTES), MOST_BYTES // PART_BYTES + 1)
            answer = b"".join(parts)
    except requests.RequestException as error:
        # The message of the error has the address.
        raise NotStamped(type(error).__name__) from None
    if len(answer) > MOST_BYTES:
        raise NotStamped(f"the answer has more than {MOST_BYTES:,} bytes")
    _checked(answer, posting, verifier)
    if decode_timestamp_response(answer).tst_info.nonce != request.nonce:
        raise NotStamped("the answer is to another request")
    return answer


def _checked(answer: bytes, posting: Posting, verifier: "Verifier") -> datetime:
    """The instant of a time stamp that is the authority's for this posting. Raises NotStamped."""
    from rfc3161_client import PKIStatus, decode_timestamp_response

    try:
        stamp = decode_timestamp_response(answer)
    except ValueError as error:
        raise NotStamped(f"the answer is none of RFC 3161 ({str(error)[:200]})") from error
    if stamp.status != PKIStatus.GRANTED:
        raise NotStamped(f"the request was refused with status {stamp.status}")
    try:
        verifier.verify_message(stamp, posting.hashed_text())
        return stamp.tst_info.gen_time.astimezone(UTC)
    except Exception as error:
        # Malformed certificates raise types of several packages.
        raise NotStamped(str(error)[:500]) from error
