{#-
The exact amounts of statements, before they are rounded: one sum of the bill's rows per cost center
and section, with corrections by the period they correct and shared costs in a section of their own.
-#}
{{ config(meta={
    'partition_column': 'billing_period',
    'partitioned_by': {
        'int_report_rows': 'billing_period',
        'int_shared_cost_balances': 'billing_period',
    },
}) }}

with

report_rows as (

    select * from {{ ref('int_report_rows') }}

),

shared_balances as (

    select * from {{ ref('int_shared_cost_balances') }}

),

sections as (

    select * from {{ ref('statement_sections') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

in_sections as (

    select
        report_rows.*,
        sections.section,
        sections.section_order,
        case
            when report_rows.charge_class = 'Correction' then report_rows.original_billing_period
        end as corrected_period
    from report_rows
    inner join sections
        on
            case
                when report_rows.charge_class = 'Correction' then '(correction)'
                else report_rows.charge_kind
            end = sections.charge_kind

),

of_lines as (

    select
        billing_period,
        organization_id,
        {{ latest_name('organization_name') }} as organization_name,
        currency,
        cost_center_id,
        {{ latest_name('cost_center_name') }} as cost_center_name,
        section,
        section_order,
        corrected_period,
        count(distinct line_id) as line_count,
        count(distinct case when total_sales is null then line_id end) as unpriced_line_count,
        {{ quantity_of_sum() }} as quantity,
        {{ unit_of_quantity_of_sum() }} as quantity_unit,
        cast(sum(total_cost) as decimal(28, 10)) as total_cost,
        cast(sum(total_sales) as decimal(28, 10)) as total_sales
    from in_sections
    group by
        billing_period,
        organization_id,
        currency,
        cost_center_id,
        section,
        section_order,
        corrected_period

),

-- Shared costs received less shared costs passed on. They belong to no line and have no licenses.
of_sharing as (

    select
        shared_balances.billing_period,
        shared_balances.organization_id,
        max(shared_balances.organization_name) as organization_name,
        shared_balances.currency,
        shared_balances.cost_center_id,
        max(shared_balances.cost_center_name) as cost_center_name,
        sections.section,
        sections.section_order,
        cast(null as string) as corrected_period,
        cast(0 as bigint) as line_count,
        cast(0 as bigint) as unpriced_line_count,
        cast(0 as decimal(28, 10)) as quantity,
        cast(null as string) as quantity_unit,
        cast(sum(shared_balances.shared_cost) as decimal(28, 10)) as total_cost,
        cast(sum(shared_balances.shared_sales) as decimal(28, 10)) as total_sales
    from shared_balances
    inner join sections on sections.charge_kind = '(shared)'
    group by
        shared_balances.billing_period,
        shared_balances.organization_id,
        shared_balances.currency,
        shared_balances.cost_center_id,
        sections.section,
        sections.section_order

),

summed as (

    select * from of_lines
    union all
    select * from of_sharing

),

-- Resold organizations are charged sales; internal ones cost.
amount_bases as (

    select
        billing_period,
        organization_id,
        currency,
        case when count(total_sales) > 0 then 'sales' else 'cost' end as amount_basis
    from summed
    group by billing_period, organization_id, currency

),

final as (

    select
        summed.*,
        coalesce(own.decimals, other.decimals) as currency_decimals,
        amount_bases.amount_basis
    from summed
    inner join currencies as other on other.currency = '(any other)'
    left join currencies as own on summed.currency = own.currency
    inner join amount_bases
        on
            summed.billing_period = amount_bases.billing_period
            and summed.organization_id = amount_bases.organization_id
            and summed.currency = amount_bases.currency

)

select * from final
