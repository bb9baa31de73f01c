"""Time stamps of postings by an authority on this machine, which `openssl ts` answers for."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from test_postings import Books

from dagster_project.__main__ import main
from dagster_project.errors import BadSetting, LedgerBroken
from dagster_project.ledger import anchors, timestamps
from dagster_project.settings import DataFolder

SETTINGS = """
[tsa]
default_tsa = authority
[authority]
serial = serial
signer_cert = stamping.pem
signer_key = stamping.key
certs = stamping.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
ess_cert_id_chain = no
"""


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass
class Desk:
    """An authority: its folder, the body or status it answers with instead, and its requests."""

    folder: Path
    url: str = ""
    instead: bytes | int | None = None
    requests: list[bytes] = field(default_factory=list)

    @property
    def roots(self) -> Path:
        return self.folder / "root.pem"

    def answer(self, request: bytes) -> bytes:
        (self.folder / "request.tsq").write_bytes(request)
        openssl(
            self.folder,
            *("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "request.tsq"),
            *("-out", "answer.tsr"),
        )
        return (self.folder / "answer.tsr").read_bytes()


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root, and a certificate for time stamps under it."""
    folder = tmp_path_factory.mktemp("authority")
    (folder / "tsa.cnf").write_text(SETTINGS)
    (folder / "serial").write_text("01\n")
    (folder / "purpose.cnf").write_text("extendedKeyUsage = critical, timeStamping\n")
    openssl(
        folder,
        *("req", "-x509", *NEW_KEY, "-keyout", "root.key", "-out", "root.pem", "-days", "9"),
        *("-subj", "/CN=Root", "-addext", "keyUsage=critical,keyCertSign"),
    )
    openssl(
        folder,
        *("req", *NEW_KEY, "-keyout", "stamping.key", "-out", "stamping.csr", "-subj", "/CN=Desk"),
    )
    openssl(
        folder,
        *("x509", "-req", "-in", "stamping.csr", "-CA", "root.pem", "-CAkey", "root.key"),
        *("-CAcreateserial", "-days", "9", "-extfile", "purpose.cnf", "-out", "stamping.pem"),
    )
    return folder


@pytest.fixture
def desk(certified: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    desk = Desk(certified)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"]))
            desk.requests.append(request)
            status = desk.instead if isinstance(desk.instead, int) else 200
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            is_given = isinstance(desk.instead, bytes)
            self.wfile.write(desk.instead if is_given else desk.answer(request))

        def log_message(self, format: str, *arguments: object) -> None:
            return

    web = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever, args=(0.02,), daemon=True).start()
    desk.url = f"http://127.0.0.1:{web.server_port}/secret"
    monkeypatch.setenv(timestamps.URL_VARIABLE, desk.url)
    monkeypatch.setenv(timestamps.ROOTS_VARIABLE, str(desk.roots))
    yield desk
    web.shutdown()
    web.server_close()


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


@pytest.fixture
def books(data: DataFolder) -> Books:
    return Books.of_two_months(data.ledger)


def names(data: DataFolder) -> list[str]:
    return [path.name for path in timestamps.stamp_files(data)]


def test_each_posting_is_stamped_once_and_other_programs_can_check_it(
    data: DataFolder, books: Books, desk: Desk
) -> None:
    anchors.remember(data, books.read())
    assert names(data) == ["000001-2025-01.tsr", "000002-2025-02.tsr"]
    anchors.remember(data, books.read())
    assert len(desk.requests) == 2
    stamps = anchors.verify(data).stamps
    assert [each.posting_number for each in stamps] == [1, 2]
    for posting, stamp in zip(books.read(), stamps, strict=True):
        # The digest is that of the receipt.
        openssl(
            desk.folder,
            *("ts", "-verify", "-digest", posting.entry_hash, "-in", str(stamp.path)),
            *("-CAfile", "root.pem"),
        )


