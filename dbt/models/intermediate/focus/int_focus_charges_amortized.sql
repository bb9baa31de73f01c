{#-
Prepaid purchases by month of use, as charges without a bill. A month before the report of the
purchase is in that report, like amortized cost. Amounts are rounded cumulatively, so that the months
of a purchase sum to it exactly.
-#}
{%- set cost = exact_or_cost('billed_cost') -%}
{%- set list_cost = exact_or_cost('list_cost') -%}
{%- set contracted_cost = exact_or_cost('contracted_cost') -%}
{%- set days = dbt.datediff('charge_start_date', 'charge_end_date', 'day') ~ ' + 1' -%}
with

purchases as (

    select * from {{ ref('int_focus_charges') }}
    -- The days again, so that other rows are left out before they are joined and priced.
    where
        is_prepaid
        and {{ dbt.datediff('charge_start_date', 'charge_end_date', 'day') }} >= 31
        and (total_cost <> 0 or coalesce(list_cost, 0) <> 0 or coalesce(total_sales, 0) <> 0)

),

bills as (

    select
        currency,
        billing_period
    from {{ ref('int_focus_allocations') }}

),

postings as (

    select * from {{ ref('stg_ledger__postings') }}

),

last_periods as (

    select
        currency,
        max(billing_period) as last_period
    from bills
    group by currency

),

purchase_months as (

    select
        *,
        {{ each_month('charge_start_date', 'charge_end_date') }} as month
    from purchases

),

counted as (

    select
        *,
        greatest(billing_period, {{ year_month('month') }}) as report_period,
        {{ days_before_month('charge_start_date', 'month') }} as low_units,
        {{ days_through_month('charge_start_date', 'charge_end_date', 'month') }} as high_units,
        {{ days }} as total_units,
        {{ narrow_limit(days) }} as narrow_limit
    from purchase_months

),

spread as (

    select
        *,
        {{ exact_part_for_share(cost, measure(cost), 'counted') }} as month_cost,
        {{ exact_part_for_share(list_cost, measure(list_cost), 'counted') }} as month_list_cost,
        {{ exact_part_for_share(contracted_cost, measure(contracted_cost), 'counted') }}
            as month_contracted_cost,
        {{ part_for_share('total_sales', 'counted') }} as effective_sales
    from counted

),

final as (

    select
        spread.* {{ without(
            'report_period', 'month', 'low_units', 'high_units', 'total_units', 'narrow_limit',
            'month_cost', 'month_list_cost', 'month_contracted_cost', 'effective_sales',
            *focus_amortized_columns()
        ) }},
        spread.report_period as billing_period,
        spread.billing_period as original_billing_period,
        {{ month_of('spread.month') }} as period_start,
        {{ start_of_next_month('spread.month') }} as period_end,
        postings.closed_at,
        {{ surrogate_id(['spread.billing_period', 'spread.line_id', 'spread.month']) }} as line_id,
        spread.line_id as prepaid_line_id,
        cast(null as string) as corrects_line_id,
        cast(null as string) as refund_of_line_id,
        cast(null as string) as invoice_number,
        cast(null as string) as invoice_id,
        cast(null as string) as invoice_detail_id,
        greatest(spread.charge_start_date, spread.month) as charge_start_date,
        least(spread.charge_end_date, {{ dbt.last_day('spread.month', 'month') }})
            as charge_end_date,
        'Usage' as charge_category,
        cast(null as string) as charge_class,
        'Usage-Based' as charge_frequency,
        'usage' as charge_kind,
        {{ exact_quotient(
            'spread.month_list_cost', 'spread.total_cost', 'spread.pricing_quantity'
        ) }} as list_unit_price,
        {{ exact_quotient(
            'spread.month_contracted_cost', 'spread.total_cost', 'spread.pricing_quantity'
        ) }} as contracted_unit_price,
        cast(0 as decimal(28, 10)) as total_cost,
        cast(case when spread.total_sales is not null then 0 end as decimal(28, 10)) as total_sales,
        cast(case when spread.total_margin is not null then 0 end as decimal(28, 10))
            as total_margin,
        spread.effective_sales,
        cast(0 as decimal(28, 10)) as line_total_cost,
        cast(null as decimal(38, 18)) as line_billed_cost,
        cast(null as decimal(38, 18)) as billed_cost,
        spread.month_cost as effective_cost,
        spread.month_list_cost as list_cost,
        spread.month_contracted_cost as contracted_cost,
        false as is_prepaid,
        spread.report_period <= last_periods.last_period as is_reached
    from spread
    inner join last_periods on spread.currency = last_periods.currency
    left join postings on spread.report_period = postings.billing_period

)

select * from final
