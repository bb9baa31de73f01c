{#-
Forecasts as amounts: known costs are exact, estimates are in whole millionths. Cost centers have
forecasts of sales, from sales alone. Earlier forecasts of a cost center have the actual in the same row.
-#}
with

series as (

    select * from {{ ref('int_forecast_series') }}

),

forecasts as (

    select * from {{ ref('int_forecasts') }}

),

actuals as (

    select
        organization_id,
        cost_center_id,
        currency,
        month,
        cost as actual_cost
    from series
    where level = 'cost_center' and is_latest and is_history

),

in_millionths as (

    select
        series_id,
        cast(month as date) as month,
        method,
        {{ whole_millionths('forecast') }} as forecast,
        {{ whole_millionths('lower_80') }} as lower_80,
        {{ whole_millionths('upper_80') }} as upper_80,
        {{ whole_millionths('lower_95') }} as lower_95,
        {{ whole_millionths('upper_95') }} as upper_95
    from forecasts

),

with_forecast as (

    select
        series.series_id,
        series.level,
        series.origin_month,
        series.is_latest,
        series.organization_id,
        series.business_unit,
        series.cost_center_id,
        series.currency,
        series.month,
        in_millionths.method,
        series.cost as expected_cost,
        series.sales as expected_sales,
        case
            when in_millionths.method = 'committed_spend' then series.cost
            else in_millionths.forecast
        end as forecast,
        in_millionths.forecast as middle,
        in_millionths.lower_80,
        in_millionths.upper_80,
        in_millionths.lower_95,
        in_millionths.upper_95,
        actuals.actual_cost
    from series
    inner join in_millionths
        on
            series.series_id = in_millionths.series_id
            and series.month = in_millionths.month
    left join actuals
        on
            series.level = 'cost_center'
            and series.organization_id = actuals.organization_id
            and series.cost_center_id = actuals.cost_center_id
            and series.currency = actuals.currency
            and series.month = actuals.month

),

final as (

    select
        with_forecast.series_id,
        with_forecast.level,
        with_forecast.origin_month,
        with_forecast.is_latest,
        with_forecast.organization_id,
        with_forecast.business_unit,
        with_forecast.cost_center_id,
        with_forecast.currency,
        with_forecast.month,
        with_forecast.method,
        with_forecast.expected_cost,
        with_forecast.expected_sales,
        with_forecast.forecast,
        with_forecast.actual_cost,
        least(with_forecast.lower_80, with_forecast.forecast) as lower_80,
        greatest(with_forecast.upper_80, with_forecast.forecast) as upper_80,
        least(with_forecast.lower_95, with_forecast.forecast) as lower_95,
        greatest(with_forecast.upper_95, with_forecast.forecast) as upper_95,
        cast(
            case
                when of_sales.method = 'committed_spend' then with_forecast.expected_sales
                else of_sales.forecast
            end as decimal(28, 10)
        ) as sales_forecast
    from with_forecast
    left join in_millionths as of_sales
        on
            concat('sales:', with_forecast.series_id) = of_sales.series_id
            and with_forecast.month = of_sales.month

)

select * from final
