{{ config(materialized='view') }}
with

budget_months as (

    select
        *,
        cast(budget_to_date as decimal(28, 2)) as budgeted,
        cast(actual_to_date as decimal(28, 2)) as charged,
        cast(year_budget as decimal(28, 2)) as year_budgeted,
        cast(year_expected as decimal(28, 2)) as year_charged
    from {{ ref('int_budget_months') }}
    where is_latest_month

),

planned_amounts as (

    select
        *,
        replace(plan_kind, '_', ' ') as plan
    from {{ ref('int_planned_amounts') }}

),

billed_currencies as (

    select
        organization_id,
        cost_center_id,
        max(currency) as currency,
        count(distinct currency) as currency_count
    from {{ ref('int_borne_costs') }}
    group by organization_id, cost_center_id

),

over_budget as (

    select
        'over_budget' as kind,
        organization_id,
        cast(null as string) as subscription_id,
        {{ year_month('month') }} as billing_period,
        currency,
        actual_to_date - budget_to_date as amount_at_stake,
        concat_ws(
            '',
            cost_center_name, ' has a budget of ', {{ plain_number('budgeted') }}, ' ', currency,
            ' through ', {{ year_month('month') }}, ' and was charged ',
            {{ plain_number('charged') }}
        ) as message
    from budget_months
    where status = 'over_budget'

),

over_budget_at_year_end as (

    select
        'over_budget_at_year_end' as kind,
        organization_id,
        cast(null as string) as subscription_id,
        {{ year_month('month') }} as billing_period,
        currency,
        year_expected - year_budget as amount_at_stake,
        concat_ws(
            '',
            cost_center_name,
            ' has a budget of ', {{ plain_number('year_budgeted') }}, ' ', currency,
            ' for the year and a forecast of ',
            {{ plain_number('year_charged') }}
        ) as message
    from budget_months
    where status = 'over_budget_at_year_end'

),

amounts_of_nobody as (

    select
        'budget_without_cost_center' as kind,
        organization_id,
        cast(null as string) as subscription_id,
        cast(null as string) as billing_period,
        currency,
        sum(amount) as amount_at_stake,
        concat_ws(
            '',
            min(file), ' has a ', plan, ' for "', cost_center_id,
            '", which is not a known cost center',
            case
                when organization_id is not null then concat_ws('', ' of ', organization_id)
                else ''
            end
        ) as message
    from planned_amounts
    where not is_known_cost_center
    group by plan, organization_id, cost_center_id, currency

),

amounts_in_other_currency as (

    select
        'budget_in_other_currency' as kind,
        planned_amounts.organization_id,
        cast(null as string) as subscription_id,
        cast(null as string) as billing_period,
        planned_amounts.currency,
        sum(planned_amounts.amount) as amount_at_stake,
        concat_ws(
            '',
            planned_amounts.cost_center_id, ' has a ', planned_amounts.plan, ' in ',
            planned_amounts.currency, ' and is charged in ', min(billed_currencies.currency)
        ) as message
    from planned_amounts
    inner join billed_currencies
        on
            planned_amounts.organization_id = billed_currencies.organization_id
            and planned_amounts.cost_center_id = billed_currencies.cost_center_id
            and billed_currencies.currency_count = 1
            and planned_amounts.currency <> billed_currencies.currency
    group by
        planned_amounts.plan,
        planned_amounts.organization_id,
        planned_amounts.cost_center_id,
        planned_amounts.currency

),

repeated_amounts as (

    select
        'budget_repeated' as kind,
        organization_id,
        cast(null as string) as subscription_id,
        {{ year_month('month') }} as billing_period,
        currency,
        abs(other_amounts) as amount_at_stake,
        concat_ws(
            '',
            file, ' has ', rows_in_file, ' ', plan, 's of "', cost_center_id, '" for ',
            {{ year_month('month') }}, '; the last one, ', {{ plain_number('amount') }}, ' ',
            currency, ', counts; remove the others'
        ) as message
    from planned_amounts
    where rows_in_file > 1

)

select * from over_budget
union all
select * from over_budget_at_year_end
union all
select * from amounts_of_nobody
union all
select * from amounts_in_other_currency
union all
select * from repeated_amounts
