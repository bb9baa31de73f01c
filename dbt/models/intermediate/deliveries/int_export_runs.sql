{#-
Runs of exports that contain their whole invoice or billing period to date. The last one counts,
regardless of the rows of the others. Runs of different billing accounts are no versions of each
other: exports of two accounts may be written into one folder.
-#}
with

delivered_lines as (

    select * from {{ ref('int_delivered_lines') }}
    where scope_key is not null

),

delivered_files as (

    select * from {{ ref('int_delivered_files') }}
    where is_whole_period and series is not null

),

deliveries as (

    select
        delivery,
        max(series) as series,
        max(delivered_at) as delivered_at,
        max(run_number) as run_number,
        max(modified_at) as written_at,
        max(landed_file) as last_file
    from delivered_files
    group by delivery

),

runs as (

    select
        deliveries.series,
        delivered_lines.source_format,
        delivered_lines.scope_period,
        delivered_lines.delivery,
        case
            when delivered_lines.source_format = 'focus_cost_and_usage'
                then delivered_lines.customer_id
        end as billing_account_id,
        deliveries.delivered_at,
        deliveries.run_number,
        coalesce(deliveries.delivered_at, deliveries.written_at) as made_at,
        deliveries.last_file,
        max(delivered_lines.charge_start_date) as charges_through
    from delivered_lines
    inner join deliveries on delivered_lines.delivery = deliveries.delivery
    group by
        deliveries.series,
        delivered_lines.source_format,
        delivered_lines.scope_period,
        delivered_lines.delivery,
        billing_account_id,
        deliveries.delivered_at,
        deliveries.run_number,
        coalesce(deliveries.delivered_at, deliveries.written_at),
        deliveries.last_file

),

-- Ordered by the time in manifest, folder or name if every run has one, else by number, else by
-- last day of usage and time of the files.
with_evidence as (

    select
        *,
        case
            when count(*) over of_export = count(delivered_at) over of_export
                then delivered_at
        end as by_time,
        case
            when count(*) over of_export = count(run_number) over of_export then run_number
        end as by_number
    from runs
    window of_export as (partition by series, source_format, scope_period)

),

ranked as (

    select
        *,
        rank() over newest as evidence_rank,
        row_number() over newest_file as newest_first,
        first_value(delivery) over newest_file as newest_delivery
    from with_evidence
    window
        newest as (
            partition by series, source_format, scope_period, billing_account_id
            order by
                by_time desc nulls last,
                by_number desc nulls last,
                charges_through desc nulls last,
                made_at desc nulls last
        ),
        newest_file as (
            partition by series, source_format, scope_period, billing_account_id
            order by
                by_time desc nulls last,
                by_number desc nulls last,
                charges_through desc nulls last,
                made_at desc nulls last,
                last_file desc nulls last
        )

),

-- A run is replaced if a later one contains one of its accounts.
final as (

    select
        delivery,
        source_format,
        scope_period,
        max(evidence_rank) as evidence_rank,
        max(newest_first) as newest_first,
        max_by(newest_delivery, newest_first) as newest_delivery
    from ranked
    group by delivery, source_format, scope_period

)

select * from final
