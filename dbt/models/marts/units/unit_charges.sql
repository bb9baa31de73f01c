{#- Charges and budgets of units. Rows without a parent unit sum to chargeback, for each kind. -#}
with

chargeback as (

    select * from {{ ref('chargeback') }}

),

budgets as (

    select * from {{ ref('budget_variance') }}

),

statement_lines as (

    select * from {{ ref('statement_lines') }}

),

unit_members as (

    select * from {{ ref('unit_members') }}

),

bills as (

    select
        billing_period,
        billing_period_start,
        organization_id,
        currency,
        {{ latest_name('organization_name') }} as organization_name,
        max(amount_basis) as amount_basis
    from chargeback
    group by billing_period, billing_period_start, organization_id, currency

),

-- A customer's rows do not depend on cost.
charged as (

    select
        billing_period,
        organization_id,
        currency,
        cost_center_id,
        sum(charged_amount) as charged_amount
    from chargeback
    where
        quantity <> 0
        or quantity is null
        or (amount_basis = 'cost' and (total_cost <> 0 or shared_cost <> 0))
        or (amount_basis = 'sales' and (total_sales is not null or shared_sales <> 0))
    group by billing_period, organization_id, currency, cost_center_id

),

billed as (

    select
        billing_period,
        organization_id,
        currency,
        cost_center_id,
        sum(billed_amount) as billed_amount
    from statement_lines
    group by billing_period, organization_id, currency, cost_center_id

),

-- Only a budget of the amounts that are charged can be compared with them.
budgeted as (

    select
        bills.billing_period,
        budgets.organization_id,
        budgets.currency,
        budgets.cost_center_id,
        budgets.budget
    from budgets
    inner join bills
        on
            budgets.month = bills.billing_period_start
            and budgets.organization_id = bills.organization_id
            and budgets.currency = bills.currency
            and budgets.amount_basis = bills.amount_basis

),

amounts as (

    select
        coalesce(charged.billing_period, budgeted.billing_period) as billing_period,
        coalesce(charged.organization_id, budgeted.organization_id) as organization_id,
        coalesce(charged.currency, budgeted.currency) as currency,
        coalesce(charged.cost_center_id, budgeted.cost_center_id) as cost_center_id,
        coalesce(charged.charged_amount, 0) as charged_amount,
        budgeted.budget
    from charged
    full outer join budgeted
        on
            charged.billing_period = budgeted.billing_period
            and charged.organization_id = budgeted.organization_id
            and charged.currency = budgeted.currency
            and charged.cost_center_id = budgeted.cost_center_id

),

summed as (

    select
        amounts.billing_period,
        amounts.organization_id,
        amounts.currency,
        unit_members.unit_kind,
        unit_members.unit_id,
        max(unit_members.unit_name) as unit_name,
        max(unit_members.parent_unit_id) as parent_unit_id,
        count(*) as cost_center_count,
        sum(amounts.charged_amount) as charged_amount,
        sum(case when unit_members.distance = 0 then amounts.charged_amount else 0 end)
            as own_charged_amount,
        sum(coalesce(billed.billed_amount, 0)) as billed_amount,
        sum(amounts.budget) as budget,
        sum(case when amounts.budget is not null then amounts.charged_amount end)
            as charged_against_budget
    from amounts
    inner join unit_members
        on
            amounts.organization_id = unit_members.organization_id
            and amounts.cost_center_id = unit_members.cost_center_id
    left join billed
        on
            amounts.billing_period = billed.billing_period
            and amounts.organization_id = billed.organization_id
            and amounts.currency = billed.currency
            and amounts.cost_center_id = billed.cost_center_id
    group by
        amounts.billing_period,
        amounts.organization_id,
        amounts.currency,
        unit_members.unit_kind,
        unit_members.unit_id

),

final as (

    select
        summed.billing_period,
        summed.organization_id,
        bills.organization_name,
        summed.currency,
        summed.unit_kind,
        summed.unit_id,
        summed.unit_name,
        summed.parent_unit_id,
        summed.cost_center_count,
        bills.amount_basis,
        cast(summed.charged_amount as decimal(28, 10)) as charged_amount,
        cast(summed.own_charged_amount as decimal(28, 10)) as own_charged_amount,
        cast(summed.billed_amount as decimal(28, 10)) as billed_amount,
        cast(summed.budget as decimal(28, 10)) as budget,
        cast(summed.charged_against_budget as decimal(28, 10)) as charged_against_budget,
        cast(summed.charged_against_budget - summed.budget as decimal(28, 10))
            as budget_variance,
        bills.billing_period_start
    from summed
    inner join bills
        on
            summed.billing_period = bills.billing_period
            and summed.organization_id = bills.organization_id
            and summed.currency = bills.currency

)

select * from final
