"""The billing export's client against a provider of our own: a real server on this machine."""

import errno
import gzip
import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import requests

from dagster_project.assets.downloads import BILLING_EXPORT_KEY, billing_export_downloads
from dagster_project.assets.resources import Warehouse
from dagster_project.feeds.formats import FORMATS
from dagster_project.landing.sync import sync
from dagster_project.partner_center import client, download
from dagster_project.partner_center.client import Clock
from dagster_project.partner_center.download import (
    DownloadedExport,
    download_export,
    download_exports,
)
from dagster_project.partner_center.errors import (
    BadExportSettings,
    BlobMissing,
    DamagedBlob,
    ExportCutOff,
    ExportFailed,
    ExportRefused,
    ExportTimedOut,
    ExportTooLarge,
    ExportUnavailable,
    ExportUnusable,
    LandingInTheWay,
    UnsafeAddress,
    UnsafeBlobName,
    UnusableManifest,
)
from dagster_project.partner_center.settings import ExportSettings
from dagster_project.settings import Limits

TOKEN = "bearer-token-that-nobody-may-see"
SIGNATURE = "sig=shared%2Faccess%2Bsignature%3D"
SHARED_ACCESS_TOKEN = f"sv=2021-08-06&sp=rl&{SIGNATURE}"
SECRETS = (TOKEN, SHARED_ACCESS_TOKEN, SIGNATURE, SIGNATURE.removeprefix("sig="))
INVOICE = "G016907411"
E_TAG = "WYjLro78HdMg6vUWR"
FOLDER = f"export-{INVOICE}-{E_TAG}"

EXPORT = "/v1.0/reports/partners/billing/reconciliation/billed/export"
OPERATION = "/v1.0/reports/partners/billing/operations/9ab9cb54"
MANIFEST = "/v1.0/reports/partners/billing/manifests/8fe347d7"
DIRECTORY = f"/billedusage/v1/BillingMonth=202602/InvoiceId={INVOICE}/PartitionType=default"

SEATS = gzip.compress(b'{"InvoiceNumber":"G016907411","Subtotal":40}\n')
SUPPORT = gzip.compress(b'{"InvoiceNumber":"G016907411","Subtotal":60}\n' * 1000)
BLOBS = {"part-00000-b016.c000.json.gz": SEATS, "part-00001-b016.c000.json.gz": SUPPORT}


