with

of_bills as (

    select * from {{ ref('int_findings_bills') }}

),

of_deliveries as (

    select * from {{ ref('int_findings_deliveries') }}

),

of_lines as (

    select * from {{ ref('int_findings_lines') }}

),

of_prices as (

    select * from {{ ref('int_findings_prices') }}

),

of_directory as (

    select * from {{ ref('int_findings_directory') }}

),

of_budgets as (

    select * from {{ ref('int_findings_budgets') }}

),

of_refunds as (

    select * from {{ ref('int_findings_refunds') }}

),

of_splits as (

    select * from {{ ref('int_findings_splits') }}

),

of_shared_costs as (

    select * from {{ ref('int_findings_shared') }}

),

of_names as (

    select * from {{ ref('int_findings_names') }}

),

of_files as (

    select * from {{ ref('int_findings_files') }}

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

unioned as (

    select * from of_bills
    union all
    select * from of_deliveries
    union all
    select * from of_lines
    union all
    select * from of_prices
    union all
    select * from of_directory
    union all
    select * from of_budgets
    union all
    select * from of_refunds
    union all
    select * from of_splits
    union all
    select * from of_shared_costs
    union all
    select * from of_names
    union all
    select * from of_files

),

-- What is closed is closed: findings are what somebody can still do something about.
final as (

    select
        unioned.kind,
        finding_kinds.severity,
        unioned.organization_id,
        organizations.organization_name,
        unioned.subscription_id,
        unioned.billing_period,
        cast(unioned.amount_at_stake as decimal(28, 10)) as amount_at_stake,
        unioned.currency,
        unioned.message,
        finding_kinds.meaning
    from unioned
    inner join finding_kinds on unioned.kind = finding_kinds.kind
    cross join correction_period
    left join organizations on unioned.organization_id = organizations.organization_id
    where
        correction_period.closed_through is null
        or unioned.billing_period is null
        or unioned.billing_period > correction_period.closed_through
        or unioned.kind in ('quarantined_rows', 'invoice_variance', 'correction_not_applied')

)

select * from final
