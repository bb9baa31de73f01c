{#- The amount that each cost center should have had, less the amount it was billed. -#}
{{ config(materialized='view') }}
with

corrected_lines as (

    select * from {{ ref('int_corrected_lines') }}

),

ledger_balances as (

    select * from {{ ref('int_ledger_balances') }}

),

shares as (

    select * from {{ ref('int_split_shares') }}

),

correction_period as (

    select * from {{ ref('int_correction_period') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

approved_parts as (

    select
        corrected_lines.line_id,
        shares.cost_center_id,
        shares.share,
        shares.allocated_quantity,
        {%- for measure in ['quantity', 'total_cost', 'total_sales'] %}
            {{ part_for_share('corrected_lines.line_' ~ measure, 'shares') }}
                as {{ measure }},
        {%- endfor %}
    {%- for amount in exact_amounts() %}
        {{ exact_part_for_share(
            'corrected_lines.line_' ~ amount, 'corrected_lines.rounded_' ~ amount, 'shares'
        ) }} as {{ amount }}{{ ',' if not loop.last }}
    {%- endfor %}
    from corrected_lines
    inner join shares
        on concat_ws('', 'correction:', corrected_lines.correction_id) = shares.split_id
    where shares.total_units > 0

),

differences as (

    select
        coalesce(approved_parts.line_id, ledger_balances.line_id) as line_id,
        coalesce(approved_parts.cost_center_id, ledger_balances.cost_center_id)
            as cost_center_id,
        ledger_balances.cost_center_name,
        ledger_balances.cost_center_name_then,
        cast(coalesce(approved_parts.share, 0) as decimal(18, 10)) as share,
        cast(
            coalesce(approved_parts.allocated_quantity, 0) as decimal(28, 10)
        ) as allocated_quantity,
        {%- for measure in ['quantity', 'total_cost', 'total_sales'] %}
            cast(
                coalesce(approved_parts.{{ measure }}, 0)
                - coalesce(ledger_balances.{{ measure }}, 0) as decimal(28, 10)
            ) as {{ measure }},
        {%- endfor %}
    {%- for amount in exact_amounts() %}
        case
            when coalesce(approved_parts.{{ amount }}, ledger_balances.{{ amount }}) is not null
                then
                    coalesce(approved_parts.{{ amount }}, approved_parts.total_cost, 0)
                    - coalesce(ledger_balances.{{ amount }}, ledger_balances.total_cost, 0)
        end as {{ amount }}{{ ',' if not loop.last }}
    {%- endfor %}
    from approved_parts
    full outer join ledger_balances
        on
            approved_parts.line_id = ledger_balances.line_id
            and approved_parts.cost_center_id = ledger_balances.cost_center_id

),

approved_rows as (

    select
        correction_period.correction_period as billing_period,
        corrected_lines.billing_date,
        corrected_lines.provider,
        corrected_lines.invoice_number,
        corrected_lines.organization_id,
        corrected_lines.organization_name,
        corrected_lines.subscription_id,
        corrected_lines.product_name,
        corrected_lines.sku_id,
        corrected_lines.charge_type,
        corrected_lines.charge_kind,
        corrected_lines.charge_start_date,
        corrected_lines.charge_end_date,
        corrected_lines.billing_line_details,
        {{ surrogate_id([
            "'correction'", 'corrected_lines.line_id', 'corrected_lines.correction_id',
        ]) }} as line_id,
        corrected_lines.line_id as corrects_line_id,
        differences.cost_center_id,
        coalesce(
            cost_centers.cost_center_name,
            differences.cost_center_name,
            differences.cost_center_id
        ) as cost_center_name,
        coalesce(differences.cost_center_name_then, cost_centers.cost_center_name)
            as cost_center_name_then,
        differences.allocated_quantity,
        differences.quantity,
        differences.total_cost,
        {%- for amount in exact_amounts() %}
            differences.{{ amount }},
        {%- endfor %}
        case
            when corrected_lines.line_total_sales is not null then differences.total_sales
        end as total_sales,
        case
            when corrected_lines.line_total_sales is not null
                then cast(
                    differences.total_sales - differences.total_cost as decimal(28, 10)
                )
        end as total_margin,
        differences.share,
        cast(null as timestamp) as snapshot_effective_at,
        cast(null as string) as snapshot_id,
        false as is_unallocated,
        'corrected' as split_reason,
        corrected_lines.currency,
        corrected_lines.refund_of_line_id,
        corrected_lines.original_billing_period,
        corrected_lines.source_format,
        corrected_lines.file,
        corrected_lines.row_number,
        corrected_lines.product_id,
        corrected_lines.quantity_unit,
        corrected_lines.unit_price,
        corrected_lines.price_source,
        corrected_lines.price_explanation,
        corrected_lines.proration_rule,
        corrected_lines.billing_period_start,
        corrected_lines.billing_period_end,
        {{ correction_explanation(
            'corrected_lines.original_billing_period',
            'corrected_lines.approved_by',
            'corrected_lines.reason',
            'differences.total_cost'
        ) }} as explanation
    from corrected_lines
    cross join correction_period
    inner join differences on corrected_lines.line_id = differences.line_id
    left join cost_centers
        on
            corrected_lines.organization_id = cost_centers.organization_id
            and differences.cost_center_id = cost_centers.cost_center_id
    where
        differences.quantity <> 0
        or differences.total_cost <> 0
        or differences.total_sales <> 0
        {%- for amount in exact_amounts() %}
            or differences.{{ amount }} <> 0
        {%- endfor %}

)

select * from approved_rows
