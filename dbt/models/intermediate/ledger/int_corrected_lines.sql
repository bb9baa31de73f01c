{#-
Quantity, cost and sales are those billed by now: as last posted, and with the corrections posted since.
-#}
{{ config(materialized='view') }}
with

ledger_lines as (

    select * from {{ ref('int_ledger_lines') }}
    where is_standing

),

withdrawn_lines as (

    select * from {{ ref('int_withdrawn_lines') }}

),

ledger_balances as (

    select * from {{ ref('int_ledger_balances') }}

),

corrections as (

    select * from {{ ref('int_corrections') }}

),

line_totals as (

    select
        line_id,
        sum(quantity) as quantity,
        sum(total_cost) as total_cost,
        {%- for amount in exact_amounts() %}
            {{ exact_sum(amount) }} as {{ amount }},
        {%- endfor %}
        sum(total_sales) as total_sales
    from ledger_balances
    group by line_id

),

correction_sets as (

    select
        correction_id,
        subscription_id,
        billing_period,
        max(approved_by) as approved_by,
        max(reason) as reason
    from corrections
    group by correction_id, subscription_id, billing_period
    -- A correction that allocates no licenses does not say which cost center has the cost.
    having sum(allocated_quantity) > 0

),

corrected_lines as (

    select
        ledger_lines.* {{ without('line_quantity', 'line_total_cost', 'line_total_sales') }},
        correction_sets.correction_id,
        correction_sets.approved_by,
        correction_sets.reason,
        {%- for amount in exact_amounts() %}
            line_totals.{{ amount }} as line_{{ amount }},
            {{ measure('line_totals.' ~ amount) }} as rounded_{{ amount }},
        {%- endfor %}
        cast(line_totals.quantity as decimal(28, 10)) as line_quantity,
        cast(line_totals.total_cost as decimal(28, 10)) as line_total_cost,
        cast(line_totals.total_sales as decimal(28, 10)) as line_total_sales
    from ledger_lines
    inner join correction_sets
        on
            ledger_lines.subscription_id = correction_sets.subscription_id
            and ledger_lines.original_billing_period = correction_sets.billing_period
    inner join line_totals on ledger_lines.line_id = line_totals.line_id
    left join withdrawn_lines on ledger_lines.line_id = withdrawn_lines.line_id
    where withdrawn_lines.line_id is null

)

select * from corrected_lines
