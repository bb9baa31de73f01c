{#-
The last charged cycle of each subscription, for each forecast origin: cost of a full cycle, seats
at its end, and date of the next bill.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where
        subscription_id is not null
        and (
            (charge_source = 'license' and charge_kind in ('cycle', 'extra', 'refund'))
            -- For other clouds, only purchases marked as recurring count, because an account has
            -- all kinds of purchases.
            or (charge_source = 'FOCUS' and charge_kind = 'cycle')
        )

),

forecast_origins as (

    select * from {{ ref('int_forecast_origins') }}

),

terms as (

    select * from {{ ref('stg_new_commerce__terms') }}

),

refund_links as (

    select * from {{ ref('int_refund_links') }}

),

cycles as (

    select
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.currency,
        billing_lines.billing_period,
        billing_lines.charge_kind,
        billing_lines.charge_start_date,
        billing_lines.charge_end_date,
        max(billing_lines.organization_name) as organization_name,
        max(billing_lines.product_name) as product_name,
        max(billing_lines.product_id) as product_id,
        max(billing_lines.sku_id) as sku_id,
        max(terms.term_end_date) as term_end_date,
        -- A legacy bill prints the prorated price for a part of a cycle.
        max(
            case
                when billing_lines.source_format <> 'legacy_license_based'
                    then billing_lines.unit_price
            end
        ) as unit_price,
        sum(billing_lines.quantity) as quantity,
        sum(billing_lines.total_cost) as total_cost,
        -- Sales on only some lines are not the price of all licenses.
        case
            when count(*) = count(billing_lines.total_sales)
                then sum(billing_lines.total_sales)
        end as total_sales
    from billing_lines
    left join terms
        on
            billing_lines.file = terms.file
            and billing_lines.row_number = terms.row_number
    where
        billing_lines.quantity > 0
        -- A conversion in a running cycle has charged only the rest of that cycle so far.
        and (
            billing_lines.charge_kind = 'cycle'
            or (billing_lines.charge_kind = 'extra' and billing_lines.unit_price > 0)
        )
    group by
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.currency,
        billing_lines.billing_period,
        billing_lines.charge_kind,
        billing_lines.charge_start_date,
        billing_lines.charge_end_date

),

-- From here, one row per subscription and forecast origin.
known_cycles as (

    select
        cycles.*,
        forecast_origins.origin_month,
        forecast_origins.origin_period,
        forecast_origins.horizon_month,
        forecast_origins.is_latest,
        row_number() over (
            partition by cycles.subscription_id, forecast_origins.origin_month
            order by
                cycles.charge_end_date desc,
                cycles.charge_kind,
                cycles.charge_start_date desc,
                cycles.currency,
                cycles.billing_period desc
        ) as latest_first,
        {{ dbt.datediff('cycles.charge_start_date', 'cycles.charge_end_date', 'day') }} + 1
            as charge_days
    from cycles
    inner join forecast_origins
        on
            cycles.organization_id = forecast_origins.organization_id
            and cycles.billing_period <= forecast_origins.origin_period

),

last_cycles as (

    select
        *,
        cast({{ dbt.dateadd('day', 1, 'charge_end_date') }} as date) as next_start_date,
        charge_kind = 'extra' or charge_days < 28 as is_part
    from known_cycles
    where latest_first = 1

),

-- A partial cycle prints the price of the whole cycle. Without a printed price, the cycle is a
-- month.
whole_cycles as (

    select
        *,
        coalesce(is_part and unit_price > 0, false) as has_whole_price,
        case
            when charge_days < 28
                then
                    {{ dbt.datediff(
                        dbt.dateadd('month', -1, 'next_start_date'), 'next_start_date', 'day'
                    ) }}
            else charge_days
        end as whole_days,
        -- The days of the cycle are the days of the part times the ratio of the full price to the
        -- amount.
        case
            when is_part and unit_price > 0 and total_cost > 0
                then
                    cast(unit_price as double) * cast(quantity as double)
                    / cast(total_cost as double) * charge_days / 30.4
            else charge_days / 30.4
        end as estimated_months
    from last_cycles

),

priced as (

    select
        *,
        cast(
            case
                when has_whole_price
                    then
                        coalesce(
                            {{ prorated_price('unit_price', 'quantity', '1', '1') }}, total_cost
                        )
                else {{ part_of_cost('total_cost', 'whole_days', 'charge_days') }}
            end as decimal(28, 10)
        ) as cycle_cost,
        cast(
            case
                when not has_whole_price
                    then {{ part_of_cost('total_sales', 'whole_days', 'charge_days') }}
            end as decimal(28, 10)
        ) as cycle_sales,
        case
            when not has_whole_price then greatest(round(estimated_months), 1)
            -- A discount on the part makes its cycle look longer, so the nearest usual length is
            -- used.
            when estimated_months < 2 then 1
            when estimated_months < 4.5 then 3
            when estimated_months < 9 then 6
            when estimated_months < 24 then 12
            else 36
        end as cycle_months
    from whole_cycles

),

-- Charges and refunds that extend to the cycle's last day and were billed by the forecast origin.
seats as (

    select
        last_cycles.subscription_id,
        last_cycles.origin_month,
        sum(
            case when billing_lines.charge_kind = 'refund' then -1 else 1 end
            * billing_lines.quantity
        ) as seats,
        max(billing_lines.charge_start_date) as changed_on
    from last_cycles
    inner join billing_lines
        on
            last_cycles.subscription_id = billing_lines.subscription_id
            and last_cycles.origin_period >= billing_lines.billing_period
            and last_cycles.charge_end_date >= billing_lines.charge_start_date
            and last_cycles.charge_end_date <= billing_lines.charge_end_date
    left join refund_links on billing_lines.line_id = refund_links.line_id
    -- A refund without a known charge does not reduce the seats.
    where billing_lines.charge_kind <> 'refund' or refund_links.line_id is not null
    group by last_cycles.subscription_id, last_cycles.origin_month

),

final as (

    select
        priced.* exclude (
            latest_first, charge_kind, total_cost, total_sales, unit_price, charge_days, is_part,
            has_whole_price, whole_days, estimated_months, cycle_months
        ),
        cast(priced.cycle_months as integer) as months_per_cycle,
        -- The interval between the start of a cycle and its bill is that of the last bill.
        cast(
            {{ dbt.dateadd(
                'month',
                dbt.datediff(
                    'priced.charge_start_date',
                    "cast(concat(priced.billing_period, '-01') as date)",
                    'month'
                ),
                dbt.date_trunc('month', 'priced.next_start_date')
            ) }} as date
        ) as next_bill_month,
        cast(seats.seats as decimal(28, 10)) as seats,
        seats.changed_on
    from priced
    inner join seats
        on
            priced.subscription_id = seats.subscription_id
            and priced.origin_month = seats.origin_month

)

select * from final
