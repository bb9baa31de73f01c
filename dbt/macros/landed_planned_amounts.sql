{#-
The CTEs of staging for a table with an amount per cost center and month, up to `renamed`: budgets and
manual forecasts. A month is given as 2026-01 or as any of its days.
-#}
{% macro landed_planned_amounts(table) -%}
{{ landed_typed_checked(
    table,
    typed={
        'month_start': 'cast(' ~ dbt.date_trunc(
            'month',
            'case when length(trim(month)) = 7 then ' ~ date_value("concat_ws('', trim(month), '-01')")
            ~ ' else ' ~ date_value('month') ~ ' end'
        ) ~ ' as date)',
        'exact_amount': decimal_value('amount'),
    },
    checks=[
        needs_id('Cost Center ID', 'cost_center_id'),
        needs_id('Currency', 'currency'),
        (
            'Month',
            'month',
            'month_start is null',
            empty_or(
                'month', 'is not a month in an unambiguous format (write 2026-01 or 1 Jan 2026)'
            )
        ),
        needs_number('Amount', 'amount', 'exact_amount'),
        not_too_large('Amount', 'amount', 'exact_amount'),
    ],
) }},

renamed as (

    select
        file,
        row_number,
        content_hash,
        {{ text_value('organization') }} as organization,
        {{ given_id('cost_center_id') }} as cost_center_id,
        month_start as month,
        upper({{ given_id('currency') }}) as currency,
        {{ measure('exact_amount') }} as amount,
        {{ rejection() }}
    from checked

)
{%- endmacro %}
