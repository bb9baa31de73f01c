{#-
The cost center that the tags of a line identify. The provider's own split decides before the tags
of the shared resource: the id of the resource that the part is for, then its tags, by the first
matching rule of the seed tag_rules. A rule names the cost center, or states that the tag's value is
its id, charge code or name.
-#}
{{ config(materialized='view') }}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

tag_rules as (

    select * from {{ ref('tag_rules') }}

),

cost_center_words as (

    select * from {{ ref('int_cost_center_words') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

-- Azure's older files omit the braces. Text that is not JSON has no tags.
readable as (

    {% for column in ['allocated_tags', 'tags'] %}
        select
            line_id,
            organization_id,
            charge_start_date,
            {{ loop.index }} as source_rank,
            case
                when substr({{ column }}, 1, 1) = chr(123) then {{ column }}
                else concat_ws('', chr(123), {{ column }}, chr(125))
            end as tags
        from billing_lines
        where {{ column }} is not null
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

tag_pairs as (

    select
        line_id,
        organization_id,
        charge_start_date,
        source_rank,
        {{ each_json_pair('tags') }} as pair
    from readable

),

line_tags as (

    select
        line_id,
        organization_id,
        charge_start_date,
        source_rank,
        pair.key as tag_key,
        pair.value as tag_value
    from tag_pairs

),

-- An id takes precedence over a charge code, and a charge code over a name.
cost_center_by_word as (

    select
        organization_id,
        word,
        min_by(cost_center_id, preference) as cost_center_id
    from cost_center_words
    where word_kind <> 'location' and cost_center_id is not null
    group by organization_id, word

),

matched as (

    select
        line_tags.line_id,
        line_tags.organization_id,
        line_tags.charge_start_date,
        line_tags.source_rank,
        tag_rules.rule_number,
        line_tags.tag_key,
        line_tags.tag_value,
        cost_center_by_word.cost_center_id
    from line_tags
    inner join tag_rules
        on
            {{ match_key('line_tags.tag_key') }} = {{ match_key('tag_rules.tag_key') }}
            and (
                tag_rules.tag_value = '*'
                or lower(trim(line_tags.tag_value)) = lower(trim(tag_rules.tag_value))
            )
            and line_tags.organization_id
            = coalesce(tag_rules.organization_id, line_tags.organization_id)
    -- A rule whose cost center is not in the organization does not match.
    inner join cost_center_by_word
        on
            line_tags.organization_id = cost_center_by_word.organization_id
            and case
                when tag_rules.cost_center_id = '(tag value)' then lower(trim(line_tags.tag_value))
                else lower(tag_rules.cost_center_id)
            end = cost_center_by_word.word
    union all
    select
        billing_lines.line_id,
        billing_lines.organization_id,
        billing_lines.charge_start_date,
        0 as source_rank,
        0 as rule_number,
        'AllocatedResourceId' as tag_key,
        billing_lines.allocated_resource_id as tag_value,
        cost_centers.cost_center_id
    from billing_lines
    inner join cost_centers
        on
            billing_lines.organization_id = cost_centers.organization_id
            and lower(billing_lines.allocated_resource_id) = lower(cost_centers.cost_center_id)
    where billing_lines.split_cost_center_id is null

),

ranked as (

    select
        *,
        row_number() over (
            partition by line_id
            order by
                source_rank nulls last,
                rule_number nulls last,
                tag_key nulls last,
                tag_value nulls last,
                cost_center_id nulls last
        ) as first_match
    from matched

)

select
    line_id,
    organization_id,
    charge_start_date,
    rule_number,
    tag_key,
    cost_center_id
from ranked
where first_match = 1
