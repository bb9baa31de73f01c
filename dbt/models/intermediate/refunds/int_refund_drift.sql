{#- The cost that each refund policy gives a cost center, where the two differ. -#}
with

line_snapshots as (

    select * from {{ ref('int_line_snapshots') }}
    where original_split_id is not null and documented_split_id <> original_split_id

),

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

shares as (

    select * from {{ ref('int_split_shares') }}

),

{% for policy in ['documented', 'original'] %}
    by_{{ policy }} as (

        select
            line_snapshots.line_id,
            shares.cost_center_id,
            {{ part_for_share('billing_lines.total_cost', 'shares') }} as total_cost
        from line_snapshots
        inner join billing_lines on line_snapshots.line_id = billing_lines.line_id
        inner join shares on line_snapshots.{{ policy }}_split_id = shares.split_id

    ),
{% endfor %}

compared as (

    select
        coalesce(by_documented.line_id, by_original.line_id) as line_id,
        coalesce(by_documented.cost_center_id, by_original.cost_center_id)
            as cost_center_id,
        coalesce(by_documented.total_cost, 0) as documented_cost,
        coalesce(by_original.total_cost, 0) as mirrored_cost
    from by_documented
    full outer join by_original
        on
            by_documented.line_id = by_original.line_id
            and by_documented.cost_center_id = by_original.cost_center_id

)

select
    line_id,
    cost_center_id,
    documented_cost,
    mirrored_cost,
    mirrored_cost - documented_cost as drift
from compared
where mirrored_cost <> documented_cost
