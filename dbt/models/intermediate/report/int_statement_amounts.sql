{#-
Amounts of statements: exact per cost center and section, and rounded to the decimals of the
currency. The total of an organization is rounded once and divided over its cost centers, and the
total of a cost center over its sections, by largest remainder. All statements of an organization
therefore add up to its bill, and the lines of a statement to its total.
-#}
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
        cast(sum(quantity) as decimal(28, 10)) as quantity,
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
        cast(null as varchar) as corrected_period,
        cast(0 as bigint) as line_count,
        cast(0 as bigint) as unpriced_line_count,
        cast(0 as decimal(28, 10)) as quantity,
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

with_decimals as (

    select
        summed.*,
        coalesce(own.decimals, other.decimals) as currency_decimals
    from summed
    inner join currencies as other on other.currency = '(any other)'
    left join currencies as own on summed.currency = own.currency

),

-- Cost and sales are rounded separately, so from here there is one row for each.
measured as (

    select
        *,
        'cost' as measure,
        total_cost as amount
    from with_decimals
    union all
    select
        *,
        'sales' as measure,
        coalesce(total_sales, 0) as amount
    from with_decimals

),

statements as (

    select
        billing_period,
        organization_id,
        currency,
        cost_center_id,
        measure,
        currency_decimals,
        sum(amount) as amount,
        {{ cut_units('sum(amount)', 'currency_decimals') }} as cut_units,
        {{ cut_remainder('sum(amount)', 'currency_decimals') }} as remainder
    from measured
    group by
        billing_period, organization_id, currency, cost_center_id, measure, currency_decimals

),

statements_in_turn as (

    select
        *,
        round(sum(amount) over bill * {{ units_per_whole('currency_decimals') }})
        - sum(cut_units) over bill as units_left,
        row_number() over (
            partition by billing_period, organization_id, currency, measure
            order by remainder desc, cost_center_id
        ) as turn
    from statements
    window bill as (partition by billing_period, organization_id, currency, measure)

),

statements_rounded as (

    select
        *,
        cut_units + case when turn <= units_left then 1 else 0 end as units
    from statements_in_turn

),

sections_cut as (

    select
        measured.*,
        statements_rounded.units as statement_units,
        {{ cut_units('measured.amount', 'measured.currency_decimals') }} as cut_units,
        {{ cut_remainder('measured.amount', 'measured.currency_decimals') }} as remainder
    from measured
    inner join statements_rounded
        on
            measured.billing_period = statements_rounded.billing_period
            and measured.organization_id = statements_rounded.organization_id
            and measured.currency = statements_rounded.currency
            and measured.cost_center_id = statements_rounded.cost_center_id
            and measured.measure = statements_rounded.measure

),

sections_in_turn as (

    select
        *,
        statement_units - sum(cut_units) over statement as units_left,
        row_number() over (
            partition by billing_period, organization_id, currency, cost_center_id, measure
            order by remainder desc, section_order, corrected_period
        ) as turn
    from sections_cut
    window
        statement as (
            partition by billing_period, organization_id, currency, cost_center_id, measure
        )

),

sections_rounded as (

    select
        *,
        {{ amount_of_units(
            'cut_units + case when turn <= units_left then 1 else 0 end', 'currency_decimals'
        ) }} as billed
    from sections_in_turn

),

-- From here, one row per section again.
side_by_side as (

    select
        costs.*,
        costs.billed as billed_cost,
        sales.billed as billed_sales
    from sections_rounded as costs
    inner join sections_rounded as sales
        on
            costs.billing_period = sales.billing_period
            and costs.organization_id = sales.organization_id
            and costs.currency = sales.currency
            and costs.cost_center_id = sales.cost_center_id
            and costs.section = sales.section
            and costs.corrected_period is not distinct from sales.corrected_period
            and sales.measure = 'sales'
    where costs.measure = 'cost'

),

priced_bills as (

    select
        billing_period,
        organization_id,
        currency,
        count(total_sales) > 0 as has_sales
    from summed
    group by billing_period, organization_id, currency

),

-- Resold organizations are charged sales; internal ones cost.
with_basis as (

    select
        side_by_side.*,
        case when priced_bills.has_sales then 'sales' else 'cost' end as amount_basis
    from side_by_side
    inner join priced_bills
        on
            side_by_side.billing_period = priced_bills.billing_period
            and side_by_side.organization_id = priced_bills.organization_id
            and side_by_side.currency = priced_bills.currency

)

select
    billing_period,
    organization_id,
    organization_name,
    currency,
    currency_decimals,
    cost_center_id,
    cost_center_name,
    section,
    section_order,
    corrected_period,
    line_count,
    unpriced_line_count,
    quantity,
    total_cost,
    total_sales,
    amount_basis,
    cast(
        case when amount_basis = 'sales' then coalesce(total_sales, 0) else total_cost end
        as decimal(28, 10)
    ) as amount,
    case when amount_basis = 'sales' then billed_sales else billed_cost end
        as billed_amount,
    billed_cost,
    case when amount_basis = 'sales' then billed_sales end as billed_sales
from with_basis
