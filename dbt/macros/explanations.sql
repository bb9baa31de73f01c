{#-
Sentences that explain a row. These macros do not calculate. A macro with many columns reads them by
name from the CTE `row`.
-#}

{#-
The split that divides a line, and the cost center's part of the cost:
"refund (cutoff 2025-12-17 00:00 UTC), the latest split before the line's cutoff: split of
2025-12-15 00:00 UTC (Cost center split adjusted), Sales has 10 of 15, so cost is
-145.65 x 10 / 15 = -97.1; rounding 0"
-#}
{% macro split_explanation(row) -%}
    concat_ws(
        '',
        {{ row }}.charge_kind,
        {{ _phrase_if(row ~ '.cutoff_at is not null', [
            "' (cutoff '", plain_instant(row ~ '.cutoff_at'), "')'",
        ]) }},
        ', ',
        {{ row }}.split_reason_meaning,
        {{ _phrase_if(row ~ ".split_reason = 'tag_rule'", [
            "' ('", row ~ '.tag_key', "' names '", row ~ '.cost_center_name', "')'",
        ]) }},
        {{ _phrase_if(row ~ '.snapshot_effective_at is not null', [
            "': split of '", plain_instant(row ~ '.snapshot_effective_at'),
            "' ('", row ~ '.snapshot_event', "')'",
        ]) }},
        {{ _phrase_if(row ~ ".snapshot_id like 'correction:%'", ["' as corrected'"]) }},
        {{ _phrase_if(row ~ '.snapshot_id is not null', [
            "', '", row ~ '.cost_center_name',
            "' has '", plain_number(row ~ '.allocated_quantity'),
            "' of '", plain_number(row ~ '.allocated_total'),
        ]) }},
        ', so cost is ', {{ plain_number(row ~ '.line_total_cost') }},
        {{ _phrase_if(row ~ '.snapshot_id is not null', [
            "' x '", plain_number(row ~ '.allocated_quantity'),
            "' / '", plain_number(row ~ '.allocated_total'),
        ]) }},
        ' = ', {{ plain_number(row ~ '.total_cost') }},
        '; rounding ', {{ plain_number(row ~ '.cost_rounding') }}
    )
{%- endmacro %}

{#-
The price behind the sales of a line; null if the bill states them or no price is used:
"customer_price from 2025-07-01: 30 EUR at the rate of 2026-01-02 = 33 USD x 18 / 31 days x 8"
"global_percent from 2025-07-01: cost 97.5 plus 15 percent"
-#}
{% macro price_explanation(row) -%}
    case
        when {{ row }}.price_source in ('bill', 'free_of_charge', 'passed_on') then null
        when {{ row }}.price_source is not null
            then
                concat_ws(
                    '',
                    {{ row }}.price_source,
                    {{ _phrase_if(row ~ '.offer is not null', [
                        "' \"'", row ~ '.offer', "'\"'",
                    ]) }},
                    ' from ', cast({{ row }}.valid_from_date as string), ': ',
                    case
                        when {{ row }}.is_percent_of_cost then {{ _cost_and_percent(row) }}
                        else {{ _unit_price_and_quantity(row) }}
                    end
                )
    end
{%- endmacro %}

{% macro _cost_and_percent(row) -%}
    concat_ws(
        '',
        'cost ', {{ plain_number(row ~ '.total_cost') }},
        ' plus ', {{ plain_number(row ~ '.markup_percent') }}, ' percent'
    )
{%- endmacro %}

{% macro _unit_price_and_quantity(row) -%}
    concat_ws(
        '',
        {{ plain_number(row ~ '.unit_price') }}, ' ', {{ row }}.price_currency,
        {{ _phrase_if(row ~ '.markup_percent is not null', [
            "' (list plus '", plain_number(row ~ '.markup_percent'), "' percent)'",
        ]) }},
        {{ _phrase_if(row ~ '.price_currency <> ' ~ row ~ '.currency', [
            "' at the rate of '", 'cast(' ~ row ~ '.rate_date as string)',
            "' = '", plain_number(row ~ '.sales_unit_price'), "' '", row ~ '.currency',
        ]) }},
        {{ _phrase_if(row ~ '.priced_cycle_days <> 1', [
            "' x '", row ~ '.priced_days', "' / '", row ~ '.priced_cycle_days', "' days'",
        ]) }},
        ' x ', {{ plain_number(row ~ '.quantity') }}
    )
{%- endmacro %}

{#- A posted line that is not in its re-issued invoice. -#}
{% macro reversal_explanation(closed_period, cost_center_name, billed_cost) -%}
    concat_ws(
        '',
        'the re-issued invoice does not contain this line of closed period ', {{ closed_period }},
        ': the amount billed to ', {{ cost_center_name }}, ', ',
        {{ plain_number(billed_cost) }}, ', is reversed'
    )
{%- endmacro %}

{#- An approved correction of a posted line's split. -#}
{% macro correction_explanation(closed_period, approved_by, reason, cost_difference) -%}
    concat_ws(
        '',
        'correction of closed period ', {{ closed_period }},
        ', approved by ', {{ approved_by }}, ' (', {{ reason }},
        '): the cost of this line for the cost center changes by ',
        {{ plain_number(cost_difference) }}
    )
{%- endmacro %}

{#- A cost that a rule passes on from one cost center to another. -#}
{% macro sharing_explanation(row) -%}
    concat_ws(
        '',
        {{ row }}.from_cost_center_name, ' passes on ', {{ plain_number(row ~ '.pool_cost') }},
        {{ _phrase_if(row ~ '.product_name is not null', ["' of '", row ~ '.product_name']) }},
        case
            when {{ row }}.source_kind <> 'cost_center'
                then concat_ws(
                    '', ' (shared ', {{ row }}.source_kind, ' ', {{ row }}.source_id, ')'
                )
            when {{ row }}.step = 2 then ', including received costs,'
            else ''
        end,
        ' by ', {{ row }}.method, ': ', {{ row }}.to_cost_center_name, ' has ',
        {{ plain_number(row ~ '.basis') }}, ' of ', {{ plain_number(row ~ '.basis_total') }},
        ', so ', {{ plain_number(row ~ '.pool_cost') }}, ' x ',
        {{ plain_number(row ~ '.share') }}, ' = ', {{ plain_number(row ~ '.shared_cost') }}
    )
{%- endmacro %}

{% macro _phrase_if(condition, parts) -%}
    case when {{ condition }} then concat_ws('', {{ parts | join(', ') }}) else '' end
{%- endmacro %}
