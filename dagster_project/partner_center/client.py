"""Requests to Partner Center's billing export API.

Belongs here: requests, retries, redirects and answers. Does not: placing an export in landing
(download).

The sequence of requests, as Microsoft Graph documents it (microsoft.graph.partners.billing, v1.0:
billedReconciliation: export, Get operation, Get manifest):

    POST <address>/reports/partners/billing/reconciliation/billed/export
                      {"invoiceId": ..., "attributeSet": "full"}
    202               Location: the operation
    GET  operation    status notStarted or running (Retry-After), then succeeded or failed
    GET  manifest     the operation's resourceLocation: the manifest itself, or its address
    GET  <rootDirectory>/<blob name>?<sasToken>     for each blob: gzip of JSON lines

The documentation contradicts itself in three places; the client accepts all variants: a finished
operation is `succeeded` or `completed`; the manifest is in the operation, at its
`resourceLocation` or at its `resourceLocation@odata.navigationLink`; the data format is
`compressedJSON` or `compressedJSONLines`.

There are two secrets: the bearer token and the manifest's shared access token. Neither is written
to disk, logged or shown in an error. The bearer token is sent only to the host of the configured
address.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry

from dagster_project.errors import ApportionError
from dagster_project.partner_center.addresses import (
    LOCAL_HOSTS,
    join_address,
    origin_of,
    parse_address,
)
from dagster_project.partner_center.errors import (
    BlobMissing,
    ExportCutOff,
    ExportFailed,
    ExportRefused,
    ExportTimedOut,
    ExportTooLarge,
    ExportUnavailable,
    ExportUnusable,
    UnsafeAddress,
)
from dagster_project.partner_center.manifest import ReceivedManifest
from dagster_project.partner_center.packing import CHUNK_BYTES, require_whole_gzip
from dagster_project.partner_center.secrets import printable
from dagster_project.partner_center.settings import ExportSettings

Progress = Callable[[str], None]

EXPORT_PATH = "/reports/partners/billing/reconciliation/billed/export"
OPERATION_PATH = "/reports/partners/billing/operations/"
WAITING = {"notstarted", "running"}
DONE = {"succeeded", "completed"}

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
RETRIES = 6
DOWNLOAD_ATTEMPTS = 3
REDIRECTS = 5

LONGEST_POLL_SECONDS = 30.0
"""Longest pause between two requests for the operation if the provider states none."""

ANSWER_BYTES = 16 * 1024**2


@dataclass(frozen=True)
class Clock:
    """The current time and a pause, in seconds; tests replace both."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Deadline:
    """The time limit of an export; every pause goes through it."""

    clock: Clock
    seconds: float
    ends_at: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        object.__setattr__(self, "ends_at", self.clock.now() + self.seconds)

    def wait(self, seconds: float) -> None:
        """Wait; raise ExportTimedOut at once if the wait would end after the time limit."""
        if self.clock.now() + seconds > self.ends_at:
            raise ExportTimedOut(f"not complete within {self.seconds:g} seconds")
        if seconds > 0:
            self.clock.sleep(seconds)


