{#- How the rows of a delivery's bill compare with those of other deliveries. -#}
{{ config(materialized='view') }}
with

delivered_lines as (

    select * from {{ ref('int_delivered_lines') }}

),

delivery_order as (

    select * from {{ ref('int_delivery_order') }}

),

export_runs as (

    select * from {{ ref('int_export_runs') }}

),

repeats as (

    select * from {{ ref('int_delivery_repeats') }}

),

layout_repeats as (

    select * from {{ ref('int_layout_repeats') }}

),

part_repeats as (

    select * from {{ ref('int_part_repeats') }}

),

bills as (

    select
        delivery,
        scope_key,
        invoice_number,
        max(scope_period) as scope_period,
        max(source_format) as source_format,
        max(provider) as provider,
        max(billing_date) as billing_date,
        min(
            case
                when source_format in ('focus_cost_and_usage', 'daily_rated_usage')
                    then charge_start_date
            end
        ) as usage_from,
        count(*) as row_count
    from delivered_lines
    where scope_key is not null
    group by delivery, scope_key, invoice_number

),

-- A later run that begins with later usage brings new and restated days only; it does not contain
-- the days before them.
runs_in_scopes as (

    select
        bills.scope_key,
        delivery_order.series,
        delivery_order.newest_first,
        min(bills.usage_from) as usage_from
    from bills
    inner join delivery_order
        on
            bills.delivery = delivery_order.delivery
            and bills.scope_key = delivery_order.scope_key
    where delivery_order.series is not null
    group by bills.scope_key, delivery_order.series, delivery_order.newest_first

),

newest_runs as (

    select
        scope_key,
        series,
        min_by(usage_from, newest_first) as usage_from
    from runs_in_scopes
    group by scope_key, series

),

compared as (

    select
        bills.delivery,
        bills.scope_key,
        bills.invoice_number,
        bills.source_format,
        bills.provider,
        bills.billing_date,
        bills.row_count,
        delivery_order.run_group,
        delivery_order.newest_first,
        delivery_order.ordered_by,
        least(
            bills.row_count,
            coalesce(repeats.repeated_count, 0) + coalesce(layout_repeats.repeated_count, 0)
        ) as repeated_count,
        coalesce(repeats.identical_count, 0) as identical_count,
        (
            coalesce(repeats.is_in_newer_run, false)
            or coalesce(layout_repeats.is_in_newer_run, false)
        )
        and coalesce(newest_runs.usage_from <= bills.usage_from, true) as is_in_newer_run,
        coalesce(repeats.is_in_newer_file_of_name, false) as is_in_newer_file_of_name,
        coalesce(repeats.tied_equally_count, 0) as tied_equally_count,
        coalesce(repeats.tied_count, 0) as tied_count,
        coalesce(repeats.repeated_by, layout_repeats.repeated_by) as repeated_by,
        repeats.tied_with,
        winners.row_count as tied_row_count,
        case
            when export_runs.newest_first > 1 then export_runs.newest_delivery
        end as newest_run,
        coalesce(export_runs.evidence_rank > 1, false) as is_older_run,
        -- No evidence distinguishes the time from that of the last run.
        coalesce(export_runs.newest_first > 1 and export_runs.evidence_rank = 1, false)
            as is_tied_run,
        coalesce(delivery_order.newer_unreadable_row_count, 0) as newer_unreadable_row_count,
        -- Unreadable rows of a file with one bill belong to that bill.
        case
            when count(*) over (partition by bills.delivery) = 1
                then coalesce(delivery_order.unreadable_row_count, 0)
            else 0
        end as unreadable_row_count,
        part_repeats.part_file,
        part_repeats.other_file
    from bills
    left join delivery_order
        on
            bills.delivery = delivery_order.delivery
            and bills.scope_key = delivery_order.scope_key
    left join newest_runs
        on
            bills.scope_key = newest_runs.scope_key
            and delivery_order.series = newest_runs.series
    left join export_runs
        on
            bills.delivery = export_runs.delivery
            and bills.source_format = export_runs.source_format
            and bills.scope_period = export_runs.scope_period
    left join repeats
        on
            bills.delivery = repeats.delivery
            and bills.scope_key = repeats.scope_key
            and bills.invoice_number is not distinct from repeats.invoice_number
    left join layout_repeats
        on
            bills.delivery = layout_repeats.delivery
            and bills.scope_key = layout_repeats.scope_key
            and bills.invoice_number is not distinct from layout_repeats.invoice_number
    left join delivery_order as winning_order
        on
            repeats.scope_key = winning_order.scope_key
            and repeats.tied_with = winning_order.newest_first
    left join repeats as winners
        on
            winning_order.delivery = winners.delivery
            and winning_order.scope_key = winners.scope_key
            and bills.invoice_number is not distinct from winners.invoice_number
    left join part_repeats
        on
            bills.delivery = part_repeats.delivery
            and bills.scope_key = part_repeats.scope_key

)

select * from compared
