{#-
Forecasts of business units, organizations and the total of a currency are the sums over their cost
centers, so that all levels add up. Their bands are as wide as those of a forecast of their own
history, because errors of cost centers partly offset each other and bands do not add up. None is below the
committed cost.
-#}
with

forecast_amounts as (

    select * from {{ ref('int_forecast_amounts') }}
    where is_latest

),

cost_center_units as (

    select * from {{ ref('int_cost_center_units') }}

),

organizations as (

    select
        organization_id,
        max(organization_name) as organization_name
    from cost_center_units
    group by organization_id

),

cost_centers as (

    select * from forecast_amounts
    where level = 'cost_center'

),

summed as (

    select
        case
            when grouping(organization_id) = 1 then 'total'
            when grouping(business_unit) = 1 then 'organization'
            when grouping(cost_center_id) = 1 then 'business_unit'
            else 'cost_center'
        end as level,
        organization_id,
        business_unit,
        cost_center_id,
        currency,
        month,
        case when min(method) = max(method) then min(method) else 'several' end as method,
        sum(forecast) as forecast,
        sum(committed_cost) as committed_cost,
        sum(sales_forecast) as sales_forecast
    from cost_centers
    group by grouping sets (
        (currency, month),
        (currency, month, organization_id),
        (currency, month, organization_id, business_unit),
        (currency, month, organization_id, business_unit, cost_center_id)
    )

),

final as (

    select
        summed.level,
        summed.month,
        summed.organization_id,
        organizations.organization_name,
        summed.business_unit,
        summed.cost_center_id,
        cost_center_units.cost_center_name,
        summed.currency,
        summed.method,
        cast(summed.forecast as decimal(28, 10)) as forecast,
        {% for bound in ['lower_80', 'upper_80', 'lower_95', 'upper_95'] -%}
            cast(
                greatest(
                    summed.forecast
                    + forecast_amounts.{{ bound }} - forecast_amounts.forecast,
                    least(summed.committed_cost, summed.forecast)
                ) as decimal(28, 10)
            ) as {{ bound }},
        {% endfor -%}
        cast(summed.sales_forecast as decimal(28, 10)) as sales_forecast
    from summed
    inner join forecast_amounts
        on
            summed.level = forecast_amounts.level
            and summed.organization_id is not distinct from forecast_amounts.organization_id
            and summed.business_unit is not distinct from forecast_amounts.business_unit
            and summed.cost_center_id is not distinct from forecast_amounts.cost_center_id
            and summed.currency = forecast_amounts.currency
            and summed.month = forecast_amounts.month
    left join organizations on summed.organization_id = organizations.organization_id
    left join cost_center_units
        on
            summed.organization_id = cost_center_units.organization_id
            and summed.cost_center_id = cost_center_units.cost_center_id

)

select * from final