# --- the provider ----------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """One answer; `length` is the Content-Length it claims, None for what its body has.

    It is given `after` something has happened.
    """

    status: int = 200
    body: bytes | Mapping[str, Any] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    after: threading.Event | None = None

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    authorization: str | None
    encoding: str | None
    body: bytes


class Provider:
    """A server that gives each path its answers in turn, the last one again and again."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: dict[str, list[Answer]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                path, _, query = self.path.partition("?")
                size = int(self.headers.get("Content-Length") or 0)
                provider.requests.append(
                    Request(
                        self.command,
                        path,
                        query,
                        self.headers.get("Authorization"),
                        self.headers.get("Accept-Encoding"),
                        self.rfile.read(size),
                    )
                )
                queue = provider.answers.get(path, [Answer(404)])
                answer = queue.pop(0) if len(queue) > 1 else queue[0]
                if answer.after:
                    answer.after.wait(10)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                claimed = len(answer.content) if answer.length is None else answer.length
                self.send_header("Content-Length", str(claimed))
                self.end_headers()
                # A client that timed out does not read it.
                with suppress(ConnectionError):
                    self.wfile.write(answer.content)

            do_GET = do_POST = answer  # noqa: N815 (http.server's names)

            def log_message(self, *_: object) -> None:
                """Not on the terminal."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def paths(self, method: str = "GET") -> list[str]:
        return [each.path for each in self.requests if each.method == method]

    # --- what it serves ---

    def manifest(self, **changes: Any) -> dict[str, Any]:
        """The manifest of BLOBS, as Graph documents it; None takes a key away."""
        manifest = {
            "@odata.type": "#microsoft.graph.partners.billing.manifest",
            "id": "8fe347d7",
            "schemaVersion": "2",
            "dataFormat": "compressedJSON",
            "createdDateTime": "2026-03-08T06:34:34.87Z",
            "eTag": E_TAG,
            "partnerTenantId": "0e195b37",
            "rootDirectory": self.address + DIRECTORY,
            "sasToken": SHARED_ACCESS_TOKEN,
            "partitionType": "default",
            "blobCount": len(BLOBS),
            "blobs": [{"name": name, "partitionValue": "default"} for name in BLOBS],
        } | changes
        return {key: value for key, value in manifest.items() if value is not None}

    def names(self, *names: object) -> dict[str, Any]:
        """A manifest whose blobs have these names."""
        return self.manifest(blobCount=len(names), blobs=[{"name": name} for name in names])

    def succeeds(self, manifest: Mapping[str, Any] | None = None, directory: str = "") -> None:
        """Serve a whole export: running twice, then done, then the manifest and its blobs."""
        self.answers[EXPORT] = [
            Answer(202, headers={"Location": self.address + OPERATION, "Retry-After": "10"})
        ]
        self.answers[OPERATION] = [
            Answer(body={"id": "9ab9cb54", "status": "notStarted"}, headers={"Retry-After": "10"}),
            Answer(body={"id": "9ab9cb54", "status": "running"}, headers={"Retry-After": "25"}),
            Answer(
                body={
                    "id": "9ab9cb54",
                    "status": "succeeded",
                    "resourceLocation": manifest if manifest is not None else self.manifest(),
                }
            ),
        ]
        for name, content in BLOBS.items():
            self.answers[f"{directory or DIRECTORY}/{name}"] = [Answer(body=content)]

    def answers_of(self, name: str) -> list[Answer]:
        return self.answers[f"{DIRECTORY}/{name}"]


@pytest.fixture
def new_provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Provider]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    providers: list[Provider] = []

    def start() -> Provider:
        providers.append(Provider())
        return providers[-1]

    yield start
    for provider in providers:
        provider.close()


@pytest.fixture
def provider(new_provider: Callable[[], Provider]) -> Provider:
    """A provider with a whole export."""
    provider = new_provider()
    provider.succeeds()
    return provider


class Customer:
    """A data folder, a clock without real waiting, and all messages and files."""

    def __init__(self, root: Path, provider: Provider) -> None:
        self.landing = root / "landing"
        self.root = root
        self.settings = ExportSettings(provider.address, TOKEN, (INVOICE,), timeout_seconds=5)
        self.waits: list[float] = []
        self.messages: list[str] = []
        self.passed = 0.0
        (self.landing / "billing_lines").mkdir(parents=True)
        (self.landing / "billing_lines" / "january.csv").write_text("dropped by a person")
        self.before = self.files()

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.passed += seconds

    def download(self, **changes: Any) -> DownloadedExport:
        settings = replace(self.settings, **changes)
        return download_export(
            settings,
            settings.invoices[0],
            self.landing,
            self.messages.append,
            Clock(now=lambda: self.passed, sleep=self.sleep),
        )

    def files(self) -> dict[str, str]:
        """Every file and folder of the data folder but empty ones of .run, with its hash."""
        return {
            str(path.relative_to(self.root)): sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        } | {
            str(path.relative_to(self.root)): "a folder"
            for path in sorted(self.landing.rglob("*"))
            if path.is_dir()
        }


@pytest.fixture
def customer(
    tmp_path: Path, provider: Provider, caplog: pytest.LogCaptureFixture
) -> Iterator[Customer]:
    """After every test, no secret is in a log, a message or a file."""
    caplog.set_level(logging.DEBUG)
    customer = Customer(tmp_path / "data", provider)
    yield customer
    paths = list(tmp_path.rglob("*"))
    logged = [record.getMessage() for record in caplog.get_records("call")]
    assert any(message.startswith("http://127.0.0.1") for message in logged), "urllib3 logs"
    written = [path.read_bytes().decode("latin-1") for path in paths if path.is_file()]
    for secret in SECRETS:
        for text in [*logged, *customer.messages, *written, *map(str, paths)]:
            assert secret not in text


def refused(
    customer: Customer, kind: type[Exception], words: str | None = None, **changes: Any
) -> Exception:
    """The error of a download that must fail with exactly this kind, leaving no trace."""
    with pytest.raises(kind, match=words) as caught:
        customer.download(**changes)
    assert caught.type is kind
    error: BaseException | None = caught.value
    while error is not None:
        for secret in SECRETS:
            assert secret not in str(error) + repr(error) + repr(vars(error))
        error = error.__cause__ or error.__context__
    assert customer.files() == customer.before
    return caught.value


# --- a whole export --------------------------------------------------------------------


def test_an_export_lands_as_one_folder_with_its_manifest_and_its_blobs(
    customer: Customer, provider: Provider
) -> None:
    export = customer.download()

    folder = customer.landing / "billing_lines" / FOLDER
    size_bytes = len(SEATS) + len(SUPPORT)
    assert export == DownloadedExport(INVOICE, folder, E_TAG, 2, size_bytes, is_new=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        **BLOBS,
        "manifest.json": (folder / "manifest.json").read_bytes(),
    }
    received = provider.manifest()
    del received["sasToken"]
    assert json.loads((folder / "manifest.json").read_text()) == received
    assert list(customer.root.glob(".run/downloads/*")) == []


def test_the_conversation_is_the_documented_one(customer: Customer, provider: Provider) -> None:
    customer.download()
    start, *polls = provider.requests[:4]
    assert (start.method, start.path) == ("POST", EXPORT)
    assert json.loads(start.body) == {"invoiceId": INVOICE, "attributeSet": "full"}
    assert [each.path for each in polls] == [OPERATION] * 3
    assert {each.authorization for each in (start, *polls)} == {f"Bearer {TOKEN}"}
    downloads = provider.requests[4:]
    assert [each.path for each in downloads] == [f"{DIRECTORY}/{name}" for name in BLOBS]
    assert {each.encoding for each in downloads} == {"identity"}, "packed once, as it lies there"
    # The storage refuses a request that has both tokens.
    assert {(each.query, each.authorization) for each in downloads} == {(SHARED_ACCESS_TOKEN, None)}


def test_an_operation_is_polled_at_the_providers_interval(
    customer: Customer,
) -> None:
    customer.download()
    assert customer.waits == [10, 10, 25]


def test_a_retry_after_can_be_a_date(customer: Customer, provider: Provider) -> None:
    date = formatdate(time.time() + 120, usegmt=True)
    provider.answers[OPERATION][1] = Answer(
        body={"status": "running"}, headers={"Retry-After": date}
    )
    customer.download()
    assert 100 < customer.waits[2] <= 120


@pytest.mark.parametrize("header", [None, "0", "soon", "-5", "Mon, 99 Foo 2026 99:99:99 GMT"])
def test_without_a_valid_retry_after_the_client_still_pauses(
    customer: Customer, provider: Provider, header: str | None
) -> None:
    headers = {"Retry-After": header} if header else {}
    provider.answers[OPERATION][:2] = [Answer(body={"status": "running"}, headers=headers)] * 6
    customer.download()
    assert customer.waits[1:] == ([1] * 6 if header == "0" else [2, 4, 8, 16, 30, 30])


@pytest.mark.parametrize("status", ["succeeded", "completed", "Succeeded"])
@pytest.mark.parametrize("key", ["resourceLocation", "resourceLocation@odata.navigationLink"])
def test_the_manifest_may_be_a_link(
    customer: Customer, provider: Provider, key: str, status: str
) -> None:
    link = provider.address + MANIFEST
    provider.answers[OPERATION] = [Answer(body={"status": status, key: link})]
    provider.answers[MANIFEST] = [Answer(body=provider.manifest())]
    assert customer.download().is_new
    [asked] = [each for each in provider.requests if each.path == MANIFEST]
    assert asked.authorization == f"Bearer {TOKEN}"


@pytest.mark.parametrize("key", ["operationId", "id"])
def test_the_operation_may_be_named_in_the_body(
    customer: Customer, provider: Provider, key: str
) -> None:
    provider.answers[EXPORT] = [Answer(202, body={key: "9ab9cb54"})]
    assert customer.download().is_new


def test_the_location_may_be_a_path(customer: Customer, provider: Provider) -> None:
    provider.answers[EXPORT] = [Answer(202, headers={"Location": OPERATION})]
    assert customer.download().is_new


def test_an_address_with_an_api_version_keeps_it(customer: Customer, provider: Provider) -> None:
    for path in (EXPORT, OPERATION):
        provider.answers[path.replace("v1.0", "beta")] = provider.answers.pop(path)
    provider.answers[EXPORT.replace("v1.0", "beta")] = [Answer(202, body={"id": "9ab9cb54"})]
    assert customer.download(address=f"{provider.address}/beta/").is_new


def test_a_shared_access_token_in_the_root_directory_is_used_and_not_kept(
    customer: Customer, provider: Provider
) -> None:
    root = f"{provider.address}{DIRECTORY}/"
    provider.succeeds(
        provider.manifest(
            rootDirectory=f"{root}?{SHARED_ACCESS_TOKEN}",
            sasToken=None,
            more=[f"see {root}?{SHARED_ACCESS_TOKEN}", {"SasToken": "x", TOKEN: f"{SIGNATURE}!"}],
        )
    )
    folder = customer.download().folder
    assert provider.requests[-1].query == SHARED_ACCESS_TOKEN
    landed = json.loads((folder / "manifest.json").read_text())
    assert landed["rootDirectory"] == root
    assert landed["more"] == [f"see {root}?***", {"***": "***!"}]


def test_a_blob_at_the_address_itself_without_a_shared_access_token_needs_ours(
    customer: Customer, provider: Provider
) -> None:
    provider.succeeds(provider.manifest(sasToken=None))
    customer.download()
    assert provider.requests[-1].authorization == f"Bearer {TOKEN}"


def test_a_blob_is_kept_unchanged_even_if_declared_compressed(
    customer: Customer, provider: Provider
) -> None:
    name = next(iter(BLOBS))
    provider.answers_of(name)[0] = Answer(body=SEATS, headers={"Content-Encoding": "gzip"})
    assert (customer.download().folder / name).read_bytes() == SEATS


@pytest.mark.parametrize(
    ("e_tag", "begins"),
    [('"0x8D/../5B"', "0x8D-5B-"), ("..", ""), ("/", ""), ("W/" + "x" * 300, "W-xxx"), ("é", "")],
)
def test_every_e_tag_has_its_own_folder_inside_the_feed(
    customer: Customer, provider: Provider, e_tag: str, begins: str
) -> None:
    provider.succeeds(provider.manifest(eTag=e_tag))
    folder = customer.download().folder
    assert folder.parent == customer.landing / "billing_lines"
    assert folder.is_dir()
    assert folder.name.startswith(f"export-{INVOICE}-{begins}")
    digest = sha256(e_tag.encode()).hexdigest()[:12]
    assert folder.name.endswith(digest), "two eTags that look alike without their signs stay two"


def test_ingestion_reads_the_downloaded_folder_as_one_complete_export(
    customer: Customer, provider: Provider
) -> None:
    formats = {each.name: each for each in FORMATS}
    row = dict.fromkeys(formats["new_commerce_reconciliation"].needed, "x")
    lines = json.dumps(row | {"InvoiceNumber": INVOICE}).encode() + b"\n"
    for count, name in enumerate(BLOBS, start=1):
        content = b"".join(lines.replace(b"x", str(row).encode()) for row in range(count))
        provider.answers_of(name)[0] = Answer(body=gzip.compress(content))
    customer.download()
    with duckdb.connect() as connection:
        report = sync(customer.landing, connection)
        rows = connection.execute(
            "select file, count(*) from raw.new_commerce_reconciliation group by file order by file"
        ).fetchall()
    statuses = {each.file.rpartition("/")[2]: each.status for each in report.files}
    assert {name: statuses[name] for name in BLOBS} == dict.fromkeys(BLOBS, "loaded")
    assert rows == [
        (f"billing_lines/{FOLDER}/{name}", count) for count, name in enumerate(BLOBS, start=1)
    ]


def test_a_manifest_with_half_a_character_is_landed(customer: Customer, provider: Provider) -> None:
    provider.succeeds(provider.manifest(eTag="\ud800", note="\ud800 and é"))
    folder = customer.download().folder
    assert json.loads((folder / "manifest.json").read_bytes())["note"] == "\ud800 and é"


# --- again -----------------------------------------------------------------------------


def test_the_same_version_is_not_downloaded_again(customer: Customer, provider: Provider) -> None:
    first = customer.download()
    landed = customer.files()
    # Other names and a new shared access token, but the data are said to be the same.
    provider.succeeds(provider.names("part-00007.json.gz") | {"sasToken": "sv=other&sig=tomorrow"})
    provider.requests.clear()
    second = customer.download()
    assert second == DownloadedExport(
        INVOICE, first.folder, E_TAG, 2, first.size_bytes, is_new=False
    )
    assert [path for path in provider.paths() if path.startswith(DIRECTORY)] == []
    assert customer.files() == landed
    assert customer.messages[-1] == f"billing export {INVOICE}: {FOLDER} is in landing already"


def test_a_new_version_lands_next_to_the_old_one(customer: Customer, provider: Provider) -> None:
    first = customer.download()
    before = customer.files()
    provider.succeeds(provider.manifest(eTag="XYZ"))
    second = customer.download()
    assert second.folder.name == f"export-{INVOICE}-XYZ"
    assert first.folder.is_dir()
    assert before.items() <= customer.files().items()


@pytest.mark.parametrize("harm", ["a blob is gone", "another version", "no manifest", "a file"])
def test_another_folder_in_the_place_of_the_export_is_refused_and_unchanged(
    customer: Customer, provider: Provider, harm: str
) -> None:
    folder = customer.download().folder
    if harm == "a blob is gone":
        next(folder.glob("part-*")).unlink()
    elif harm == "another version":
        (folder / "manifest.json").write_text('{"eTag": "other", "blobs": []}')
    elif harm == "no manifest":
        (folder / "manifest.json").unlink()
    else:
        shutil.rmtree(folder)
        folder.write_text("a file of that name")
    provider.succeeds()
    customer.before = customer.files()
    refused(customer, LandingInTheWay, "Move the folder out of landing")


def test_leftovers_of_a_killed_run_are_removed(customer: Customer) -> None:
    leftover = customer.root / ".run" / "downloads" / f"export-{INVOICE}"
    leftover.mkdir(parents=True)
    (leftover / "part-00099.json.gz").write_text("half a blob")
    folder = customer.download().folder
    assert not (folder / "part-00099.json.gz").exists()
    assert not leftover.exists()


# --- a provider that stumbles ----------------------------------------------------------


@pytest.mark.parametrize("path", [EXPORT, OPERATION, f"{DIRECTORY}/{next(iter(BLOBS))}"])
def test_throttling_waits_as_long_as_the_provider_requests(
    customer: Customer, provider: Provider, path: str
) -> None:
    throttled = Answer(429, headers={"Retry-After": "77"})
    provider.answers[path][:0] = [throttled, throttled]
    assert customer.download().is_new
    assert customer.waits.count(77) == 2


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_server_error_is_retried_after_increasing_waits(
    customer: Customer, provider: Provider, status: int
) -> None:
    provider.answers[OPERATION][:0] = [Answer(status)] * 4
    assert customer.download().is_new
    assert customer.waits == [10, 2, 4, 8, 10, 25]


def test_a_busy_provider_times_out(customer: Customer, provider: Provider) -> None:
    provider.answers[OPERATION] = [Answer(503)]
    refused(customer, ExportUnavailable, "the operation was answered with 503")
    assert provider.paths().count(OPERATION) == client.RETRIES + 1


def test_an_unreachable_address_is_reported_without_the_address_of_a_blob(
    customer: Customer, new_provider: Callable[[], Provider], provider: Provider
) -> None:
    gone = new_provider()
    provider.succeeds(provider.manifest(rootDirectory=gone.address + DIRECTORY))
    gone.server.shutdown()
    gone.server.server_close()
    error = refused(customer, ExportUnavailable, "127.0.0.1 cannot be reached")
    assert DIRECTORY not in str(error)
    assert customer.waits[-1] == 32, "it was tried again before it was given up"


def test_a_blob_that_was_cut_off_is_downloaded_again(
    customer: Customer, provider: Provider
) -> None:
    name = list(BLOBS)[1]
    provider.answers_of(name)[:0] = [Answer(body=SUPPORT[:50], length=len(SUPPORT))]
    folder = customer.download().folder
    assert (folder / name).read_bytes() == SUPPORT
    assert any("was cut off" in each for each in customer.messages)


def test_a_blob_that_is_always_cut_off_leaves_landing_as_it_was(
    customer: Customer, provider: Provider
) -> None:
    name = list(BLOBS)[1]
    provider.answers_of(name)[0] = Answer(body=SUPPORT[:50], length=len(SUPPORT))
    refused(customer, ExportCutOff, f"blob {name} was cut off")
    assert provider.paths().count(f"{DIRECTORY}/{name}") == 3


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_blob_that_is_missing_leaves_landing_as_it_was(
    customer: Customer, provider: Provider, status: int
) -> None:
    name = list(BLOBS)[1]
    provider.answers_of(name)[0] = Answer(status, body=SHARED_ACCESS_TOKEN.encode())
    refused(customer, BlobMissing, f"blob {name} is missing: the storage answered with {status}")


def test_an_operation_or_manifest_that_expired_may_be_tried_again(
    customer: Customer, provider: Provider
) -> None:
    provider.answers[OPERATION] = [Answer(410)]
    refused(customer, ExportUnavailable, "answered with 410")


# --- time ------------------------------------------------------------------------------


def test_an_operation_that_does_not_end_times_out(customer: Customer, provider: Provider) -> None:
    provider.answers[OPERATION] = [
        Answer(body={"status": "running"}, headers={"Retry-After": "25"})
    ]
    refused(customer, ExportTimedOut, "not complete within 300 seconds", max_wait_seconds=300)
    assert 270 <= customer.passed <= 300


@pytest.mark.parametrize("status", [429, 200])
def test_a_wait_that_would_end_too_late_is_not_begun(
    customer: Customer, provider: Provider, status: int
) -> None:
    provider.answers[OPERATION] = [
        Answer(status, body={"status": "running"}, headers={"Retry-After": "86400"})
    ]
    refused(customer, ExportTimedOut)
    assert customer.passed == 10, "only the wait before the first look"


def test_an_unresponsive_provider_times_out(
    tmp_path: Path, new_provider: Callable[[], Provider]
) -> None:
    provider = new_provider()
    provider.succeeds()
    release = threading.Event()
    provider.answers[OPERATION] = [Answer(after=release)]
    customer = Customer(tmp_path / "data", provider)
    try:
        refused(customer, ExportUnavailable, "cannot be reached", timeout_seconds=0.05)
    finally:
        release.set()


def test_a_slow_blob_does_not_exceed_the_deadline(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each piece that arrives takes a minute on the customer's clock.
    monkeypatch.setattr(client, "CHUNK_BYTES", 1)
    seconds = iter(range(0, 10**6, 60))

    def now() -> float:
        return customer.passed + next(seconds)

    with pytest.raises(ExportTimedOut, match="not complete within 3600 seconds"):
        download_export(
            ExportSettings(customer.settings.address, TOKEN, (INVOICE,), max_wait_seconds=3600),
            INVOICE,
            customer.landing,
            clock=Clock(now, customer.sleep),
        )
    assert customer.files() == customer.before


# --- unusable exports ------------------------------------------------------------------


def test_a_failed_operation_states_the_reason(customer: Customer, provider: Provider) -> None:
    error = {"code": "5000", "message": f"No data available for {TOKEN}"}
    provider.answers[OPERATION] = [Answer(body={"status": "failed", "error": error})]
    refused(customer, ExportFailed, r"ended as failed \(5000: No data available for \*\*\*\)")


@pytest.mark.parametrize("body", [{"status": "skipped"}, {}, {"status": None}])
def test_an_operation_in_a_state_we_do_not_know_is_not_waited_for(
    customer: Customer, provider: Provider, body: dict[str, Any]
) -> None:
    provider.answers[OPERATION] = [Answer(body=body)]
    refused(customer, ExportUnusable, "the operation ended as")


@pytest.mark.parametrize(
    ("status", "words"), [(400, "400"), (401, "whether the token has expired"), (403, "403")]
)
def test_a_refused_request_is_not_tried_again_and_echoes_no_token(
    customer: Customer, provider: Provider, status: int, words: str
) -> None:
    error = {"code": "BadRequest", "message": f"invalid header 'Bearer {TOKEN}'\nfrom you"}
    provider.answers[EXPORT] = [Answer(status, body={"error": error})]
    refused(customer, ExportRefused, words)
    assert provider.paths("POST") == [EXPORT]


@pytest.mark.parametrize(
    "message",
    [
        "https://store.blob.core.windows.net/export/part?sv=2025&se=2026&sig=c2VjcmV0",
        "the query was sv=2025&sr=c&sig=c2VjcmV0&se=2026",
        '{"sasToken": "c2VjcmV0", "at": "store"}',
        "access_token=c2VjcmV0 is not valid",
        "Authorization: Bearer c2VjcmV0",
        "AccountKey=c2VjcmV0;EndpointSuffix=core",
        "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.c2VjcmV0",
        "x" * 2_000_000 + "sig=c2VjcmV0",
    ],
)
def test_an_error_shows_no_token_that_the_provider_repeats(
    customer: Customer, provider: Provider, message: str
) -> None:
    error = {"code": "AuthenticationFailed", "message": message}
    provider.answers[EXPORT] = [Answer(403, body={"error": error})]
    shown = refused(customer, ExportRefused, "403")
    assert "c2VjcmV0" not in str(shown)
    assert len(str(shown)) < 400


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b"[" * 100_000])
def test_a_response_that_is_not_a_json_object_is_refused(
    customer: Customer, provider: Provider, body: bytes
) -> None:
    provider.answers[OPERATION] = [Answer(body=body)]
    refused(customer, ExportUnusable, "not a JSON object")


@pytest.mark.parametrize("location", [None, 3, [], {}])
def test_an_operation_that_succeeded_without_a_manifest_is_refused(
    customer: Customer, provider: Provider, location: object
) -> None:
    provider.answers[OPERATION] = [
        Answer(body={"status": "succeeded", "resourceLocation": location})
    ]
    kind = UnusableManifest if location == {} else ExportUnusable
    refused(customer, kind, "manifest")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"eTag": None}, "has no eTag"),
        ({"eTag": " "}, "has no eTag"),
        ({"eTag": 7}, "has no eTag"),
        ({"dataFormat": "csv"}, "data format 'csv'"),
        ({"blobs": None}, "lists no files"),
        ({"blobs": [], "blobCount": 0}, "lists no blobs"),
        ({"blobCount": 3}, "blobCount 3 and lists 2"),
        ({"blobCount": None}, "has no blobCount"),
        ({"rootDirectory": None}, "has no rootDirectory"),
        ({"rootDirectory": "https://x/InvoiceId=G999/y"}, "is that of invoice G999"),
        ({"sasToken": {"a": 1}}, "sasToken"),
    ],
)
def test_an_incomplete_manifest_is_refused(
    customer: Customer, provider: Provider, changes: dict[str, Any], words: str
) -> None:
    provider.succeeds(provider.manifest(**changes))
    refused(customer, UnusableManifest, words)


def test_a_data_format_of_json_lines_is_the_same_format(
    customer: Customer, provider: Provider
) -> None:
    provider.succeeds(provider.manifest(dataFormat="compressedJSONLines"))
    assert customer.download().is_new


@pytest.mark.parametrize(
    "content",
    [b"", b"not gzip", SEATS[:-5], SEATS[:20] + b"\xff" + SEATS[21:], SEATS + b"more"],
    ids=["empty", "text", "cut", "damaged", "longer"],
)
def test_a_truncated_gzip_blob_leaves_landing_unchanged(
    customer: Customer, provider: Provider, content: bytes
) -> None:
    name = list(BLOBS)[1]
    provider.answers_of(name)[0] = Answer(body=content)
    refused(customer, DamagedBlob, name)


def test_a_blob_over_the_limit_is_refused_before_it_is_downloaded(
    customer: Customer, provider: Provider
) -> None:
    provider.answers_of(next(iter(BLOBS)))[0] = Answer(body=b"", length=10**12)
    refused(customer, ExportTooLarge, "exceeds the limit of 4,294,967,296 bytes")


def test_a_blob_without_a_stated_size_is_refused_when_it_exceeds_the_limit(
    customer: Customer, provider: Provider
) -> None:
    # Chunked, so that no length warns of it.
    body = b"".join(b"400\r\n" + b"x" * 1024 + b"\r\n" for _ in range(64)) + b"0\r\n\r\n"
    provider.answers_of(next(iter(BLOBS)))[0] = Answer(
        body=body, headers={"Transfer-Encoding": "chunked"}
    )
    refused(customer, ExportTooLarge, "limit of 10,000 bytes", limits=Limits(file_bytes=10_000))


def test_a_blob_that_unpacks_to_more_than_the_limit_is_refused(customer: Customer) -> None:
    limits = Limits(unpacked_bytes=10_000)
    refused(customer, ExportTooLarge, "unpacks to more than the limit of 10,000", limits=limits)


# --- a provider that means ill ---------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../january.csv",
        "..",
        ".",
        "/etc/passwd",
        "a/../../january.csv",
        "folder/part.json.gz",
        "..\\january.csv",
        "C:january.csv",
        "\\\\host\\share",
        ".hidden.json.gz",
        "~/part.json.gz",
        "%2e%2e/part",
        "part\0.json.gz",
        "part\n.json.gz",
        "manifest.json",
        "Manifest.JSON",
        "x" * 300,
        "",
        None,
        7,
        TOKEN + "/",
    ],
)
def test_a_blob_name_with_a_path_is_refused(
    customer: Customer, provider: Provider, name: object
) -> None:
    provider.succeeds(provider.names(next(iter(BLOBS)), name))
    refused(customer, UnsafeBlobName, "not a plain file name")
    assert [path for path in provider.paths() if path.startswith(DIRECTORY)] == []


@pytest.mark.parametrize("place", ["eTag", "name"])
def test_our_token_cannot_be_made_the_name_of_a_file(
    customer: Customer, provider: Provider, place: str
) -> None:
    manifest = provider.names(TOKEN) if place == "name" else provider.manifest(eTag=TOKEN)
    provider.succeeds(manifest)
    refused(customer, UnusableManifest, "contains our token")


def test_two_blobs_of_one_name_are_refused(customer: Customer, provider: Provider) -> None:
    provider.succeeds(provider.names("part.json.gz", "PART.json.gz"))
    refused(customer, UnusableManifest, "lists a blob twice")


def test_special_characters_in_a_blob_name_reach_the_storage(
    customer: Customer, provider: Provider
) -> None:
    provider.succeeds(provider.names("part=1 (a)+b.json.gz"))
    provider.answers[f"{DIRECTORY}/part%3D1%20%28a%29%2Bb.json.gz"] = [Answer(body=SEATS)]
    assert (customer.download().folder / "part=1 (a)+b.json.gz").read_bytes() == SEATS


def test_an_operation_at_another_host_is_not_requested(
    customer: Customer, provider: Provider, new_provider: Callable[[], Provider]
) -> None:
    other = new_provider()
    provider.answers[EXPORT] = [Answer(202, headers={"Location": other.address + OPERATION})]
    refused(customer, UnsafeAddress, "the token is not sent there")
    assert other.requests == []


def test_a_manifest_at_another_host_is_not_requested(
    customer: Customer, provider: Provider, new_provider: Callable[[], Provider]
) -> None:
    other = new_provider()
    provider.succeeds()
    provider.answers[OPERATION] = [
        Answer(body={"status": "succeeded", "resourceLocation": other.address + MANIFEST})
    ]
    refused(customer, UnsafeAddress, "the token is not sent there")
    assert other.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_poll_that_is_redirected_to_another_host_is_not_followed(
    customer: Customer, provider: Provider, new_provider: Callable[[], Provider], status: int
) -> None:
    other = new_provider()
    provider.answers[OPERATION] = [Answer(status, headers={"Location": other.address + OPERATION})]
    refused(customer, UnsafeAddress, "the token is not sent there")
    assert other.requests == []


@pytest.mark.parametrize("status", [302, 307])
def test_a_start_that_is_redirected_is_not_followed(
    customer: Customer, provider: Provider, new_provider: Callable[[], Provider], status: int
) -> None:
    other = new_provider()
    provider.answers[EXPORT] = [Answer(status, headers={"Location": other.address + EXPORT})]
    refused(customer, ExportRefused, f"answered with {status}")
    assert other.requests == []


def test_a_poll_that_is_redirected_at_home_is_followed(
    customer: Customer, provider: Provider
) -> None:
    moved = OPERATION + "-moved"
    provider.answers[moved] = provider.answers[OPERATION]
    provider.answers[OPERATION] = [Answer(302, headers={"Location": moved})]
    assert customer.download().is_new


@pytest.mark.parametrize("shared_access_token", [SHARED_ACCESS_TOKEN, None])
def test_a_redirect_to_another_host_does_not_receive_the_token(
    customer: Customer,
    provider: Provider,
    new_provider: Callable[[], Provider],
    shared_access_token: str | None,
) -> None:
    other = new_provider()
    provider.succeeds(provider.manifest(sasToken=shared_access_token))
    for name, content in BLOBS.items():
        provider.answers_of(name)[0] = Answer(
            307, headers={"Location": f"{other.address}/elsewhere/{name}"}
        )
        other.answers[f"/elsewhere/{name}"] = [Answer(body=content)]
    assert customer.download().is_new
    assert [each.authorization for each in other.requests] == [None, None]
    assert [each.query for each in other.requests] == ["", ""]


def test_blobs_at_another_host_are_requested_without_a_token_even_if_netrc_has_one(
    customer: Customer,
    provider: Provider,
    new_provider: Callable[[], Provider],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    other = new_provider()
    other.succeeds()
    provider.succeeds(provider.manifest(rootDirectory=other.address + DIRECTORY, sasToken=None))
    assert customer.download().is_new
    assert [each.authorization for each in other.requests] == [None, None]
    assert provider.requests[0].authorization == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "location",
    [
        "http://example.invalid/operation",
        "ftp://127.0.0.1/operation",
        "file:///etc/passwd",
        "https://127.0.0.1@example.invalid/",
        "https://example.invalid\\@127.0.0.1/",
        "//example.invalid/operation",
        "http://[",
        "http://127.0.0.1:99999/",
    ],
)
def test_an_operation_at_an_address_that_is_not_ours_is_refused(
    customer: Customer, provider: Provider, location: str
) -> None:
    provider.answers[EXPORT] = [Answer(202, headers={"Location": location})]
    refused(customer, UnsafeAddress)
    assert provider.paths() == []


@pytest.mark.parametrize(
    "root",
    [
        "http://example.invalid/blobs",
        "https://somebody:something@example.invalid/blobs",
        "https://example.invalid\\@127.0.0.1/blobs",
        "ftp://127.0.0.1/",
        "http://[",
    ],
)
def test_blobs_at_an_unsafe_address_are_refused(
    customer: Customer, provider: Provider, root: str
) -> None:
    provider.succeeds(provider.manifest(rootDirectory=root))
    refused(customer, UnsafeAddress)


def test_a_redirect_loop_ends(customer: Customer, provider: Provider) -> None:
    provider.answers[OPERATION] = [Answer(302, headers={"Location": OPERATION})]
    refused(customer, ExportUnusable, "redirects more than 5 times")


def test_the_token_goes_to_no_other_host_for_any_address() -> None:
    home = ("https", "graph.microsoft.com", 443)
    authorization = client.Authorization(TOKEN, home)

    def sent(address: str) -> str | None:
        request = requests.Request("GET", address, auth=authorization)
        return request.prepare().headers.get("Authorization")

    assert sent("https://graph.microsoft.com/v1.0/x") == f"Bearer {TOKEN}"
    assert sent("https://GRAPH.microsoft.com:443/v1.0/x") == f"Bearer {TOKEN}"
    for address in (
        "http://graph.microsoft.com/",
        "https://graph.microsoft.com:8443/",
        "https://graph.microsoft.com.example.invalid/",
        "https://graph.microsoft.com@example.invalid/",
        "https://example.invalid\\@graph.microsoft.com/",
        "https://example.invalid#@graph.microsoft.com/",
    ):
        assert sent(address) is None, address


# --- landing ---------------------------------------------------------------------------


def test_the_complete_folder_moves_to_landing_in_one_step(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[dict[str, str], list[str]]] = []
    rename = Path.rename

    def look_and_rename(source: Path, target: Path) -> Path:
        landed = {key: value for key, value in customer.files().items() if "landing" in key}
        seen.append((landed, sorted(path.name for path in source.iterdir())))
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", look_and_rename)
    customer.download()
    assert seen == [(customer.before, sorted([*BLOBS, "manifest.json"]))]


def test_landing_on_another_file_system_is_reported(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_file_system(source: Path, target: Path) -> Path:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "rename", other_file_system)
    refused(customer, LandingInTheWay, "Use one file system for both")


def test_several_invoices_land_despite_one_failure(customer: Customer, provider: Provider) -> None:
    # The second start of an export is refused, the others succeed.
    accepted = provider.answers[EXPORT][0]
    provider.answers[EXPORT] = [accepted, Answer(404), accepted]
    root = provider.manifest()["rootDirectory"].replace(f"InvoiceId={INVOICE}", "x")
    for name, content in BLOBS.items():
        provider.answers[f"{root.removeprefix(provider.address)}/{name}"] = [Answer(body=content)]
    manifest = provider.manifest(rootDirectory=root)
    provider.answers[OPERATION] = [
        Answer(body={"status": "succeeded", "resourceLocation": manifest})
    ]
    settings = ExportSettings(provider.address, TOKEN, ("G1", "G2", "G3"))
    clock = Clock(lambda: customer.passed, customer.sleep)
    with pytest.raises(ExportRefused, match=r"billing export G2: .* 404"):
        download_exports(settings, customer.landing, customer.messages.append, clock)
    folders = sorted(path.name for path in (customer.landing / "billing_lines").glob("export-*"))
    assert folders == [f"export-G1-{E_TAG}", f"export-G3-{E_TAG}"]


def test_one_transient_failure_among_several_allows_a_retry(
    customer: Customer, provider: Provider
) -> None:
    provider.answers[EXPORT] = [Answer(404), *[Answer(503)] * 7, Answer(404)]
    settings = ExportSettings(provider.address, TOKEN, ("G1", "G2"))
    clock = Clock(lambda: customer.passed, customer.sleep)
    with pytest.raises(ExportUnavailable, match=r"G1: [^\n]*404[^\n]*\n.*G2: [^\n]*503"):
        download_exports(settings, customer.landing, customer.messages.append, clock)
    with pytest.raises(ExportUnusable, match=r"G1: [^\n]*404[^\n]*\n.*G2: [^\n]*404"):
        download_exports(settings, customer.landing, customer.messages.append, clock)


# --- settings --------------------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets valid APPORTION_EXPORT_ variables, except for the given ones."""

    def setenv(**changes: str) -> None:
        values = {
            "URL": "https://graph.microsoft.com/v1.0/",
            "TOKEN": TOKEN,
            "INVOICES": f" {INVOICE}, G2,\n{INVOICE},",
        } | changes
        for name, value in values.items():
            monkeypatch.setenv(f"APPORTION_EXPORT_{name}", value)

    return setenv


