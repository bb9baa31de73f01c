{#-
Amounts passed on in open periods. Cost and sales are divided like lines (prorated_part), per giving
cost center and product, so that the parts of a pool sum to it. The remainder of percentages stays
in the source. The second step passes on the amounts received in the first step together with the
source's own.
-#}
with

ruled_costs as (

    select * from {{ ref('int_shared_cost_ruled_costs') }}
    where rule_id is not null

),

rules as (

    select * from {{ ref('int_shared_cost_rules') }}
    where step is not null

),

shares as (

    select * from {{ ref('int_shared_cost_shares') }}

),
{% for step in [1, 2] %}
    given_in_step_{{ step }} as (

        select
            ruled_costs.billing_period,
            ruled_costs.organization_id,
            ruled_costs.currency,
            ruled_costs.rule_id,
            ruled_costs.cost_center_id as from_cost_center_id,
            ruled_costs.product_name,
            ruled_costs.total_cost,
            ruled_costs.total_sales
        from ruled_costs
        inner join rules
            on
                ruled_costs.billing_period = rules.billing_period
                and ruled_costs.rule_id = rules.rule_id
        where rules.step = {{ step }}
        {%- if step == 2 %}
            union all
            select
                step_1.billing_period,
                step_1.organization_id,
                step_1.currency,
                rules.rule_id,
                step_1.to_cost_center_id as from_cost_center_id,
                step_1.product_name,
                step_1.shared_cost as total_cost,
                step_1.shared_sales as total_sales
            from step_1
            inner join rules
                on
                    step_1.billing_period = rules.billing_period
                    and step_1.organization_id = rules.organization_id
                    and step_1.to_cost_center_id = rules.source_key
                    and rules.source_kind = 'cost_center'
        {%- endif %}

    ),

    pools_of_step_{{ step }} as (

        select
            billing_period,
            organization_id,
            currency,
            rule_id,
            from_cost_center_id,
            product_name,
            cast(sum(total_cost) as decimal(28, 10)) as pool_cost,
            cast(sum(total_sales) as decimal(28, 10)) as pool_sales
        from given_in_step_{{ step }}
        group by
            billing_period,
            organization_id,
            currency,
            rule_id,
            from_cost_center_id,
            product_name
        having sum(total_cost) <> 0 or sum(total_sales) <> 0

    ),

    step_{{ step }} as (

        select
            pools.*,
            {{ step }} as step,
            shares.cost_center_id as to_cost_center_id,
            shares.cost_center_name as to_cost_center_name,
            shares.basis,
            shares.basis_total,
            shares.share,
            shares.sales_share,
        {% for measure, units in [('cost', 'units'), ('sales', 'sales_units')] -%}
            {{ prorated_part(
                'pools.pool_' ~ measure, 'shares.low_' ~ units, 'shares.high_' ~ units,
                'cast(10000000000 as bigint)', '0'
            ) }} as shared_{{ measure }}{{ ',' if not loop.last }}
        {% endfor %}
        from pools_of_step_{{ step }} as pools
        inner join shares
            on
                pools.billing_period = shares.billing_period
                and pools.rule_id = shares.rule_id
                and pools.currency = shares.currency

    ),
{% endfor %}
unioned as (

    select * from step_1
    union all
    select * from step_2

)

select * from unioned
