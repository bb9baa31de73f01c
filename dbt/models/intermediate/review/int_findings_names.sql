{#- Findings on names: lines without a subscription, and splits with an unlisted cost center. -#}
{{ config(materialized='view') }}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

snapshots as (

    select * from {{ ref('int_split_snapshots') }}

),

shares as (

    select * from {{ ref('int_split_shares') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

without_subscription as (

    select
        'no_subscription' as kind,
        organization_id,
        cast(null as string) as subscription_id,
        billing_period,
        currency,
        sum(abs(total_cost)) as amount_at_stake,
        concat_ws(
            '',
            count(*),
            ' charge(s) for licenses have no subscription and are in Default; the first: ',
            min(billing_line_details)
        ) as message
    from billing_lines
    where
        subscription_id is null
        and charge_source = 'license'
        and charge_kind in ('cycle', 'extra', 'refund')
    group by organization_id, billing_period, currency

),

-- An organization without a list of cost centers uses the names of its splits.
organizations_with_list as (

    select organization_id
    from cost_centers
    group by organization_id

),

unlisted as (

    select
        snapshots.organization_id,
        snapshots.subscription_id,
        shares.split_id,
        shares.cost_center_id,
        shares.cost_center_name,
        shares.low_units,
        shares.high_units,
        shares.total_units,
        shares.narrow_limit,
        snapshots.valid_from,
        snapshots.valid_to
    from snapshots
    inner join organizations_with_list
        on snapshots.organization_id = organizations_with_list.organization_id
    inner join shares on snapshots.snapshot_id = shares.split_id
    left join cost_centers
        on
            snapshots.organization_id = cost_centers.organization_id
            and shares.cost_center_id = cost_centers.cost_center_id
    left join default_cost_centers
        on
            snapshots.organization_id = default_cost_centers.organization_id
            and shares.cost_center_id = default_cost_centers.cost_center_id
    where
        cost_centers.cost_center_id is null
        and default_cost_centers.cost_center_id is null
        and shares.high_units > shares.low_units

),

costs as (

    select
        subscription_id,
        currency,
        billing_period,
        sum(abs(total_cost)) as total_cost
    from billing_lines
    where charge_kind in ('cycle', 'extra', 'refund')
    group by subscription_id, currency, billing_period

),

latest_costs as (

    select
        subscription_id,
        currency,
        max(billing_period) as billing_period,
        max_by(total_cost, billing_period) as total_cost
    from costs
    group by subscription_id, currency

),

unknown_cost_centers as (

    select
        'unknown_cost_center' as kind,
        unlisted.organization_id,
        unlisted.subscription_id,
        latest_costs.billing_period,
        latest_costs.currency,
        max(coalesce(
            {{ prorated_part(
                'latest_costs.total_cost',
                'unlisted.low_units', 'unlisted.high_units', 'unlisted.total_units',
                'unlisted.narrow_limit'
            ) }},
            0
        )) as amount_at_stake,
        concat_ws(
            '',
            'the split names the cost center "',
            coalesce(unlisted.cost_center_name, unlisted.cost_center_id),
            '", which is not in the list of cost centers; correct the name or add it to the list'
        ) as message
    from unlisted
    left join latest_costs on unlisted.subscription_id = latest_costs.subscription_id
    group by
        unlisted.organization_id,
        unlisted.subscription_id,
        latest_costs.billing_period,
        latest_costs.currency,
        coalesce(unlisted.cost_center_name, unlisted.cost_center_id)

)

select * from without_subscription
union all
select * from unknown_cost_centers