def test_the_export_is_off_unless_an_address_is_set(
    monkeypatch: pytest.MonkeyPatch, environment: Callable[..., None]
) -> None:
    monkeypatch.delenv("APPORTION_EXPORT_URL", raising=False)
    assert ExportSettings.from_environment() is None
    environment(URL=" ")
    assert ExportSettings.from_environment() is None


def test_settings_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: Callable[..., None]
) -> None:
    environment(MAX_WAIT_SECONDS="90", TIMEOUT_SECONDS="2.5")
    monkeypatch.setenv("APPORTION_MAX_FILE_BYTES", "1000")
    settings = ExportSettings.from_environment()
    assert settings is not None
    assert settings.address == "https://graph.microsoft.com/v1.0"
    assert settings.invoices == (INVOICE, "G2")
    assert (settings.max_wait_seconds, settings.timeout_seconds) == (90, 2.5)
    assert settings.limits.file_bytes == 1000
    assert TOKEN not in repr(settings)
    assert TOKEN not in str(settings)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"URL": "http://graph.microsoft.com/v1.0"}, "https://"),
        ({"URL": "graph.microsoft.com"}, "URL"),
        ({"URL": "https://somebody:something@graph.microsoft.com"}, "URL"),
        ({"URL": "https://graph.microsoft.com?a=b"}, "URL"),
        ({"URL": "https://["}, "URL"),
        ({"URL": "https://graph.microsoft.com\\@example.invalid"}, "URL"),
        ({"URL": "https://graph.microsoft.com/v1 0"}, "URL"),
        ({"TOKEN": ""}, "TOKEN is empty"),
        ({"TOKEN": f"{TOKEN}\nand more"}, "TOKEN"),
        ({"TOKEN": f"{TOKEN}é"}, "TOKEN"),
        ({"INVOICES": ", ,"}, "names no invoice"),
        ({"INVOICES": "../../etc"}, "'../../etc' is not an invoice ID"),
        ({"MAX_WAIT_SECONDS": "long"}, "'long' is not a number"),
        ({"MAX_WAIT_SECONDS": "nan"}, "not a number"),
        ({"TIMEOUT_SECONDS": "0"}, "not a number"),
        ({"TIMEOUT_SECONDS": "inf"}, "not a number"),
    ],
)
def test_invalid_settings_are_reported_without_the_token(
    environment: Callable[..., None], changes: dict[str, str], words: str
) -> None:
    environment(**changes)
    with pytest.raises(BadExportSettings, match=words) as caught:
        ExportSettings.from_environment()
    assert TOKEN not in str(caught.value)


