"""The client of Partner Center's billing export: an invoice's lines from the provider to landing.

Belongs here: the conversation with the provider, and putting a whole export into landing.
Does not: reading what was downloaded (ingest does, as of any landed file) and Dagster.

The conversation, as Microsoft Graph documents it (namespace microsoft.graph.partners.billing,
v1.0: billedReconciliation: export, Get operation, Get manifest):

    POST <address>/reports/partners/billing/reconciliation/billed/export
                      {"invoiceId": ..., "attributeSet": "full"}
    202               Location: the operation
    GET  operation    status notStarted or running (Retry-After), then succeeded or failed
    GET  manifest     the operation's resourceLocation: the manifest itself, or its address
    GET  <rootDirectory>/<blob name>?<sasToken>     for each blob: gzip of JSON lines

The documents contradict themselves in three places, and both readings are taken: a finished
operation is `succeeded` or `completed`; the manifest is inside the operation, or behind
`resourceLocation`, or behind `resourceLocation@odata.navigationLink`; the data format is
`compressedJSON` or `compressedJSONLines`.

Two secrets pass through: the bearer token and the manifest's shared access token. Neither is
written to disk, logged or shown in an error, and the bearer token goes to no other host than
that of the configured address.
"""

import errno
import gzip
import json
import logging
import os
import re
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, InvalidHeader, LocationParseError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry, Url, parse_url

from dagster_project.errors import ApportionError
from dagster_project.settings import Limits

Progress = Callable[[str], None]

FEED = "billing_lines"
API_VERSION = "/v1.0"
EXPORT_PATH = "/reports/partners/billing/reconciliation/billed/export"
OPERATION_PATH = "/reports/partners/billing/operations/"
WAITING = {"notstarted", "running"}
DONE = {"succeeded", "completed"}
DATA_FORMATS = {"compressedjson", "compressedjsonlines"}
LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
DEFAULT_PORTS = {"https": 443, "http": 80}

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
RETRIES = 6
DOWNLOAD_ATTEMPTS = 3
REDIRECTS = 5
LONGEST_POLL_SECONDS = 30.0
"""Between two looks at an operation when the provider does not say how long to wait."""
ANSWER_BYTES = 16 * 1024**2
CHUNK_BYTES = 256 * 1024
SHOWN_CHARACTERS = 300
SHORTEST_SECRET = 6
"""Characters; replacing anything shorter would garble what it happens to be part of."""


# --- errors ----------------------------------------------------------------------------


class BadExportSettings(ApportionError):
    """The APPORTION_EXPORT_ variables are there but cannot be used."""


class ExportUnavailable(ApportionError):
    """The provider could not be reached or is busy; another try may go well."""


class ExportTimedOut(ExportUnavailable):
    """The export took longer than the longest wait that is allowed."""


class ExportCutOff(ExportUnavailable):
    """The connection ended before the whole of an answer or blob was there."""


class BlobMissing(ExportUnavailable):
    """A blob of the manifest is not there or no longer allowed; a new manifest may mend it."""


class ExportUnusable(ApportionError):
    """What the provider answered cannot be used; another try would give the same."""


class ExportRefused(ExportUnusable):
    """The provider does not accept the request: token, permission or invoice is wrong."""


class ExportFailed(ExportUnusable):
    """The provider ended the operation as failed."""


class UnsafeAddress(ExportUnusable):
    """An address that is not https, or lies at another host than it may."""


class UnusableManifest(ExportUnusable):
    """The manifest lacks what it must have, or contradicts itself or the request."""


class UnsafeBlobName(UnusableManifest):
    """The name of a blob is not a plain file name."""


class DamagedBlob(ExportUnusable):
    """A blob is no gzip file, or not a whole one."""


class ExportTooLarge(ExportUnusable):
    """An answer or blob is over the limit for a file, packed or unpacked."""


class LandingInTheWay(ApportionError):
    """Landing is such that the export cannot be put there in one step."""


# --- settings --------------------------------------------------------------------------


