with

forecast_amounts as (

    select * from {{ ref('int_forecast_amounts') }}
    where level = 'cost_center' and is_latest

),

expected_spend as (

    select * from {{ ref('int_expected_spend') }}

),

cost_center_units as (

    select * from {{ ref('int_cost_center_units') }}

),

-- The known cost of the month, by certainty.
known_to_come as (

    select
        origin_month,
        organization_id,
        cost_center_id,
        currency,
        month,
        sum(case when commitment in ('billed', 'committed') then expected_cost else 0 end)
            as committed_cost,
        sum(case when commitment = 'renewal' then expected_cost else 0 end) as renewal_cost,
        sum(case when commitment = 'usage' then expected_cost else 0 end) as usage_cost
    from expected_spend
    group by origin_month, organization_id, cost_center_id, currency, month

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
        cast(coalesce(known_to_come.committed_cost, 0) as decimal(28, 10)) as committed_cost,
        cast(coalesce(known_to_come.renewal_cost, 0) as decimal(28, 10)) as renewal_cost,
        cast(coalesce(known_to_come.usage_cost, 0) as decimal(28, 10)) as usage_cost,
        forecast_amounts.sales_forecast
    from forecast_amounts
    inner join cost_center_units
        on
            forecast_amounts.organization_id = cost_center_units.organization_id
            and forecast_amounts.cost_center_id = cost_center_units.cost_center_id
    left join known_to_come
        on
            forecast_amounts.origin_month = known_to_come.origin_month
            and forecast_amounts.organization_id = known_to_come.organization_id
            and forecast_amounts.cost_center_id = known_to_come.cost_center_id
            and forecast_amounts.currency = known_to_come.currency
            and forecast_amounts.month = known_to_come.month

)

select * from final
