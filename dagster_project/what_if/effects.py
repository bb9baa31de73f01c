"""The effect of a scenario on charges, per billing period and for future months, by cost center.

Belongs here: the comparison of the marts before and after. Does not: explanations (notes).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import duckdb

Horizon = Literal["open", "closed", "future"]


@dataclass(frozen=True)
class Charge:
    """The amounts of a cost center in an account before and after; sales are null without a price.

    The amount charged is that of sales where the organization is sold to, else that of cost.
    An account is a billing period, or the committed charges or renewals of all future months, of
    one organization in one currency. `period` is a month, or the first and the last one. Billing
    periods are after shared costs, as on statements; future months are before shared costs.
    """

    horizon: Horizon
    period: str
    commitment: str | None
    organization_id: str
    organization_name: str
    currency: str
    cost_center_id: str
    cost_center_name: str
    cost_before: Decimal
    cost_after: Decimal
    sales_before: Decimal | None
    sales_after: Decimal | None
    charged_before: Decimal
    charged_after: Decimal

    @property
    def charged_difference(self) -> Decimal:
        """The change of the amount charged."""
        return self.charged_after - self.charged_before

    @property
    def cost_difference(self) -> Decimal:
        """The change of cost; negative if the cost center is charged less."""
        return self.cost_after - self.cost_before

    @property
    def sales_difference(self) -> Decimal | None:
        """The change of sales; null if neither side has sales."""
        if self.sales_before is None and self.sales_after is None:
            return None
        return (self.sales_after or Decimal()) - (self.sales_before or Decimal())

    @property
    def is_changed(self) -> bool:
        """Whether an amount changes; a new price is a change, even a price of 0."""
        return (self.cost_before, self.sales_before) != (self.cost_after, self.sales_after)


@dataclass(frozen=True)
class Account:
    """All cost centers of an account with a change, by name."""

    charges: tuple[Charge, ...]

    @property
    def first(self) -> Charge:
        """The first row, for the values that all rows share."""
        return self.charges[0]

    @property
    def total(self) -> Charge:
        """The sum of its cost centers."""
        return total(self.charges)

    @property
    def changed(self) -> tuple[Charge, ...]:
        """The cost centers whose amounts change."""
        return tuple(each for each in self.charges if each.is_changed)

    @property
    def unchanged(self) -> tuple[Charge, ...]:
        """The cost centers whose amounts do not change."""
        return tuple(each for each in self.charges if not each.is_changed)


def total(charges: Sequence[Charge]) -> Charge:
    """The sum of rows, with the account of the first one."""
    first = charges[0]
    return Charge(
        first.horizon,
        first.period,
        first.commitment,
        first.organization_id,
        first.organization_name,
        first.currency,
        "",
        "",
        sum((each.cost_before for each in charges), Decimal()),
        sum((each.cost_after for each in charges), Decimal()),
        _sum(each.sales_before for each in charges),
        _sum(each.sales_after for each in charges),
        sum((each.charged_before for each in charges), Decimal()),
        sum((each.charged_after for each in charges), Decimal()),
    )


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal()) if known else None


BILLED = """
    select
        case
            when billing_period in (select billing_period from after.raw.ledger_postings)
                then 'closed'
            else 'open'
        end as horizon,
        billing_period as period,
        null as commitment,
        organization_id, organization_name, cost_center_id, cost_center_name, currency,
        cost_after_sharing as total_cost, sales_after_sharing as total_sales, charged_amount
    from {database}.marts.chargeback
    """

FUTURE = """
    select
        'future' as horizon,
        (
            select concat(strftime(min(month), '%Y-%m'), ' to ', strftime(max(month), '%Y-%m'))
            from (
                select organization_id, month from before.marts.committed_spend
                union all
                select organization_id, month from after.marts.committed_spend
            ) as months
            where months.organization_id = charges.organization_id
        ) as period,
        commitment, organization_id, organization_name, cost_center_id, cost_center_name, currency,
        total_cost, total_sales,
        -- As on bills: where an organization is sold to, a charge without a price is not charged.
        case
            when count(total_sales) over (partition by organization_id, currency) > 0
                then coalesce(total_sales, 0)
            else total_cost
        end as charged_amount
    from {database}.marts.committed_spend as charges
    """

ACCOUNT = "horizon, period, commitment, organization_id, currency"


def changed_accounts(connection: duckdb.DuckDBPyConnection) -> tuple[Account, ...]:
    """The accounts with a change: billing periods first, then future months.

    `connection` has the databases `before` and `after`.
    """
    rows = connection.execute(
        f"""
        with before_charges as ({_summed("before")}),
        after_charges as ({_summed("after")}),
        compared as (
            select
                {ACCOUNT}, cost_center_id,
                coalesce(after_charges.organization_name, before_charges.organization_name)
                    as organization_name,
                coalesce(after_charges.cost_center_name, before_charges.cost_center_name)
                    as cost_center_name,
                coalesce(before_charges.total_cost, 0) as cost_before,
                coalesce(after_charges.total_cost, 0) as cost_after,
                before_charges.total_sales as sales_before,
                after_charges.total_sales as sales_after,
                coalesce(before_charges.charged_amount, 0) as charged_before,
                coalesce(after_charges.charged_amount, 0) as charged_after,
                (cost_before, sales_before) is distinct from (cost_after, sales_after) as is_changed
            from before_charges
            full outer join after_charges using (
                horizon, period, commitment, organization_id, currency, cost_center_id
            )
        )
        select
            horizon, period, nullif(commitment, ''), organization_id, organization_name, currency,
            cost_center_id, cost_center_name, cost_before, cost_after, sales_before, sales_after,
            charged_before, charged_after
        from compared
        qualify bool_or(is_changed) over (partition by {ACCOUNT})
        order by
            horizon <> 'open', horizon <> 'future', period, lower(organization_name),
            organization_id, currency, commitment, lower(cost_center_name), cost_center_id
        """
    ).fetchall()
    accounts: dict[tuple[object, ...], list[Charge]] = {}
    for row in rows:
        charge = Charge(*row)
        key = (
            charge.horizon,
            charge.period,
            charge.commitment,
            charge.organization_id,
            charge.currency,
        )
        accounts.setdefault(key, []).append(charge)
    return tuple(Account(tuple(charges)) for charges in accounts.values())


def _summed(database: str) -> str:
    return " union all ".join(
        f"""
        select
            horizon, period, coalesce(commitment, '') as commitment, organization_id, currency,
            cost_center_id,
            max(organization_name) as organization_name,
            coalesce(max(cost_center_name), cost_center_id) as cost_center_name,
            sum(total_cost) as total_cost,
            sum(total_sales) as total_sales,
            sum(charged_amount) as charged_amount
        from ({source.format(database=database)}) as charges
        group by horizon, period, commitment, organization_id, currency, cost_center_id
        """
        for source in (BILLED, FUTURE)
    )


def organizations(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The ids of all organizations with charges before or after."""
    rows = connection.execute(
        """
        select organization_id from before.marts.chargeback
        union
        select organization_id from after.marts.chargeback
        order by organization_id
        """
    ).fetchall()
    return tuple(organization_id for (organization_id,) in rows)