class DeadlineRetry(Retry):
    """urllib3's Retry with pauses that end at the deadline of the export."""

    def __init__(self, *arguments: Any, deadline: Deadline, **options: Any) -> None:
        """Take urllib3's options and the deadline."""
        self.deadline = deadline
        super().__init__(*arguments, **options)

    def new(self, **options: Any) -> Self:
        """A copy with other counts; urllib3 makes one for each attempt."""
        return super().new(deadline=self.deadline, **options)

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        """Wait as long as the provider requests, else longer after each attempt."""
        asked = retry_after(response.headers) if response is not None else None
        self.deadline.wait(asked or self.get_backoff_time())


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from now, for a header with seconds or a date; None if it has neither."""
    try:
        return Retry().parse_retry_after(headers["Retry-After"])
    except (KeyError, InvalidHeader, ValueError, OverflowError):
        return None


class Authorization(AuthBase):
    """The bearer token for one host; other requests have no authorization.

    The host is that of the prepared request, which is the address that is sent. An authorization
    object also stops requests from sending credentials of a .netrc file.
    """

    def __init__(self, token: str | None, origin: tuple[str, str, int]) -> None:
        """Allow the token for one origin; None is no authorization."""
        self.token = token
        self.origin = origin

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token if the request goes to its origin."""
        if self.token and origin_of(str(request.url)) == self.origin:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class Conversation:
    """The requests of one export: safe addresses, retries, redirects, errors without secrets."""

    def __init__(
        self, settings: ExportSettings, invoice_id: str, deadline: Deadline, progress: Progress
    ) -> None:
        """Open a session; nothing is sent yet."""
        self.settings = settings
        self.invoice_id = invoice_id
        self.deadline = deadline
        self.progress = progress
        self.home = origin_of(settings.address)
        self.session = requests.Session()
        self.session.headers.update(
            # The server must send the stored bytes, neither packed nor unpacked.
            {"User-Agent": "apportion", "Accept-Encoding": "identity"}
        )
        retry = DeadlineRetry(
            total=RETRIES,
            status_forcelist=RETRIED_STATUSES,
            # A second start of an export is harmless: its operation expires unused.
            allowed_methods={"GET", "POST"},
            backoff_factor=1,
            backoff_max=60,
            raise_on_status=False,
            deadline=deadline,
        )
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, HTTPAdapter(max_retries=retry))

    def __enter__(self) -> Self:
        """The conversation itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the session's connections."""
        self.session.close()

    def export(self) -> ReceivedManifest:
        """Start the export, wait until it is done, and return its manifest."""
        operation_address, wait = self._start()
        operation = self._finished(operation_address, wait)
        location = operation.get("resourceLocation")
        if isinstance(location, dict):
            received: Mapping[str, Any] = location
        else:
            link = location or operation.get("resourceLocation@odata.navigationLink")
            if not isinstance(link, str):
                raise ExportUnusable(self._message("the operation succeeded without a manifest"))
            with self._send("GET", join_address(operation_address, link)) as response:
                self._require_status(response, {200}, "the manifest")
                received = self._json(response)
        return ReceivedManifest.read(received, self.invoice_id, self.settings.token)

    def download(self, manifest: ReceivedManifest, name: str, folder: Path) -> int:
        """Download one blob and check it; returns its packed size in bytes."""
        shown = self._message(f"blob {name}")
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
        require_whole_gzip(folder / name, self.settings.limits, shown)
        self.progress(f"{shown}: {size_bytes:,} bytes")
        return size_bytes

    # --- steps ---

    def _start(self) -> tuple[str, float]:
        """The address of the operation, and the seconds to wait before the first request for it."""
        address = self.settings.address + EXPORT_PATH
        body = {"invoiceId": self.invoice_id, "attributeSet": "full"}
        with self._send("POST", address, body) as response:
            self._require_status(response, {202}, "the start of the export")
            location = response.headers.get("Location")
            if not location:
                answer = self._json(response)
                operation_id = answer.get("operationId") or answer.get("id")
                if not isinstance(operation_id, str):
                    raise ExportUnusable(self._message("the answer contains no operation"))
                location = self.settings.address + OPERATION_PATH + quote(operation_id, safe="")
            self.progress(self._message("started"))
            return join_address(address, location), retry_after(response.headers) or 0

    def _finished(self, address: str, wait: float) -> Mapping[str, Any]:
        """The operation, once it succeeded. Raises ExportFailed and ExportTimedOut."""
        default_wait = 1.0
        while True:
            self._wait(wait)
            with self._send("GET", address) as response:
                self._require_status(response, {200, 202}, "the operation")
                operation = self._json(response)
                asked = retry_after(response.headers)
            status = str(operation.get("status")).lower()
            if status in DONE:
                return operation
            if status not in WAITING:
                kind = ExportFailed if status == "failed" else ExportUnusable
                raise kind(
                    self._message(f"the operation ended as {status}{self._reason(operation)}")
                )
            # A header of 0 would mean requests without a pause.
            default_wait = min(2 * default_wait, LONGEST_POLL_SECONDS)
            wait = max(1.0, asked) if asked is not None else default_wait
            self.progress(self._message(f"{status}; asking again in {wait:g} s"))

    def _download_once(
        self, manifest: ReceivedManifest, address: str, target: Path, shown: str
    ) -> int:
        limit = self.settings.limits.file_bytes
        # The storage rejects a request with both tokens.
        with_bearer = not urlsplit(address).query
        with self._send("GET", address, is_blob=True, with_bearer=with_bearer) as response:
            if response.status_code in (401, 403, 404, 410):
                raise BlobMissing(
                    f"{shown} is missing: the storage answered with {response.status_code}"
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
        """The answer, its body unread. Blobs may be at any host, all else at the API's only."""
        authorization = Authorization(self.settings.token if with_bearer else None, self.home)
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
                problem = ExportTimedOut(self._message(str(error)))
            except (requests.RequestException, HTTPError) as error:
                host = origin_of(address)[1]
                problem = ExportUnavailable(
                    self._message(f"{host} cannot be reached ({type(error).__name__})")
                )
            else:
                if method == "POST" or not response.is_redirect:
                    return response
                response.close()
                address = join_address(address, response.headers["Location"])
                continue
            # Outside the except block: the library's error can contain the complete address.
            raise problem
        raise ExportUnusable(self._message(f"the provider redirects more than {REDIRECTS} times"))

    def _require_safe(self, address: str, at_home: bool) -> None:
        """Raise UnsafeAddress, whose message contains the host only."""
        scheme, host, port = origin_of(address)
        is_local = self.home[1] in LOCAL_HOSTS and host in LOCAL_HOSTS
        if not host or parse_address(address).auth:
            raise UnsafeAddress(self._message("the provider gives an invalid address"))
        if scheme != "https" and not (scheme == "http" and is_local):
            raise UnsafeAddress(
                self._message(f"the provider gives an address at {host} without https")
            )
        if at_home and (scheme, host, port) != self.home:
            raise UnsafeAddress(
                self._message(
                    f"the provider gives an address at {host}:{port} instead of {self.home[1]}"
                    f":{self.home[2]}; the token is not sent there"
                )
            )

    def _require_status(self, response: requests.Response, statuses: set[int], of: str) -> None:
        status = response.status_code
        if status in statuses:
            return
        can_be_retried = status in RETRIED_STATUSES or status >= 500 or status == 410
        try:
            reason = self._reason(self._json(response))
        except ApportionError:
            reason = ""
        hint = "; check whether the token has expired" if status == 401 else ""
        kind = ExportUnavailable if can_be_retried else ExportRefused
        raise kind(self._message(f"{of} was answered with {status}{reason}{hint}"))

    def _json(self, response: requests.Response) -> Mapping[str, Any]:
        content = b"".join(self._chunks(response, ANSWER_BYTES, self._message("an answer")))
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise ExportUnusable(self._message("the provider's answer is not a JSON object"))
        return answer

    def _chunks(
        self, response: requests.Response, limit: int, shown: str, decode: bool = True
    ) -> Iterator[bytes]:
        """The body in pieces. Raises ExportCutOff, ExportTooLarge and ExportTimedOut."""
        raw: urllib3.HTTPResponse = response.raw
        size_bytes = 0
        if (raw.length_remaining or 0) > limit:
            raise ExportTooLarge(f"{shown} exceeds the limit of {limit:,} bytes")
        while True:
            self._wait(0)
            try:
                # The bytes received so far: a slow sender cannot exceed the deadline.
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
                raise ExportTooLarge(f"{shown} exceeds the limit of {limit:,} bytes")
            yield chunk

    def _wait(self, seconds: float) -> None:
        try:
            self.deadline.wait(seconds)
        except ExportTimedOut as error:
            raise ExportTimedOut(self._message(str(error))) from None

    # --- messages ---

    def _message(self, fact: str) -> str:
        return f"billing export {self.invoice_id}: {printable(fact, [self.settings.token])}"

    def _reason(self, answer: Mapping[str, Any]) -> str:
        """The `error` of the provider's answer, in parentheses."""
        error = answer.get("error")
        if not isinstance(error, dict):
            return ""
        return f" ({error.get('code')}: {error.get('message')})"
