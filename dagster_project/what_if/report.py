"""The effect of a scenario as text for a terminal and as CSV.

Belongs here: layout. Does not: amounts (effects) and sentences (notes).
"""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from dagster_project import wording
from dagster_project.errors import UsageError
from dagster_project.files import write_csv
from dagster_project.settings import DataFolder
from dagster_project.summary import aligned
from dagster_project.what_if import WhatIf
from dagster_project.what_if.effects import Account, Charge, total
from dagster_project.what_if.notes import Notes
from dagster_project.what_if.splits import Allocation

SHOWN_ACCOUNTS = 40
SHOWN_FINDINGS = 20
COMMITMENTS = {"committed": "committed", "renewal": "renewals"}


class NowhereToWrite(UsageError):
    """The CSV file cannot be written to the requested path."""


CSV_HEADER = (
    "horizon",
    "period",
    "commitment",
    "organization_id",
    "organization_name",
    "cost_center_id",
    "cost_center_name",
    "currency",
    "charged_before",
    "charged_after",
    "charged_difference",
    "cost_before",
    "cost_after",
    "cost_difference",
    "sales_before",
    "sales_after",
    "sales_difference",
)


def as_text(effect: WhatIf) -> str:
    """The report, as lines of text; amounts are rounded to the decimals of their currency."""
    parts = [
        _scenarios(effect),
        _splits(effect.notes),
        _unknown_values(effect.notes),
        _horizon(effect, "open", "Open billing periods, after shared costs"),
        _horizon(effect, "future", "Future months, before shared costs"),
        _closed(effect),
        _findings(effect.notes),
        _others(effect),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def write_rows(effect: WhatIf, path: Path) -> int:
    """Write all cost centers of the accounts that change as CSV, with all decimals.

    Returns the number of rows. Raises NowhereToWrite.
    """
    rows = (
        (
            each.horizon,
            each.period,
            each.commitment,
            each.organization_id,
            each.organization_name,
            each.cost_center_id,
            each.cost_center_name,
            each.currency,
            each.charged_before,
            each.charged_after,
            each.charged_difference,
            each.cost_before,
            each.cost_after,
            each.cost_difference,
            each.sales_before,
            each.sales_after,
            each.sales_difference,
        )
        for account in effect.accounts
        for each in account.charges
    )
    try:
        return write_csv(path, CSV_HEADER, rows)
    except OSError as error:
        raise NowhereToWrite(f"--csv {path}: cannot be written: {error.strerror}") from error


def require_free(path: Path, data: DataFolder, files: Sequence[Path]) -> None:
    """Raise NowhereToWrite if the CSV file would be in the data folder or replace a scenario."""
    target = path.resolve()
    if path.is_dir():
        raise NowhereToWrite(f"--csv {path}: this is a folder; name a file")
    if target in {file.resolve() for file in files}:
        raise NowhereToWrite(f"--csv {path}: this is a file of the scenario; name another file")
    if target.is_relative_to(data.root) and not target.is_relative_to(data.exports):
        raise NowhereToWrite(f"--csv {path}: in {data.root}, what-if writes to {data.exports} only")


# --- the parts ---------------------------------------------------------------------------


def _scenarios(effect: WhatIf) -> list[str]:
    return ["Scenario"] + [
        f"  {scenario.name}: {wording.counted(count, 'row')} of {scenario.format.name},"
        f" for landing/{scenario.format.feed}"
        for scenario, count in zip(effect.scenarios, effect.row_counts, strict=True)
    ]


def _splits(notes: Notes) -> list[str]:
    if not notes.splits:
        return []
    lines = ["Splits in the scenario"]
    for split in notes.splits:
        product = f"{split.product_name}, " if split.product_name else ""
        until = wording.instant(split.superseded_at) if split.superseded_at else ""
        lines.append(f"  {product}{split.organization_name} ({split.subscription_id})")
        table = [
            [f"from {wording.instant(split.effective_at)} UTC", _allocation(split.allocation)],
            ["before", _allocation(split.allocation_before)],
            ["result", split.outcome],
            *([["until", f"{until} UTC, when a later split supersedes it"]] if until else []),
        ]
        lines += [f"  {line}" for line in aligned(table)]
    if notes.further_split_count:
        lines.append(f"  ... and {wording.counted(notes.further_split_count, 'more', 'more')}")
    return lines


def _allocation(allocation: Allocation | None) -> str:
    if allocation is None:
        return "no split"
    parts = [f"{name} {wording.exact(quantity)}" for name, quantity in allocation.quantities]
    return f"{', '.join(parts) or 'none'} of {wording.exact(allocation.total)}"


def _unknown_values(notes: Notes) -> list[str]:
    if not notes.unknown_values:
        return []
    return ["Unknown values, please check", *(f"  {each}" for each in notes.unknown_values)]


def _horizon(effect: WhatIf, horizon: str, title: str) -> list[str]:
    accounts = [account for account in effect.accounts if account.first.horizon == horizon]
    if not accounts:
        return [title, "  no change", *_hints(effect)] if horizon == "open" else []
    lines = [title]
    for account in accounts[:SHOWN_ACCOUNTS]:
        lines += [*_account(account), ""]
    if len(accounts) > SHOWN_ACCOUNTS:
        more = wording.number(len(accounts) - SHOWN_ACCOUNTS)
        lines.append(f"  ... and {more} more; use --csv for all of them\n")
    return [*lines, *_totals(accounts)]


def _hints(effect: WhatIf) -> list[str]:
    return [f"  {hint}" for hint in effect.notes.hints]


def _account(account: Account) -> list[str]:
    first = account.first
    commitment = f", {COMMITMENTS[first.commitment]}" if first.commitment else ""
    table = [
        [
            "cost center",
            *("charged before", "charged after", "difference"),
            *("cost before", "cost after", "difference"),
        ],
        *([each.cost_center_name, *_amounts(each)] for each in account.changed),
    ]
    if account.unchanged:
        others = wording.counted(len(account.unchanged), "other")
        table.append([f"({others}, unchanged)", *_amounts(total(account.unchanged))])
    table.append(["total", *_amounts(account.total)])
    return [
        f"  {first.period}{commitment}, {first.organization_name}, {first.currency}",
        *(f"  {line}" for line in aligned(table, right=range(1, 7))),
    ]


def _amounts(charge: Charge) -> list[str]:
    """The amount charged, and the cost: sales are charged, or there are none."""
    return [
        wording.amount(charge.charged_before, charge.currency),
        wording.amount(charge.charged_after, charge.currency),
        _difference(charge.charged_difference, charge.currency),
        wording.amount(charge.cost_before, charge.currency),
        wording.amount(charge.cost_after, charge.currency),
        _difference(charge.cost_difference, charge.currency),
    ]


def _difference(amount: Decimal, currency: str) -> str:
    """An amount with its sign; with all decimals if it would round to zero."""
    text = wording.amount(amount, currency)
    if amount and text == wording.amount(Decimal(0), currency):
        text = wording.exact(amount)
    return f"+{text}" if amount > 0 else text


def _totals(accounts: Sequence[Account]) -> list[str]:
    """The change of the total, per currency."""
    lines = []
    for currency in sorted({account.first.currency for account in accounts}):
        everything = total([each.total for each in accounts if each.first.currency == currency])
        charged, cost = everything.charged_difference, everything.cost_difference
        if not charged and not cost:
            lines.append(
                f"  {currency}: the total does not change; amounts move between cost centers"
            )
        else:
            change = f"charged {_difference(charged, currency)}, cost {_difference(cost, currency)}"
            lines.append(f"  {currency}: the total changes: {change}")
    return lines


def _closed(effect: WhatIf) -> list[str]:
    lines = ["Closed billing periods", *(f"  {each}" for each in effect.notes.closed_periods)]
    changed = [account for account in effect.accounts if account.first.horizon == "closed"]
    if changed:
        lines.append(
            "  CLOSED PERIODS WOULD CHANGE: do not land this file; report this to the Apportion"
            " administrator"
        )
        for account in changed:
            lines += _account(account)
    return lines


def _findings(notes: Notes) -> list[str]:
    if not notes.new_findings:
        return []
    more = len(notes.new_findings) - SHOWN_FINDINGS
    return [
        "New findings",
        *(
            f"  {each.severity:<9}{each.kind}"
            f" ({each.subscription_id or each.organization_id or '?'}): {each.message}"
            for each in notes.new_findings[:SHOWN_FINDINGS]
        ),
        *([f"  ... and {wording.number(more)} more"] if more > 0 else []),
    ]


def _others(effect: WhatIf) -> list[str]:
    if not effect.other_organizations:
        return []
    return [f"Other organizations with changes: {', '.join(effect.other_organizations)}"]
