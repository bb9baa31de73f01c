{#-
Known future cost per cost center and month, for each forecast origin: amounts already billed for
future months, future cycles, and metered usage at the average of the last three months. Costs are
recognized like amortized costs: in the month that they apply to, but never before they are billed.
Renewals count by their likelihood. Their variance is that of charges that are made or lost.
-#}
with

forecast_origins as (

    select * from {{ ref('int_forecast_origins') }}

),

borne_costs as (

    select * from {{ ref('int_borne_costs') }}

),

committed_spend as (

    select * from {{ ref('int_committed_spend') }}

),

expected_usage as (

    select * from {{ ref('int_expected_usage') }}

),

billed_ahead as (

    select
        forecast_origins.origin_month,
        borne_costs.organization_id,
        borne_costs.cost_center_id,
        borne_costs.currency,
        cast(concat_ws('', borne_costs.billing_period, '-01') as date) as month,
        'billed' as commitment,
        borne_costs.amortized_cost as expected_cost,
        borne_costs.amortized_sales as expected_sales,
        0 as variance
    from borne_costs
    inner join forecast_origins
        on
            borne_costs.organization_id = forecast_origins.organization_id
            and borne_costs.billed_period <= forecast_origins.origin_period
            and borne_costs.billing_period > forecast_origins.origin_period
            and cast(concat_ws('', borne_costs.billing_period, '-01') as date)
            <= forecast_origins.horizon_month

),

-- Charges with the same keys and period are spread together.
charges as (

    select
        origin_month,
        organization_id,
        cost_center_id,
        currency,
        bill_month,
        charge_start_date,
        charge_end_date,
        commitment,
        likelihood,
        uncertain_likelihood,
        sum(total_cost) as total_cost,
        sum(total_sales) as total_sales,
        sum({{ squared('total_cost') }}) as squared_cost
    from committed_spend
    group by
        origin_month,
        organization_id,
        cost_center_id,
        currency,
        bill_month,
        charge_start_date,
        charge_end_date,
        commitment,
        likelihood,
        uncertain_likelihood

),

likely as (

    select
        * {{ without('total_cost', 'total_sales') }},
        cast({{ part_of_cost('total_cost', 'likelihood', '1') }} as decimal(28, 10))
            as total_cost,
        cast({{ part_of_cost('total_sales', 'likelihood', '1') }} as decimal(28, 10))
            as total_sales
    from charges

),

charge_months as (

    select
        *,
        {{ each_month('charge_start_date', 'charge_end_date') }} as charge_month
    from likely

),

counted as (

    select
        *,
        {{ days_before_month('charge_start_date', 'charge_month') }} as low_days,
        {{ days_through_month('charge_start_date', 'charge_end_date', 'charge_month') }}
            as high_days,
        {{ dbt.datediff('charge_start_date', 'charge_end_date', 'day') }} + 1 as total_days
    from charge_months

),

cycles_to_come as (

    select
        counted.origin_month,
        counted.organization_id,
        counted.cost_center_id,
        counted.currency,
        greatest(counted.bill_month, counted.charge_month) as month,
        counted.commitment,
        {{ prorated_part(
            'counted.total_cost', 'low_days', 'high_days', 'total_days',
            narrow_limit('total_days')
        ) }} as expected_cost,
        {{ prorated_part(
            'counted.total_sales', 'low_days', 'high_days', 'total_days',
            narrow_limit('total_days')
        ) }} as expected_sales,
        {{ weighted(
            'counted.squared_cost',
            weight_of_variance(
                '(counted.high_days - counted.low_days)', 'counted.total_days',
                'counted.uncertain_likelihood'
            )
        ) }} as variance
    from counted
    inner join forecast_origins
        on
            counted.organization_id = forecast_origins.organization_id
            and counted.origin_month = forecast_origins.origin_month
            and greatest(counted.bill_month, counted.charge_month)
            <= forecast_origins.horizon_month

),

unioned as (

    select * from billed_ahead
    union all
    select * from cycles_to_come
    union all
    select
        *,
        0 as variance
    from expected_usage

),

summed as (

    select
        origin_month,
        organization_id,
        cost_center_id,
        currency,
        month,
        commitment,
        cast(sum(expected_cost) as decimal(28, 10)) as expected_cost,
        cast(sum(expected_sales) as decimal(28, 10)) as expected_sales,
        cast(sum(variance) as decimal(38, 4)) as variance
    from unioned
    group by origin_month, organization_id, cost_center_id, currency, month, commitment

)

select * from summed
