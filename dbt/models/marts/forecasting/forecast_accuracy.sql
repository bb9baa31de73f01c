with

forecast_amounts as (

    select * from {{ ref('int_forecast_amounts') }}
    where level = 'cost_center' and not is_latest

),

cost_center_units as (

    select * from {{ ref('int_cost_center_units') }}

),

final as (

    select
        forecast_amounts.month,
        forecast_amounts.origin_month as forecast_from_month,
        cast(
            {{ dbt.datediff('forecast_amounts.origin_month', 'forecast_amounts.month', 'month') }}
            as integer
        ) as months_ahead,
        forecast_amounts.organization_id,
        cost_center_units.organization_name,
        forecast_amounts.cost_center_id,
        cost_center_units.cost_center_name,
        forecast_amounts.currency,
        forecast_amounts.method,
        forecast_amounts.forecast,
        cast(coalesce(forecast_amounts.actual_cost, 0) as decimal(28, 10)) as actual_cost,
        cast(
            coalesce(forecast_amounts.actual_cost, 0) - forecast_amounts.forecast
            as decimal(28, 10)
        ) as forecast_error,
        coalesce(forecast_amounts.actual_cost, 0)
        between forecast_amounts.lower_80 and forecast_amounts.upper_80 as is_within_80,
        coalesce(forecast_amounts.actual_cost, 0)
        between forecast_amounts.lower_95 and forecast_amounts.upper_95 as is_within_95
    from forecast_amounts
    inner join cost_center_units
        on
            forecast_amounts.organization_id = cost_center_units.organization_id
            and forecast_amounts.cost_center_id = cost_center_units.cost_center_id

)

select * from final
