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
        manual_forecast,
        forecast,
        budget,
        actual,
        cast(actual - manual_forecast as decimal(28, 10)) as variance,
        fiscal_year
    from budget_months
    where manual_forecast is not null

)

select * from final
