{#-
Fails with every pool whose shares of cost or of sales sum to more than one. With percentages they may
sum to less. With any other method they must sum to one, or to zero if no receiver has a basis.
-#}
{% test shares_sum_to_at_most_one(model, pool) %}

with

pools as (

    select
        {{ pool | join(', ') }},
        min(method) as method,
        sum(share) as share,
        sum(sales_share) as sales_share
    from {{ model }}
    group by {{ pool | join(', ') }}

),

validation_errors as (

    select * from pools
    where
        share > 1
        or sales_share > 1
        or (method <> 'percent' and (share not in (0, 1) or sales_share not in (0, 1)))

)

select * from validation_errors

{% endtest %}
