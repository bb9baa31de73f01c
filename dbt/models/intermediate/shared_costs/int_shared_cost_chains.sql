{#-
Rules that would pass costs on a third time or in a circle, with their path. A path is followed over
at most ten rules. If there are several paths, one of the shortest is
reported.
-#}
{%- set longest = 10 -%}
with

usable_rules as (

    select * from {{ ref('int_shared_cost_usable_rules') }}
    where problem is null

),

receivers as (

    select * from {{ ref('int_shared_cost_receivers') }}

),

-- A rule feeds another one if it names the other one's cost center as receiver.
feeds as (

    select
        usable_rules.billing_period,
        usable_rules.organization_id,
        usable_rules.rule_id,
        usable_rules.source_name,
        fed.rule_id as fed_rule_id,
        fed.source_name as fed_source_name
    from usable_rules
    inner join receivers
        on
            usable_rules.billing_period = receivers.billing_period
            and usable_rules.rule_id = receivers.rule_id
    inner join usable_rules as fed
        on
            usable_rules.billing_period = fed.billing_period
            and usable_rules.organization_id = fed.organization_id
            and receivers.cost_center_id = fed.source_key
            and fed.source_kind = 'cost_center'

),

way_of_1 as (

    select
        billing_period,
        rule_id as first_rule_id,
        fed_rule_id as last_rule_id,
        concat_ws('', source_name, ' > ', fed_source_name) as way
    from feeds

),
{% for length in range(2, longest + 1) %}
    way_of_{{ length }} as (

        select
            ways.billing_period,
            ways.first_rule_id,
            feeds.fed_rule_id as last_rule_id,
            min(concat_ws('', ways.way, ' > ', feeds.fed_source_name)) as way
        from way_of_{{ length - 1 }} as ways
        inner join feeds
            on
                ways.billing_period = feeds.billing_period
                and ways.last_rule_id = feeds.rule_id
        where ways.first_rule_id <> ways.last_rule_id
        group by ways.billing_period, ways.first_rule_id, feeds.fed_rule_id

    ),
{% endfor %}
circles as (

    {% for length in range(1, longest + 1) %}
        select
            billing_period,
            first_rule_id as rule_id,
            'shared_cost_circle' as problem_kind,
            {{ length }} as length,
            way
        from way_of_{{ length }}
        where first_rule_id = last_rule_id
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

-- Three rules in a row; each of them is on the path.
third_steps as (

    {% for rule in ['first.rule_id', 'second.rule_id', 'second.fed_rule_id'] %}
        select
            first.billing_period,
            {{ rule }} as rule_id,
            'shared_cost_third_step' as problem_kind,
            {{ longest + 1 }} as length,
            concat_ws(
                '',
                first.source_name, ' > ', second.source_name, ' > ', second.fed_source_name
            ) as way
        from feeds as first
        inner join feeds as second
            on
                first.billing_period = second.billing_period
                and first.fed_rule_id = second.rule_id
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

unioned as (

    select * from circles
    union all
    select * from third_steps

),

ranked as (

    select
        *,
        row_number() over (
            partition by billing_period, rule_id
            order by length nulls last, way nulls last
        ) as shortest_first
    from unioned

)

select
    billing_period,
    rule_id,
    problem_kind,
    way
from ranked
where shortest_first = 1
