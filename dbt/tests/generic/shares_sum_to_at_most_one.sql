{#-
Fails with every pool whose shares sum to more than one. With percentages they may sum to less; with
any other method they must sum to one.
-#}
{% test shares_sum_to_at_most_one(model, pool) %}

with

pools as (

    select
        {{ pool | join(', ') }},
        min(method) as method,
        sum(share) as share
    from {{ model }}
    group by {{ pool | join(', ') }}

),

validation_errors as (

    select * from pools
    where share > 1 or (method <> 'percent' and share <> 1)

)

select * from validation_errors

{% endtest %}
