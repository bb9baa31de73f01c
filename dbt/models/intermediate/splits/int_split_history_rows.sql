{{ config(materialized='view') }}
{#-
The split history as landed, with the ids of its organizations and cost centers. For a row that several
files list, the file with the latest modification time counts.
-#}
with

event_rows as (

    select * from {{ ref('stg_split_history__events') }}
    where rejected_reason is null

),

files as (

    select * from {{ ref('stg_landing__files') }}
    where status = 'loaded'

),

line_organizations as (

    select
        subscription_id,
        min(organization_id) as organization_id
    from {{ ref('int_line_organizations') }}
    where subscription_id is not null
    group by subscription_id

),

organization_keys as (

    select * from {{ ref('int_organization_keys') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

cost_center_names as (

    select
        organization_id,
        lower(cost_center_name) as cost_center_key,
        min(cost_center_id) as cost_center_id
    from cost_centers
    group by organization_id, lower(cost_center_name)

),

-- A cost center that is repeated in otherwise equal rows begins the next snapshot of that instant.
occurring as (

    select
        event_rows.*,
        files.modified_at,
        row_number() over (
            partition by
                event_rows.content_hash,
                event_rows.subscription_id,
                event_rows.event_key,
                event_rows.effective_at,
                event_rows.recorded_at,
                event_rows.event_sequence,
                event_rows.total_quantity,
                event_rows.cost_center_id,
                lower(event_rows.cost_center_name)
            order by event_rows.row_number nulls last
        ) as occurrence
    from event_rows
    inner join files on event_rows.content_hash = files.content_hash

),

identified as (

    select
        {{ surrogate_id([
            'occurring.subscription_id', 'occurring.event_key', 'occurring.effective_at',
            'occurring.recorded_at', 'occurring.event_sequence', 'occurring.total_quantity',
            'occurring.occurrence',
        ]) }} as event_id,
        occurring.*,
        coalesce(
            line_organizations.organization_id,
            organization_keys.organization_id,
            occurring.organization,
            'unassigned'
        ) as organization_id
    from occurring
    left join line_organizations
        on occurring.subscription_id = line_organizations.subscription_id
    left join organization_keys
        on lower(occurring.organization) = organization_keys.organization_key

),

-- An id decides. A name alone is looked up; an unknown name is used as the id.
with_cost_center as (

    select
        identified.* {{ without('cost_center_id') }},
        case
            when
                identified.cost_center_id is null and identified.cost_center_name is null
                then null
            when
                identified.cost_center_id is null
                and lower(identified.cost_center_name) = 'default'
                then default_cost_centers.cost_center_id
            else
                coalesce(
                    identified.cost_center_id,
                    cost_center_names.cost_center_id,
                    identified.cost_center_name
                )
        end as cost_center_id,
        default_cost_centers.cost_center_id as default_cost_center_id
    from identified
    left join cost_center_names
        on
            identified.organization_id = cost_center_names.organization_id
            and lower(identified.cost_center_name) = cost_center_names.cost_center_key
    inner join default_cost_centers
        on identified.organization_id = default_cost_centers.organization_id

),

ranked as (

    select
        *,
        {{ newest_first(
            ['event_id', 'cost_center_id'], rows='with_cost_center', files='with_cost_center'
        ) }}
    from with_cost_center

)

select
    event_id,
    subscription_id,
    organization_id,
    default_cost_center_id,
    event,
    event_key,
    effective_at,
    is_date_only,
    recorded_at,
    event_sequence,
    total_quantity,
    cost_center_id,
    cost_center_name,
    allocated_quantity,
    row_number
from ranked
where newest_first = 1
