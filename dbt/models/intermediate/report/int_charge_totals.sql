{#-
Charged quantity and amount of each billing period, by what chargeback_changes compares. A part of a
shared cost is a charge of its own group.
-#}
{{ config(meta={
    'partition_column': 'billing_period',
    'partitioned_by': {'billing_report': 'billing_period', 'chargeback': 'billing_period'},
}) }}
{%- set keys = charge_total_keys() | join(', ') %}

with

billing_report as (

    select * from {{ ref('billing_report') }}

),

chargeback as (

    select * from {{ ref('chargeback') }}

),

charges as (

    select
        billing_period,
        organization_id,
        organization_name,
        cost_center_id,
        cost_center_name,
        currency,
        subscription_id,
        product_name,
        {{ charge_group() }} as charge_group,
        quantity,
        quantity_unit,
        charged_amount as amount,
        amount_basis
    from billing_report
    union all
    select
        billing_period,
        organization_id,
        organization_name,
        cost_center_id,
        cost_center_name,
        currency,
        null as subscription_id,
        product_name,
        'shared' as charge_group,
        0 as quantity,
        null as quantity_unit,
        case when amount_basis = 'sales' then shared_sales else shared_cost end as amount,
        amount_basis
    from chargeback
    where shared_cost <> 0 or shared_sales <> 0

),

final as (

    select
        billing_period,
        {{ keys }},
        {{ latest_name('organization_name') }} as organization_name,
        {{ latest_name('cost_center_name') }} as cost_center_name,
        max(amount_basis) as amount_basis,
        sum(quantity) as quantity,
        min(quantity_unit) as first_unit,
        max(quantity_unit) as last_unit,
        sum(amount) as amount
    from charges
    group by billing_period, {{ keys }}

)

select * from final
