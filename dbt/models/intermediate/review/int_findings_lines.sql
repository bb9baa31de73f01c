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

proration as (

    select * from {{ ref('int_line_proration') }}

),

unknown_charge_types as (

    select
        'unknown_charge_type' as kind,
        organization_id,
        subscription_id,
        billing_period,
        currency,
        sum(abs(total_cost)) as amount_at_stake,
        concat(
            'charge type "', charge_type, '" is not in the seed charge_types; ', count(*),
            ' line(s) are split as ', charge_kind, ' by the sign of the amount'
        ) as message
    from billing_lines
    where not is_known_charge_type
    group by
        organization_id, subscription_id, billing_period, currency, charge_type, charge_kind

),

unknown_organizations as (

    select
        'unknown_organization' as kind,
        organization_id,
        cast(null as varchar) as subscription_id,
        billing_period,
        currency,
        sum(abs(total_cost)) as amount_at_stake,
        concat(
            'customer "', organization_name, '" is not in the list of organizations; ', count(*),
            ' line(s) use this name as organization id'
        ) as message
    from billing_lines
    where not is_known_organization
    group by organization_id, organization_name, billing_period, currency

),

assumed_billing_dates as (

    select
        'billing_date_assumed' as kind,
        organization_id,
        cast(null as varchar) as subscription_id,
        billing_period,
        currency,
        sum(abs(total_cost)) as amount_at_stake,
        concat(
            case
                when invoice_number is null then concat(min(file), ' has no invoice number')
                else concat('invoice ', invoice_number, ' is not in the list of invoices')
            end,
            '; its billing date is assumed to be ', billing_date
        ) as message
    from billing_lines
    where is_billing_date_assumed
    group by organization_id, billing_period, currency, invoice_number, billing_date

),

lines_in_several_files as (

    select
        'line_in_several_files' as kind,
        organization_id,
        subscription_id,
        billing_period,
        currency,
        sum(abs(total_cost)) as amount_at_stake,
        concat(
            count(*), ' line(s) of ', file, ' are also in other files and count once;',
            ' if they are separate purchases, add an invoice number or combine the files'
        ) as message
    from billing_lines
    where copy_count > 0
    group by organization_id, subscription_id, billing_period, currency, file

),

without_currency as (

    select
        'no_currency' as kind,
        organization_id,
        cast(null as varchar) as subscription_id,
        billing_period,
        currency,
        sum(abs(total_cost)) as amount_at_stake,
        concat(count(*), ' line(s) have no currency, and the organization has none either')
            as message
    from billing_lines
    where currency = 'XXX'
    group by organization_id, billing_period, currency

),

-- Differences below a millionth come from truncated figures on bills and are ignored.
differing_margins as (

    select
        'margin_differs' as kind,
        organization_id,
        subscription_id,
        billing_period,
        currency,
        abs(billed_margin - total_margin) as amount_at_stake,
        concat(
            'the margin on the bill is ', {{ plain_number('billed_margin') }},
            ', but sales less cost is ', {{ plain_number('total_margin') }}, ' (',
            billing_line_details, ')'
        ) as message
    from billing_lines
    where abs(billed_margin - total_margin) >= 0.000001

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
        concat(
            'the line has ', {{ plain_number('quantity') }}, ' licenses, but the split of ',
            {{ plain_instant('effective_at') }}, ' has ',
            {{ plain_number('total_quantity') }}, '; split in proportion (',
            billing_line_details, ')'
        ) as message
    from quantities
    where quantity <> total_quantity

),

unexplained as (

    select
        'unexplained_proration' as kind,
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.billing_period,
        billing_lines.currency,
        abs(proration.proration_variance) as amount_at_stake,
        concat(
            'the billed amount of ', {{ plain_number('billing_lines.total_cost') }}, ' is ',
            {{ plain_number('abs(proration.proration_variance)') }},
            case when proration.proration_variance > 0 then ' more' else ' less' end,
            ' than ', {{ plain_number('billing_lines.quantity') }}, ' x ',
            {{ plain_number('abs(billing_lines.unit_price)') }}, ' x ',
            proration.charge_days, ' / ', proration.cycle_days, ' days (',
            billing_lines.billing_line_details, ')'
        ) as message
    from proration
    inner join billing_lines on proration.line_id = billing_lines.line_id
    where
        proration.proration_rule = 'unexplained'
        and abs(proration.proration_variance) > {{ var('unexplained_proration_above') }}

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
        concat(
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

select * from unknown_charge_types
union all
select * from unknown_organizations
union all
select * from assumed_billing_dates
union all
select * from lines_in_several_files
union all
select * from without_currency
union all
select * from differing_margins
union all
select * from quantity_mismatches
union all
select * from unexplained
union all
select * from untagged
