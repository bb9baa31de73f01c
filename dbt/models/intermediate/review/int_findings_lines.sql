{{ config(materialized='view') }}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

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
        concat_ws(
            '',
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
        cast(null as string) as subscription_id,
        billing_period,
        currency,
        sum(abs(total_cost)) as amount_at_stake,
        concat_ws(
            '',
            'customer "', organization_name, '" is not in the list of organizations; ', count(*),
            ' line(s) use this name as organization id'
        ) as message
    from billing_lines
    -- Our own export has our own ids.
    where not is_known_organization and split_cost_center_id is null
    group by organization_id, organization_name, billing_period, currency

),

assumed_billing_dates as (

    select
        'billing_date_assumed' as kind,
        organization_id,
        cast(null as string) as subscription_id,
        billing_period,
        currency,
        sum(abs(total_cost)) as amount_at_stake,
        concat_ws(
            '',
            case
                when invoice_number is null then concat_ws('', min(file), ' has no invoice number')
                else concat_ws('', 'invoice ', invoice_number, ' is not in the list of invoices')
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
        concat_ws(
            '',
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
        cast(null as string) as subscription_id,
        billing_period,
        currency,
        sum(abs(total_cost)) as amount_at_stake,
        concat_ws('', count(*), ' line(s) have no currency, and the organization has none either')
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
        concat_ws(
            '',
            'the margin on the bill is ', {{ plain_number('billed_margin') }},
            ', but sales less cost is ', {{ plain_number('total_margin') }}, ' (',
            billing_line_details, ')'
        ) as message
    from billing_lines
    where abs(billed_margin - total_margin) >= 0.000001

),

unexplained as (

    select
        'unexplained_proration' as kind,
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.billing_period,
        billing_lines.currency,
        abs(proration.proration_variance) as amount_at_stake,
        concat_ws(
            '',
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
select * from unexplained