@dataclass(frozen=True)
class ExportSettings:
    """Where exports come from and what of them to fetch. Times in seconds.

    `address` is the API with its version, e.g. https://graph.microsoft.com/v1.0; where it has
    no path, Graph's version is added. Raises BadExportSettings where a value cannot be used.
    """

    address: str
    token: str = field(repr=False)
    invoices: tuple[str, ...]
    timeout_seconds: float = 60
    max_wait_seconds: float = 1800
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Refuse what would only fail later, and with the token in the library's message."""
        address = self.address.strip().rstrip("/")
        parts = _parsed(address)
        if not parts.host or parts.auth or parts.query or parts.fragment:
            raise BadExportSettings(
                "APPORTION_EXPORT_URL is not an address like https://graph.microsoft.com/v1.0"
            )
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.host in LOCAL_HOSTS):
            raise BadExportSettings("APPORTION_EXPORT_URL must begin with https://")
        object.__setattr__(self, "address", address if parts.path else address + API_VERSION)
        if not re.fullmatch(r"[!-~]+", self.token):
            raise BadExportSettings(
                "APPORTION_EXPORT_TOKEN is empty or has spaces or other characters no token has"
            )
        if not self.invoices:
            raise BadExportSettings("APPORTION_EXPORT_INVOICES names no invoice")
        for invoice_id in self.invoices:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", invoice_id):
                raise BadExportSettings(
                    f"APPORTION_EXPORT_INVOICES: {invoice_id!r} is no invoice id like G016907411"
                )
        for seconds in (self.timeout_seconds, self.max_wait_seconds):
            # A comparison that is also false for what is no number at all.
            if not 0 < seconds < float("inf"):
                raise BadExportSettings(f"{seconds} is not a number of seconds to wait")

    @classmethod
    def from_environment(cls) -> "ExportSettings | None":
        """What the APPORTION_EXPORT_ variables say; None where APPORTION_EXPORT_URL is not set.

        Raises BadExportSettings, which never shows the token.
        """
        address = os.environ.get("APPORTION_EXPORT_URL", "").strip()
        if not address:
            return None
        invoices = re.split(r"[,\s]+", os.environ.get("APPORTION_EXPORT_INVOICES", "").strip())
        return cls(
            address=address,
            token=os.environ.get("APPORTION_EXPORT_TOKEN", "").strip(),
            # The same invoice twice is one, in the order given.
            invoices=tuple(dict.fromkeys(filter(None, invoices))),
            timeout_seconds=_seconds("APPORTION_EXPORT_TIMEOUT_SECONDS", cls.timeout_seconds),
            max_wait_seconds=_seconds("APPORTION_EXPORT_MAX_WAIT_SECONDS", cls.max_wait_seconds),
            limits=Limits.from_environment(),
        )


def _seconds(variable: str, default: float) -> float:
    value = os.environ.get(variable, "").strip()
    try:
        return float(value) if value else default
    except ValueError:
        raise BadExportSettings(f"{variable}: {value!r} is not a number of seconds") from None


