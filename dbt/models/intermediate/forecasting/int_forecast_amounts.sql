{#-
Forecasts as amounts: the sum of known charges, which are exact, and of estimates in whole
millionths. No band is below the committed cost. Cost centers have forecasts of sales, from sales
alone. Earlier forecasts of a cost center have the actual in the same row.
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
        {{ whole_millionths('seat_change_cost') }} as seat_change_cost,
        {{ whole_millionths('usage_cost') }} as usage_cost,
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
        series.committed_cost,
        series.renewal_cost,
        in_millionths.seat_change_cost,
        -- Usage that was not estimated is exact.
        case
            when {{ whole_millionths('series.usage_cost') }} = in_millionths.usage_cost
                then series.usage_cost
            else in_millionths.usage_cost
        end as usage_cost,
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
            series.organization_id = actuals.organization_id
            -- A condition on one side alone would compare all rows with each other.
            and case when series.level = 'cost_center' then series.cost_center_id end
            = actuals.cost_center_id
            and series.currency = actuals.currency
            and series.month = actuals.month

),

summed as (

    select
        *,
        cast(
            committed_cost + renewal_cost + seat_change_cost + usage_cost as decimal(28, 10)
        ) as forecast
    from with_forecast

),

final as (

    select
        summed.* {{ without('lower_80', 'upper_80', 'lower_95', 'upper_95') }},
        {% for band in ['80', '95'] -%}
            least(greatest(summed.lower_{{ band }}, summed.committed_cost), summed.forecast)
                as lower_{{ band }},
            greatest(summed.upper_{{ band }}, summed.forecast) as upper_{{ band }},
        {% endfor -%}
        cast(
            case
                when of_sales.method = 'committed_spend' then summed.expected_sales
                else coalesce(summed.expected_sales, 0) + of_sales.seat_change_cost
            end as decimal(28, 10)
        ) as sales_forecast
    from summed
    left join in_millionths as of_sales
        on
            concat_ws('', 'sales:', summed.series_id) = of_sales.series_id
            and summed.month = of_sales.month

)

select * from final
