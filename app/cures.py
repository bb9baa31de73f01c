"""Where a finding is cured: the page of the app, or the file that a person corrects.

Belongs here: a cure for every kind of finding. Does not: severities and meanings, which are in the
seed finding_kinds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.queries.query import Row


@dataclass(frozen=True)
class Cure:
    """A page of the app with what to do there; without a page, what to do elsewhere."""

    words: str
    page: str | None = None


CHANGE_SPLIT = "change_split"
COST_CENTERS = "cost_centers"
POOL = "license_pool"
_SPLIT = Cure("change the split", CHANGE_SPLIT)
_HISTORY = Cure("see the splits of the subscription", "cost_center_history")
_INVOICE = Cure("compare invoice and lines", "reconciliation")
_QUARANTINE = Cure("see the rows in quarantine, then correct the file", "reconciliation")
_BUDGET = Cure("compare charges and budget", "budget")
_LINES = Cure("see the charges", "chargeback")
_POOL = Cure("see the license pool", POOL)
_TREND = Cure("see the forecast", "trend")
_COST_CENTERS = Cure("see the list of cost centers", COST_CENTERS)
_BILL = Cure(
    "compare the bills of the month, then correct or remove the file in landing/billing_lines",
    "reconciliation",
)
_PRICES = Cure("see the charges, then add the price to landing/price_list", "chargeback")
_RATES = Cure("see the charges, then add the rate to landing/exchange_rates", "chargeback")
_ORGANIZATIONS = Cure(
    "see the charges, then add the customer to landing/organizations", "chargeback"
)
_DIRECTORY = Cure("see the license pool, then correct the lists in landing/directory", POOL)
_PLANS = Cure(
    "compare charges and budget, then correct the file in landing/budgets or"
    " landing/manual_forecasts",
    "budget",
)
_SHARED = Cure("see the charges, then correct the rule in landing/shared_costs", "chargeback")
_TAGS = Cure("see the charges, then add a tag rule or a split", "chargeback")

CURES: Mapping[str, Cure] = {
    "quarantined_rows": _QUARANTINE,
    "invoice_variance": _INVOICE,
    "invoice_without_lines": _INVOICE,
    "invoice_tax_unknown": _INVOICE,
    "over_allocated": _SPLIT,
    "zero_total": _SPLIT,
    "no_split": _SPLIT,
    "deleted_cost_center": _SPLIT,
    "unknown_charge_type": Cure(
        "see the charges, then add the charge type to the seed charge_types", "chargeback"
    ),
    "unknown_organization": _ORGANIZATIONS,
    "unknown_event": Cure(
        "see the splits of the subscription, then add the event to the seed split_events",
        "cost_center_history",
    ),
    "refund_exceeds_charge": _LINES,
    "seat_mismatch": _SPLIT,
    "quantity_mismatch": _HISTORY,
    "unexplained_proration": _LINES,
    "margin_differs": _LINES,
    "line_in_several_files": _BILL,
    "no_currency": Cure(
        "see the charges, then state the currency in landing/organizations", "chargeback"
    ),
    "billing_date_assumed": Cure(
        "see the bills without an invoice, then list it in landing/invoices", "reconciliation"
    ),
    "correction_not_applied": Cure(
        "see the charges, then correct the file in landing/corrections", "chargeback"
    ),
    "undecided_delivery": _BILL,
    "incomplete_export": _BILL,
    "invoice_reissued": _INVOICE,
    "delivery_replaced": _INVOICE,
    "usage_sum_differs": _INVOICE,
    "in_default": _SPLIT,
    "stale_split": _SPLIT,
    "refund_drift": _LINES,
    "refund_without_charge": _LINES,
    "no_tag_rule": _TAGS,
    "no_price": _PRICES,
    "sold_below_cost": _PRICES,
    "sold_far_above_cost": _PRICES,
    "no_exchange_rate": _RATES,
    "old_exchange_rate": _RATES,
    "reporting_rate_missing": _RATES,
    "ambiguous_price": Cure(
        "see the charges, then correct the file in landing/price_list", "chargeback"
    ),
    "over_assigned": _POOL,
    "unknown_attribute": _COST_CENTERS,
    "unknown_license": _POOL,
    "directory_missing": _DIRECTORY,
    "directory_dates_differ": _DIRECTORY,
    "pending_licenses": _POOL,
    "allotment_exceeded": _SPLIT,
    "unit_allotment_exceeded": Cure("see licenses and charges by unit", "by_unit"),
    "over_budget": _BUDGET,
    "over_budget_at_year_end": _BUDGET,
    "billing_stopped": _TREND,
    "forecast_differs_from_known": _TREND,
    "budget_without_cost_center": _PLANS,
    "budget_in_other_currency": _PLANS,
    "budget_repeated": _PLANS,
    "shared_rule_unusable": _SHARED,
    "shared_cost_circle": _SHARED,
    "shared_cost_third_step": _SHARED,
    "shared_cost_not_passed_on": _SHARED,
    "shared_source_unknown": _SHARED,
    "shared_without_rule": _SHARED,
    "date_order_inferred": Cure("declare the order of dates in apportion.toml"),
    "id_digits_cut": _QUARANTINE,
    "pages_missing": _BILL,
    "parts_missing": _BILL,
    "rows_skipped": Cure("see the declaration in apportion.toml"),
    "no_subscription": _LINES,
    "unknown_cost_center": _COST_CENTERS,
    "parents_without_top": _COST_CENTERS,
    "organization_ids_alike": Cure(
        "see the charges, then correct the ids in landing/organizations and on the bills",
        "chargeback",
    ),
}
"""The cure of each kind in the seed finding_kinds."""

OTHERWISE = Cure("see the rows that were read", "reconciliation")
EDITING = (CHANGE_SPLIT, COST_CENTERS)
"""Pages that only people who may edit have."""

READING: Mapping[str, Cure] = {
    "unknown_attribute": _POOL,
    "unknown_cost_center": _HISTORY,
    "parents_without_top": Cure("see licenses and charges by unit", "by_unit"),
}
"""What people see who may not edit the list of cost centers."""


def cure_of(
    row: Row, may_edit: bool, is_by_directory: bool = False, is_customer: bool = False
) -> Cure:
    """The cure of a finding, on a page that the viewer has.

    An organization that splits by its user directory has no splits to change, and a customer has no
    tag rules and no reconciliation.
    """
    cure = CURES.get(str(row["kind"]), OTHERWISE)
    if is_customer and cure == _TAGS:
        return _LINES
    if is_customer and cure.page == "reconciliation":
        return Cure(cure.words)
    if cure.page == CHANGE_SPLIT and is_by_directory:
        return _POOL
    if cure.page == CHANGE_SPLIT and (not may_edit or row["subscription_id"] is None):
        cure = _HISTORY
    elif cure.page == COST_CENTERS and not may_edit:
        cure = READING.get(str(row["kind"]), Cure(cure.words))
    # Without a subscription, the page would show the splits of another one.
    if cure.page == "cost_center_history" and row["subscription_id"] is None:
        return _LINES
    return cure


def address_of(row: Row, period: str) -> dict[str, str | None]:
    """What the page of a cure selects."""

    def text(name: str) -> str | None:
        return None if row[name] is None else str(row[name])

    return {
        "period": text("billing_period") or period,
        "organization": text("organization_id"),
        "subscription": text("subscription_id"),
    }
