{#-
The cost center that a line itself identifies: the one of a bill that is split already, else the one
of its tags or the provider's own split, or its successor.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

named as (

    select * from {{ ref('int_line_tag_matches') }}

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

-- The cost of a deleted cost center goes to its nearest existing successor, else to Default.
receivers as (

    select
        named.line_id,
        min_by(successions.successor_id, successions.distance) as cost_center_id
    from named
    inner join successions
        on
            named.organization_id = successions.organization_id
            and named.cost_center_id = successions.cost_center_id
            and coalesce(successions.successor_valid_to, {{ far_future() }})
            > cast(named.charge_start_date as timestamp)
    group by named.line_id

),

split_by_bill as (

    select
        line_id,
        organization_id,
        0 as rule_number,
        'x_CostCenterId' as tag_key,
        split_cost_center_name as cost_center_name,
        true as is_split_by_bill,
        is_split_unallocated as is_unallocated,
        split_cost_center_id as cost_center_id
    from billing_lines
    where split_cost_center_id is not null

),

borne as (

    select
        named.line_id,
        named.organization_id,
        named.rule_number,
        named.tag_key,
        cast(null as string) as cost_center_name,
        false as is_split_by_bill,
        false as is_unallocated,
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
    left join split_by_bill on named.line_id = split_by_bill.line_id
    where split_by_bill.line_id is null
    union all
    select * from split_by_bill

)

select
    *,
    concat_ws(
        '',
        {{ cost_center_split_id('organization_id', 'cost_center_id') }},
        case when is_unallocated then ':unallocated' else '' end
    ) as split_id
from borne
