"""Queries for the pickers: billing periods, organizations, cost centers, currencies, subscriptions.

Belongs here: the values a person can choose from. Does not: amounts.
"""

from dataclasses import replace
from typing import Literal

from app.queries.query import Query, Selection

ChargebackView = Literal["chargeback", "chargeback_as_corrected"]


def periods() -> Query:
    """Billing periods with their status, latest first."""
    return Query(
        """
        select billing_period, any_value(status) as status, max(closed_at) as closed_at
        from billing_periods
        group by billing_period
        order by billing_period desc
        """
    )


def organizations() -> Query:
    """Organizations by name; the name is the latest one billed."""
    return Query(
        """
        select
            organization_id,
            coalesce(arg_max(organization_name, billing_period), organization_id)
                as organization_name
        from chargeback
        group by organization_id
        order by lower(arg_max(organization_name, billing_period)), organization_id
        """
    )


def cost_centers(selection: Selection, view: ChargebackView = "chargeback") -> Query:
    """Cost centers with charges in the selection, by name."""
    return Query(
        f"""
        select
            cost_center_id,
            coalesce(arg_max(cost_center_name, billing_period), cost_center_id)
                as cost_center_name
        from {view}
        where {selection.where()}
        group by cost_center_id
        order by lower(arg_max(cost_center_name, billing_period)), cost_center_id
        """,
        selection.parameters,
    )


def currencies(selection: Selection) -> Query:
    """Currencies of the selection, the most frequent first."""
    return Query(
        f"""
        select currency from chargeback
        where {selection.where()}
        group by currency
        order by count(*) desc, currency
        """,
        selection.parameters,
    )


def subscriptions(selection: Selection) -> Query:
    """Subscriptions that are billed or split, by organization and product.

    `unit` is what a split counts: licenses, seats, or parts of metered usage.

    The product is that of the latest bill; with several products, such as those of an account of
    another cloud, one of them with the number of the others. `is_split` is false for those without
    a split history.
    """
    within = replace(selection, period=None)
    return Query(
        f"""
        with bills as (
            select
                organization_id, subscription_id, billing_period,
                max(organization_name) as organization_name,
                list_sort(list(distinct product_name)) as products,
                bool_or(charge_kind = 'usage') as is_metered,
                min(quantity_unit) filter (charge_kind not in ('credit', 'tax')) as unit,
                max(quantity_unit) filter (charge_kind not in ('credit', 'tax')) as last_unit
            from billing_report
            where {within.where()} and subscription_id is not null
            group by organization_id, subscription_id, billing_period
        ),
        billed as (
            select
                organization_id, subscription_id,
                max_by(products, billing_period) as products,
                max_by(organization_name, billing_period || organization_name)
                    as organization_name,
                bool_or(is_metered) as is_metered,
                max_by(unit, billing_period) filter (unit = last_unit) as unit
            from bills
            group by organization_id, subscription_id
        ),
        split as (
            select distinct organization_id, subscription_id from cost_center_history
            where {within.where()}
        ),
        named as (
            select
                organization_id, subscription_id,
                case
                    when billed.products is null then '(not billed)'
                    when len(billed.products) > 1
                        then format('{{}} and {{}} more', products[1], len(products) - 1)
                    else coalesce(products[1], 'Unnamed product')
                end as product_name,
                coalesce(
                    max(billed.organization_name) over (partition by organization_id),
                    organization_id
                ) as organization_name,
                coalesce(billed.is_metered, false) as is_metered,
                if(is_metered, 'Parts', coalesce(billed.unit, 'Licenses')) as unit,
                split.subscription_id is not null as is_split
            from billed
            full outer join split using (organization_id, subscription_id)
        )
        select * from named
        order by lower(organization_name), lower(product_name), organization_id, subscription_id
        """,
        within.parameters,
    )


def cost_center_list(organization_id: str) -> Query:
    """The cost centers of an organization, listed, charged or in a split; Default last."""
    return Query(
        """
        with known as (
            select
                cost_center_id, cost_center_name, parent_cost_center_id, business_unit, location,
                charge_code, gl_account, is_default, is_shared, is_listed,
                successor_cost_center_id, valid_from, valid_to
            from dim_cost_center
            where organization_id = $organization_id
            union all by name
            select
                cost_center_id, max(cost_center_name) as cost_center_name,
                cost_center_id = 'Default' as is_default, false as is_shared, false as is_listed
            from cost_center_history
            where organization_id = $organization_id and cost_center_id not in (
                select cost_center_id from dim_cost_center
                where organization_id = $organization_id
            )
            group by cost_center_id
        )
        select * from known
        order by is_default, lower(cost_center_name), cost_center_id
        """,
        (("organization_id", organization_id),),
    )


def split_source(organization_id: str) -> Query:
    """One row: how an organization splits its licenses, `history` or `directory`."""
    return Query(
        "select split_source from dim_organization where organization_id = $organization_id",
        (("organization_id", organization_id),),
    )


def organizations_by_directory() -> Query:
    """Organizations that split by their user directory."""
    return Query(
        """
        select organization_id from dim_organization
        where split_source = 'directory'
        order by organization_id
        """
    )
