{#-
What a statement says: exact amounts per cost center and section, and the same in whole units of the
currency. A total is rounded once; its cost centers, and within a cost center its sections, share it out
by largest remainder. So all statements of an organization add up to its bill, and the lines of a
statement to its total.
-#}
{%- set measures = ['total_cost', 'total_sales'] -%}
with

report_rows as (

    select * from {{ ref('int_report_rows') }}

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

summed as (

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

with_decimals as (

    select
        summed.*,
        coalesce(own.decimals, other.decimals) as currency_decimals
    from summed
    inner join currencies as other on other.currency = '(any other)'
    left join currencies as own on summed.currency = own.currency

),

cost_centers as (

    select
        billing_period,
        organization_id,
        currency,
        cost_center_id,
        currency_decimals,
        {%- for measure in measures %}
        coalesce(sum({{ measure }}), 0) as {{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from with_decimals
    group by billing_period, organization_id, currency, cost_center_id, currency_decimals

),

cost_centers_cut as (

    select
        *,
        {%- for measure in measures %}
        {{ cut_units(measure, 'currency_decimals') }} as {{ measure }}_cut,
        round(
            sum({{ measure }}) over bill * {{ units_per_whole('currency_decimals') }}
        ) - sum({{ cut_units(measure, 'currency_decimals') }}) over bill as {{ measure }}_left,
        row_number() over (
            partition by billing_period, organization_id, currency
            order by {{ cut_remainder(measure, 'currency_decimals') }} desc, cost_center_id
        ) as {{ measure }}_turn{{ ',' if not loop.last }}
        {%- endfor %}
    from cost_centers
    window bill as (partition by billing_period, organization_id, currency)

),

cost_centers_rounded as (

    select
        *,
        {%- for measure in measures %}
        {{ measure }}_cut
        + case when {{ measure }}_turn <= {{ measure }}_left then 1 else 0 end
            as {{ measure }}_units{{ ',' if not loop.last }}
        {%- endfor %}
    from cost_centers_cut

),

sections_cut as (

    select
        with_decimals.*,
        {%- for measure in measures %}
        {{ cut_units('coalesce(with_decimals.' ~ measure ~ ', 0)', 'with_decimals.currency_decimals') }}
            as {{ measure }}_cut,
        cost_centers_rounded.{{ measure }}_units
        - sum(
            {{ cut_units(
                'coalesce(with_decimals.' ~ measure ~ ', 0)', 'with_decimals.currency_decimals'
            ) }}
        ) over statement as {{ measure }}_left,
        row_number() over (
            partition by
                with_decimals.billing_period,
                with_decimals.organization_id,
                with_decimals.currency,
                with_decimals.cost_center_id
            order by
                {{ cut_remainder(
                    'coalesce(with_decimals.' ~ measure ~ ', 0)', 'with_decimals.currency_decimals'
                ) }} desc,
                with_decimals.section_order,
                with_decimals.corrected_period
        ) as {{ measure }}_turn{{ ',' if not loop.last }}
        {%- endfor %}
    from with_decimals
    inner join cost_centers_rounded
        on
            with_decimals.billing_period = cost_centers_rounded.billing_period
            and with_decimals.organization_id = cost_centers_rounded.organization_id
            and with_decimals.currency = cost_centers_rounded.currency
            and with_decimals.cost_center_id = cost_centers_rounded.cost_center_id
    window statement as (
        partition by
            with_decimals.billing_period,
            with_decimals.organization_id,
            with_decimals.currency,
            with_decimals.cost_center_id
    )

),

-- Who is sold to pays sales; who charges its own cost centers passes on cost.
with_basis as (

    select
        *,
        case
            when
                count(total_sales)
                    over (partition by billing_period, organization_id, currency) > 0
                then 'sales'
            else 'cost'
        end as amount_basis,
        {%- for measure in measures %}
        {{ amount_of_units(
            measure ~ '_cut + case when '
            ~ measure ~ '_turn <= ' ~ measure ~ '_left then 1 else 0 end',
            'currency_decimals'
        ) }} as billed_{{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from sections_cut

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
    case when amount_basis = 'sales' then coalesce(total_sales, 0) else total_cost end as amount,
    case when amount_basis = 'sales' then billed_total_sales else billed_total_cost end
        as billed_amount,
    billed_total_cost as billed_cost,
    case when amount_basis = 'sales' then billed_total_sales end as billed_sales
from with_basis
