{#- Findings on deliveries that are replaced, and on those that need a decision. -#}
{{ config(materialized='view') }}
with

deliveries as (

    select * from {{ ref('int_deliveries') }}

),

delivered_lines as (

    select * from {{ ref('int_delivered_lines') }}
    where rejected_reason is null

),

periods as (

    select
        provider,
        invoice_number,
        max(billing_period) as billing_period
    from {{ ref('int_billing_lines') }}
    where invoice_number is not null
    group by provider, invoice_number

),

costs as (

    select
        delivery,
        scope_key,
        invoice_number,
        max(currency) as currency,
        sum(total_cost) as total_cost,
        count(distinct currency) as currency_count
    from delivered_lines
    group by delivery, scope_key, invoice_number

),

described as (

    select
        deliveries.*,
        coalesce(periods.billing_period, {{ year_month('deliveries.billing_date') }})
            as billing_period,
        case when costs.currency_count = 1 then costs.currency end as currency,
        case when costs.currency_count = 1 then costs.total_cost end as total_cost,
        case
            when deliveries.invoice_number is not null
                then concat_ws('', 'invoice ', deliveries.invoice_number)
            when deliveries.billing_date is not null
                then concat_ws('', 'the bill of ', cast(deliveries.billing_date as string))
            else 'the bill'
        end as bill,
        case
            when costs.currency_count = 1
                then concat_ws(
                    '',
                    ' (', costs.currency, ' ', {{ plain_number('costs.total_cost') }}, ')'
                )
            else ''
        end as money
    from deliveries
    left join costs
        on
            deliveries.delivery = costs.delivery
            and deliveries.scope_key = costs.scope_key
            and deliveries.invoice_number is not distinct from costs.invoice_number
    left join periods
        on
            deliveries.provider is not distinct from periods.provider
            and deliveries.invoice_number = periods.invoice_number

),

undecided as (

    select
        'undecided_delivery' as kind,
        cast(null as string) as organization_id,
        cast(null as string) as subscription_id,
        cast(null as string) as billing_period,
        currency,
        abs(coalesce(total_cost, 0)) as amount_at_stake,
        concat_ws(
            '',
            bill, ': ',
            case reason
                when 'same_time'
                    then concat_ws(
                        '',
                        label, money, ' and ', other_label,
                        ' contain the same charges with different amounts, and neither their'
                        ' names nor their times show which one is newer. Remove the one that does'
                        ' not count, or name the files part-1 and part-2 if both are parts'
                    )
                when 'partly_again'
                    then concat_ws(
                        '',
                        repeated_count, ' of ', row_count, ' rows of ', label, money,
                        ' are again in ', other_label, ', which is newer by ',
                        case ordered_by
                            when 'time of the file' then 'the time of the file'
                            else concat_ws('', 'the ', ordered_by)
                        end,
                        '; the other rows are not. Remove ', label, ' if ', other_label,
                        ' is the whole bill, or name the files part-1 and part-2 if both are parts'
                    )
                when 'beside_replaced'
                    then concat_ws(
                        '',
                        label, money, ' is not repeated, but other files of its folder are, in ',
                        other_label, '. Remove ', label, ' if it is out of date, or move it to a'
                        ' folder without a date in its name if it counts'
                    )
                when 'part_repeated'
                    then concat_ws(
                        '',
                        'every row of ', part_file, ' is also in ', other_file,
                        ' of the same delivery. Remove the file if it is a copy, or put the'
                        ' manifest of the export into their folder if both are parts'
                    )
                when 'overlap'
                    then concat_ws(
                        '',
                        label, money, ' and ', other_label, ' contain equal lines and no invoice',
                        ' number. If one report repeats lines of the other, state equal_lines =',
                        ' "once" in [reports] of apportion.toml; if all lines are separate',
                        ' purchases, state "each"; or remove a file'
                    )
                when 'two_formats'
                    then concat_ws(
                        '',
                        label, money, ' and ', other_label,
                        ' contain the same invoice in two formats. Remove one of them'
                    )
            end,
            case
                when invoice_number is not null and reason <> 'part_repeated'
                    then ', or list the invoice in landing/invoices: its subtotal then decides'
                else ''
            end
        ) as message
    from described
    where state = 'undecided'

),

-- A month has many runs. One finding covers all that one delivery replaces.
replaced as (

    select
        case
            when reason in ('later_run', 'copy') then 'delivery_replaced'
            else 'invoice_reissued'
        end as kind,
        cast(null as string) as organization_id,
        cast(null as string) as subscription_id,
        max(billing_period) as billing_period,
        currency,
        sum(abs(coalesce(total_cost, 0))) as amount_at_stake,
        concat_ws(
            '',
            bill, ': ',
            case
                when count(*) = 1 then concat_ws('', min(label), max(money), ' is')
                else concat_ws('', count(*), ' deliveries are')
            end,
            ' replaced',
            case
                when reason = 'copy'
                    then concat_ws('', ' by ', other_label, ', which has the same rows')
                when reason = 'later_run' then concat_ws('', ' by the later run ', other_label)
                when reason = 'delivered_again'
                    then concat_ws(
                        '',
                        ' by ', other_label, ', which contains the same charges and is newer',
                        ' by the ', max(ordered_by)
                    )
                else ': the subtotal of the invoice is that of the other deliveries'
            end
        ) as message
    from described
    where state = 'replaced'
    group by bill, reason, other_label, currency

)

select * from undecided
union all
select * from replaced
