"""Where exports come from and which invoices to fetch: the APPORTION_EXPORT_ variables."""

import os
import re
from dataclasses import dataclass, field

from dagster_project.partner_center.addresses import LOCAL_HOSTS, parse_address
from dagster_project.partner_center.errors import BadExportSettings
from dagster_project.settings import Limits

API_VERSION = "/v1.0"


@dataclass(frozen=True)
class ExportSettings:
    """Where exports come from and which invoices to download. Times in seconds.

    `address` is the API with its version, e.g. https://graph.microsoft.com/v1.0; without a path,
    Graph's version is added. Raises BadExportSettings if a value cannot be used.
    """

    address: str
    token: str = field(repr=False)
    invoices: tuple[str, ...]
    timeout_seconds: float = 60
    max_wait_seconds: float = 1800
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Check all values now: later, a library's message could contain the token."""
        address = self.address.strip().rstrip("/")
        parts = parse_address(address)
        if not parts.host or parts.auth or parts.query or parts.fragment:
            raise BadExportSettings(
                "APPORTION_EXPORT_URL is not an address like https://graph.microsoft.com/v1.0"
            )
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.host in LOCAL_HOSTS):
            raise BadExportSettings("APPORTION_EXPORT_URL must begin with https://")
        object.__setattr__(self, "address", address if parts.path else address + API_VERSION)
        if not re.fullmatch(r"[!-~]+", self.token):
            raise BadExportSettings(
                "APPORTION_EXPORT_TOKEN is empty or contains characters that a token cannot have"
            )
        if not self.invoices:
            raise BadExportSettings("APPORTION_EXPORT_INVOICES names no invoice")
        for invoice_id in self.invoices:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", invoice_id):
                raise BadExportSettings(
                    f"APPORTION_EXPORT_INVOICES: {invoice_id!r} is not an invoice ID like"
                    " G016907411"
                )
        for seconds in (self.timeout_seconds, self.max_wait_seconds):
            # Also false for NaN.
            if not 0 < seconds < float("inf"):
                raise BadExportSettings(f"{seconds} is not a number of seconds")

    @classmethod
    def from_environment(cls) -> "ExportSettings | None":
        """The values of the APPORTION_EXPORT_ variables; None if APPORTION_EXPORT_URL is not set.

        Raises BadExportSettings, which never shows the token.
        """
        address = os.environ.get("APPORTION_EXPORT_URL", "").strip()
        if not address:
            return None
        invoices = re.split(r"[,\s]+", os.environ.get("APPORTION_EXPORT_INVOICES", "").strip())
        return cls(
            address=address,
            token=os.environ.get("APPORTION_EXPORT_TOKEN", "").strip(),
            # Each invoice once, in the given order.
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
