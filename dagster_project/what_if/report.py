"""What a scenario would move, told on a terminal and as CSV.

Belongs here: how it looks. Does not: what it says (moves, notes).
"""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.exports.scope import write_csv
from dagster_project.settings import DataFolder
from dagster_project.summary import aligned
from dagster_project.what_if import WhatIf
from dagster_project.what_if.moves import Account, Charged, total
from dagster_project.what_if.notes import Held, Notes, Split

SHOWN_ACCOUNTS = 40
SHOWN_FINDINGS = 20
COMMITMENTS = {"committed": "committed", "renewal": "on renewal"}


class NowhereToWrite(ApportionError):
    """The CSV file cannot be written where it was asked for."""


CSV_HEADER = (
    "horizon",
    "period",
    "commitment",
    "organization_id",
    "organization_name",
    "cost_center_id",
    "cost_center_name",
    "currency",
    "cost_before",
    "cost_after",
    "cost_difference",
    "sales_before",
    "sales_after",
    "sales_difference",
)


def tell(found: WhatIf) -> str:
    """The whole story, many lines of text; amounts rounded as their currency is written."""
    parts = [
        _scenarios(found),
        _splits(found.notes),
        _suspects(found.notes),
        _horizon(found, "open", "Open billing periods, shared costs passed on"),
        _horizon(found, "to_come", "The months to come, shared costs not passed on"),
        _closed(found),
        _findings(found.notes),
        _others(found),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def write_rows(found: WhatIf, path: Path) -> int:
    """Write every cost center of the accounts that move as CSV, exactly; returns the rows.

    Raises NowhereToWrite.
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
            each.cost_before,
            each.cost_after,
            each.cost_difference,
            each.sales_before,
            each.sales_after,
            each.sales_difference,
        )
        for account in found.accounts
        for each in account.charged
    )
    try:
        return write_csv(path, CSV_HEADER, rows)
    except OSError as error:
        raise NowhereToWrite(f"--csv {path}: cannot be written: {error.strerror}") from error


def require_free(path: Path, data: DataFolder, files: Sequence[Path]) -> None:
    """Raise NowhereToWrite where a CSV file would touch the data folder or a scenario."""
    target = path.resolve()
    if path.is_dir():
        raise NowhereToWrite(f"--csv {path}: a folder; name a file in it")
    if target in {file.resolve() for file in files}:
        raise NowhereToWrite(f"--csv {path}: this is the scenario itself")
    if target.is_relative_to(data.root) and not target.is_relative_to(data.exports):
        raise NowhereToWrite(
            f"--csv {path}: what-if writes nothing into {data.root} but into {data.exports}"
        )


# --- the parts ---------------------------------------------------------------------------


def _scenarios(found: WhatIf) -> list[str]:
    return ["If these files landed" if len(found.scenarios) > 1 else "If this file landed"] + [
        f"  {scenario.name}: {wording.counted(count, 'row')} of {scenario.format.name},"
        f" for landing/{scenario.format.feed}"
        for scenario, count in zip(found.scenarios, found.row_counts, strict=True)
    ]


def _splits(notes: Notes) -> list[str]:
    if not notes.splits:
        return []
    lines = ["Splits it would bring"]
    for split in notes.splits:
        product = f"{split.product_name}, " if split.product_name else ""
        lines.append(f"  {product}{split.organization_name} ({split.subscription_id})")
        table = [
            [f"from {wording.instant(split.effective_at)} UTC", _held(split.held)],
            ["until then", _held(split.held_before)],
            ["so it", _outcome(split)],
        ]
        lines += [f"  {line}" for line in aligned(table)]
    if notes.further_split_count:
        lines.append(f"  ... and {wording.counted(notes.further_split_count, 'more', 'more')}")
    return lines


def _held(held: Held | None) -> str:
    if held is None:
        return "no split"
    given = ", ".join(f"{name} {wording.exact(quantity)}" for name, quantity in held.allocated)
    return f"{given or 'nobody'} of {wording.exact(held.total)}"


def _outcome(split: Split) -> str:
    until = (
        f"; another split takes over on {wording.instant(split.until)} UTC" if split.until else ""
    )
    return split.outcome + until


def _suspects(notes: Notes) -> list[str]:
    if not notes.suspects:
        return []
    return ["Look at this first: it may be mistyped", *(f"  {each}" for each in notes.suspects)]


def _horizon(found: WhatIf, horizon: str, title: str) -> list[str]:
    accounts = [account for account in found.accounts if account.first.horizon == horizon]
    if not accounts:
        return [title, "  nothing moves", *_why_nothing(found)] if horizon == "open" else []
    lines = [title]
    for account in accounts[:SHOWN_ACCOUNTS]:
        lines += [*_account(account), ""]
    if len(accounts) > SHOWN_ACCOUNTS:
        lines.append(f"  ... and {len(accounts) - SHOWN_ACCOUNTS:,} more; --csv writes all\n")
    return [*lines, *_totals(accounts)]


def _why_nothing(found: WhatIf) -> list[str]:
    return [f"  {hint}" for hint in found.notes.hints]


def _account(account: Account) -> list[str]:
    first = account.first
    commitment = f", {COMMITMENTS[first.commitment]}" if first.commitment else ""
    table = [
        [
            "cost center",
            *("cost before", "cost after", "difference"),
            *("sales before", "sales after", "difference"),
        ],
        *([each.cost_center_name, *_amounts(each)] for each in account.moved),
    ]
    if account.unmoved:
        rest = wording.counted(len(account.unmoved), "other")
        table.append([f"({rest}, unchanged)", *_amounts(total(account.unmoved))])
    table.append(["whole", *_amounts(account.whole)])
    return [
        f"  {first.period}{commitment}, {first.organization_name}, {first.currency}",
        *(f"  {line}" for line in aligned(table, right=range(1, 7))),
    ]


def _amounts(charged: Charged) -> list[str]:
    return [
        wording.amount(charged.cost_before, charged.currency),
        wording.amount(charged.cost_after, charged.currency),
        _difference(charged.cost_difference, charged.currency),
        wording.amount(charged.sales_before, charged.currency),
        wording.amount(charged.sales_after, charged.currency),
        _difference(charged.sales_difference, charged.currency),
    ]


def _difference(amount: Decimal | None, currency: str) -> str:
    """An amount with its sign; all decimals of one that would round to nothing."""
    if amount is None:
        return wording.NOTHING
    text = wording.amount(amount, currency)
    if amount and not Decimal(text.replace(",", "")):
        text = wording.exact(amount)
    return f"+{text}" if amount > 0 else text


def _totals(accounts: Sequence[Account]) -> list[str]:
    """By how much the whole changes, per currency."""
    lines = []
    for currency in sorted({account.first.currency for account in accounts}):
        whole = total([each.whole for each in accounts if each.first.currency == currency])
        cost, sales = whole.cost_difference, whole.sales_difference
        if not cost and not sales:
            lines.append(
                f"  {currency}: the whole does not change, its parts move between cost centers"
            )
        else:
            by = f"cost {_difference(cost, currency)}"
            if sales is not None:
                by += f", sales {_difference(sales, currency)}"
            lines.append(f"  {currency}: the whole changes: {by}")
    return lines


def _closed(found: WhatIf) -> list[str]:
    lines = ["Closed billing periods", *(f"  {each}" for each in found.notes.closed)]
    moved = [account for account in found.accounts if account.first.horizon == "closed"]
    if moved:
        lines.append("  THEY WOULD CHANGE: do not land this, and tell who looks after Apportion")
        for account in moved:
            lines += _account(account)
    return lines


def _findings(notes: Notes) -> list[str]:
    if not notes.new_findings:
        return []
    more = len(notes.new_findings) - SHOWN_FINDINGS
    return [
        "Findings it would bring",
        *(
            f"  {each.severity:<9}{each.kind}"
            f" ({each.subscription_id or each.organization_id or '?'}): {each.message}"
            for each in notes.new_findings[:SHOWN_FINDINGS]
        ),
        *([f"  ... and {more:,} more"] if more > 0 else []),
    ]


def _others(found: WhatIf) -> list[str]:
    if not found.other_organizations:
        return []
    return [f"Other organizations move too: {', '.join(found.other_organizations)}"]
