with

billing_lines as (

    select * from {{ ref('int_priced_lines') }}

),

line_snapshots as (

    select * from {{ ref('int_line_snapshots') }}

),

shares as (

    select * from {{ ref('int_split_shares') }}

),

-- One row per billing line from here, one per line and cost center after the join.
fanned_out as (

    select
        billing_lines.line_id,
        billing_lines.quantity,
        billing_lines.total_cost,
        billing_lines.total_sales,
        shares.* exclude (split_id)
    from billing_lines
    inner join line_snapshots on billing_lines.line_id = line_snapshots.line_id
    inner join shares on line_snapshots.split_id = shares.split_id

),

prorated as (

    select
        line_id,
        cost_center_id,
        cost_center_name as cost_center_name_then,
        allocated_quantity,
        allocated_total,
        is_unallocated,
        share,
        low_units,
        high_units,
        total_units,
        {{ prorated_part('quantity', 'low_units', 'high_units', 'total_units', 'narrow_limit') }}
            as quantity,
        {{ prorated_part('total_cost', 'low_units', 'high_units', 'total_units', 'narrow_limit') }}
            as total_cost,
        {{ prorated_part('total_sales', 'low_units', 'high_units', 'total_units', 'narrow_limit') }}
            as total_sales
    from fanned_out

)

select
    *,
    cast(total_sales - total_cost as decimal(28, 10)) as total_margin
from prorated
