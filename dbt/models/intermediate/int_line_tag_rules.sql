{#-
The cost center that the tags of a line name: the first rule of the seed tag_rules that matches. A
rule may name the cost center, or say that the tag's value does: an id, a charge code or a name.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where tags is not null

),

tag_rules as (

    select * from {{ ref('tag_rules') }}

),

cost_center_words as (

    select * from {{ ref('int_cost_center_words') }}

),

-- Azure's older files leave the braces out. What is no JSON has no tags.
readable as (

    select
        line_id,
        organization_id,
        case
            when substr(tags, 1, 1) = chr(123) then tags
            else concat(chr(123), tags, chr(125))
        end as tags
    from billing_lines

),

tag_keys as (

    select
        line_id,
        organization_id,
        tags,
        {{ each_json_key('tags') }} as tag_key
    from readable

),

line_tags as (

    select
        line_id,
        organization_id,
        tag_key,
        {{ json_text_at('tags', 'tag_key') }} as tag_value
    from tag_keys
    -- A key with a quote in it is no path to its value.
    where position('"' in tag_key) = 0

),

-- An id goes before a charge code, and that before a name.
cost_center_by_word as (

    select
        organization_id,
        word,
        arg_min(cost_center_id, preference) as cost_center_id
    from cost_center_words
    where word_kind <> 'location' and cost_center_id is not null
    group by organization_id, word

),

matched as (

    select
        line_tags.line_id,
        line_tags.organization_id,
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
    -- A rule that names no cost center of the organization does not match.
    inner join cost_center_by_word
        on
            line_tags.organization_id = cost_center_by_word.organization_id
            and case
                when tag_rules.cost_center_id = '(tag value)' then lower(trim(line_tags.tag_value))
                else lower(tag_rules.cost_center_id)
            end = cost_center_by_word.word

),

ranked as (

    select
        *,
        row_number() over (
            partition by line_id
            order by rule_number, tag_key, tag_value
        ) as first_match
    from matched

)

select
    line_id,
    organization_id,
    rule_number,
    tag_key,
    cost_center_id,
    {{ cost_center_split_id('organization_id', 'cost_center_id') }} as split_id
from ranked
where first_match = 1
