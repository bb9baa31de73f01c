with

billing_lines as (

    select * from {{ ref('int_billing_lines_current') }}

),

organizations as (

    select * from {{ ref('int_organizations') }}

),

organization_keys as (

    select * from {{ ref('int_organization_keys') }}

),

split_events as (

    select * from {{ ref('stg_split_history__events') }}
    where rejected_reason is null and organization is not null

),

customers as (

    select
        customer_id,
        customer_domain,
        customer_name,
        subscription_id
    from billing_lines
    group by customer_id, customer_domain, customer_name, subscription_id

),

subscription_organizations as (

    select
        subscription_id,
        max(organization) as organization
    from split_events
    group by subscription_id

),

-- Match by id first, then by domain and name, then by the split history.
matched as (

    select
        customers.*,
        coalesce(
            by_id.organization_id,
            by_domain.organization_id,
            by_name.organization_id,
            by_history.organization_id
        ) as known_organization_id,
        subscription_organizations.organization as history_organization
    from customers
    left join organization_keys as by_id
        on lower(customers.customer_id) = by_id.organization_key
    left join organization_keys as by_domain
        on lower(customers.customer_domain) = by_domain.organization_key
    left join organization_keys as by_name
        on lower(customers.customer_name) = by_name.organization_key
    left join subscription_organizations
        on customers.subscription_id = subscription_organizations.subscription_id
    left join organization_keys as by_history
        on lower(subscription_organizations.organization) = by_history.organization_key

),

-- An unlisted customer keeps its name on the bill as organization id.
named as (

    select
        matched.customer_id,
        matched.customer_domain,
        matched.customer_name,
        matched.subscription_id,
        matched.known_organization_id is not null as is_known,
        coalesce(
            matched.known_organization_id,
            matched.customer_id,
            matched.customer_domain,
            matched.customer_name,
            matched.history_organization,
            'unassigned'
        ) as organization_id,
        coalesce(
            organizations.organization_name,
            matched.customer_name,
            matched.customer_domain,
            matched.customer_id,
            matched.history_organization,
            'Unassigned'
        ) as organization_name,
        organizations.currency,
        coalesce(organizations.refund_policy, 'as_documented') as refund_policy
    from matched
    left join organizations
        on matched.known_organization_id = organizations.organization_id

)

select * from named
