"""What a scenario moves: per billing period and for the months to come, cost center by cost center.

Belongs here: the comparison of the marts before and after. Does not: why it is so (notes).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import duckdb

Horizon = Literal["open", "closed", "to_come"]


@dataclass(frozen=True)
class Charged:
    """What a cost center is charged in an account, before and after; sales are null unpriced.

    An account is what adds up to a whole: a billing period, or the months to come as committed or
    as renewal, of one organization in one currency. `period` is a month, or the first and the last.
    Billing periods are after shared costs are passed on, as statements charge them; the months to
    come are before.
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

    @property
    def cost_difference(self) -> Decimal:
        """What the cost center is charged more, or less if negative."""
        return self.cost_after - self.cost_before

    @property
    def sales_difference(self) -> Decimal | None:
        """The same for sales; null where there are none on either side."""
        if self.sales_before is None and self.sales_after is None:
            return None
        return (self.sales_after or Decimal()) - (self.sales_before or Decimal())

    @property
    def is_moved(self) -> bool:
        """Whether the scenario changes anything here; a price that appears does, even one of 0."""
        return (self.cost_before, self.sales_before) != (self.cost_after, self.sales_after)


@dataclass(frozen=True)
class Account:
    """All cost centers of an account in which something moves, in order of their names."""

    charged: tuple[Charged, ...]

    @property
    def first(self) -> Charged:
        """Any row of it: it has what all have in common."""
        return self.charged[0]

    @property
    def whole(self) -> Charged:
        """The sum of its cost centers."""
        return total(self.charged)

    @property
    def moved(self) -> tuple[Charged, ...]:
        """The cost centers that are charged something else."""
        return tuple(each for each in self.charged if each.is_moved)

    @property
    def unmoved(self) -> tuple[Charged, ...]:
        """The cost centers that are charged the same."""
        return tuple(each for each in self.charged if not each.is_moved)


def total(charged: Sequence[Charged]) -> Charged:
    """The sum of rows, under the names of the first."""
    first = charged[0]
    return Charged(
        first.horizon,
        first.period,
        first.commitment,
        first.organization_id,
        first.organization_name,
        first.currency,
        "",
        "",
        sum((each.cost_before for each in charged), Decimal()),
        sum((each.cost_after for each in charged), Decimal()),
        _sum(each.sales_before for each in charged),
        _sum(each.sales_after for each in charged),
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
        cost_after_sharing as total_cost, sales_after_sharing as total_sales
    from {database}.marts.chargeback
    """

TO_COME = """
    select
        'to_come' as horizon,
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
        total_cost, total_sales
    from {database}.marts.committed_spend as charges
    """

ACCOUNT = "horizon, period, commitment, organization_id, currency"


def moved_accounts(connection: duckdb.DuckDBPyConnection) -> tuple[Account, ...]:
    """The accounts in which something moves: billing periods first, then the months to come.

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
                (cost_before, sales_before) is distinct from (cost_after, sales_after) as is_moved
            from before_charges
            full outer join after_charges using (
                horizon, period, commitment, organization_id, currency, cost_center_id
            )
        )
        select
            horizon, period, nullif(commitment, ''), organization_id, organization_name, currency,
            cost_center_id, cost_center_name, cost_before, cost_after, sales_before, sales_after
        from compared
        qualify bool_or(is_moved) over (partition by {ACCOUNT})
        order by
            horizon <> 'open', horizon <> 'to_come', period, lower(organization_name),
            organization_id, currency, commitment, lower(cost_center_name), cost_center_id
        """
    ).fetchall()
    accounts: dict[tuple[object, ...], list[Charged]] = {}
    for row in rows:
        charged = Charged(*row)
        key = (*row[:4], charged.currency)
        accounts.setdefault(key, []).append(charged)
    return tuple(Account(tuple(charged)) for charged in accounts.values())


def _summed(database: str) -> str:
    return " union all ".join(
        f"""
        select
            horizon, period, coalesce(commitment, '') as commitment, organization_id, currency,
            cost_center_id,
            max(organization_name) as organization_name,
            coalesce(max(cost_center_name), cost_center_id) as cost_center_name,
            sum(total_cost) as total_cost,
            sum(total_sales) as total_sales
        from ({source.format(database=database)}) as charges
        group by horizon, period, commitment, organization_id, currency, cost_center_id
        """
        for source in (BILLED, TO_COME)
    )


def organizations(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The ids of all organizations that are charged, before or after."""
    rows = connection.execute(
        """
        select organization_id from before.marts.chargeback
        union
        select organization_id from after.marts.chargeback
        order by organization_id
        """
    ).fetchall()
    return tuple(organization_id for (organization_id,) in rows)
