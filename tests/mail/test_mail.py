"""Mail on closing, and alerts, with a real SMTP server and a real web server on this machine."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import duckdb
import pypdf
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from conftest import MadeOnce
from published_company import copied, published_company

from dagster_project import wording
from dagster_project.automation import closed_period_mail, failure_alert
from dagster_project.cli import main
from dagster_project.definitions import defs
from dagster_project.errors import ApportionError
from dagster_project.mail import alerts, record
from dagster_project.mail.notify import PeriodNotClosed, is_on_closing, notify, notify_recent
from dagster_project.mail.record import Item
from dagster_project.mail.settings import DeliveryInvalid, read_delivery
from dagster_project.settings import DataFolder

PASSWORD = "a secret of the server"
RECIPIENTS = """
[[recipients]]
address = "sales@evergreen.example"
organization = "evergreen"
cost_center = "EVG-SALES"

[[recipients]]
address = "office@evergreen.example"
organization = "evergreen"

[[recipients]]
address = "dock@harbor.example"
organization = "harbor"
cost_center = "HAR-1"

[[recipients]]
address = "billing@broker.example"
broker = true
"""
MAIL = '[mail]\nhost = "mail.example"\nsender = "a@b.example"\n'
TO = "[[recipients]]\naddress = "
COSTS = (b"529.6", b"194.2", b"145.65", b"26.48", b"9.71")
"""Costs of Evergreen in January, and costs of a license."""


@dataclass
class Mailbox:
    """What the server received; `refused` addresses get error 550, `cut` ones a lost connection."""

    received: list[tuple[str, EmailMessage, bool]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        message = message_from_bytes(envelope.content, policy=default)
        (address,) = envelope.rcpt_tos
        self.received.append((address, message, session.ssl is not None))
        if address in self.cut:
            server.transport.abort()
        return "250 OK"

    @property
    def addresses(self) -> list[str]:
        return sorted(address for address, _, _ in self.received)

    def message(self, address: str) -> EmailMessage:
        (message,) = [each for to, each, _ in self.received if to == address]
        return message


def is_known(server: SMTP, session: Session, envelope: Envelope, kind: str, data: object) -> object:
    assert isinstance(data, LoginPassword)
    is_right = (data.login, data.password) == (b"apportion", PASSWORD.encode())
    # The server itself answers an unsuccessful sign-in only if it is not handled.
    return AuthResult(success=is_right, handled=is_right)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, certificate


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def server(
    mailbox: Mailbox, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[int]:
    """The port of a server that takes mail after STARTTLS and sign-in only."""
    key, chain = certificate
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(
        mailbox, hostname="localhost", port=port, tls_context=context, require_starttls=True,
        auth_required=True, authenticator=is_known,
    )  # fmt: skip
    controller.start()
    monkeypatch.setenv("APPORTION_SMTP_CA_FILE", str(chain))
    monkeypatch.setenv("APPORTION_SMTP_PASSWORD", PASSWORD)
    yield port
    controller.stop()


@pytest.fixture(scope="module")
def company(made_once: MadeOnce) -> DataFolder:
    return published_company(made_once)


@pytest.fixture
def data(company: DataFolder, tmp_path: Path, server: int) -> DataFolder:
    data = copied(company, tmp_path / "data")
    write_delivery(data, server)
    return data


def write_delivery(data: DataFolder, port: int, recipients: str = RECIPIENTS) -> None:
    data.delivery.write_text(
        f"""
        [mail]
        host = "localhost"
        port = {port}
        user = "apportion"
        sender = "billing@broker.example"
        {recipients}
        [alerts]
        mail_to = ["operator@broker.example"]
        findings = "warning"
        """
    )


def pdf_text(content: bytes) -> str:
    """The text of a PDF, with single spaces."""
    pages = pypdf.PdfReader(BytesIO(content)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def content(message: EmailMessage) -> dict[str, bytes]:
    """The files of a message by name, and its text under `text`."""
    parts = {str(part.get_filename()): part.get_content() for part in message.iter_attachments()}
    body = message.get_body()
    assert body is not None
    parts["text"] = body.get_content()
    return {
        name: pdf_text(each).encode()
        if name.endswith(".pdf")
        else (each if isinstance(each, bytes) else each.encode())
        for name, each in parts.items()
    }


# --- closed periods ---------------------------------------------------------------------------


def test_everyone_gets_what_is_theirs_once(data: DataFolder, mailbox: Mailbox) -> None:
    outcome = notify(data, "2026-01")
    assert mailbox.addresses == [
        "billing@broker.example", "office@evergreen.example", "sales@evergreen.example",
    ]  # fmt: skip
    assert all(is_encrypted for _, _, is_encrypted in mailbox.received)
    owner = content(mailbox.message("sales@evergreen.example"))
    assert {*owner} == {"text", "statement-2026-01-EVG-SALES-USD.pdf"}
    assert b"Sales (EVG-SALES): 331.00 USD" in owner["text"]
    assert not any(name in page for name in (b"Marketing", b"Harbor") for page in owner.values())
    office = content(mailbox.message("office@evergreen.example"))
    assert {*office} == {
        "text", "statement-evergreen-2026-01.xlsx", "statement-2026-01-EVG-DEFAULT-USD.pdf",
        "statement-2026-01-EVG-MKT-USD.pdf", "statement-2026-01-EVG-SALES-USD.pdf",
    }  # fmt: skip
    # The bill of the organization is not for the owner of one cost center.
    total = b"sum to 722.68"
    assert not any(total in page for page in owner.values())
    assert total in office["statement-2026-01-EVG-SALES-USD.pdf"]
    for pages in (owner, office):
        texts = b"".join(page for name, page in pages.items() if not name.endswith(".xlsx"))
        assert not any(cost in texts for cost in COSTS)
    broker = content(mailbox.message("billing@broker.example"))
    assert {*broker} == {"text", "chargeback-2026-01.xlsx", "journal-2026-01.csv"}
    assert b"Evergreen Retail: 722.68 USD charged, 578.15 USD cost" in broker["text"]
    (skipped,) = outcome.skipped
    assert skipped.address == "dock@harbor.example" and "may_see_cost" in skipped.reason

    again = notify(data, "2026-01")
    assert len(mailbox.received) == 3 and not again.sent and len(again.earlier) == 3
    assert PASSWORD not in data.sent_mail.read_text()


def test_statements_are_pages_without_pdf(data: DataFolder, mailbox: Mailbox, server: int) -> None:
    write_delivery(data, server, RECIPIENTS + "\n[statements]\npdf = false\n")
    notify(data, "2026-01")
    owner = content(mailbox.message("sales@evergreen.example"))
    assert {*owner} == {"text", "statement-2026-01-EVG-SALES-USD.html"}
    assert owner["statement-2026-01-EVG-SALES-USD.html"].startswith(b"<!doctype html>")


def test_an_organization_that_is_charged_cost_needs_a_permission(
    data: DataFolder, mailbox: Mailbox, server: int
) -> None:
    write_delivery(data, server, RECIPIENTS.replace('"HAR-1"', '"HAR-1"\nmay_see_cost = true'))
    notify(data, "2026-01")
    assert b"90.00 EUR" in content(mailbox.message("dock@harbor.example"))["text"]


def test_a_permission_shows_no_cost_beside_sales(
    data: DataFolder, mailbox: Mailbox, server: int
) -> None:
    write_delivery(
        data, server, RECIPIENTS.replace('"EVG-SALES"', '"EVG-SALES"\nmay_see_cost = true')
    )
    notify(data, "2026-01")
    (name,) = {*content(mailbox.message("sales@evergreen.example"))} - {"text"}
    page = content(mailbox.message("sales@evergreen.example"))[name]
    assert not any(cost in page for cost in COSTS)


def test_an_owner_gets_a_further_cost_center_alone(
    data: DataFolder, mailbox: Mailbox, server: int
) -> None:
    notify(data, "2026-01")
    mailbox.received.clear()
    more = (
        RECIPIENTS
        + """
        [[recipients]]
        address = "sales@evergreen.example"
        organization = "evergreen"
        cost_center = "EVG-MKT"
        """
    )
    write_delivery(data, server, more)
    notify(data, "2026-01")
    assert mailbox.addresses == ["sales@evergreen.example"]
    parts = content(mailbox.message("sales@evergreen.example"))
    assert {*parts} == {"text", "statement-2026-01-EVG-MKT-USD.pdf"}
    assert b"EVG-SALES" not in parts["text"]


def test_a_refused_message_is_tried_again_and_the_others_are_sent(
    data: DataFolder, mailbox: Mailbox
) -> None:
    mailbox.refused.add("office@evergreen.example")
    outcome = notify(data, "2026-01")
    assert len(outcome.sent) == 2 and "550 no such mailbox" in outcome.refused[0]
    mailbox.refused.clear()
    assert notify(data, "2026-01").sent == ["office@evergreen.example"]
    assert len(mailbox.received) == 3


def test_a_message_with_an_unknown_outcome_is_sent_again_only_when_asked(
    data: DataFolder, mailbox: Mailbox
) -> None:
    mailbox.cut.add("billing@broker.example")
    assert "billing@broker.example" in notify(data, "2026-01").unknown[0]
    mailbox.cut.clear()
    second = notify(data, "2026-01")
    assert "billing@broker.example" not in second.sent and len(second.unknown) == 1
    assert mailbox.addresses.count("billing@broker.example") == 1
    third = notify(data, "2026-01", again=["billing@broker.example"])
    assert third.sent == ["billing@broker.example"] and not third.unknown


def test_a_dry_run_writes_files_and_sends_nothing(
    data: DataFolder, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APPORTION_SMTP_PASSWORD")
    assert main(["notify", "2026-01", "--dry-run", "--data", str(data.root)]) == 0
    files = sorted((data.exports / "mail" / "2026-01").iterdir())
    assert [path.suffix for path in files] == [".eml"] * 3
    message = message_from_bytes(files[2].read_bytes(), policy=default)
    assert message["To"] == "sales@evergreen.example"
    assert message["Subject"] == "License statement for January 2026: Sales, Evergreen Retail"
    assert not mailbox.received and not data.sent_mail.exists()


def test_mail_has_the_form_of_the_locale(data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APPORTION_SMTP_PASSWORD")
    data.declarations.write_text('[display]\nlocale = "de-DE"\n')
    outcome = notify(data, "2026-01", is_dry_run=True)
    bodies = [
        body.get_content()
        for path in outcome.written
        if (body := message_from_bytes(path.read_bytes(), policy=default).get_body()) is not None
    ]
    assert any("Sales (EVG-SALES): 331,00 USD" in text for text in bodies)
    assert not any("331.00" in text for text in bodies)
    assert wording.amount(Decimal("331"), "USD") == "331.00"


def test_an_open_period_is_not_mailed(data: DataFolder) -> None:
    with pytest.raises(PeriodNotClosed, match="2026-02 is not closed"):
        notify(data, "2026-02")


@pytest.mark.parametrize(
    ("password", "certificates", "reason"),
    [
        ("wrong", True, "535"),
        (None, True, "APPORTION_SMTP_PASSWORD"),
        (PASSWORD, False, "CERTIFICATE_VERIFY_FAILED"),
    ],
)
def test_nothing_is_sent_without_sign_in_and_a_known_certificate(
    data: DataFolder, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch,
    password: str | None, certificates: bool, reason: str,
) -> None:  # fmt: skip
    if password is None:
        monkeypatch.delenv("APPORTION_SMTP_PASSWORD")
    else:
        monkeypatch.setenv("APPORTION_SMTP_PASSWORD", password)
    if not certificates:
        monkeypatch.delenv("APPORTION_SMTP_CA_FILE")
    with pytest.raises(ApportionError, match=reason) as refused:
        notify(data, "2026-01")
    assert PASSWORD not in str(refused.value)
    assert not mailbox.received and not data.sent_mail.exists()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (MAIL + 'security = "none"', "starttls or tls"),
        (MAIL + 'password = "x"', "password"),
        (MAIL.replace("a@b", "a\\nBcc: c@d"), "not an address"),
        (TO + '"ann"\nbroker = true', "not an address"),
        (TO + '"a@b.example"', "organization or broker"),
        (TO + '"a@b.example"\nbroker = true\ncost_center = "x"', "its organization"),
        (TO + '"a@b.example"\nbroker = true\norganization = "x"', "either"),
    ],
)
def test_settings_are_refused_with_their_reason(tmp_path: Path, settings: str, reason: str) -> None:
    data = DataFolder(tmp_path)
    data.delivery.write_text(settings)
    with pytest.raises(DeliveryInvalid, match=reason):
        read_delivery(data)


def test_a_cut_last_line_of_the_record_is_not_a_step(tmp_path: Path) -> None:
    path, item = tmp_path / "sent_mail.jsonl", Item("posting", "a@b.example")
    record.append(path, [item], "sending", "<1>")
    record.append(path, [item], "sent", "<1>")
    path.write_bytes(path.read_bytes()[:-9])
    assert record.read(path) == {item: "sending"}
    other = Item("posting", "c@d.example")
    record.append(path, [other], "sent", "<2>")
    assert record.read(path) == {item: "sending", other: "sent"}
    path.write_text("damaged\n" + path.read_text())
    with pytest.raises(record.RecordDamaged, match="line 1"):
        record.read(path)


def test_a_closed_period_is_mailed_by_itself_once_if_asked_for(
    data: DataFolder, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg

    assert not is_on_closing(data)
    data.delivery.write_text(
        data.delivery.read_text().replace("[mail]", "[mail]\non_closing = true")
    )
    assert is_on_closing(data)
    # A period that was closed before is nobody's news.
    assert notify_recent(data, now=datetime.now(UTC) + timedelta(days=8)) == {}
    assert mailbox.addresses == []

    @dg.op
    def nothing() -> None:
        pass

    @dg.job
    def chargeback() -> None:
        nothing()

    monkeypatch.setenv("APPORTION_DATA", str(data.root))
    with dg.DagsterInstance.ephemeral() as instance:
        result = chargeback.execute_in_process(instance=instance)
        for _ in range(2):
            closed_period_mail(
                dg.build_run_status_sensor_context(
                    sensor_name="mail_of_closed_periods",
                    dagster_event=result.get_run_success_event(),
                    dagster_instance=instance,
                    dagster_run=result.dagster_run,
                )
            )
    # February is open.
    assert mailbox.addresses == [
        "billing@broker.example", "office@evergreen.example", "sales@evergreen.example",
    ]  # fmt: skip
    assert b"331.00 USD" in content(mailbox.message("sales@evergreen.example"))["text"]


# --- alerts -----------------------------------------------------------------------------------


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The texts that a web address received."""
    texts: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            texts.append(body["text"] if "text" in body else body["message"])
            self.send_response(200 if "secret" in self.path else 404)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            return

    web = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    monkeypatch.setenv("APPORTION_ALERT_URLS", f"http://127.0.0.1:{web.server_port}/secret")
    yield texts
    web.shutdown()
    web.server_close()


