{#-
The last charged cycle of each subscription, for each forecast origin: cost of a full cycle, seats
at its end, and date of the next bill.
-#}
with

latest_charges as (

    select * from {{ ref('int_latest_charges') }}

),

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where {{ belongs_to_cycles() }}

),

refund_links as (

    select * from {{ ref('int_refund_links') }}

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
    from latest_charges

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
        latest_charges.subscription_id,
        latest_charges.origin_month,
        sum(
            case when billing_lines.charge_kind = 'refund' then -1 else 1 end
            * billing_lines.quantity
        ) as seats,
        max(billing_lines.charge_start_date) as changed_on
    from latest_charges
    inner join billing_lines
        on
            latest_charges.subscription_id = billing_lines.subscription_id
            and latest_charges.origin_period >= billing_lines.billing_period
            and latest_charges.charge_end_date >= billing_lines.charge_start_date
            and latest_charges.charge_end_date <= billing_lines.charge_end_date
    left join refund_links on billing_lines.line_id = refund_links.line_id
    -- A refund without a known charge does not reduce the seats.
    where billing_lines.charge_kind <> 'refund' or refund_links.line_id is not null
    group by latest_charges.subscription_id, latest_charges.origin_month

),

final as (

    select
        priced.organization_id,
        priced.subscription_id,
        priced.currency,
        priced.billing_period,
        priced.charge_start_date,
        priced.charge_end_date,
        priced.organization_name,
        priced.product_name,
        priced.product_id,
        priced.sku_id,
        priced.term_end_date,
        priced.term_and_billing_cycle,
        priced.quantity,
        priced.quantity_unit,
        priced.origin_month,
        priced.origin_period,
        priced.horizon_month,
        priced.is_latest,
        priced.next_start_date,
        priced.cycle_cost,
        priced.cycle_sales,
        cast(priced.cycle_months as integer) as months_per_cycle,
        -- The interval between the start of a cycle and its bill is that of the last bill.
        cast(
            {{ dbt.dateadd(
                'month',
                dbt.datediff(
                    'priced.charge_start_date',
                    "cast(concat_ws('', priced.billing_period, '-01') as date)",
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
