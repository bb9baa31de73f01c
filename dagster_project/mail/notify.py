"""Notifying the recipients of a closed period, each once.

Belongs here: the order of steps, and what became of each message. Does not: their content.
"""

import contextlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

from dagster_project import wording
from dagster_project.errors import UsageError
from dagster_project.exports.scope import open_published
from dagster_project.feeds.declarations import read_locale
from dagster_project.files import file_name
from dagster_project.ledger.postings import read_postings
from dagster_project.mail import record, smtp
from dagster_project.mail.record import Item, Step
from dagster_project.mail.settings import (
    Delivery,
    DeliveryInvalid,
    read_delivery,
    required_server,
)
from dagster_project.mail.statements import Letter, Skipped, as_message, letters
from dagster_project.settings import DataFolder

RECENT = timedelta(days=7)
"""How long after its closing a period is mailed without being asked for."""


class PeriodNotClosed(UsageError):
    """The period is open, or published results do not show it as closed."""


@dataclass
class Outcome:
    """What became of the messages."""

    sent: list[str] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)
    """Addresses that have everything already."""
    unknown: list[str] = field(default_factory=list)
    """Addresses to which a message may have been sent when a notification was interrupted."""
    refused: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def notify(
    data: DataFolder,
    period: str,
    *,
    is_dry_run: bool = False,
    again: Sequence[str] = (),
    progress: Callable[[str], None] = lambda message: None,
) -> Outcome:
    """Send what is not sent yet for a closed period; the caller holds the writer's lock.

    A dry run writes `.eml` files to `exports/mail/<period>`, sends nothing and records nothing.
    Addresses in `again` get everything again. Raises PeriodNotClosed and DeliveryInvalid; a refused
    message does not stop the others.
    """
    delivery = read_delivery(data)
    server = required_server(data, delivery)
    if not delivery.recipients:
        raise DeliveryInvalid(f"{data.delivery} has no [[recipients]]")
    for address in again:
        if address not in {each.address for each in delivery.recipients}:
            raise UsageError(f"{address} is not a recipient in {data.delivery}")
    posting = _posting(data, period)
    steps = {
        item: step
        for item, step in record.read(data.sent_mail).items()
        if item.address not in again
    }
    outcome = Outcome()
    with wording.written_in(read_locale(data.declarations)):
        waiting = list(_waiting(data, period, posting, delivery, steps, outcome))
    if is_dry_run:
        outcome.written = _write(data, period, [as_message(each, server) for each in waiting])
        return outcome
    if not waiting:
        return outcome
    with smtp.connected(server) as connection:
        for letter in waiting:
            message = as_message(letter, server)
            message_id = str(message["Message-ID"])
            progress(f"{letter.address} ...")
            record.append(data.sent_mail, letter.items, "sending", message_id)
            try:
                smtp.send(connection, message)
            except smtp.MailNotSent as error:
                record.append(data.sent_mail, letter.items, "refused", message_id)
                outcome.refused.append(str(error))
                continue
            except smtp.MailOutcomeUnknown as error:
                outcome.unknown.append(str(error))
                break
            record.append(data.sent_mail, letter.items, "sent", message_id)
            outcome.sent.append(letter.address)
    return outcome


def is_on_closing(data: DataFolder) -> bool:
    """Whether closed periods are mailed by themselves. Raises DeliveryInvalid."""
    server = read_delivery(data).mail
    return server is not None and server.on_closing


def notify_recent(
    data: DataFolder,
    now: datetime | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> dict[str, Outcome]:
    """Send what is not sent yet of periods closed and published within RECENT, by period.

    The caller holds the writer's lock. Periods that were closed before mail was switched on are
    not sent. Raises what `notify` does.
    """
    since = ((now or datetime.now(UTC)) - RECENT).replace(tzinfo=None)
    recent = [
        posting.billing_period
        for posting in read_postings(data.ledger)
        if datetime.fromisoformat(posting.closed_at).replace(tzinfo=None) >= since
    ]
    outcomes = {}
    for period in recent:
        with contextlib.suppress(PeriodNotClosed):
            outcomes[period] = notify(data, period, progress=progress)
    return outcomes


def _posting(data: DataFolder, period: str) -> str:
    """The hash of the period's posting, which published results must show."""
    postings = {each.billing_period: each for each in read_postings(data.ledger)}
    if period not in postings:
        raise PeriodNotClosed(f"{period} is not closed; apportion close {period} closes it")
    with open_published(data) as connection:
        statuses = connection.execute(
            "select distinct status from billing_periods where billing_period = $period",
            {"period": period},
        ).fetchall()
    if statuses != [("closed",)]:
        raise PeriodNotClosed(f"published results do not show {period} as closed; run first")
    return postings[period].entry_hash


def _waiting(
    data: DataFolder,
    period: str,
    posting: str,
    delivery: Delivery,
    steps: dict[Item, Step],
    outcome: Outcome,
) -> Iterator[Letter]:
    """The messages, or parts of them, that are not sent yet."""
    sent = {item for item, step in steps.items() if step == "sent"}
    unknown = {item for item, step in steps.items() if step == "sending"}
    for each in letters(data, period, posting, delivery.recipients):
        if isinstance(each, Skipped):
            outcome.skipped.append(each)
            continue
        if any(item in unknown for item in each.items):
            outcome.unknown.append(
                f"{each.address}: an earlier notification was interrupted while it was sent;"
                f" --again {each.address} sends it again"
            )
        left = each.without(sent | unknown)
        if left is not None:
            yield left
        elif all(item in sent for item in each.items):
            outcome.earlier.append(each.address)


def _write(data: DataFolder, period: str, messages: Sequence[EmailMessage]) -> list[Path]:
    """Write messages as files into an empty folder; returns the files."""
    folder = data.exports / "mail" / period
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names: Counter[str] = Counter()
    files = []
    for message in messages:
        name = file_name(str(message["To"]))
        names[name] += 1
        path = folder / f"{name}-{names[name]}.eml"
        path.write_bytes(bytes(message))
        files.append(path)
    return files
