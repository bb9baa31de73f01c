{#-
The amounts and the billing period of a billing line as its provider states them, with all decimals.
An amount is null where it equals total_cost, and a line without any of them is not a row.
-#}
with

billing_lines as (

    select
        line_id,
        source_format,
        file,
        row_number,
        charge_kind,
        currency,
        unit_price,
        billed_quantity,
        total_cost,
        nullif(rounding_residual, 0) as rounding_residual
    from {{ ref('int_billing_lines') }}

),

focus_bills as (

    select * from {{ ref('stg_focus__services') }}

),

-- Without its cost, a FOCUS row has unit price x quantity, else BilledCost.
stated_by_focus as (

    select
        billing_lines.line_id,
        focus_bills.effective_cost,
        coalesce(
            focus_bills.list_cost,
            {{ exact_product('focus_bills.list_unit_price', 'focus_bills.pricing_quantity') }}
        ) as list_cost,
        coalesce(
            focus_bills.contracted_cost,
            {{ exact_product(
                'focus_bills.contracted_unit_price', 'focus_bills.pricing_quantity'
            ) }}
        ) as contracted_cost,
        focus_bills.billing_period_start,
        focus_bills.billing_period_end
    from billing_lines
    inner join focus_bills
        on
            billing_lines.file = focus_bills.file
            and billing_lines.row_number = focus_bills.row_number
    where billing_lines.source_format = 'focus_cost_and_usage'

),

prices as (

    select
        'new_commerce_reconciliation' as source_format,
        *
    from {{ ref('stg_new_commerce__prices') }}
    union all
    select
        'daily_rated_usage' as source_format,
        *
    from {{ ref('stg_daily_usage__prices') }}

),

-- Prices are in the currency of the price list. Without its rate there is no list cost.
priced as (

    select
        billing_lines.line_id,
        billing_lines.total_cost,
        coalesce(prices.unit_price, billing_lines.unit_price) as unit_price,
        abs(coalesce(prices.quantity, billing_lines.billed_quantity)) as quantity,
        case
            when coalesce(prices.pricing_currency = billing_lines.currency, true) then 1
            else prices.exchange_rate
        end as exchange_rate
    from billing_lines
    left join prices
        on
            billing_lines.source_format = prices.source_format
            and billing_lines.file = prices.file
            and billing_lines.row_number = prices.row_number
    where
        billing_lines.source_format in (
            'new_commerce_reconciliation', 'daily_rated_usage', 'legacy_license_based'
        )
        and billing_lines.charge_kind not in ('credit', 'tax')

),

in_billing_currency as (

    select
        line_id,
        total_cost,
        quantity,
        case
            when exchange_rate = 1 then abs(unit_price)
            else {{ exact_product('abs(unit_price)', 'exchange_rate') }}
        end as unit_price
    from priced

),

-- A refund has the sign of its amount, whatever sign the bill prints its quantity with.
listed as (

    select
        line_id,
        case when total_cost < 0 then -1 else 1 end
        * {{ exact_product('unit_price', 'quantity') }} as list_cost
    from in_billing_currency

),

stated as (

    select
        billing_lines.line_id,
        billing_lines.total_cost,
        billing_lines.total_cost + billing_lines.rounding_residual as billed_cost,
        stated_by_focus.effective_cost,
        coalesce(stated_by_focus.list_cost, listed.list_cost) as list_cost,
        stated_by_focus.contracted_cost,
        stated_by_focus.billing_period_start,
        stated_by_focus.billing_period_end
    from billing_lines
    left join stated_by_focus on billing_lines.line_id = stated_by_focus.line_id
    left join listed on billing_lines.line_id = listed.line_id

),

-- The other costs of a line whose cost has more decimals than a measure are its exact cost, too.
with_exact_cost as (

    select
        line_id,
        total_cost,
        cast(billed_cost as decimal(38, 18)) as billed_cost,
        {%- for amount in ['effective_cost', 'list_cost', 'contracted_cost'] %}
            cast(
                case
                    when abs({{ amount }}) < {{ number_limit() }} then {{ amount }}
                    else billed_cost
                end as decimal(38, 18)
            ) as {{ amount }},
        {%- endfor %}
        billing_period_start,
        billing_period_end
    from stated

),

differing as (

    select
        line_id,
        {%- for amount in exact_amounts() %}
            nullif({{ amount }}, total_cost) as {{ amount }},
        {%- endfor %}
        billing_period_start,
        billing_period_end
    from with_exact_cost

),

final as (

    select
        {%- for amount in exact_amounts() %}
            {{ measure(amount) }} as rounded_{{ amount }},
        {%- endfor %}
        *
    from differing

)

select * from final
where
    billing_period_start is not null
    or billing_period_end is not null
    {%- for amount in exact_amounts() %}
        or {{ amount }} is not null
    {%- endfor %}
