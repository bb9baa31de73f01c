with

organizations as (

    select * from {{ ref('int_organizations') }}

),

-- Identifiers by which a bill may refer to an organization, the most reliable first.
keys as (

    select
        lower(organization_id) as organization_key,
        organization_id,
        1 as preference
    from organizations
    union all
    select
        lower(tenant_id) as organization_key,
        organization_id,
        2 as preference
    from organizations
    union all
    select
        lower(domain) as organization_key,
        organization_id,
        3 as preference
    from organizations
    union all
    select
        lower(organization_name) as organization_key,
        organization_id,
        4 as preference
    from organizations

),

ranked as (

    select
        *,
        row_number() over (
            partition by organization_key
            order by preference nulls last, organization_id nulls last
        ) as surest_first
    from keys
    where organization_key is not null

)

select
    organization_key,
    organization_id
from ranked
where surest_first = 1
