{#-
Fails if the rounded amounts of a bill do not sum to its rounded total, or if a statement differs
from its exact amount by a whole unit of the currency or more.
-#}
{% test rounded_parts_add_up(model) %}

with

statements as (

    select
        billing_period,
        organization_id,
        currency,
        cost_center_id,
        currency_decimals,
        sum(amount) as amount,
        sum(billed_amount) as billed_amount
    from {{ model }}
    group by billing_period, organization_id, currency, cost_center_id, currency_decimals

),

bills as (

    select
        billing_period,
        organization_id,
        currency,
        currency_decimals,
        sum(amount) as amount,
        sum(billed_amount) as billed_amount
    from statements
    group by billing_period, organization_id, currency, currency_decimals

),

validation_errors as (

    select
        billing_period,
        organization_id,
        currency,
        cost_center_id,
        amount,
        billed_amount
    from statements
    where abs(amount - billed_amount) >= {{ last_decimal('currency_decimals') }}
    union all
    select
        billing_period,
        organization_id,
        currency,
        '(the bill)' as cost_center_id,
        amount,
        billed_amount
    from bills
    where abs(amount - billed_amount) * 2 > {{ last_decimal('currency_decimals') }}

)

select * from validation_errors

{% endtest %}
