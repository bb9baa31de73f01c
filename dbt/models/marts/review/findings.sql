with

findings as (

    select * from {{ ref('int_findings') }}

),

finding_kinds as (

    select * from {{ ref('finding_kinds') }}

),

correction_period as (

    select * from {{ ref('int_correction_period') }}

),

organizations as (

    select
        organization_id,
        max(organization_name) as organization_name
    from {{ ref('int_billing_lines') }}
    group by organization_id

),

-- Findings on closed periods are left out, since those periods no longer change.
final as (

    select
        findings.kind,
        finding_kinds.severity,
        findings.organization_id,
        organizations.organization_name,
        findings.subscription_id,
        findings.billing_period,
        cast(findings.amount_at_stake as decimal(28, 10)) as amount_at_stake,
        findings.currency,
        findings.message,
        finding_kinds.meaning,
        case
            when findings.billing_period is not null
                then {{ period_start('findings.billing_period') }}
        end as billing_period_start
    from findings
    inner join finding_kinds on findings.kind = finding_kinds.kind
    cross join correction_period
    left join organizations on findings.organization_id = organizations.organization_id
    where
        correction_period.closed_through is null
        or findings.billing_period is null
        or findings.billing_period > correction_period.closed_through
        or findings.kind in ('quarantined_rows', 'invoice_variance', 'correction_not_applied')

)

select * from final
