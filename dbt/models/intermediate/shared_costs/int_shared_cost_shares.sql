{#-
Share of each receiver in the cost and in the sales passed on by a rule, in whole units of 10^-10.
Percentages are parts of 100, so that their remainder stays in the source. Other bases are parts of
their sum. The two shares differ only by direct cost, where sales are shared by direct sales.
-#}
with

rules as (

    select * from {{ ref('int_shared_cost_rules') }}
    where step is not null

),

receivers as (

    select * from {{ ref('int_shared_cost_receivers') }}

),

bases as (

    select * from {{ ref('int_shared_cost_bases') }}

),

currencies as (

    select
        billing_period,
        organization_id,
        currency
    from {{ ref('int_open_costs') }}
    group by billing_period, organization_id, currency

),

based as (

    {% for measure, basis in [('cost', 'basis'), ('sales', 'sales_basis')] %}
        select
            rules.billing_period,
            rules.organization_id,
            currencies.currency,
            rules.rule_id,
            rules.method,
            receivers.cost_center_id,
            receivers.cost_center_name,
            '{{ measure }}' as measure,
            cast(
                case rules.method
                    when 'percent' then receivers.percent
                    when 'even' then 1
                    else coalesce(bases.{{ basis }}, 0)
                end as decimal(28, 10)
            ) as basis
        from rules
        inner join currencies
            on
                rules.billing_period = currencies.billing_period
                and rules.organization_id = currencies.organization_id
        inner join receivers
            on
                rules.billing_period = receivers.billing_period
                and rules.rule_id = receivers.rule_id
        left join bases
            on
                rules.billing_period = bases.billing_period
                and rules.organization_id = bases.organization_id
                and rules.method = bases.method
                and coalesce(bases.currency, currencies.currency) = currencies.currency
                and receivers.cost_center_id = bases.cost_center_id
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

totaled as (

    select
        *,
        cast(
            case
                when method = 'percent' then 100
                else sum(basis) over (partition by billing_period, rule_id, currency, measure)
            end as decimal(28, 10)
        ) as basis_total
    from based

),

in_units as (

    select
        *,
        {{ basis_units('basis', 'basis_total') }} as basis_units
    from totaled
    where basis_total > 0

),

cumulative as (

    select
        *,
        sum(basis_units) over (
            partition by billing_period, rule_id, currency, measure
            order by cost_center_id nulls last
            rows between unbounded preceding and current row
        ) as high_basis_units,
        case
            when method = 'percent' then {{ basis_units('basis_total', 'basis_total') }}
            else sum(basis_units) over (partition by billing_period, rule_id, currency, measure)
        end as basis_total_units
    from in_units

),

shared_out as (

    select
        * {{ without('basis_units', 'basis_total_units', 'high_basis_units') }},
        {{ cumulative_share('high_basis_units - basis_units', 'basis_total_units') }} as low_share,
        {{ cumulative_share('high_basis_units', 'basis_total_units') }} as high_share
    from cumulative

),

side_by_side as (

    select
        {% for name, measure, column in [
            ('basis', 'cost', 'basis'),
            ('basis_total', 'cost', 'basis_total'),
            ('low_share', 'cost', 'low_share'),
            ('high_share', 'cost', 'high_share'),
            ('low_sales_share', 'sales', 'low_share'),
            ('high_sales_share', 'sales', 'high_share'),
        ] -%}
            coalesce(max(case when measure = '{{ measure }}' then {{ column }} end), 0)
                as {{ name }},
        {% endfor -%}
        billing_period,
        organization_id,
        currency,
        rule_id,
        cost_center_id,
        cost_center_name
    from shared_out
    group by
        billing_period, organization_id, currency, rule_id, cost_center_id, cost_center_name

),

-- A cost center with a basis of zero receives nothing.
final as (

    select
        billing_period,
        organization_id,
        currency,
        rule_id,
        cost_center_id,
        cost_center_name,
        basis,
        basis_total,
        cast(low_share * 10000000000 as bigint) as low_units,
        cast(high_share * 10000000000 as bigint) as high_units,
        cast(high_share - low_share as decimal(18, 10)) as share,
        cast(low_sales_share * 10000000000 as bigint) as low_sales_units,
        cast(high_sales_share * 10000000000 as bigint) as high_sales_units,
        cast(high_sales_share - low_sales_share as decimal(18, 10)) as sales_share
    from side_by_side
    where high_share > low_share or high_sales_share > low_sales_share

)

select * from final
