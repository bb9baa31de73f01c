{{ config(materialized='view') }}
with

assigned as (

    select * from {{ ref('int_directory_assigned') }}

),

license_pool as (

    select * from {{ ref('int_license_pool') }}

),

counts as (

    select
        organization_id,
        subscription_id,
        counted_on,
        max(bought_quantity) as bought_quantity,
        sum(assigned_quantity + leaver_quantity) as assigned_quantity
    from assigned
    group by organization_id, subscription_id, counted_on, count_reason

),

latest_counts as (

    select
        *,
        row_number() over (
            partition by subscription_id
            order by counted_on desc nulls last
        ) as latest_first
    from counts

),

over_assigned as (

    select
        'over_assigned' as kind,
        organization_id,
        subscription_id,
        cast(null as string) as billing_period,
        cast(null as string) as currency,
        cast(null as decimal(28, 10)) as amount_at_stake,
        concat_ws(
            '',
            'on ', cast(counted_on as string), ' ',
            {{ plain_number('assigned_quantity') }}, ' licenses are assigned but only ',
            {{ plain_number('bought_quantity') }}, ' are bought'
        ) as message
    from latest_counts
    where latest_first = 1 and assigned_quantity > bought_quantity

),

pending as (

    select
        'pending_licenses' as kind,
        organization_id,
        subscription_id,
        cast(null as string) as billing_period,
        currency,
        sum(pending_cost) as amount_at_stake,
        concat_ws(
            '',
            {{ plain_number('sum(pending_quantity)') }}, ' of ',
            {{ plain_number('max(bought_quantity)') }}, ' licenses of ', product_name,
            ' are pending',
            case
                when sum(leaver_quantity) > 0
                    then
                        concat_ws(
                            '',
                            ', ', {{ plain_number('sum(leaver_quantity)') }},
                            ' of them assigned to users who have left'
                        )
                else ''
            end
        ) as message
    from license_pool
    where directory_date is not null
    group by organization_id, subscription_id, currency, product_name
    having sum(pending_quantity) > 0

),

exceeding as (

    select
        'allotment_exceeded' as kind,
        organization_id,
        subscription_id,
        cast(null as string) as billing_period,
        currency,
        exceeding_cost as amount_at_stake,
        concat_ws(
            '',
            cost_center_name, ' uses ', {{ plain_number('assigned_quantity') }},
            ' licenses of ', product_name, ' and is allocated ',
            {{ plain_number('allotted_quantity') }}
        ) as message
    from license_pool
    where exceeding_quantity > 0

)

select * from over_assigned
union all
select * from pending
union all
select * from exceeding