@dataclass(frozen=True)
class Clock:
    """What tells the time and what waits, in seconds; tests bring their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


# --- what callers use ------------------------------------------------------------------


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
    deadline = _Deadline(clock or Clock(), settings.max_wait_seconds)
    with (
        _queries_kept_out_of_logs(),
        _Conversation(settings, invoice_id, deadline, progress) as provider,
    ):
        manifest = provider.export()
        folder = landing / FEED / f"export-{_file_name(invoice_id)}-{_file_name(manifest.e_tag)}"
        if folder.exists() or folder.is_symlink():
            progress(f"billing export {invoice_id}: {folder.name} is in landing already")
            return _landed(folder, invoice_id, manifest)
        workspace = landing.parent / ".run" / "downloads" / f"export-{_file_name(invoice_id)}"
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


# --- the manifest ----------------------------------------------------------------------


@dataclass(frozen=True)
class _Manifest:
    """A manifest whose every part was checked; `root` and `secrets` are not to be shown."""

    received: Mapping[str, Any] = field(repr=False)
    e_tag: str
    names: tuple[str, ...]
    root: str = field(repr=False)
    shared_access_token: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    @classmethod
    def read(cls, received: Mapping[str, Any], invoice_id: str, token: str) -> "_Manifest":
        """Raises UnusableManifest where the manifest is not one of a whole export."""

        def unusable(fact: str) -> UnusableManifest:
            return UnusableManifest(
                f"billing export {invoice_id}: the manifest {_shown(fact, [token])}"
            )

        e_tag = received.get("eTag")
        if not isinstance(e_tag, str) or not e_tag.strip():
            raise unusable("has no eTag, so that its version cannot be told from others")
        data_format = received.get("dataFormat")
        if data_format is not None and str(data_format).lower() not in DATA_FORMATS:
            raise unusable(f"has data format {data_format!r}; we read gzip of JSON lines")
        blobs = received.get("blobs")
        if not isinstance(blobs, list) or not blobs:
            raise unusable("lists no blobs")
        count = received.get("blobCount")
        if count != len(blobs):
            raise unusable(f"says blobCount {count!r} and lists {len(blobs)} blobs")
        names = [blob.get("name") if isinstance(blob, dict) else None for blob in blobs]
        for name in names:
            if not isinstance(name, str) or not _is_file_name(name):
                raise UnsafeBlobName(
                    f"billing export {invoice_id}: {_shown(repr(name), [token])} is not the plain"
                    " file name that a blob has"
                )
        if any(token in text for text in (e_tag, *map(str, names))):
            raise unusable("repeats our token")
        # On some file systems names that differ by case are one file.
        if len({str(name).lower() for name in names}) < len(names):
            raise unusable("lists a blob twice")
        root = received.get("rootDirectory")
        if not isinstance(root, str) or not root:
            raise unusable("has no rootDirectory")
        named = re.search(r"/InvoiceId=([^/?]+)", root, re.IGNORECASE)
        if named and named[1].lower() != invoice_id.lower():
            raise unusable(f"is that of invoice {named[1]}")
        shared_access_token = received.get("sasToken") or ""
        if not isinstance(shared_access_token, str):
            raise unusable("has a sasToken that is no text")
        shared_access_token = shared_access_token.lstrip("?")
        queries = [shared_access_token, root.partition("?")[2]]
        signatures = [
            part for query in queries for part in query.split("&") if part.startswith("sig=")
        ]
        return cls(
            received=received,
            e_tag=e_tag,
            names=tuple(map(str, names)),
            root=root,
            shared_access_token=shared_access_token,
            secrets=(token, *queries, *signatures),
        )

    def blob_address(self, api: str, name: str) -> str:
        """Where a blob is, with the shared access token in the address."""
        root = urlsplit(_joined(api + "/", self.root))
        query = "&".join(filter(None, [root.query, self.shared_access_token]))
        path = f"{root.path.rstrip('/')}/{quote(name, safe='')}"
        return urlunsplit((root.scheme, root.netloc, path, query, ""))

    def as_landed(self) -> bytes:
        """The manifest without its secrets, as JSON."""
        without = {**self.received, "rootDirectory": self.root.partition("?")[0]}
        return (json.dumps(self._cleaned(without), indent=2) + "\n").encode()

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                _hidden(key, self.secrets): self._cleaned(each)
                for key, each in value.items()
                if key.lower() != "sastoken"
            }
        if isinstance(value, list):
            return [self._cleaned(each) for each in value]
        return _hidden(value, self.secrets) if isinstance(value, str) else value


def _is_file_name(name: str) -> bool:
    """Whether it names a file in its own folder that ingest sees and that is not the manifest."""
    return (
        re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.,=+~@() -]{0,199}", name) is not None
        and name.lower() != "manifest.json"
    )


def _file_name(text: str) -> str:
    """The text itself where it is plain, else what is plain of it and a hash of the whole."""
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", text):
        return text
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:60]
    return f"{plain}-{sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}".lstrip("-")


# --- landing ---------------------------------------------------------------------------


def _landed(folder: Path, invoice_id: str, manifest: _Manifest) -> DownloadedExport:
    """The export that lies in landing; LandingInTheWay where it is not whole or another one."""
    try:
        landed = json.loads((folder / "manifest.json").read_bytes())
        names = [blob["name"] for blob in landed["blobs"]]
        is_it = landed["eTag"] == manifest.e_tag and all(_is_file_name(name) for name in names)
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


def _require_whole_gzip(path: Path, limits: Limits, shown: str) -> None:
    """Raise DamagedBlob or ExportTooLarge; what is landed once is never downloaded again."""
    unpacked_bytes = 0
    try:
        with gzip.open(path) as archive:
            while chunk := archive.read(CHUNK_BYTES):
                unpacked_bytes += len(chunk)
                if unpacked_bytes > limits.unpacked_bytes:
                    raise ExportTooLarge(
                        f"{shown} unpacks to more than the limit of {limits.unpacked_bytes:,} bytes"
                    )
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DamagedBlob(f"{shown} is no whole gzip file ({error})") from error
    if path.stat().st_size == 0:
        raise DamagedBlob(f"{shown} is empty")


# --- the conversation ------------------------------------------------------------------


@dataclass(frozen=True)
class _Deadline:
    """The instant by which an export is there or given up; every wait passes through here."""

    clock: Clock
    seconds: float
    ends_at: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ends_at", self.clock.now() + self.seconds)

    def wait(self, seconds: float) -> None:
        """Wait, or raise ExportTimedOut at once where the wait would end too late."""
        if self.clock.now() + seconds > self.ends_at:
            raise ExportTimedOut(f"not there within {self.seconds:g} seconds")
        if seconds > 0:
            self.clock.sleep(seconds)


class _Retry(Retry):
    """urllib3's Retry, whose waits end with the export's deadline."""

    def __init__(self, *arguments: Any, deadline: _Deadline, **options: Any) -> None:
        self.deadline = deadline
        super().__init__(*arguments, **options)

    def new(self, **options: Any) -> Self:
        """A copy with other counts, as urllib3 makes one for each try."""
        return super().new(deadline=self.deadline, **options)

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        """Wait as long as the provider asks for, else longer from try to try."""
        asked = _retry_after(response.headers) if response is not None else None
        self.deadline.wait(asked or self.get_backoff_time())


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The header's seconds from now, whether it gives seconds or a date; None without sense."""
    try:
        return Retry().parse_retry_after(headers["Retry-After"])
    except (KeyError, InvalidHeader, ValueError, OverflowError):
        return None


