{{ config(materialized='view') }}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

line_snapshots as (

    select * from {{ ref('int_line_snapshots') }}

),

snapshots as (

    select * from {{ ref('int_split_snapshots') }}

),

-- Lines that differ only in price are one purchase, so their quantities are added up.
quantities as (

    select
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.billing_period,
        billing_lines.currency,
        min(billing_lines.billing_line_details) as billing_line_details,
        snapshots.total_quantity,
        snapshots.effective_at,
        sum(billing_lines.quantity) as quantity,
        sum(abs(billing_lines.total_cost)) as amount_at_stake
    from billing_lines
    inner join line_snapshots on billing_lines.line_id = line_snapshots.line_id
    inner join snapshots on line_snapshots.snapshot_id = snapshots.snapshot_id
    where billing_lines.charge_source = 'license' and coalesce(billing_lines.has_seats, true)
    group by
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.billing_period,
        billing_lines.currency,
        {{ match_key('billing_lines.billing_line_details') }},
        billing_lines.charge_kind,
        snapshots.total_quantity,
        snapshots.effective_at

),

quantity_mismatches as (

    select
        'quantity_mismatch' as kind,
        organization_id,
        subscription_id,
        billing_period,
        currency,
        amount_at_stake,
        concat_ws(
            '',
            'the line has ', {{ plain_number('quantity') }}, ' licenses, but the split of ',
            {{ plain_instant('effective_at') }}, ' has ',
            {{ plain_number('total_quantity') }}, '; split in proportion (',
            billing_line_details, ')'
        ) as message
    from quantities
    where quantity <> total_quantity

),

-- Cloud charges without a split and without a matching tag rule.
untagged as (

    select
        'no_tag_rule' as kind,
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.billing_period,
        billing_lines.currency,
        sum(abs(billing_lines.total_cost)) as amount_at_stake,
        concat_ws(
            '',
            count(*), ' line(s) of ', billing_lines.product_name,
            ' have no split and no tag that matches a tag rule: the whole amount is in Default'
        ) as message
    from billing_lines
    inner join line_snapshots on billing_lines.line_id = line_snapshots.line_id
    where
        billing_lines.charge_source in ('usage', 'FOCUS')
        and billing_lines.charge_kind not in ('credit', 'tax')
        and line_snapshots.split_reason in ('not_a_license', 'no_snapshot')
    group by
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.billing_period,
        billing_lines.currency,
        billing_lines.product_name

)

select * from quantity_mismatches
union all
select * from untagged
