{#-
The CTEs that compare each billing period with the one before it: `periods`, and `sides` with two
rows per period, one that reads the period itself (`now`) and one that reads the period before
(`previous`). A relation is joined by its billing period = side_period.
-#}
{% macro period_pairs(billing_report) -%}
periods as (

    select
        billing_period,
        max(billing_date) as last_billing_date,
        lag(billing_period) over (order by billing_period nulls last) as previous_billing_period
    from {{ billing_report }}
    group by billing_period

),

sides as (

    {% for side in ['now', 'previous'] %}
        select
            billing_period,
            previous_billing_period,
            last_billing_date,
            {{ 'billing_period' if side == 'now' else 'previous_billing_period' }} as side_period,
            '{{ side }}' as side
        from periods
        where previous_billing_period is not null
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

)
{%- endmacro %}

{#- The sum of a measure over the rows of one side; 0 if it has none. -#}
{% macro sum_of_side(side, measure) -%}
    cast(coalesce(sum(case when side = '{{ side }}' then {{ measure }} end), 0) as decimal(28, 10))
{%- endmacro %}

{#-
The quantity of one side, or null if the rows of both sides have several units. The rows have
`first_unit` and `last_unit`, the least and the greatest unit of what they sum.
-#}
{% macro quantity_of_side(side) -%}
    cast(
        case
            when min(first_unit) is not distinct from max(last_unit)
                then coalesce(sum(case when side = '{{ side }}' then quantity end), 0)
        end
        as decimal(28, 10)
    )
{%- endmacro %}
