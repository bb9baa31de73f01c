{#- Fails with every group of rows whose debits and credits differ. -#}
{% test debits_equal_credits(model, columns) %}

with

balances as (

    select
        {{ columns | join(', ') }},
        sum(debit) as debits,
        sum(credit) as credits
    from {{ model }}
    group by {{ columns | join(', ') }}

),

validation_errors as (

    select * from balances
    where debits <> credits

)

select * from validation_errors

{% endtest %}
