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
_SPLIT = Cure("change the split", CHANGE_SPLIT)
_HISTORY = Cure("see the splits of the subscription", "cost_center_history")
_INVOICE = Cure("compare invoice and lines", "reconciliation")
_QUARANTINE = Cure("see the rows in quarantine, then correct the file", "reconciliation")
_BUDGET = Cure("compare charges and budget", "budget")
_LINES = Cure("see the charges", "chargeback")
_POOL = Cure("see the license pool", "license_pool")
_TREND = Cure("see the forecast", "trend")
_COST_CENTERS = Cure("see the list of cost centers", "cost_centers")
_BILL = Cure("correct or remove the file in landing/billing_lines")
_PRICES = Cure("see the charges, then add the price to landing/price_list", "chargeback")
_RATES = Cure("add the rate to landing/exchange_rates")
_ORGANIZATIONS = Cure("add the customer to landing/organizations")
_DIRECTORY = Cure("correct the lists in landing/directory")
_BUDGETS = Cure("correct the file in landing/budgets")
_SHARED = Cure("correct the rule in landing/shared_costs")
_TAGS = Cure("see the charges, then add a tag rule or a split", "chargeback")

CURES: Mapping[str, Cure] = {
    "quarantined_rows": _QUARANTINE,
    "invoice_variance": _INVOICE,
    "invoice_without_lines": _INVOICE,
    "invoice_tax_unknown": _INVOICE,
    "over_allocated": _SPLIT,
    "zero_total": _HISTORY,
    "no_split": _SPLIT,
    "deleted_cost_center": _SPLIT,
    "unknown_charge_type": Cure("add the charge type to the seed charge_types"),
    "unknown_organization": _ORGANIZATIONS,
    "unknown_event": Cure("add the event to the seed split_events"),
    "refund_exceeds_charge": _LINES,
    "seat_mismatch": _SPLIT,
    "quantity_mismatch": _HISTORY,
    "unexplained_proration": _LINES,
    "margin_differs": _LINES,
    "line_in_several_files": _BILL,
    "no_currency": Cure("state the currency in landing/organizations"),
    "billing_date_assumed": Cure("list the invoice in landing/invoices"),
    "correction_not_applied": Cure("correct the file in landing/corrections"),
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
    "ambiguous_price": Cure("correct the file in landing/price_list"),
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
    "budget_without_cost_center": _BUDGETS,
    "budget_in_other_currency": _BUDGETS,
    "budget_repeated": _BUDGETS,
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
    "organization_ids_alike": Cure("correct the ids in landing/organizations and on the bills"),
}
"""The cure of each kind in the seed finding_kinds."""

OTHERWISE = Cure("see the rows that were read", "reconciliation")
EDITING = (CHANGE_SPLIT, "cost_centers")
"""Pages that only people who may edit have."""


def cure_of(
    row: Row, may_edit: bool, is_by_directory: bool = False, is_customer: bool = False
) -> Cure:
    """The cure of a finding, on a page that the viewer has.

    An organization that splits by its user directory has no splits to change, and a customer has no
    tag rules.
    """
    cure = CURES.get(str(row["kind"]), OTHERWISE)
    if is_customer and cure == _TAGS:
        return _LINES
    if cure.page == CHANGE_SPLIT and is_by_directory:
        return _POOL
    if cure.page == CHANGE_SPLIT and (not may_edit or row["subscription_id"] is None):
        return _HISTORY
    return Cure(cure.words) if cure.page in EDITING and not may_edit else cure


def address_of(row: Row, period: str) -> dict[str, str | None]:
    """What the page of a cure selects."""

    def text(name: str) -> str | None:
        return None if row[name] is None else str(row[name])

    return {
        "period": text("billing_period") or period,
        "organization": text("organization_id"),
        "subscription": text("subscription_id"),
    }
