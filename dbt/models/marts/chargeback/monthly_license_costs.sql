with

amortized_costs as (

    select * from {{ ref('int_amortized_costs') }}

),

names as (

    select * from {{ ref('int_cost_center_units') }}

),

by_month as (

    select
        organization_id,
        cost_center_id,
        product_name,
        currency,
        month,
        sum(amortized_cost) as amortized_cost,
        sum(amortized_sales) as amortized_sales
    from amortized_costs
    group by organization_id, cost_center_id, product_name, currency, month

),

spans as (

    select
        organization_id,
        cost_center_id,
        product_name,
        currency,
        min(month) as first_month,
        max(month) as last_month
    from by_month
    group by organization_id, cost_center_id, product_name, currency

),

-- Every month from the first to the last, including those without a charge.
all_months as (

    select
        organization_id,
        cost_center_id,
        product_name,
        currency,
        {{ each_month('first_month', 'last_month') }} as month
    from spans

),

final as (

    select
        all_months.month,
        all_months.organization_id,
        names.organization_name,
        all_months.cost_center_id,
        names.cost_center_name,
        all_months.product_name,
        all_months.currency,
        cast(coalesce(by_month.amortized_cost, 0) as decimal(28, 10)) as amortized_cost,
        cast(by_month.amortized_sales as decimal(28, 10)) as amortized_sales
    from all_months
    inner join names
        on
            all_months.organization_id = names.organization_id
            and all_months.cost_center_id = names.cost_center_id
    left join by_month
        on
            all_months.organization_id = by_month.organization_id
            and all_months.cost_center_id = by_month.cost_center_id
            and all_months.product_name is not distinct from by_month.product_name
            and all_months.currency = by_month.currency
            and all_months.month = by_month.month

)

select * from final
