{#- Amounts of closed periods per line and cost center, including corrections posted later. -#}
with

ledger_rows as (

    select * from {{ ref('stg_ledger__lines') }}

),

balances as (

    select
        coalesce(corrects_line_id, line_id) as line_id,
        cost_center_id,
        min_by(cost_center_name, posting_number) as cost_center_name,
        min_by(cost_center_name_then, posting_number) as cost_center_name_then,
        min_by(share, posting_number) as share,
        min_by(is_unallocated, posting_number) as is_unallocated,
        min_by(allocated_quantity, posting_number) as allocated_quantity,
        cast(sum(quantity) as decimal(28, 10)) as quantity,
        cast(sum(total_cost) as decimal(28, 10)) as total_cost,
        {%- for amount in exact_amounts() %}
            {{ exact_sum(amount) }} as {{ amount }},
        {%- endfor %}
        cast(sum(total_sales) as decimal(28, 10)) as total_sales,
        cast(sum(total_margin) as decimal(28, 10)) as total_margin
    from ledger_rows
    group by coalesce(corrects_line_id, line_id), cost_center_id

)

select * from balances
