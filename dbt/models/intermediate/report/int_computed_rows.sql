{#-
The split of every line that lies in landing, as it would be billed today. A view, so that the
sentence of each row is written once, in the report.
-#}
{{ config(materialized='view') }}

with

split_lines as (

    select * from {{ ref('int_billing_lines_split') }}

),

billing_lines as (

    select * from {{ ref('int_priced_lines') }}

),

line_snapshots as (

    select * from {{ ref('int_line_snapshots') }}

),

snapshots as (

    select * from {{ ref('int_split_snapshots') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

tag_rules as (

    select * from {{ ref('int_line_tag_rules') }}

),

proration as (

    select * from {{ ref('int_line_proration') }}

),

split_reasons as (

    select * from {{ ref('split_reasons') }}

),

named as (

    select
        billing_lines.billing_period,
        billing_lines.billing_date,
        billing_lines.invoice_number,
        billing_lines.organization_id,
        billing_lines.organization_name,
        billing_lines.subscription_id,
        billing_lines.product_name,
        billing_lines.sku_id,
        billing_lines.charge_type,
        billing_lines.charge_kind,
        billing_lines.charge_start_date,
        billing_lines.charge_end_date,
        billing_lines.billing_line_details,
        billing_lines.line_id,
        split_lines.cost_center_id,
        coalesce(
            cost_centers.cost_center_name,
            split_lines.cost_center_name_then,
            split_lines.cost_center_id
        ) as cost_center_name,
        split_lines.quantity,
        split_lines.total_cost,
        split_lines.total_sales,
        split_lines.total_margin,
        billing_lines.currency,
        split_lines.share,
        snapshots.effective_at as snapshot_effective_at,
        case
            when line_snapshots.split_reason <> 'snapshot' then line_snapshots.split_reason
            when split_lines.is_unallocated then 'unallocated'
            when snapshots.is_over_allocated then 'over_allocated'
            else 'snapshot'
        end as split_reason,
        split_lines.is_unallocated,
        line_snapshots.refund_of_line_id,
        coalesce(
            split_lines.cost_center_name_then, cost_centers.cost_center_name
        ) as cost_center_name_then,
        billing_lines.billing_period as original_billing_period,
        billing_lines.source_format,
        billing_lines.file,
        billing_lines.row_number,
        line_snapshots.snapshot_id,
        billing_lines.product_id,
        billing_lines.unit_price,
        split_lines.allocated_quantity,
        billing_lines.price_source,
        billing_lines.price_explanation,
        proration.proration_rule,
        billing_lines.total_cost as line_total_cost,
        line_snapshots.cutoff_at,
        tag_rules.tag_key,
        snapshots.event as snapshot_event,
        split_lines.low_units,
        split_lines.high_units,
        split_lines.total_units,
        split_lines.allocated_total
    from split_lines
    inner join billing_lines on split_lines.line_id = billing_lines.line_id
    inner join line_snapshots on split_lines.line_id = line_snapshots.line_id
    left join snapshots on line_snapshots.snapshot_id = snapshots.snapshot_id
    left join proration on split_lines.line_id = proration.line_id
    left join tag_rules on split_lines.line_id = tag_rules.line_id
    left join cost_centers
        on
            billing_lines.organization_id = cost_centers.organization_id
            and split_lines.cost_center_id = cost_centers.cost_center_id

),

-- "refund (cutoff 2025-12-17 00:00 UTC), the latest split before the line's cutoff: split of
-- 2025-12-15 00:00 UTC (Cost center split adjusted), Sales has 10 of 15, so cost is
-- -145.65 x 10 / 15 = -97.1; rounding 0"
explained as (

    select
        named.* exclude (
            line_total_cost, cutoff_at, tag_key, snapshot_event, low_units, high_units, total_units,
            allocated_total
        ),
        concat(
            named.charge_kind,
            case
                when named.cutoff_at is not null
                    then concat(' (cutoff ', {{ plain_instant('named.cutoff_at') }}, ')')
                else ''
            end,
            ', ',
            split_reasons.meaning,
            case
                when named.split_reason = 'tag_rule'
                    then concat(' (', named.tag_key, ' names ', named.cost_center_name, ')')
                else ''
            end,
            case
                when named.snapshot_effective_at is null then ''
                else
                    concat(
                        ': split of ',
                        {{ plain_instant('named.snapshot_effective_at') }},
                        ' (',
                        named.snapshot_event,
                        ')'
                    )
            end,
            case
                when named.snapshot_id is null then ''
                else
                    concat(
                        ', ', named.cost_center_name, ' has ',
                        {{ plain_number('named.allocated_quantity') }}, ' of ',
                        {{ plain_number('named.allocated_total') }}
                    )
            end,
            ', so cost is ',
            {{ plain_number('named.line_total_cost') }},
            case
                when named.snapshot_id is null then ''
                else
                    concat(
                        ' x ', {{ plain_number('named.allocated_quantity') }},
                        ' / ', {{ plain_number('named.allocated_total') }}
                    )
            end,
            ' = ',
            {{ plain_number('named.total_cost') }},
            '; rounding ',
            {{ plain_number(
                'named.total_cost - ('
                ~ unrounded_part(
                    'named.line_total_cost',
                    'named.low_units', 'named.high_units', 'named.total_units'
                )
                ~ ')'
            ) }}
        ) as explanation
    from named
    inner join split_reasons on named.split_reason = split_reasons.split_reason

)

select * from explained
