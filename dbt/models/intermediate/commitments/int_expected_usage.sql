{#- Metered usage in future months, at the average of the last three months. -#}
{{ config(materialized='view') }}
with

forecast_origins as (

    select * from {{ ref('int_forecast_origins') }}

),

borne_costs as (

    select * from {{ ref('int_borne_costs') }}

),

-- Credits are one-time, and added seats are part of future cycles.
recent_use as (

    select
        forecast_origins.organization_id,
        forecast_origins.origin_month,
        forecast_origins.horizon_month,
        borne_costs.cost_center_id,
        borne_costs.currency,
        sum(borne_costs.amortized_cost) as recent_cost,
        sum(borne_costs.amortized_sales) as recent_sales,
        max(
            least(
                {{ dbt.datediff(
                    'forecast_origins.first_month', 'forecast_origins.origin_month', 'month'
                ) }} + 1,
                3
            )
        ) as month_count
    from forecast_origins
    inner join borne_costs
        on
            forecast_origins.organization_id = borne_costs.organization_id
            and borne_costs.charge_kind in ('usage', 'tax')
            and borne_costs.billing_period <= forecast_origins.origin_period
            and cast(concat_ws('', borne_costs.billing_period, '-01') as date)
            > {{ dbt.dateadd('month', -3, 'forecast_origins.origin_month') }}
    group by
        forecast_origins.organization_id,
        forecast_origins.origin_month,
        forecast_origins.horizon_month,
        borne_costs.cost_center_id,
        borne_costs.currency

),

use_months as (

    select
        *,
        {{ each_month(dbt.dateadd('month', 1, 'origin_month'), 'horizon_month') }} as month
    from recent_use
    where horizon_month > origin_month

),

use_to_come as (

    select
        origin_month,
        organization_id,
        cost_center_id,
        currency,
        month,
        'usage' as commitment,
        cast({{ part_of_cost('recent_cost', '1', 'month_count') }} as decimal(28, 10))
            as expected_cost,
        cast({{ part_of_cost('recent_sales', '1', 'month_count') }} as decimal(28, 10))
            as expected_sales
    from use_months

)

select * from use_to_come
