{#-
The known rounding rule that reproduces the amount of a prorated line. It only explains; the
provider's amount is never changed. The amount is unit price x days / days of the cycle x quantity,
rounded in one of the ways in the provider's documents and the broker's bills. Legacy bills print a
prorated and truncated unit price, but compute with the price of the cycle.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

line_days as (

    select * from {{ ref('int_line_days') }}

),

priced as (

    select
        billing_lines.line_id,
        billing_lines.quantity,
        billing_lines.total_cost,
        line_days.charge_days,
        line_days.cycle_days,
        billing_lines.source_format = 'legacy_license_based' as is_legacy,
        case
            when billing_lines.source_format = 'legacy_license_based'
                then coalesce(line_days.cycle_unit_price, billing_lines.unit_price)
            else billing_lines.unit_price
        end as unit_price
    from billing_lines
    inner join line_days on billing_lines.line_id = line_days.line_id
    where
        billing_lines.unit_price is not null
        and billing_lines.quantity > 0
        and billing_lines.total_cost <> 0
        -- Above these limits the products below would overflow. No license price comes near.
        and billing_lines.quantity < 1000000
        and abs(billing_lines.unit_price) < 1000000

),

-- Computed in whole units of the tenth decimal, so that the division is exact until it is rounded.
in_units as (

    select
        *,
        cast(abs(total_cost) * 10000000000 as {{ wide_integer() }}) as cost_units,
        cast(abs(unit_price) * 10000000000 as {{ wide_integer() }}) * charge_days as unit_price_days
    from priced

),

expected as (

    select
        *,
        {{ wide_quotient(
            'unit_price_days * cast(quantity * 10000000000 as ' ~ wide_integer() ~ ')',
            '10000000000'
        ) }} as line_price_days,
        cast(100000000 as bigint) as units_per_cent
    from in_units

),

candidates as (

    select
        *,
        {{ wide_quotient('2 * line_price_days + cycle_days', '2 * cycle_days') }} as exact_units,
        {{ wide_quotient('line_price_days', 'cycle_days * units_per_cent') }}
        * units_per_cent as line_cut_units,
        {{ wide_quotient(
            '2 * line_price_days + cycle_days * units_per_cent', '2 * cycle_days * units_per_cent'
        ) }} * units_per_cent as line_rounded_units,
        {{ wide_quotient('unit_price_days', 'cycle_days * units_per_cent') }}
        * units_per_cent as unit_cut_units,
        {{ wide_quotient(
            '2 * unit_price_days + cycle_days * units_per_cent', '2 * cycle_days * units_per_cent'
        ) }} * units_per_cent as unit_rounded_units
    from expected

),

ruled as (

    select
        line_id,
        charge_days,
        cycle_days,
        case
            when is_legacy and cost_units = line_rounded_units then 'legacy'
            when abs(cost_units - exact_units) <= 1 then 'unrounded'
            when cost_units = line_cut_units then 'line_cut'
            when cost_units = line_rounded_units then 'line_rounded'
            when cost_units = unit_cut_units * cast(quantity as {{ wide_integer() }})
                then 'unit_cut'
            when cost_units = unit_rounded_units * cast(quantity as {{ wide_integer() }})
                then 'unit_rounded'
            else 'unexplained'
        end as proration_rule,
        cast(
            cast(cost_units - exact_units as decimal(28, 0)) * 0.0000000001 as decimal(28, 10)
        ) as proration_variance
    from candidates

)

select * from ruled
