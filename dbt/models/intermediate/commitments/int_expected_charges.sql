{#-
Future full cycles of every subscription that is still charged, up to the horizon, with the known
seats, cost and split. A split with a future date and its seats count from that date. A cycle that
should have been charged by now and was not has ended.
-#}
with

last_cycles as (

    select * from {{ ref('int_last_cycles') }}

),

snapshots as (

    select * from {{ ref('int_split_snapshots') }}
    where valid_to > valid_from

),

organizations as (

    select * from {{ ref('int_organizations') }}

),

bill_months as (

    select
        *,
        {{ each_month('next_bill_month', 'horizon_month') }} as bill_month
    from last_cycles
    where next_bill_month > origin_month and next_bill_month <= horizon_month

),

numbered as (

    select
        *,
        {{ dbt.datediff('next_bill_month', 'bill_month', 'month') }} as months_ahead
    from bill_months

),

-- From here, one row per future cycle.
cycles as (

    select
        {{ surrogate_id(['subscription_id', 'origin_month', 'bill_month']) }}
            as expected_charge_id,
        * {{ without('charge_start_date', 'charge_end_date') }},
        cast({{ dbt.dateadd('month', 'months_ahead', 'next_start_date') }} as date)
            as charge_start_date,
        cast(
            {{ dbt.dateadd(
                'day',
                -1,
                dbt.dateadd('month', 'months_ahead + months_per_cycle', 'next_start_date')
            ) }} as date
        ) as charge_end_date
    from numbered
    where months_ahead % months_per_cycle = 0

),

-- A forecast made in a past month ignores data with a later date.
known_snapshots as (

    select
        cycles.expected_charge_id,
        snapshots.snapshot_id,
        snapshots.event_number,
        snapshots.is_implied,
        snapshots.valid_from < {{ dbt.dateadd('day', 1, 'cycles.charge_start_date') }}
            as is_before_cutoff
    from cycles
    inner join snapshots on cycles.subscription_id = snapshots.subscription_id
    where
        cycles.is_latest
        or snapshots.valid_from < {{ dbt.dateadd('month', 1, 'cycles.origin_month') }}

),

-- A full cycle uses the latest split before the end of its first day, else the first split.
splits as (

    select
        expected_charge_id,
        coalesce(
            max_by(
                case when is_before_cutoff then snapshot_id end,
                case when is_before_cutoff then event_number end
            ),
            min_by(snapshot_id, event_number)
        ) as snapshot_id,
        max_by(
            case when is_before_cutoff and not is_implied then snapshot_id end,
            case when is_before_cutoff and not is_implied then event_number end
        ) as seats_snapshot_id
    from known_snapshots
    group by expected_charge_id

),

-- A split later than the last charge has more recent seats than the bill. A split implied by the
-- list of cost centers is not a purchase, nor is one from the directory, which counts users.
with_seats as (

    select
        cycles.* {{ without('seats', 'changed_on') }},
        case when not snapshots.is_zero_total then splits.snapshot_id end as snapshot_id,
        case
            when
                cast(told_seats.valid_from as date) > cycles.changed_on
                and coalesce(organizations.split_source, 'history') <> 'directory'
                then told_seats.total_quantity
            else cycles.seats
        end as seats
    from cycles
    left join splits on cycles.expected_charge_id = splits.expected_charge_id
    left join snapshots on splits.snapshot_id = snapshots.snapshot_id
    left join snapshots as told_seats on splits.seats_snapshot_id = told_seats.snapshot_id
    left join organizations on cycles.organization_id = organizations.organization_id

),

final as (

    select
        expected_charge_id,
        origin_month,
        is_latest,
        bill_month,
        organization_id,
        organization_name,
        subscription_id,
        product_name,
        product_id,
        sku_id,
        currency,
        charge_start_date,
        charge_end_date,
        -- A charge that starts within the term is owed; later charges are only expected.
        case when charge_start_date <= term_end_date then 'committed' else 'renewal' end
            as commitment,
        term_end_date,
        term_and_billing_cycle,
        months_per_cycle,
        coalesce(snapshot_id, {{ default_split_id('organization_id') }}) as split_id,
        seats as quantity,
        quantity_unit,
        cast({{ part_of_cost('cycle_cost', 'seats', 'quantity') }} as decimal(28, 10))
            as total_cost,
        cast({{ part_of_cost('cycle_sales', 'seats', 'quantity') }} as decimal(28, 10))
            as billed_sales
    from with_seats
    where seats > 0

)

select * from final