# --- the asset -------------------------------------------------------------------------


@pytest.fixture
def materialize(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], dg.ExecuteInProcessResult]:
    """Runs the asset alone on an empty data folder, its waits cut to nothing."""
    monkeypatch.setenv("APPORTION_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda policy, attempt: 0.01)
    monkeypatch.setattr(
        download, "Clock", lambda: Clock(now=lambda: 0.0, sleep=lambda seconds: None)
    )

    def run() -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [billing_export_downloads],
            resources={"warehouse": Warehouse()},
            raise_on_error=False,
        )

    return run


def _metadata(run: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [materialization] = run.asset_materializations_for_node("downloads__billing_export")
    assert materialization.asset_key == BILLING_EXPORT_KEY
    return {key: value.value for key, value in materialization.metadata.items()}


def test_the_asset_reports_that_it_is_off(
    materialize: Callable[[], dg.ExecuteInProcessResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APPORTION_EXPORT_URL", raising=False)
    assert _metadata(materialize())["status"] == "off: set APPORTION_EXPORT_URL"


def test_the_asset_fetches_every_invoice_once(
    materialize: Callable[[], dg.ExecuteInProcessResult],
    environment: Callable[..., None],
    provider: Provider,
    tmp_path: Path,
) -> None:
    environment(URL=provider.address, INVOICES=INVOICE)
    first = _metadata(materialize())
    assert (first["downloaded"], first["in_landing_already"]) == (1, 0)
    assert FOLDER in first["exports"]
    assert (tmp_path / "data" / "landing" / "billing_lines" / FOLDER).is_dir()
    second = _metadata(materialize())
    assert (second["downloaded"], second["in_landing_already"]) == (0, 1)


def test_the_asset_tries_again_when_the_provider_is_down(
    materialize: Callable[[], dg.ExecuteInProcessResult],
    environment: Callable[..., None],
    provider: Provider,
) -> None:
    environment(URL=provider.address, INVOICES=INVOICE)
    provider.answers_of(next(iter(BLOBS)))[:0] = [Answer(404)]
    run = materialize()
    assert run.success
    assert provider.paths("POST") == [EXPORT, EXPORT], "the second try starts a new export"


def test_the_asset_fails_if_the_provider_stays_down(
    materialize: Callable[[], dg.ExecuteInProcessResult],
    environment: Callable[..., None],
    provider: Provider,
) -> None:
    environment(URL=provider.address, INVOICES=INVOICE)
    provider.answers_of(next(iter(BLOBS)))[0] = Answer(404)
    assert not materialize().success
    assert provider.paths("POST") == [EXPORT] * 3


@pytest.mark.parametrize("fault", ["bad data", "bad settings"])
def test_the_asset_does_not_retry_permanent_failures(
    materialize: Callable[[], dg.ExecuteInProcessResult],
    environment: Callable[..., None],
    provider: Provider,
    fault: str,
) -> None:
    environment(URL=provider.address, INVOICES=INVOICE if fault == "bad data" else "")
    provider.succeeds(provider.names("../january.csv"))
    run = materialize()
    assert not run.success
    assert len(provider.paths("POST")) == (1 if fault == "bad data" else 0)
    [failure] = [event for event in run.all_events if event.is_step_failure]
    said = str(failure.step_failure_data)
    assert ("not a plain file name" if fault == "bad data" else "names no invoice") in said
    assert not any(secret in said for secret in SECRETS)
