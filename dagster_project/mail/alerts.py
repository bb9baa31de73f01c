"""Alerts: failed runs, and new findings such as exceeded budgets, by address and by mail.

Belongs here: the texts and the recipients of alerts. Does not: statements, Dagster (automation).

Addresses are those of `APPORTION_ALERT_URLS`: a web address gets `{"text": ...}` by POST, as Slack,
Mattermost and others take it; every other form is sent by the optional package Apprise. Addresses
contain secrets, and no message or error shows more than their scheme and host.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dagster_project import finding_keys, wording
from dagster_project.errors import ApportionError, BadSetting
from dagster_project.exports.scope import open_published
from dagster_project.files import replaced_at_once
from dagster_project.mail import smtp
from dagster_project.mail.record import Item
from dagster_project.mail.settings import (
    ALERT_URLS_VARIABLE,
    MailServer,
    alert_urls,
    read_delivery,
    required_server,
)
from dagster_project.mail.statements import Letter, Part, as_message
from dagster_project.settings import DataFolder

SHOWN_FINDINGS = 20
LONGEST_REASON = 2_000
ALWAYS = ("over_budget", "over_budget_at_year_end", "unit_allotment_exceeded")
"""Kinds of findings that are alerted whatever their severity."""

SEVERITIES = {"error": ("error",), "warning": ("error", "warning")}


class AlertNotSent(ApportionError):
    """An alert did not reach all of its recipients."""


@dataclass(frozen=True)
class Alert:
    """A title of one line, and a text."""

    title: str
    text: str


def is_configured(data: DataFolder) -> bool:
    """Whether an alert would have a recipient. Raises DeliveryInvalid."""
    return bool(alert_urls() or read_delivery(data).alerts.mail_to)


def send(data: DataFolder, alert: Alert) -> int:
    """Send an alert to every recipient; returns their number.

    Raises AlertNotSent after all were tried, DeliveryInvalid, and BadSetting for an address that
    cannot be used.
    """
    delivery = read_delivery(data)
    urls, mail_to = alert_urls(), delivery.alerts.mail_to
    # A wrong setting is reported before a recipient gets anything.
    server = required_server(data, delivery) if mail_to else None
    faults = [fault for url in urls if (fault := _to_address(url, alert)) is not None]
    if server is not None:
        faults += _by_mail(server, mail_to, alert)
    if faults:
        raise AlertNotSent("the alert was not sent: " + "; ".join(faults))
    return len(urls) + len(mail_to)


def _to_address(url: str, alert: Alert) -> str | None:
    """Send to one address; returns what went wrong."""
    import requests

    place = wording.address_without_secrets(url)
    if urlsplit(url).scheme in ("http", "https"):
        try:
            answer = requests.post(
                url,
                json={"text": f"{alert.title}\n{alert.text}"},
                timeout=20,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return f"{place}: {type(error).__name__}"
        return None if answer.ok else f"{place}: status {answer.status_code}"
    try:
        import apprise
    except ImportError as error:
        raise BadSetting(
            f"{ALERT_URLS_VARIABLE} has an address of {place}, which needs the package Apprise:"
            " install requirements/service.txt"
        ) from error
    sender = apprise.Apprise()
    if not sender.add(url):
        raise BadSetting(f"{ALERT_URLS_VARIABLE} has an address of {place} that Apprise rejects")
    return None if sender.notify(title=alert.title, body=alert.text) else f"{place}: refused"


def _by_mail(server: MailServer, addresses: Sequence[str], alert: Alert) -> list[str]:
    """Send to each mail address; returns what went wrong, also if the server cannot be used."""
    faults = []
    try:
        with smtp.connected(server) as connection:
            for address in addresses:
                part = Part(Item("alert", address), tuple(alert.text.splitlines()), ())
                message = as_message(Letter(address, alert.title, alert.title, (part,)), server)
                try:
                    smtp.send(connection, message)
                except (smtp.MailNotSent, smtp.MailOutcomeUnknown) as error:
                    faults.append(str(error))
    except smtp.MailNotSent as error:
        faults.append(str(error))
    return faults


def failed_run(job: str, run_id: str, reason: str) -> Alert:
    """The alert of a failed run."""
    return Alert(f"Apportion: run of {job} failed", f"Run {run_id}: {reason[:LONGEST_REASON]}")


def send_new_findings(data: DataFolder) -> int:
    """Alert of findings that no earlier alert had; returns their number.

    A finding stays the same one if its counts or amounts change.

    Findings are remembered after the alert was sent, so that a failed alert is sent again.
    """
    severities = SEVERITIES[read_delivery(data).alerts.findings]
    with open_published(data) as connection:
        rows = connection.execute(
            f"""
            select meaning, coalesce(organization_name, organization_id), message, finding_key
            from {finding_keys.with_keys("findings")}
            where list_contains($severities, severity) or list_contains($always, kind)
            order by
                severity, amount_at_stake is null,
                -- Amounts are compared within a currency; the largest of each come first.
                rank() over (
                    partition by severity, currency order by abs(amount_at_stake) desc nulls last
                ),
                currency, kind, 2, message
            """,
            {
                "severities": list(severities),
                "always": list(ALWAYS),
                **dict(finding_keys.PARAMETERS),
            },
        ).fetchall()
    path = data.run_folder / "alerted_findings.json"
    known = set(json.loads(path.read_text())) if path.exists() else set()
    keys = {row[-1]: row for row in rows}
    new = [row for key, row in keys.items() if key not in known]
    if new:
        lines = [
            f"{wording.sentence(meaning)}, {name or 'all organizations'}: {message}"
            for meaning, name, message, _ in new
        ]
        more = len(lines) - SHOWN_FINDINGS
        shown = lines[:SHOWN_FINDINGS] + ([f"and {more} more"] if more > 0 else [])
        noun = "finding" if len(new) == 1 else "findings"
        send(data, Alert(f"Apportion: {len(new)} new {noun}", "\n".join(shown)))
    _remember(path, sorted(keys))
    return len(new)


def _remember(path: Path, keys: list[str]) -> None:
    with replaced_at_once(path) as building:
        building.write_text(json.dumps(keys))
