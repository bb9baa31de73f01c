{#- Licenses that wait for somebody: for a user, or for an allotment. -#}
with

license_pool as (

    select * from {{ ref('int_license_pool') }}

),

unused as (

    select
        subscription_id,
        sum(greatest(allotted_quantity - coalesce(assigned_quantity, allotted_quantity), 0))
            as unused_quantity
    from license_pool
    group by subscription_id

),

{% set waiting = [
    ('unassigned', 'pending_quantity', 'pending_cost'),
    ('over_allotment', 'exceeding_quantity', 'exceeding_cost'),
] -%}
requests as (

    {% for kind, quantity, cost in waiting %}
        select
            '{{ kind }}' as request_kind,
            organization_id,
            organization_name,
            subscription_id,
            product_name,
            cost_center_id,
            cost_center_name,
            {{ quantity }} as quantity,
            quantity_unit,
            {{ cost }} as cycle_cost,
            currency,
            directory_date
        from license_pool
        where {{ quantity }} > 0
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

final as (

    select
        requests.organization_id,
        requests.organization_name,
        requests.subscription_id,
        requests.product_name,
        requests.cost_center_id,
        requests.cost_center_name,
        requests.request_kind,
        requests.quantity,
        requests.quantity_unit,
        cast(
            case
                when requests.request_kind = 'over_allotment' then unused.unused_quantity
            end as decimal(28, 10)
        ) as unused_quantity,
        requests.cycle_cost,
        requests.currency,
        requests.directory_date
    from requests
    inner join unused on requests.subscription_id = unused.subscription_id

)

select * from final
