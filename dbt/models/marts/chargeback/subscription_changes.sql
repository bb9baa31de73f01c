{%- set keys = ['organization_id', 'subscription_id', 'product_name', 'currency'] -%}
{%- set subscription = 'organization_id, subscription_id, product_name' -%}
with

billing_report as (

    select * from {{ ref('billing_report') }}

),

{{ period_pairs('billing_report') }},

charges as (

    select
        *,
        {{ charge_group() }} as charge_group,
        {{ cycle_length('charge_start_date', 'charge_end_date') }} as cycle_length
    from billing_report

),

-- From here, one row per billing period, subscription, product and currency.
billed as (

    select
        billing_period,
        {{ keys | join(', ') }},
        {{ latest_name('organization_name') }} as organization_name,
        max(amount_basis) as amount_basis,
        sum(case when charge_group = 'cycle' then quantity end) as quantity,
        min(case when charge_group = 'cycle' then quantity_unit end) as first_unit,
        max(case when charge_group = 'cycle' then quantity_unit end) as last_unit,
        sum(case when charge_group = 'cycle' then charged_amount end) as amount,
        count(distinct case when charge_group = 'cycle' then charge_start_date end)
            as cycle_count,
        min(case when charge_group = 'cycle' then cycle_length end) as shortest_cycle,
        max(case when charge_group = 'cycle' then cycle_length end) as longest_cycle,
        max(charge_end_date) as paid_through_date,
        max(case when lower(charge_type) like '%cancel%' then 1 else 0 end) as is_canceled
    from charges
    where charge_group in ('cycle', 'prorated')
    group by billing_period, {{ keys | join(', ') }}

),

with_history as (

    select
        *,
        min(billing_period) over history as first_billing_period,
        max(cycle_count) over history > 0 as has_cycles
    from billed
    window history as (partition by {{ subscription }})

),

-- From here, one row per pair of periods, subscription, product and currency.
paired as (

    select
        sides.billing_period,
        sides.previous_billing_period,
        sides.last_billing_date,
        {{ keys | join(', ') }},
        max_by(organization_name, side_period) as organization_name,
        min(amount_basis) as amount_basis,
        min(first_billing_period) as first_billing_period,
        case when min(first_unit) = max(last_unit) then min(first_unit) end as quantity_unit,
        {{ quantity_of_side('previous') }} as previous_quantity,
        {{ quantity_of_side('now') }} as quantity,
        {{ sum_of_side('previous', 'amount') }} as previous_amount,
        {{ sum_of_side('now', 'amount') }} as amount,
        -- A subscription that never has a cycle is billed once: any charge counts as one.
        sum(case when side = 'previous' and (cycle_count > 0 or not has_cycles) then 1 else 0 end)
            as previous_count,
        sum(case when side = 'now' and (cycle_count > 0 or not has_cycles) then 1 else 0 end)
            as now_count,
        count(distinct cycle_count) = 1
        and coalesce(min(shortest_cycle) = max(shortest_cycle), true)
        and coalesce(min(longest_cycle) = max(longest_cycle), true) as has_equal_cycles,
        max(is_canceled) = 1 as is_canceled,
        max(paid_through_date) as paid_through_date
    from with_history
    inner join sides on with_history.billing_period = sides.side_period
    group by
        sides.billing_period,
        sides.previous_billing_period,
        sides.last_billing_date,
        {{ keys | join(', ') }}

),

with_currencies as (

    select
        *,
        sum(previous_count) over all_currencies > previous_count as was_in_other_currency,
        sum(now_count) over all_currencies > now_count as is_in_other_currency
    from paired
    window all_currencies as (partition by billing_period, {{ subscription }})

),

final as (

    select
        billing_period,
        previous_billing_period,
        organization_id,
        organization_name,
        subscription_id,
        product_name,
        currency,
        case
            when previous_count > 0 and now_count > 0 and has_equal_cycles then 'continued'
            when previous_count > 0 and now_count > 0 then 'other_cycles'
            when previous_count = 0 and now_count = 0 then 'continued'
            when previous_count = 0 and was_in_other_currency then 'other_currency'
            when now_count = 0 and is_in_other_currency then 'other_currency'
            when previous_count = 0 and first_billing_period = billing_period then 'new'
            when
                now_count = 0
                and (is_canceled or coalesce(paid_through_date <= last_billing_date, true))
                then 'ended'
            else 'other_cycles'
        end as status,
        previous_quantity,
        quantity,
        previous_amount,
        amount,
        cast({{ amount_per_unit('previous_amount', 'previous_quantity') }} as decimal(28, 10))
            as previous_unit_amount,
        cast({{ amount_per_unit('amount', 'quantity') }} as decimal(28, 10)) as unit_amount,
        amount_basis,
        quantity_unit,
        {{ period_start('billing_period') }} as billing_period_start
    from with_currencies

)

select * from final
