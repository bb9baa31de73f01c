{#- The amounts billed for withdrawn lines, with the opposite sign. -#}
{{ config(materialized='view') }}
with

withdrawn_lines as (

    select * from {{ ref('int_withdrawn_lines') }}

),

correction_period as (

    select * from {{ ref('int_correction_period') }}

),

ledger_balances as (

    select * from {{ ref('int_ledger_balances') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

reversal_rows as (

    select
        correction_period.correction_period as billing_period,
        withdrawn_lines.billing_date,
        withdrawn_lines.provider,
        withdrawn_lines.invoice_number,
        withdrawn_lines.organization_id,
        withdrawn_lines.organization_name,
        withdrawn_lines.subscription_id,
        withdrawn_lines.product_name,
        withdrawn_lines.sku_id,
        withdrawn_lines.charge_type,
        withdrawn_lines.charge_kind,
        withdrawn_lines.charge_start_date,
        withdrawn_lines.charge_end_date,
        withdrawn_lines.billing_line_details,
        {{ surrogate_id([
            "'reversal'", 'withdrawn_lines.line_id', 'withdrawn_lines.reversal_count',
        ]) }} as line_id,
        withdrawn_lines.line_id as corrects_line_id,
        ledger_balances.cost_center_id,
        coalesce(cost_centers.cost_center_name, ledger_balances.cost_center_name)
            as cost_center_name,
        ledger_balances.cost_center_name_then,
        ledger_balances.is_unallocated,
        ledger_balances.allocated_quantity,
        -ledger_balances.quantity as quantity,
        -ledger_balances.total_cost as total_cost,
        {%- for amount in exact_amounts() %}
            -ledger_balances.{{ amount }} as {{ amount }},
        {%- endfor %}
        -ledger_balances.total_sales as total_sales,
        -ledger_balances.total_margin as total_margin,
        ledger_balances.share,
        'reversed' as split_reason,
        withdrawn_lines.currency,
        withdrawn_lines.snapshot_effective_at,
        withdrawn_lines.refund_of_line_id,
        withdrawn_lines.original_billing_period,
        withdrawn_lines.source_format,
        withdrawn_lines.file,
        withdrawn_lines.row_number,
        withdrawn_lines.snapshot_id,
        withdrawn_lines.product_id,
        withdrawn_lines.quantity_unit,
        withdrawn_lines.unit_price,
        withdrawn_lines.price_source,
        withdrawn_lines.price_explanation,
        withdrawn_lines.proration_rule,
        withdrawn_lines.billing_period_start,
        withdrawn_lines.billing_period_end,
        {{ reversal_explanation(
            'withdrawn_lines.original_billing_period',
            'ledger_balances.cost_center_name',
            'ledger_balances.total_cost'
        ) }} as explanation
    from withdrawn_lines
    cross join correction_period
    inner join ledger_balances on withdrawn_lines.line_id = ledger_balances.line_id
    left join cost_centers
        on
            withdrawn_lines.organization_id = cost_centers.organization_id
            and ledger_balances.cost_center_id = cost_centers.cost_center_id

)

select * from reversal_rows
