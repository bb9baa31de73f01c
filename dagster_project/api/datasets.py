"""The datasets of the API: a name in the address, and the mart that it reads.

Belongs here: names, and the columns and rows that a token may read. Does not: pages (pages), HTTP
(service).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dagster_project.api.tokens import Token
from dagster_project.exports.scope import READER_MASKS
from dagster_project.exports.visibility import VisibleMart, customer_marts
from dagster_project.quoting import sql_identifier

PERIOD_COLUMNS: Mapping[str, str] = {
    "billing_period": "billing_period",
    "x_BillingPeriod": '"x_BillingPeriod"',
    "month": "strftime(month, '%Y-%m')",
}
"""Columns that may hold the period of a row, with the SQL of the period."""

ORGANIZATION_COLUMNS = ("organization_id", "BillingAccountId")
"""Columns that may hold the organization of a row."""


@dataclass(frozen=True)
class Dataset:
    """A dataset: its name in the address, and its mart."""

    name: str
    mart: str


DATASETS: Mapping[str, Dataset] = {
    name: Dataset(name, mart)
    for name, mart in (
        ("periods", "billing_periods"),
        ("billing-report", "billing_report"),
        ("summary", "billing_summary"),
        ("chargeback", "chargeback"),
        ("chargeback-as-corrected", "chargeback_as_corrected"),
        ("chargeback-in-reporting-currency", "chargeback_in_reporting_currency"),
        ("shared-costs", "shared_costs"),
        ("changes", "chargeback_changes"),
        ("change-details", "chargeback_change_details"),
        ("subscription-changes", "subscription_changes"),
        ("unit-charges", "unit_charges"),
        ("unit-quantities", "unit_quantities"),
        ("unit-members", "unit_members"),
        ("statements", "statement_lines"),
        ("journal", "journal_entries"),
        ("reconciliation", "invoice_reconciliation"),
        ("findings", "findings"),
        ("organization-findings", "organization_findings"),
        ("quarantine", "quarantined_rows"),
        ("budgets", "budget_variance"),
        ("manual-forecasts", "forecast_variance"),
        ("forecast", "cost_forecast"),
        ("license-pool", "license_pool"),
        ("pending-queue", "pending_queue"),
        ("organizations", "dim_organization"),
        ("cost-centers", "dim_cost_center"),
        ("products", "dim_product"),
        ("subscriptions", "dim_subscription"),
        ("dates", "dim_date"),
        ("cost-center-history", "cost_center_history"),
        ("focus-cost-and-usage", "focus_cost_and_usage"),
        ("focus-invoice-detail", "focus_invoice_detail"),
        ("focus-billing-period", "focus_billing_period"),
        ("focus-contract-commitment", "focus_contract_commitment"),
    )
}


@dataclass(frozen=True)
class Reading:
    """What a token may read of a dataset: SQL per column, and SQL of the rows."""

    columns: Mapping[str, str]
    rows: str


class NotReadable(Exception):
    """The token may not read the dataset."""


def reading(dataset: Dataset, token: Token, published: Mapping[str, str]) -> Reading:
    """The columns and rows of a dataset for a token. Raises NotReadable.

    `published` are the columns of the published mart. Organizations read the marts and columns
    that dbt's YAML shows to them, of their own rows.
    """
    if not token.may_read(dataset.name):
        raise NotReadable(f"this token does not cover {dataset.name}")
    if token.organization_id is None:
        return Reading({name: sql_identifier(name) for name in published}, "true")
    mart = organization_mart(dataset)
    if mart is None:
        raise NotReadable(f"{dataset.name} is for the broker only")
    values = mart.values(READER_MASKS.get(mart.name, {}), published)
    return Reading(values, mart.condition("published.marts.chargeback"))


def organization_mart(dataset: Dataset) -> VisibleMart | None:
    """The part of a dataset that organizations may read; None for the broker's."""
    return next((mart for mart in customer_marts() if mart.name == dataset.mart), None)
