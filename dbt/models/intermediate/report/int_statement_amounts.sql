{#-
The amounts of statements, rounded to the decimals of the currency by largest remainder: the total of
an organization is rounded once and divided over its cost centers, and the total of a cost center over
its sections. All statements of an organization therefore add up to its bill, and the lines of a
statement to its total.
-#}
{{ config(meta={
    'partition_column': 'billing_period',
    'partitioned_by': {'int_statement_sections': 'billing_period'},
}) }}

with

sections as (

    select * from {{ ref('int_statement_sections') }}

),

-- Cost and sales are rounded separately, so from here there is one row for each.
measured as (

    select
        *,
        'cost' as measure,
        total_cost as amount
    from sections
    union all
    select
        *,
        'sales' as measure,
        coalesce(total_sales, 0) as amount
    from sections

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
            order by {{ rank_of_remainder('remainder') }} desc nulls last, cost_center_id nulls last
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
            order by
                {{ rank_of_remainder('remainder') }} desc nulls last,
                section_order nulls last,
                corrected_period nulls last
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
        costs.billing_period,
        costs.organization_id,
        costs.organization_name,
        costs.currency,
        costs.currency_decimals,
        costs.cost_center_id,
        costs.cost_center_name,
        costs.section,
        costs.section_order,
        costs.corrected_period,
        costs.line_count,
        costs.unpriced_line_count,
        costs.quantity,
        costs.quantity_unit,
        costs.total_cost,
        costs.total_sales,
        costs.amount_basis,
        cast(
            case
                when costs.amount_basis = 'sales' then coalesce(costs.total_sales, 0)
                else costs.total_cost
            end as decimal(28, 10)
        ) as amount,
        case when costs.amount_basis = 'sales' then sales.billed else costs.billed end
            as billed_amount,
        costs.billed as billed_cost,
        case when costs.amount_basis = 'sales' then sales.billed end as billed_sales
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

)

select * from side_by_side
