with

organizations as (

    select * from {{ ref('int_organizations') }}

),

chargeback as (

    select * from {{ ref('chargeback') }}

),

charged as (

    select
        organization_id,
        {{ latest_name('organization_name') }} as organization_name,
        min(billing_period) as first_billing_period,
        max(billing_period) as last_billing_period
    from chargeback
    group by organization_id

),

final as (

    select
        coalesce(charged.organization_id, organizations.organization_id) as organization_id,
        coalesce(
            organizations.organization_name, charged.organization_name, charged.organization_id
        ) as organization_name,
        organizations.currency,
        organizations.split_source,
        organizations.organization_id is not null as is_listed,
        charged.first_billing_period,
        charged.last_billing_period
    from charged
    full outer join organizations on charged.organization_id = organizations.organization_id

)

select * from final
