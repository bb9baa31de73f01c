{#-
The forecast series, with a row for each month from the first month to the horizon, without gaps:
actual cost up to the forecast origin, known cost after it. Cost centers add up to business units,
organizations and the total of a currency. Only cost centers have forecasts from earlier origins.
-#}
with

known_costs as (

    select * from {{ ref('int_known_costs') }}

),

forecast_origins as (

    select * from {{ ref('int_forecast_origins') }}

),

cost_centers as (

    select * from {{ ref('int_cost_center_units') }}

),

-- The history of the total ends with the first outstanding bill of an organization.
latest as (

    select
        min(origin_month) as total_origin_month,
        max(horizon_month) as horizon_month
    from forecast_origins
    where is_latest

),

placed as (

    select
        known_costs.origin_month,
        forecast_origins.is_latest,
        forecast_origins.horizon_month,
        latest.total_origin_month,
        known_costs.organization_id,
        cost_centers.business_unit,
        known_costs.cost_center_id,
        known_costs.currency,
        known_costs.month,
        known_costs.cost,
        known_costs.sales,
        known_costs.recurring_cost,
        known_costs.usage_cost,
        known_costs.committed_cost,
        known_costs.renewal_cost,
        known_costs.renewal_variance,
        known_costs.committed_sales
    from known_costs
    cross join latest
    inner join forecast_origins
        on
            known_costs.organization_id = forecast_origins.organization_id
            and known_costs.origin_month = forecast_origins.origin_month
    inner join cost_centers
        on
            known_costs.organization_id = cost_centers.organization_id
            and known_costs.cost_center_id = cost_centers.cost_center_id

),

leveled as (

    select
        case
            when grouping(organization_id) = 1 then 'total'
            when grouping(business_unit) = 1 then 'organization'
            when grouping(cost_center_id) = 1 then 'business_unit'
            else 'cost_center'
        end as level,
        coalesce(origin_month, total_origin_month) as origin_month,
        is_latest,
        organization_id,
        business_unit,
        cost_center_id,
        currency,
        month,
        max(horizon_month) as horizon_month,
        cast(sum(cost) as decimal(28, 10)) as cost,
        cast(sum(sales) as decimal(28, 10)) as sales,
        cast(sum(recurring_cost) as decimal(28, 10)) as recurring_cost,
        cast(sum(usage_cost) as decimal(28, 10)) as usage_cost,
        cast(sum(committed_cost) as decimal(28, 10)) as committed_cost,
        cast(sum(renewal_cost) as decimal(28, 10)) as renewal_cost,
        cast(sum(renewal_variance) as decimal(38, 4)) as renewal_variance,
        cast(sum(committed_sales) as decimal(28, 10)) as committed_sales
    from placed
    group by grouping sets (
        (currency, month, is_latest, total_origin_month),
        (currency, month, is_latest, origin_month, organization_id),
        (currency, month, is_latest, origin_month, organization_id, business_unit),
        (currency, month, is_latest, origin_month, organization_id, business_unit, cost_center_id)
    )

),

with_series as (

    select
        *,
        {{ surrogate_id([
            'level', 'origin_month', 'organization_id', 'business_unit', 'cost_center_id',
            'currency',
        ]) }} as series_id
    from leveled
    where level = 'cost_center' or is_latest

),

series as (

    select
        series_id,
        level,
        origin_month,
        is_latest,
        organization_id,
        business_unit,
        cost_center_id,
        currency,
        min(month) as first_month,
        max(horizon_month) as horizon_month
    from with_series
    group by
        series_id,
        level,
        origin_month,
        is_latest,
        organization_id,
        business_unit,
        cost_center_id,
        currency

),

-- A month without cost is zero, not a gap.
series_months as (

    select
        *,
        {{ each_month('first_month', 'horizon_month') }} as month
    from series

),

final as (

    select
        series_months.series_id,
        series_months.level,
        series_months.origin_month,
        series_months.is_latest,
        series_months.organization_id,
        series_months.business_unit,
        series_months.cost_center_id,
        series_months.currency,
        series_months.month,
        series_months.month <= series_months.origin_month as is_history,
        coalesce(with_series.cost, 0) as cost,
        with_series.sales,
        coalesce(with_series.recurring_cost, 0) as recurring_cost,
        coalesce(with_series.usage_cost, 0) as usage_cost,
        coalesce(with_series.committed_cost, 0) as committed_cost,
        coalesce(with_series.renewal_cost, 0) as renewal_cost,
        coalesce(with_series.renewal_variance, 0) as renewal_variance,
        coalesce(with_series.committed_sales, 0) as committed_sales
    from series_months
    left join with_series
        on
            series_months.series_id = with_series.series_id
            and series_months.month = with_series.month

)

select * from final
