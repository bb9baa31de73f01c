{#-
Which known rounding rule gives a prorated line's amount. Only to explain: the provider's amount
stands. Unit price x days / days of the cycle x quantity, where the cycle is the month (or year)
that ends with the line's last day.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where
        charge_kind in ('extra', 'refund')
        and unit_price is not null
        and quantity > 0
        and total_cost <> 0
        -- Beyond these no license is priced, and the products below would overflow.
        and quantity < 1000000
        and abs(unit_price) < 1000000

),

-- The cycle charges of the same subscription tell how long its cycles are.
known_cycles as (

    select
        subscription_id,
        charge_end_date,
        min(charge_start_date) as cycle_start_date
    from {{ ref('int_billing_lines') }}
    where charge_kind = 'cycle' and subscription_id is not null
    group by subscription_id, charge_end_date

),

with_days as (

    select
        billing_lines.*,
        {{ dbt.datediff(
            'billing_lines.charge_start_date', 'billing_lines.charge_end_date', 'day'
        ) }}
        + 1 as charge_days,
        {{ dbt.datediff(
            "coalesce(known_cycles.cycle_start_date, cast("
            ~ dbt.dateadd('month', -1, dbt.dateadd('day', 1, 'billing_lines.charge_end_date'))
            ~ " as date))",
            'billing_lines.charge_end_date',
            'day'
        ) }} + 1 as cycle_days
    from billing_lines
    left join known_cycles
        on
            billing_lines.subscription_id = known_cycles.subscription_id
            and billing_lines.charge_end_date = known_cycles.charge_end_date

),

-- In whole units of the tenth decimal, so that the division is exact until it is rounded.
in_units as (

    select
        *,
        cast(abs(total_cost) * 10000000000 as hugeint) as cost_units,
        cast(abs(unit_price) * 10000000000 as hugeint) * charge_days as unit_price_days
    from with_days

),

expected as (

    select
        *,
        unit_price_days * cast(quantity * 10000000000 as hugeint) // 10000000000
            as line_price_days,
        100000000 as units_per_cent
    from in_units

),

candidates as (

    select
        *,
        (2 * line_price_days + cycle_days) // (2 * cycle_days) as exact_units,
        line_price_days // (cycle_days * units_per_cent) * units_per_cent as line_cut_units,
        (2 * line_price_days + cycle_days * units_per_cent)
        // (2 * cycle_days * units_per_cent) * units_per_cent as line_rounded_units,
        unit_price_days // (cycle_days * units_per_cent) * units_per_cent as unit_cut_units,
        (2 * unit_price_days + cycle_days * units_per_cent)
        // (2 * cycle_days * units_per_cent) * units_per_cent as unit_rounded_units
    from expected

),

ruled as (

    select
        line_id,
        charge_days,
        cycle_days,
        case
            when abs(cost_units - exact_units) <= 1 then 'unrounded'
            when cost_units = line_cut_units then 'line_cut'
            when cost_units = line_rounded_units then 'line_rounded'
            when cost_units = unit_cut_units * cast(quantity as hugeint) then 'unit_cut'
            when cost_units = unit_rounded_units * cast(quantity as hugeint)
                then 'unit_rounded'
            else 'unexplained'
        end as proration_rule,
        cast(cost_units - exact_units as decimal(28, 0)) * 0.0000000001 as proration_variance
    from candidates

)

select * from ruled