def test_new_findings_are_alerted_once(
    data: DataFolder, mailbox: Mailbox, hook: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["alert", "--data", str(data.root)]) == 0
    count = int(capsys.readouterr().out.split()[1])
    assert count > 0
    (text,) = hook
    assert f"{count} new findings" in text and "over_budget" not in text
    assert (
        "\nThe amount charged to a cost center exceeds its budget to date, Evergreen Retail: Sales"
    ) in text
    assert f"{count} new findings" in mailbox.message("operator@broker.example")["Subject"]
    assert alerts.send_new_findings(data) == 0
    # Other amounts are no other finding.
    with duckdb.connect(str(data.published_database.resolve())) as connection:
        connection.execute(
            "update marts.findings"
            " set message = regexp_replace(message, 'charged [0-9.]+', 'charged 7')"
        )
    assert alerts.send_new_findings(data) == 0
    assert len(hook) == len(mailbox.received) == 1


def test_a_failed_alert_is_sent_again_and_its_error_has_no_secret(
    data: DataFolder, hook: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = os.environ["APPORTION_ALERT_URLS"]
    monkeypatch.setenv("APPORTION_ALERT_URLS", address.replace("/secret", "/hidden"))
    with pytest.raises(alerts.AlertNotSent) as fault:
        alerts.send_new_findings(data)
    assert "status 404" in str(fault.value) and "hidden" not in str(fault.value)
    monkeypatch.setenv("APPORTION_ALERT_URLS", address)
    assert alerts.send_new_findings(data) > 0


def test_an_unreachable_mail_server_hides_no_failed_address(
    data: DataFolder, hook: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = os.environ["APPORTION_ALERT_URLS"]
    monkeypatch.setenv("APPORTION_ALERT_URLS", address.replace("/secret", "/hidden"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        write_delivery(data, free.getsockname()[1])
    with pytest.raises(alerts.AlertNotSent) as fault:
        alerts.send(data, alerts.Alert("Title", "Text"))
    assert "http://127.0.0.1: status 404" in str(fault.value)
    assert "the mail server localhost:" in str(fault.value)
    assert hook == ["Title\nText"]


def test_mail_without_a_server_is_reported_before_anything_is_sent(
    data: DataFolder, hook: list[str]
) -> None:
    data.delivery.write_text('[alerts]\nmail_to = ["operator@broker.example"]\n')
    with pytest.raises(DeliveryInvalid, match=r"has no \[mail\]"):
        alerts.send(data, alerts.Alert("Title", "Text"))
    assert hook == []


def test_apprise_sends_to_its_addresses(
    data: DataFolder, hook: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = os.environ["APPORTION_ALERT_URLS"].replace("http://", "json://")
    monkeypatch.setenv("APPORTION_ALERT_URLS", address)
    assert alerts.send(data, alerts.Alert("Title", "By Apprise")) == 2
    assert hook == ["By Apprise"]


def test_a_failed_run_of_dagster_is_alerted(
    data: DataFolder, mailbox: Mailbox, hook: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg

    @dg.op
    def breaks() -> None:
        raise ValueError("row 7 of january.csv is damaged")

    @dg.job
    def nightly() -> None:
        breaks()

    monkeypatch.setenv("APPORTION_DATA", str(data.root))
    with dg.DagsterInstance.ephemeral() as instance:
        result = nightly.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            sensor_name="alert_of_failed_run",
            dagster_event=result.get_run_failure_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        ).for_run_failure()
        failure_alert(context)
    (text,) = hook
    assert "run of nightly failed" in text and "row 7 of january.csv is damaged" in text
    assert "row 7" in content(mailbox.message("operator@broker.example"))["text"].decode()


def test_dagster_has_both_alerts_and_the_mail_on_closing() -> None:
    names = {sensor.name for sensor in defs.sensors or ()}
    assert names == {
        "landing_sensor",
        "alert_of_failed_run",
        "alert_of_new_findings",
        "mail_of_closed_periods",
    }
