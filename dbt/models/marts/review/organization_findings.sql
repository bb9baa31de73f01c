with

findings as (

    select * from {{ ref('findings') }}

),

finding_kinds as (

    select * from {{ ref('finding_kinds') }}
    where is_for_organization

),

subscriptions as (

    select * from {{ ref('dim_subscription') }}

),

final as (

    select
        findings.kind,
        findings.severity,
        findings.organization_id,
        findings.organization_name,
        findings.subscription_id,
        subscriptions.product_name,
        findings.billing_period,
        findings.currency,
        findings.message,
        findings.meaning
    from findings
    inner join finding_kinds on findings.kind = finding_kinds.kind
    left join subscriptions
        on
            findings.organization_id = subscriptions.organization_id
            and findings.subscription_id = subscriptions.subscription_id
    where findings.organization_id is not null

)

select * from final
