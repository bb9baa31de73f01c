{#-
The number of rows of a bill that newer deliveries with other columns repeat, compared by the
columns that every file of the format has.
-#}
with

delivered_lines as (

    select * from {{ ref('int_delivered_lines') }}

),

delivery_order as (

    select * from {{ ref('int_delivery_order') }}

),

scopes_of_several_layouts as (

    select scope_key
    from delivery_order
    group by scope_key
    having count(distinct known_columns) > 1

),

charges as (

    select
        delivered_lines.scope_key,
        delivered_lines.delivery,
        delivered_lines.invoice_number,
        delivered_lines.broad_charge_key,
        delivery_order.known_columns,
        delivery_order.series,
        delivery_order.evidence_rank,
        delivery_order.newest_first,
        count(*) as row_count
    from delivered_lines
    inner join scopes_of_several_layouts
        on delivered_lines.scope_key = scopes_of_several_layouts.scope_key
    inner join delivery_order
        on
            delivered_lines.scope_key = delivery_order.scope_key
            and delivered_lines.delivery = delivery_order.delivery
    group by
        delivered_lines.scope_key,
        delivered_lines.delivery,
        delivered_lines.invoice_number,
        delivered_lines.broad_charge_key,
        delivery_order.known_columns,
        delivery_order.series,
        delivery_order.evidence_rank,
        delivery_order.newest_first

),

{%- set charge = 'scope_key, broad_charge_key' %}

compared as (

    select
        *,
        {%- for name, partition, counted in [
            ('newer_count', '', 'row_count'),
            ('newer_of_invoice', ', invoice_number', 'row_count'),
            ('newer_without_invoice', '', 'case when invoice_number is null then row_count end'),
            ('newer_in_series', ', series', 'case when series is not null then row_count end'),
        ] %}
            {%- for layout in ['', ', known_columns'] %}
                {{ '- ' if layout }}coalesce( -- noqa: LT02
                    sum({{ counted }}) over (
                        partition by {{ charge }}{{ partition }}{{ layout }}
                        order by evidence_rank nulls last
                        range between unbounded preceding and 1 preceding
                    ),
                    0
                )
            {%- endfor %} as {{ name }},
        {%- endfor %}
        min(newest_first) over (
            partition by {{ charge }}
            order by evidence_rank nulls last
            range between unbounded preceding and 1 preceding
        ) as newest_with_charge
    from charges

),

counted as (

    select
        *,
        least(
            row_count,
            case
                when invoice_number is null then newer_count
                else newer_of_invoice + newer_without_invoice
            end
        ) as repeated_count
    from compared

),

final as (

    select
        scope_key,
        delivery,
        invoice_number,
        sum(repeated_count) as repeated_count,
        sum(case when repeated_count > 0 then newer_in_series else 0 end) > 0
            as is_in_newer_run,
        min(case when repeated_count > 0 then newest_with_charge end) as repeated_by
    from counted
    group by scope_key, delivery, invoice_number

)

select * from final
