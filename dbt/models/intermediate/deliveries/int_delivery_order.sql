{#-
The order of deliveries in every scope with more than one delivery. Runs of one export are ordered
by the time in their manifest, folder or name, else by their number. Other deliveries are ordered by
their last day of usage (an export of the 6th has no usage of the 7th), then by the modification
time of their files.
-#}
{%- set runs = 'partition by scope_key, series, run_evidence' %}
with

delivered_lines as (

    select * from {{ ref('int_delivered_lines') }}

),

delivered_files as (

    select * from {{ ref('int_delivered_files') }}

),

deliveries as (

    select
        delivery,
        max(series) as series,
        max(run_group) as run_group,
        max(base_name) as base_name,
        max(delivered_at) as delivered_at,
        max(run_number) as run_number,
        max(modified_at) as written_at,
        max(known_columns) as known_columns,
        sum(rejected_count) as rejected_count,
        max(landed_file) as last_file
    from delivered_files
    group by delivery

),

-- Rows without a readable scope may be any row.
in_scopes as (

    select
        scope_key,
        delivery,
        max(source_format) in ('focus_cost_and_usage', 'daily_rated_usage') as is_usage,
        max(charge_start_date) as charges_through,
        count(*) as row_count,
        count(*) over (partition by scope_key) as delivery_count
    from delivered_lines
    group by scope_key, delivery

),

contested as (

    select
        in_scopes.scope_key,
        in_scopes.delivery,
        in_scopes.row_count,
        case when in_scopes.is_usage then in_scopes.charges_through end as charges_through,
        deliveries.series,
        deliveries.run_group,
        deliveries.base_name,
        deliveries.delivered_at,
        deliveries.run_number,
        coalesce(deliveries.delivered_at, deliveries.written_at) as made_at,
        deliveries.known_columns,
        deliveries.last_file,
        deliveries.rejected_count + coalesce(unreadable_rows.row_count, 0)
            as unreadable_row_count,
        case
            when deliveries.series is null then null
            when count(*) over runs = count(deliveries.delivered_at) over runs
                then 'time of delivery'
            when count(*) over runs = count(deliveries.run_number) over runs
                then 'number of the run'
        end as run_evidence
    from in_scopes
    inner join deliveries on in_scopes.delivery = deliveries.delivery
    left join in_scopes as unreadable_rows
        on
            in_scopes.delivery = unreadable_rows.delivery
            and unreadable_rows.scope_key is null
    where in_scopes.scope_key is not null and in_scopes.delivery_count > 1
    window runs as (partition by in_scopes.scope_key, deliveries.series)

),

-- Runs without evidence of their order are ordered like other deliveries.
with_run_rank as (

    select
        *,
        case when run_evidence is not null then series end as ordered_series,
        case
            when run_evidence is not null
                then rank() over (
                    {{ runs }} order by
                        case
                            when run_evidence = 'time of delivery' then delivered_at
                        end nulls last,
                        run_number nulls last,
                        charges_through nulls last,
                        made_at nulls last
                )
            else 0
        end as run_rank,
        row_number() over ({{ runs }} order by charges_through nulls last) as usage_place,
        row_number() over ({{ runs }} order by made_at nulls last) as time_place
    from contested

),

-- Times and usage of an export's runs in the order of the runs: the second run gets the second
-- time, regardless of the file. Runs therefore have one order among themselves and among other
-- deliveries.
in_order as (

    select
        runs.*,
        coalesce(of_usage.charges_through, runs.charges_through) as usage_in_order,
        coalesce(of_time.made_at, runs.made_at) as time_in_order
    from with_run_rank as runs
    left join with_run_rank as of_usage
        on
            runs.scope_key = of_usage.scope_key
            and runs.ordered_series = of_usage.ordered_series
            and runs.run_rank = of_usage.usage_place
    left join with_run_rank as of_time
        on
            runs.scope_key = of_time.scope_key
            and runs.ordered_series = of_time.ordered_series
            and runs.run_rank = of_time.time_place

),

ranked as (

    select
        *,
        dense_rank() over (
            partition by scope_key
            order by usage_in_order desc nulls last, time_in_order desc nulls last
        ) as time_rank,
        -- Deliveries without distinguishing evidence have the same rank.
        dense_rank() over (
            partition by scope_key
            order by
                usage_in_order desc nulls last,
                time_in_order desc nulls last,
                run_rank desc nulls last
        ) as evidence_rank,
        row_number() over (
            partition by scope_key
            order by
                usage_in_order desc nulls last,
                time_in_order desc nulls last,
                run_rank desc nulls last,
                last_file desc nulls last
        ) as newest_first
    from in_order

),

final as (

    select
        scope_key,
        delivery,
        series,
        ordered_series,
        run_group,
        base_name,
        known_columns,
        row_count,
        unreadable_row_count,
        time_rank,
        evidence_rank,
        newest_first,
        last_file,
        coalesce(
            run_evidence,
            case
                when charges_through is not null then 'last day of usage' else 'time of the file'
            end
        ) as ordered_by,
        coalesce(
            sum(unreadable_row_count) over (
                partition by scope_key
                order by newest_first nulls last
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as newer_unreadable_row_count
    from ranked

)

select * from final
