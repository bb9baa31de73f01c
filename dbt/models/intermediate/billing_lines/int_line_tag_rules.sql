{#-
The cost center that the tags of a line identify, by the first matching rule of the seed tag_rules.
A rule names the cost center, or states that the tag's value is its id, charge code or name.
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

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

successions as (

    select * from {{ ref('int_cost_center_successions') }}

),

-- Azure's older files omit the braces. Text that is not JSON has no tags.
readable as (

    select
        line_id,
        organization_id,
        charge_start_date,
        case
            when substr(tags, 1, 1) = chr(123) then tags
            else concat(chr(123), tags, chr(125))
        end as tags
    from billing_lines

),

tag_pairs as (

    select
        line_id,
        organization_id,
        charge_start_date,
        {{ each_json_pair('tags') }} as pair
    from readable

),

line_tags as (

    select
        line_id,
        organization_id,
        charge_start_date,
        pair.key as tag_key,
        pair.value as tag_value
    from tag_pairs

),

-- An id takes precedence over a charge code, and a charge code over a name.
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
        line_tags.charge_start_date,
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

),

ranked as (

    select
        *,
        row_number() over (
            partition by line_id
            order by rule_number, tag_key, tag_value
        ) as first_match
    from matched

),

named as (

    select * from ranked
    where first_match = 1

),

-- The cost of a deleted cost center goes to its nearest existing successor, else to Default.
receivers as (

    select
        named.line_id,
        arg_min(successions.successor_id, successions.distance) as cost_center_id
    from named
    inner join successions
        on
            named.organization_id = successions.organization_id
            and named.cost_center_id = successions.cost_center_id
            and coalesce(successions.successor_valid_to, {{ far_future() }})
            > cast(named.charge_start_date as timestamp)
    group by named.line_id

),

borne as (

    select
        named.line_id,
        named.organization_id,
        named.rule_number,
        named.tag_key,
        case
            when cost_centers.valid_to <= cast(named.charge_start_date as timestamp)
                then coalesce(receivers.cost_center_id, default_cost_centers.cost_center_id)
            else named.cost_center_id
        end as cost_center_id
    from named
    left join cost_centers
        on
            named.organization_id = cost_centers.organization_id
            and named.cost_center_id = cost_centers.cost_center_id
    left join default_cost_centers
        on named.organization_id = default_cost_centers.organization_id
    left join receivers on named.line_id = receivers.line_id

)

select
    *,
    {{ cost_center_split_id('organization_id', 'cost_center_id') }} as split_id
from borne