def test_the_command_shows_the_instants(
    data: DataFolder,
    books: Books,
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The command line sets this variable; monkeypatch restores it.
    monkeypatch.setenv("APPORTION_DATA", str(data.root))
    anchors.remember(data, books.read()[:1])
    (stamp,) = anchors.verify(data).stamps
    command = ["ledger", "verify", "--data", str(data.root)]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert f"posting 1 at {stamp.stamped_at:%Y-%m-%d %H:%M:%S} UTC" in shown
    assert "Time stamps   1 missing: the next run asks for them" in shown
    timestamps.obtain_missing(data, books.read())
    assert main(command) == 0
    assert "missing" not in capsys.readouterr().out
    monkeypatch.delenv(timestamps.URL_VARIABLE)
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert f"Time stamps   none checked: {timestamps.URL_VARIABLE} is not set" in shown


def lose_the_last_posting(books: Books) -> None:
    (books.folder / "000002-2025-02.parquet").unlink()
    books.write_lines(books.lines()[:1])


def rewrite_the_last_posting(books: Books) -> None:
    lose_the_last_posting(books)
    books.connection.execute("update intermediate.int_report_rows set total_cost = 1")
    books.post("2025-02")


@pytest.mark.parametrize(
    ("lose", "message"),
    [
        (lose_the_last_posting, r"lacks a posting .* saw: .*000002-2025-02\.tsr.*Restore"),
        (rewrite_the_last_posting, r"000002-2025-02\.tsr is no time stamp of posting 2"),
        (lambda books: shutil.rmtree(books.folder), r"lacks a posting .*000001-2025-01\.tsr"),
    ],
)
def test_a_ledger_without_a_stamped_posting_is_refused(
    data: DataFolder, books: Books, desk: Desk, lose, message: str
) -> None:
    anchors.remember(data, books.read())
    for path in anchors.anchor_files(data):
        path.unlink()
    lose(books)
    with pytest.raises(LedgerBroken, match=message):
        anchors.verify(data)


@pytest.mark.parametrize(
    ("instead", "reason"),
    [
        (503, "status 503"),
        (302, "status 302"),
        (b"", "none of RFC 3161"),
        (b"<html>", "none of RFC 3161"),
        (b"\x30\x05\x30\x03\x02\x01\x02", "refused with status 2"),
        (b"x" * 2_000_000, "more than 1,048,576 bytes"),
    ],
)
def test_an_authority_that_cannot_be_used_stops_nothing(
    data: DataFolder, books: Books, desk: Desk, instead: bytes | int, reason: str
) -> None:
    said: list[str] = []
    desk.instead = instead
    timestamps.obtain_missing(data, books.read(), said.append)
    assert names(data) == []
    # One attempt for all postings.
    (message,) = said
    assert message.startswith("Posting 1 (2025-01) has no time stamp yet: http://127.0.0.1: ")
    assert reason in message and message.endswith("The next run asks again.")
    assert "secret" not in message and len(desk.requests) == 1
    desk.instead = None
    timestamps.obtain_missing(data, books.read(), said.append)
    assert len(names(data)) == 2


def test_an_authority_that_does_not_answer_stops_nothing(
    data: DataFolder,
    books: Books,
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(timestamps.URL_VARIABLE, "http://127.0.0.1:1/secret")
    anchors.remember(data, books.read())
    assert "127.0.0.1: ConnectionError. The next run" in capsys.readouterr().err
    assert names(data) == [] and anchors.verify(data).stamps == ()


def test_answers_to_other_requests_and_of_other_authorities_prove_nothing(
    data: DataFolder, books: Books, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = books.read()
    timestamps.obtain_missing(data, [first])
    said: list[str] = []
    # The stamp of the first posting for the second, and one of the same posting asked for before.
    desk.instead = timestamps.stamp_files(data)[0].read_bytes()
    timestamps.obtain_missing(data, [second], said.append)
    timestamps.stamp_files(data)[0].unlink()
    timestamps.obtain_missing(data, [first], said.append)
    assert "Mismatch between messages" in said[0] and "to another request" in said[1]
    # A root of the same name.
    openssl(
        tmp_path,
        *("req", "-x509", *NEW_KEY, "-keyout", "key", "-out", "other.pem", "-subj", "/CN=Root"),
    )
    monkeypatch.setenv(timestamps.ROOTS_VARIABLE, str(tmp_path / "other.pem"))
    desk.instead = None
    timestamps.obtain_missing(data, [first], said.append)
    assert "certificate" in said[2] and names(data) == []


def test_damaged_answers_are_no_proof_and_no_crash(
    data: DataFolder, books: Books, desk: Desk
) -> None:
    anchors.remember(data, books.read())
    path = timestamps.stamp_files(data)[0]
    whole = path.read_bytes()
    for damaged in (b"", whole[:-1], whole[:40], whole[:20] + b"\xff" + whole[21:], b"0" * 400):
        path.write_bytes(damaged)
        with pytest.raises(LedgerBroken, match=r"000001-2025-01\.tsr is no time stamp of"):
            anchors.verify(data)


def test_unusable_settings_are_refused(
    data: DataFolder, books: Books, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value, message in (
        (timestamps.URL_VARIABLE, "ftp://host/", "is no web address"),
        (timestamps.URL_VARIABLE, "https://", "is no web address"),
        (timestamps.ROOTS_VARIABLE, "", "needs APPORTION_TIMESTAMP_ROOTS_FILE"),
        (timestamps.ROOTS_VARIABLE, str(data.root / "r.pem"), "in the data folder"),
        (timestamps.ROOTS_VARIABLE, str(tmp_path / "r.pem"), "cannot be read"),
        (timestamps.ROOTS_VARIABLE, os.devnull, "no certificates as PEM"),
    ):
        with monkeypatch.context() as patch, pytest.raises(BadSetting, match=message):
            patch.setenv(variable, value)
            anchors.verify(data)
