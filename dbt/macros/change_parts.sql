{#-
The CTEs that divide the change of each row of `charges` into seats, price and moved splits; the last
of them is `effects`.
-#}
{% macro effects_of_change(charges) -%}
compared as (

    select
        *,
        amount - previous_amount as change,
        charge_group = 'cycle' and status = 'continued' as is_compared,
        {{ moved_seats('seats', 'gained', 'lost') }} as moved_seats,
        {{ part_of_charge('subscription_previous_amount', 'quantity', 'subscription_previous_quantity') }}
            as amount_at_previous_price
    from {{ charges }}

),

priced as (

    select
        *,
        case
            -- Of several units, or of seats at no previous price, all is a change of seats.
            when seats is null or amount_at_previous_price is null and seats <> 0 then 0
            when unit_amount = previous_unit_amount then 0
            when seats = 0 then change
            else amount - amount_at_previous_price
        end as price_change
    from compared

),

effects as (

    select
        *,
        case
            when seats is null then 0
            when seats = 0 or gained = lost then change - price_change
            when moved_seats = 0 then 0
            else
                coalesce({{ part_of_charge(
                    'subscription_previous_amount', 'moved_seats', 'subscription_previous_quantity'
                ) }}, 0)
        end as split_change
    from priced

)
{%- endmacro %}

{#-
The seats that moved between cost centers: what some lost and others gained. What is left of a gain
was bought, and what is left of a loss was returned.
-#}
{% macro moved_seats(seats, gained, lost) -%}
    case
        when {{ gained }} = 0 or {{ lost }} = 0 then 0
        when {{ gained }} >= {{ lost }} and {{ seats }} > 0
            then {{ part_of_charge(seats, lost, gained) }}
        when {{ gained }} < {{ lost }} and {{ seats }} < 0
            then {{ part_of_charge(seats, gained, lost) }}
        else {{ seats }}
    end
{%- endmacro %}

{#- amount x quantity / of_quantity, to 10 decimals. Null without a quantity, or far above any bill. -#}
{% macro part_of_charge(amount, quantity, of_quantity) -%}
    case
        when abs(cast({{ amount }} as double) * cast({{ quantity }} as double)) < 100000000000000000
            then {{ part_of_cost(amount, quantity, of_quantity) }}
    end
{%- endmacro %}

{#- The part of a change whose charge is not compared by seats and price. -#}
{% macro change_part() -%}
    case
        when charge_group = 'shared' then 'sharing'
        when charge_group = 'usage' then 'usage'
        when charge_group = 'tax' then 'taxes'
        when charge_group in ('credit', 'correction') then 'credits'
        when status = 'new' then 'new_subscriptions'
        when status = 'ended' then 'ended_subscriptions'
        when status = 'other_currency' then 'currency'
        when charge_group = 'cycle' then 'billing_cycles'
        else 'seats'
    end
{%- endmacro %}
