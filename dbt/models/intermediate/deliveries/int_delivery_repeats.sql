{#-
The number of rows of a bill that newer deliveries repeat. Rows are the same charge if they have the
same charge_key. A row without invoice number may have one in a newer delivery. Deliveries with
other columns are compared in int_layout_repeats.
-#}
with

delivered_lines as (

    select * from {{ ref('int_delivered_lines') }}

),

delivery_order as (

    select * from {{ ref('int_delivery_order') }}

),

charges as (

    select
        delivered_lines.scope_key,
        delivered_lines.delivery,
        delivered_lines.invoice_number,
        delivered_lines.charge_key,
        delivery_order.known_columns,
        delivery_order.series,
        delivery_order.ordered_series,
        delivery_order.base_name,
        delivery_order.time_rank,
        delivery_order.evidence_rank,
        delivery_order.newest_first,
        count(*) as row_count,
        sum(
            coalesce(delivered_lines.total_cost + delivered_lines.rounding_residual, 0)
        ) as exact_cost
    from delivered_lines
    inner join delivery_order
        on
            delivered_lines.scope_key = delivery_order.scope_key
            and delivered_lines.delivery = delivery_order.delivery
    group by
        delivered_lines.scope_key,
        delivered_lines.delivery,
        delivered_lines.invoice_number,
        delivered_lines.charge_key,
        delivery_order.known_columns,
        delivery_order.series,
        delivery_order.ordered_series,
        delivery_order.base_name,
        delivery_order.time_rank,
        delivery_order.evidence_rank,
        delivery_order.newest_first

),

-- A charge in newer deliveries, in those of the same export or file name, and in those without
-- evidence whether they are newer or older.
{%- set charge = 'scope_key, known_columns, charge_key' %}

compared as (

    select
        *,
        {%- for name, partition, counted in [
            ('newer_count', charge, 'row_count'),
            ('newer_of_invoice', charge ~ ', invoice_number', 'row_count'),
            (
                'newer_without_invoice',
                charge,
                'case when invoice_number is null then row_count end'
            ),
            (
                'newer_in_series',
                charge ~ ', series',
                'case when series is not null then row_count end'
            ),
            (
                'newer_of_name',
                charge ~ ', base_name',
                'case when base_name is not null then row_count end'
            ),
        ] %}
            coalesce(
                sum({{ counted }}) over (
                    partition by {{ partition }}
                    order by evidence_rank nulls last
                    range between unbounded preceding and 1 preceding
                ),
                0
            ) as {{ name }},
        {%- endfor %}
        min(newest_first) over (
            partition by {{ charge }}
            order by evidence_rank nulls last
            range between unbounded preceding and 1 preceding
        ) as newest_with_charge,
        first_value(row_count) over of_invoice as newest_row_count,
        first_value(exact_cost) over of_invoice as newest_exact_cost,
        -- At the same time, in another export or in the same run.
        sum(row_count) over (tied)
        - sum(row_count) over (partition by {{ charge }}, time_rank, ordered_series)
        + sum(row_count) over (partition by {{ charge }}, evidence_rank, ordered_series)
        - sum(row_count) over (partition by {{ charge }}, delivery) as tied_count,
        sum(row_count) over (tied_of_invoice)
        - row_count
        + coalesce(sum(case when invoice_number is null then row_count end) over tied, 0)
            as tied_of_invoice_count,
        min(newest_first) over tied as tied_with,
        min(row_count) over tied_of_invoice = max(row_count) over tied_of_invoice
        and min(exact_cost) over tied_of_invoice = max(exact_cost) over tied_of_invoice
            as is_tied_equally
    from charges
    window
        of_invoice as (
            partition by {{ charge }}, invoice_number
            order by newest_first nulls last
            rows between unbounded preceding and unbounded following
        ),
        tied as (partition by {{ charge }}, time_rank),
        tied_of_invoice as (partition by {{ charge }}, invoice_number, time_rank)

),

-- A row without invoice number may have any number in a newer delivery.
counted as (

    select
        *,
        least(
            row_count,
            case
                when invoice_number is null then newer_count
                else newer_of_invoice + newer_without_invoice
            end
        ) as repeated_count,
        tied_count > 0
        and (invoice_number is null or tied_of_invoice_count > 0)
        and tied_with <> newest_first as is_tied
    from compared

),

final as (

    select
        scope_key,
        delivery,
        invoice_number,
        sum(row_count) as row_count,
        sum(repeated_count) as repeated_count,
        sum(
            case
                when row_count = newest_row_count and exact_cost = newest_exact_cost
                    then repeated_count
                else 0
            end
        ) as identical_count,
        sum(case when repeated_count > 0 then newer_in_series else 0 end) > 0
            as is_in_newer_run,
        sum(case when repeated_count > 0 then newer_of_name else 0 end) > 0
            as is_in_newer_file_of_name,
        min(case when repeated_count > 0 then newest_with_charge end) as repeated_by,
        min(case when is_tied then tied_with end) as tied_with,
        sum(case when is_tied and is_tied_equally then row_count else 0 end) as tied_equally_count,
        sum(case when is_tied then row_count else 0 end) as tied_count
    from counted
    group by scope_key, delivery, invoice_number

)

select * from final
