"""Settings of mail and alerts: `delivery.toml` of the data folder, and secrets of the environment.

Belongs here: what a person may set, and its errors. Does not: messages (statements, alerts),
sending (smtp). The file is not apportion.toml: a change of a recipient changes no figure, and
needs no run.
"""

import os
from email.headerregistry import Address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from dagster_project.errors import UsageError
from dagster_project.settings import DataFolder
from dagster_project.settings_file import Settings, read_settings

LOGIN_VARIABLE = "APPORTION_SMTP_PASSWORD"
CA_VARIABLE = "APPORTION_SMTP_CA_FILE"
ALERT_URLS_VARIABLE = "APPORTION_ALERT_URLS"
OWN_MACHINE = ("localhost", "127.0.0.1", "::1")


class DeliveryInvalid(UsageError):
    """delivery.toml is missing, is not TOML, or has a setting that cannot be used."""


def _address(text: str) -> str:
    """An address like ann@example.com. Raises ValueError."""
    text = text.strip()
    try:
        parsed = Address(addr_spec=text)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{text!r} is not an address like ann@example.com") from error
    if not parsed.username or "." not in parsed.domain or not text.isascii():
        raise ValueError(f"{text!r} is not an address like ann@example.com")
    return text


MailAddress = Annotated[str, AfterValidator(_address)]


class MailServer(Settings):
    """The SMTP server. The password is in APPORTION_SMTP_PASSWORD only."""

    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    sender: MailAddress
    sender_name: str = Field(default="Apportion", pattern=r"^[^\r\n]+$")
    reply_to: MailAddress | None = None
    timeout_seconds: int = Field(default=60, ge=1, le=600)
    on_closing: bool = False
    """Whether a period that is closed is mailed without being asked for."""

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> Self:
        if self.security == "none" and self.host not in OWN_MACHINE:
            raise ValueError(
                f"security is none, which is for a server on this machine only (host is"
                f" {self.host}); use starttls or tls"
            )
        return self

    @property
    def port_used(self) -> int:
        """The port of the settings, or the usual one."""
        usual = {"starttls": 587, "tls": 465, "none": 25}
        return self.port or usual[self.security]


class Recipient(Settings):
    """A recipient: the owner of a cost center, an organization, or the broker."""

    address: MailAddress
    organization: str | None = None
    cost_center: str | None = None
    broker: bool = False
    may_see_cost: bool = False
    """For organizations that are charged cost. It shows no cost beside sales."""

    @model_validator(mode="after")
    def _one_role(self) -> Self:
        if self.broker == (self.organization is not None):
            raise ValueError(f"{self.address}: give either organization or broker = true")
        if self.cost_center is not None and self.organization is None:
            raise ValueError(f"{self.address}: a cost center needs its organization")
        if self.broker and self.may_see_cost:
            raise ValueError(f"{self.address}: may_see_cost is for organizations")
        return self


class Alerts(Settings):
    """Recipients of alerts by mail, and the lowest severity of findings that alerts."""

    mail_to: tuple[MailAddress, ...] = ()
    findings: Literal["error", "warning"] = "error"


class StatementStyle(Settings):
    """How statements look as PDF: paths of files in the data folder."""

    pdf: bool = True
    """Whether statements are written as PDF, too."""
    logo: str | None = Field(default=None, min_length=1)
    """An image, PNG or JPEG."""
    font: str | None = Field(default=None, min_length=1)
    """A TrueType font for names that Noto Sans does not cover."""
    bold_font: str | None = Field(default=None, min_length=1)
    """Its bold face; `font` without one."""


class Delivery(Settings):
    """The settings of delivery.toml."""

    mail: MailServer | None = None
    recipients: tuple[Recipient, ...] = ()
    alerts: Alerts = Alerts()
    statements: StatementStyle = StatementStyle()


def read_delivery(data: DataFolder) -> Delivery:
    """The settings of a data folder; none without a file. Raises DeliveryInvalid."""
    return read_settings(data.delivery, Delivery, DeliveryInvalid) or Delivery()


def required_server(data: DataFolder, delivery: Delivery) -> MailServer:
    """The mail server. Raises DeliveryInvalid without one."""
    if delivery.mail is None:
        raise DeliveryInvalid(f"{data.delivery} has no [mail] with host and sender")
    return delivery.mail


def password() -> str | None:
    """The password of the mail server, from the environment."""
    return os.environ.get(LOGIN_VARIABLE) or None


def ca_file() -> Path | None:
    """The certificates that the mail server's is checked with, besides the system's."""
    named = os.environ.get(CA_VARIABLE)
    return Path(named) if named else None


def alert_urls() -> tuple[str, ...]:
    """The addresses of alerts, separated by spaces. They contain secrets."""
    return tuple(os.environ.get(ALERT_URLS_VARIABLE, "").split())
