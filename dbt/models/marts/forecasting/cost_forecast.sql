with

forecast_amounts as (

    select * from {{ ref('int_forecast_amounts') }}
    where level = 'cost_center' and is_latest

),

cost_center_units as (

    select * from {{ ref('int_cost_center_units') }}

),

final as (

    select
        forecast_amounts.month,
        forecast_amounts.organization_id,
        cost_center_units.organization_name,
        cost_center_units.business_unit,
        forecast_amounts.cost_center_id,
        cost_center_units.cost_center_name,
        forecast_amounts.currency,
        forecast_amounts.method,
        forecast_amounts.forecast,
        forecast_amounts.lower_80,
        forecast_amounts.upper_80,
        forecast_amounts.lower_95,
        forecast_amounts.upper_95,
        cast(forecast_amounts.committed_cost as decimal(28, 10)) as committed_cost,
        cast(forecast_amounts.renewal_cost as decimal(28, 10)) as renewal_cost,
        cast(forecast_amounts.usage_cost as decimal(28, 10)) as usage_cost,
        forecast_amounts.sales_forecast,
        cast(forecast_amounts.seat_change_cost as decimal(28, 10)) as seat_change_cost
    from forecast_amounts
    inner join cost_center_units
        on
            forecast_amounts.organization_id = cost_center_units.organization_id
            and forecast_amounts.cost_center_id = cost_center_units.cost_center_id

)

select * from final
