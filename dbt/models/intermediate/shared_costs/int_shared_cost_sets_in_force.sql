{#- For each source, the latest rule in force on the first day of the billing period's month. -#}
with

open_costs as (

    select * from {{ ref('int_open_costs') }}

),

rule_sets as (

    select * from {{ ref('int_shared_cost_rule_sets') }}

),

-- Seats, users and cost centers count as of the last bill.
bills as (

    select
        billing_period,
        organization_id,
        max(organization_name) as organization_name,
        cast(concat_ws('', billing_period, '-01') as date) as period_start,
        max(billing_date) as last_billing_date
    from open_costs
    group by billing_period, organization_id

),

in_force as (

    select
        bills.billing_period,
        bills.organization_name,
        bills.last_billing_date,
        rule_sets.*,
        row_number() over (
            partition by
                bills.billing_period,
                rule_sets.organization_id,
                rule_sets.source_kind,
                rule_sets.source_key
            order by rule_sets.valid_from desc nulls last
        ) as latest_first
    from bills
    inner join rule_sets
        on
            bills.organization_id = rule_sets.organization_id
            and bills.period_start >= rule_sets.valid_from
            and bills.period_start < rule_sets.valid_to

)

select * {{ without('latest_first') }}
from in_force
where latest_first = 1
