with

budget_months as (

    select * from {{ ref('int_budget_months') }}

),

final as (

    select
        month,
        organization_id,
        organization_name,
        cost_center_id,
        cost_center_name,
        currency,
        amount_basis,
        budget,
        actual,
        cast(actual - budget as decimal(28, 10)) as variance,
        forecast,
        budget_to_date,
        actual_to_date,
        cast(actual_to_date - budget_to_date as decimal(28, 10)) as variance_to_date,
        year_budget,
        year_expected,
        cast(year_expected - year_budget as decimal(28, 10)) as year_variance,
        status,
        is_latest_month,
        fiscal_year,
        amortized,
        amortized_to_date,
        prepaid,
        manual_forecast
    from budget_months
    where budget is not null

)

select * from final