class _Authorization(AuthBase):
    """The bearer token, for one host alone; on any other request no authorization at all.

    It looks at the address that was prepared for sending, so that no two readings of an
    address can differ. That it is there keeps requests from sending what .netrc may hold.
    """

    def __init__(self, token: str | None, origin: tuple[str, str, int]) -> None:
        self.token = token
        self.origin = origin

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token and _origin(str(request.url)) == self.origin:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def _parsed(address: str) -> Url:
    """The parts of an address, all None where it is none.

    Only visible ASCII without a backslash passes: parsers read anything else each in their way.
    """
    try:
        return parse_url(address) if re.fullmatch(r"[!-\[\]-~]+", address) else Url()
    except LocationParseError:
        return Url()


def _origin(address: str) -> tuple[str, str, int]:
    parts = _parsed(address)
    scheme = parts.scheme or ""
    return scheme, parts.host or "", parts.port or DEFAULT_PORTS.get(scheme, 0)


def _joined(base: str, address: str) -> str:
    """`address` as seen from `base`; nothing where it is no address."""
    try:
        return urljoin(base, address)
    except ValueError:
        return ""


class _Conversation:
    """One export's requests: safe addresses, retries, redirects, errors without secrets."""

    def __init__(
        self, settings: ExportSettings, invoice_id: str, deadline: _Deadline, progress: Progress
    ) -> None:
        self.settings = settings
        self.invoice_id = invoice_id
        self.deadline = deadline
        self.progress = progress
        self.home = _origin(settings.address)
        self.session = requests.Session()
        self.session.headers.update(
            # A blob must come as it lies there, not packed or unpacked on the way.
            {"User-Agent": "apportion", "Accept-Encoding": "identity"}
        )
        retry = _Retry(
            total=RETRIES,
            status_forcelist=RETRIED_STATUSES,
            # Starting an export twice does no harm: it is a second operation, which expires.
            allowed_methods={"GET", "POST"},
            backoff_factor=1,
            backoff_max=60,
            raise_on_status=False,
            deadline=deadline,
        )
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, HTTPAdapter(max_retries=retry))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def export(self) -> _Manifest:
        """Start the export, wait until it is done, and return its manifest."""
        operation_address, wait = self._start()
        operation = self._finished(operation_address, wait)
        location = operation.get("resourceLocation")
        if isinstance(location, dict):
            received: Mapping[str, Any] = location
        else:
            link = location or operation.get("resourceLocation@odata.navigationLink")
            if not isinstance(link, str):
                raise ExportUnusable(self._told("the operation succeeded without a manifest"))
            with self._send("GET", _joined(operation_address, link)) as response:
                self._require_status(response, {200}, "the manifest")
                received = self._json(response)
        return _Manifest.read(received, self.invoice_id, self.settings.token)

    def download(self, manifest: _Manifest, name: str, folder: Path) -> int:
        """Download one blob and check that it is whole; returns its size in bytes, packed."""
        shown = self._told(f"blob {name}")
        address = manifest.blob_address(self.settings.address, name)
        for attempt in range(1, DOWNLOAD_ATTEMPTS + 1):
            try:
                size_bytes = self._download_once(manifest, address, folder / name, shown)
                break
            except ExportCutOff:
                if attempt == DOWNLOAD_ATTEMPTS:
                    raise
                self.progress(f"{shown} was cut off; downloading it again")
                self._wait(2.0**attempt)
        _require_whole_gzip(folder / name, self.settings.limits, shown)
        self.progress(f"{shown}: {size_bytes:,} bytes")
        return size_bytes

    # --- steps ---

    def _start(self) -> tuple[str, float]:
        """The operation's address and the seconds to wait before the first look at it."""
        address = self.settings.address + EXPORT_PATH
        body = {"invoiceId": self.invoice_id, "attributeSet": "full"}
        with self._send("POST", address, body) as response:
            self._require_status(response, {202}, "the start of the export")
            location = response.headers.get("Location")
            if not location:
                answer = self._json(response)
                operation_id = answer.get("operationId") or answer.get("id")
                if not isinstance(operation_id, str):
                    raise ExportUnusable(self._told("the answer names no operation"))
                location = self.settings.address + OPERATION_PATH + quote(operation_id, safe="")
            self.progress(self._told("started"))
            return _joined(address, location), _retry_after(response.headers) or 0

    def _finished(self, address: str, wait: float) -> Mapping[str, Any]:
        """The operation, once it succeeded. Raises ExportFailed and ExportTimedOut."""
        default_wait = 1.0
        while True:
            self._wait(wait)
            with self._send("GET", address) as response:
                self._require_status(response, {200, 202}, "the operation")
                operation = self._json(response)
                asked = _retry_after(response.headers)
            status = str(operation.get("status")).lower()
            if status in DONE:
                return operation
            if status not in WAITING:
                kind = ExportFailed if status == "failed" else ExportUnusable
                raise kind(self._told(f"the operation ended as {status}{self._reason(operation)}"))
            # A header of 0 would have us ask without a pause.
            default_wait = min(2 * default_wait, LONGEST_POLL_SECONDS)
            wait = max(1.0, asked) if asked is not None else default_wait
            self.progress(self._told(f"{status}; asking again in {wait:g} s"))

    def _download_once(self, manifest: _Manifest, address: str, target: Path, shown: str) -> int:
        limit = self.settings.limits.file_bytes
        # The storage refuses a request that comes with both tokens.
        with_bearer = not urlsplit(address).query
        with self._send("GET", address, is_blob=True, with_bearer=with_bearer) as response:
            if response.status_code in (401, 403, 404, 410):
                raise BlobMissing(
                    f"{shown} is not there: the storage answered {response.status_code}"
                )
            self._require_status(response, {200}, f"blob {target.name}")
            size_bytes = 0
            with target.open("wb") as file:
                for chunk in self._chunks(response, limit, shown, decode=False):
                    file.write(chunk)
                    size_bytes += len(chunk)
                file.flush()
                os.fsync(file.fileno())
        return size_bytes

    # --- requests ---

    def _send(
        self,
        method: str,
        address: str,
        body: Mapping[str, str] | None = None,
        is_blob: bool = False,
        with_bearer: bool = True,
    ) -> requests.Response:
        """The answer, its body unread. A blob may lie at any host, all else at home only."""
        authorization = _Authorization(self.settings.token if with_bearer else None, self.home)
        for _ in range(REDIRECTS + 1):
            self._require_safe(address, at_home=not is_blob)
            problem: ApportionError
            try:
                response = self.session.request(
                    method,
                    address,
                    json=body,
                    auth=authorization,
                    allow_redirects=False,
                    stream=True,
                    timeout=self.settings.timeout_seconds,
                )
            except ExportTimedOut as error:
                problem = ExportTimedOut(self._told(str(error)))
            except (requests.RequestException, HTTPError) as error:
                host = _origin(address)[1]
                problem = ExportUnavailable(
                    self._told(f"{host} cannot be reached ({type(error).__name__})")
                )
            else:
                if method == "POST" or not response.is_redirect:
                    return response
                response.close()
                address = _joined(address, response.headers["Location"])
                continue
            # Not while handling the library's error, which can show the address whole.
            raise problem
        raise ExportUnusable(self._told("the provider redirects in a circle"))

    def _require_safe(self, address: str, at_home: bool) -> None:
        """Raise UnsafeAddress, which shows no more of an address than its host."""
        scheme, host, port = _origin(address)
        is_local = self.home[1] in LOCAL_HOSTS and host in LOCAL_HOSTS
        if not host or _parsed(address).auth:
            raise UnsafeAddress(self._told("the provider names an address that is none"))
        if scheme != "https" and not (scheme == "http" and is_local):
            raise UnsafeAddress(self._told(f"the provider names {host} without https"))
        if at_home and (scheme, host, port) != self.home:
            raise UnsafeAddress(
                self._told(
                    f"the provider points to {host}:{port}, which is not {self.home[1]}"
                    f":{self.home[2]}; our token does not go there"
                )
            )

    def _require_status(self, response: requests.Response, statuses: set[int], of: str) -> None:
        status = response.status_code
        if status in statuses:
            return
        is_passing = status in RETRIED_STATUSES or status >= 500 or status == 410
        try:
            reason = self._reason(self._json(response))
        except ApportionError:
            reason = ""
        hint = "; is the token still valid?" if status == 401 else ""
        kind = ExportUnavailable if is_passing else ExportRefused
        raise kind(self._told(f"{of} was answered with {status}{reason}{hint}"))

    def _json(self, response: requests.Response) -> Mapping[str, Any]:
        content = b"".join(self._chunks(response, ANSWER_BYTES, self._told("an answer")))
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise ExportUnusable(self._told("the provider's answer is not a JSON object"))
        return answer

    def _chunks(
        self, response: requests.Response, limit: int, shown: str, decode: bool = True
    ) -> Iterator[bytes]:
        """The body as it comes. Raises ExportCutOff, ExportTooLarge and ExportTimedOut."""
        raw: urllib3.HTTPResponse = response.raw
        size_bytes = 0
        if (raw.length_remaining or 0) > limit:
            raise ExportTooLarge(f"{shown} has more than the limit of {limit:,} bytes")
        while True:
            self._wait(0)
            try:
                # What is there by now, so that a slow sender cannot outlast the deadline.
                chunk = raw.read1(CHUNK_BYTES, decode_content=decode)
                problem = None
            except (HTTPError, OSError) as error:
                problem = ExportCutOff(f"{shown} was cut off ({type(error).__name__})")
            if problem:
                raise problem
            if not chunk:
                return
            size_bytes += len(chunk)
            if size_bytes > limit:
                raise ExportTooLarge(f"{shown} has more than the limit of {limit:,} bytes")
            yield chunk

    def _wait(self, seconds: float) -> None:
        try:
            self.deadline.wait(seconds)
        except ExportTimedOut as error:
            raise ExportTimedOut(self._told(str(error))) from None

    # --- words ---

    def _told(self, fact: str) -> str:
        return f"billing export {self.invoice_id}: {_shown(fact, [self.settings.token])}"

    def _reason(self, answer: Mapping[str, Any]) -> str:
        """The provider's own `error`, in brackets."""
        error = answer.get("error")
        if not isinstance(error, dict):
            return ""
        return f" ({error.get('code')}: {error.get('message')})"


# --- secrets ---------------------------------------------------------------------------


def _hidden(text: str, secrets: tuple[str, ...] | list[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text


def _shown(text: str, secrets: list[str]) -> str:
    """Words of the provider as a message may have them: one line, not endless, no secrets."""
    writable = _hidden(text, secrets).encode("utf-8", "replace").decode()
    return " ".join(writable.split())[:SHOWN_CHARACTERS]


class _WithoutQueries(logging.Filter):
    """Cuts the query off every address in a message: a blob's is its shared access token."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: the record stays, its queries go."""
        record.msg = re.sub(r"\?[^\s'\"]*", "?***", record.getMessage())
        record.args = None
        return True


@contextmanager
def _queries_kept_out_of_logs() -> Iterator[None]:
    """urllib3 logs whole addresses, at warning level when a connection breaks."""
    loggers = [
        logging.getLogger(f"urllib3.{name}")
        for name in ("connection", "connectionpool", "util.retry")
    ]
    redaction = _WithoutQueries()
    for logger in loggers:
        logger.addFilter(redaction)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(redaction)
