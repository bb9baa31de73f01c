with

organizations as (

    select * from {{ ref('stg_organizations__organizations') }}
    where rejected_reason is null

),

files as (

    select * from {{ ref('stg_landing__files') }}
    where status = 'loaded'

),

-- For an organization that is listed twice, the file with the latest modification time counts.
ranked as (

    select
        organizations.*,
        {{ newest_first(['organizations.organization_id'], rows='organizations') }}
    from organizations
    inner join files on organizations.content_hash = files.content_hash

)

select
    organization_id,
    organization_name,
    tenant_id,
    domain,
    currency,
    refund_policy,
    split_source,
    split_attribute
from ranked
where newest_first = 1
