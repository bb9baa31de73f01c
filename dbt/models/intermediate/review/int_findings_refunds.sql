{{ config(materialized='view') }}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

refund_links as (

    select * from {{ ref('int_refund_links') }}

),

refund_drift as (

    select * from {{ ref('int_refund_drift') }}

),

drifting as (

    select
        'refund_drift' as kind,
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.billing_period,
        billing_lines.currency,
        abs(refund_drift.drift) as amount_at_stake,
        concat_ws(
            '',
            'cost center ', refund_drift.cost_center_id, ' receives ',
            {{ plain_number('refund_drift.documented_cost') }},
            ' by the split before the change and ',
            {{ plain_number('refund_drift.mirrored_cost') }},
            ' by the split of the refunded charge; the policy of the organization is ',
            billing_lines.refund_policy, ' (', billing_lines.billing_line_details, ')'
        ) as message
    from refund_drift
    inner join billing_lines on refund_drift.line_id = billing_lines.line_id

),

refunded as (

    select
        refund_links.refund_of_line_id,
        sum(-billing_lines.total_cost) as refunded_cost,
        max(billing_lines.billing_period) as billing_period
    from refund_links
    inner join billing_lines on refund_links.line_id = billing_lines.line_id
    group by refund_links.refund_of_line_id

),

exceeding as (

    select
        'refund_exceeds_charge' as kind,
        billing_lines.organization_id,
        billing_lines.subscription_id,
        refunded.billing_period,
        billing_lines.currency,
        refunded.refunded_cost - billing_lines.total_cost as amount_at_stake,
        concat_ws(
            '',
            'refunds of ', {{ plain_number('refunded.refunded_cost') }}, ' exceed the charge of ',
            {{ plain_number('billing_lines.total_cost') }}, ' (',
            billing_lines.billing_line_details, ')'
        ) as message
    from refunded
    inner join billing_lines on refunded.refund_of_line_id = billing_lines.line_id
    where refunded.refunded_cost > billing_lines.total_cost

),

without_charge as (

    select
        'refund_without_charge' as kind,
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.billing_period,
        billing_lines.currency,
        abs(billing_lines.total_cost) as amount_at_stake,
        concat_ws(
            '',
            'there is no earlier charge with the same end date, quantity and price (',
            billing_lines.billing_line_details, ')'
        ) as message
    from billing_lines
    left join refund_links on billing_lines.line_id = refund_links.line_id
    where
        billing_lines.charge_kind = 'refund'
        and billing_lines.split_cost_center_id is null
        and refund_links.line_id is null

)

select * from drifting
union all
select * from exceeding
union all
select * from without_charge
