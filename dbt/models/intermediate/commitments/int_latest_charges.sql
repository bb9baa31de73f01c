{#-
The last charge of each subscription for a cycle, or for a part of one, as known at each forecast
origin.
-#}
{{ config(materialized='view') }}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where {{ belongs_to_cycles() }}

),

forecast_origins as (

    select * from {{ ref('int_forecast_origins') }}

),

terms as (

    select * from {{ ref('stg_new_commerce__terms') }}

),

cycles as (

    select
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.currency,
        billing_lines.billing_period,
        billing_lines.charge_kind,
        billing_lines.charge_start_date,
        billing_lines.charge_end_date,
        max(billing_lines.organization_name) as organization_name,
        max(billing_lines.product_name) as product_name,
        max(billing_lines.product_id) as product_id,
        max(billing_lines.sku_id) as sku_id,
        max(terms.term_end_date) as term_end_date,
        max(terms.term_and_billing_cycle) as term_and_billing_cycle,
        -- A legacy bill prints the prorated price for a part of a cycle.
        max(
            case
                when billing_lines.source_format <> 'legacy_license_based'
                    then billing_lines.unit_price
            end
        ) as unit_price,
        sum(billing_lines.quantity) as quantity,
        {{ unit_of_sum('billing_lines.quantity_unit') }} as quantity_unit,
        sum(billing_lines.total_cost) as total_cost,
        -- Sales on only some lines are not the price of all licenses.
        case
            when count(*) = count(billing_lines.total_sales)
                then sum(billing_lines.total_sales)
        end as total_sales
    from billing_lines
    left join terms
        on
            billing_lines.file = terms.file
            and billing_lines.row_number = terms.row_number
    where
        billing_lines.quantity > 0
        -- A conversion in a running cycle has charged only the rest of that cycle so far.
        and (
            billing_lines.charge_kind = 'cycle'
            or (billing_lines.charge_kind = 'extra' and billing_lines.unit_price > 0)
        )
    group by
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.currency,
        billing_lines.billing_period,
        billing_lines.charge_kind,
        billing_lines.charge_start_date,
        billing_lines.charge_end_date

),

-- From here, one row per subscription and forecast origin.
known_cycles as (

    select
        cycles.*,
        forecast_origins.origin_month,
        forecast_origins.origin_period,
        forecast_origins.horizon_month,
        forecast_origins.is_latest,
        row_number() over (
            partition by cycles.subscription_id, forecast_origins.origin_month
            order by
                cycles.charge_end_date desc nulls last,
                cycles.charge_kind nulls last,
                cycles.charge_start_date desc nulls last,
                cycles.currency nulls last,
                cycles.billing_period desc nulls last
        ) as latest_first,
        {{ dbt.datediff('cycles.charge_start_date', 'cycles.charge_end_date', 'day') }} + 1
            as charge_days
    from cycles
    inner join forecast_origins
        on
            cycles.organization_id = forecast_origins.organization_id
            and cycles.billing_period <= forecast_origins.origin_period

),

last_cycles as (

    select
        *,
        cast({{ dbt.dateadd('day', 1, 'charge_end_date') }} as date) as next_start_date,
        charge_kind = 'extra' or charge_days < 28 as is_part
    from known_cycles
    where latest_first = 1

)

select * from last_cycles
