with

line_organizations as (

    select * from {{ ref('int_line_organizations') }}

),

split_events as (

    select * from {{ ref('stg_split_history__events') }}
    where rejected_reason is null

),

organization_keys as (

    select * from {{ ref('int_organization_keys') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

organizations as (

    select organization_id from line_organizations
    union
    select organization_id from cost_centers
    union
    select organization_id from organization_keys
    union
    select organization as organization_id from split_events
    where organization is not null
    union
    select 'unassigned' as organization_id

),

named_defaults as (

    select
        organization_id,
        cost_center_id,
        cost_center_name,
        row_number() over (
            partition by organization_id
            order by is_default desc nulls last, cost_center_id nulls last
        ) as surest_first
    from cost_centers
    where is_default or lower(cost_center_name) = 'default'

)

-- Default always exists, whether or not it is listed.
select
    organizations.organization_id,
    coalesce(named_defaults.cost_center_id, 'Default') as cost_center_id,
    coalesce(named_defaults.cost_center_name, 'Default') as cost_center_name
from organizations
left join named_defaults
    on
        organizations.organization_id = named_defaults.organization_id
        and named_defaults.surest_first = 1
