{#-
Fails with every pool of shared costs of which more than the whole is passed on, or whose shares sum
to 1 but whose parts do not sum to the whole. `pool` lists the columns that identify a pool.
-#}
{% test pools_are_passed_on(model, pool) %}

with

pools as (

    select
        {{ pool | join(', ') }},
        max(pool_cost) as pool_cost,
        max(pool_sales) as pool_sales,
        sum(share) as share,
        sum(sales_share) as sales_share,
        sum(shared_cost) as shared_cost,
        sum(shared_sales) as shared_sales
    from {{ model }}
    group by {{ pool | join(', ') }}

),

validation_errors as (

    select * from pools
    where
        share > 1
        or sales_share > 1
        or abs(shared_cost) > abs(pool_cost)
        or abs(shared_sales) > abs(pool_sales)
        or (share = 1 and shared_cost <> pool_cost)
        or (sales_share = 1 and shared_sales is distinct from pool_sales)

)

select * from validation_errors

{% endtest %}
