{#- A text as a JSON string, including the quotes. -#}
{% macro json_string(text) -%}
    {{ return(adapter.dispatch('json_string')(text)) }}
{%- endmacro %}

{% macro duckdb__json_string(text) -%}
    cast(to_json({{ text }}) as string)
{%- endmacro %}

{#- {"v":"text"} without the parts around the text. -#}
{% macro spark__json_string(text) -%}
    case
        when {{ text }} is not null
            then
                substr(
                    to_json(named_struct('v', {{ text }})),
                    6,
                    length(to_json(named_struct('v', {{ text }}))) - 6
                )
    end
{%- endmacro %}

{#- Texts under keys as a JSON object, without those that are null; null without any. -#}
{% macro json_object_of(texts) -%}
    nullif(
        concat_ws(
            '',
            '{',
            concat_ws(
                ','
                {%- for key, text in texts.items() -%}
                    , case
                        when {{ text }} is not null
                            then concat_ws('', '"{{ key }}":', {{ json_string(text) }})
                    end
                {%- endfor %}
            ),
            '}'
        ),
        '{}'
    )
{%- endmacro %}

{#- A text if it is a JSON object, else null. FOCUS allows tags in this form only. -#}
{% macro json_object_or_null(text) -%}
    {{ return(adapter.dispatch('json_object_or_null')(text)) }}
{%- endmacro %}

{% macro duckdb__json_object_or_null(text) -%}
    case
        when json_valid({{ text }})
            then case when json_type({{ text }}) = 'OBJECT' then {{ text }} end
    end
{%- endmacro %}

{% macro spark__json_object_or_null(text) -%}
    case when json_object_keys({{ text }}) is not null then {{ text }} end
{%- endmacro %}

{#- The first instant of a day, or of the day after it, because ends are exclusive in FOCUS. -#}
{% macro start_of_day(day) -%}
    cast({{ day }} as timestamp)
{%- endmacro %}

{#- The first instant of the month of a day, and that of the month after it. -#}
{% macro month_of(day) -%}
    cast({{ dbt.date_trunc('month', day) }} as timestamp)
{%- endmacro %}

{% macro start_of_next_month(day) -%}
    cast({{ dbt.dateadd('month', 1, dbt.date_trunc('month', day)) }} as timestamp)
{%- endmacro %}

{% macro start_of_next_day(day) -%}
    cast({{ dbt.dateadd('day', 1, day) }} as timestamp)
{%- endmacro %}

{#-
The SKU of a charge. In Partner Center a SKU is one of a product: 0001 is the first SKU of many
products. FOCUS requires a SKU on usage and purchases; without one on the bill it is the product.
-#}
{% macro focus_sku_id() -%}
    case
        when charge_category = 'Tax' then null
        when
            source_format in ('new_commerce_reconciliation', 'daily_rated_usage')
            and product_id is not null
            then concat_ws(':', product_id, billed_sku_id)
        when charge_category in ('Usage', 'Purchase')
            then coalesce(billed_sku_id, product_id, service_name)
        else billed_sku_id
    end
{%- endmacro %}

{#- The parts of a key that identifies a charge of a FOCUS bill, except its amount. -#}
{% macro focus_charge_parts() -%}
    {{ return([
        key_text('billing_account_id'),
        key_text('sub_account_id'),
        key_text('charge_category'),
        key_day('charge_start_instant', 'charge_period_start'),
        key_day('charge_end_instant', 'charge_period_end'),
        key_text('service_name'),
        key_text('billing_currency'),
    ]) }}
{%- endmacro %}

{#- Further parts of a key, which two charges with the same amount may differ in. -#}
{% macro focus_detail_parts() -%}
    {{ return([
        key_text('charge_class'),
        key_text('charge_frequency'),
        key_text('sku_id'),
        key_text('sku_price_id'),
        key_text('resource_id'),
        key_text('region_id'),
        key_text('availability_zone'),
        key_text('pricing_category'),
        key_text('commitment_discount_id'),
        key_text('commitment_discount_status'),
        key_text('publisher_name'),
        key_text('allocated_resource_id'),
        key_text('x_line_id'),
        key_text('x_cost_center_id'),
        key_text('pricing_unit'),
        key_text('consumed_unit'),
    ]) }}
{%- endmacro %}

{#-
Whether a purchase pays for periods after that of its bill. FOCUS bills state their EffectiveCost.
A month has at most 31 days: what is bought month by month is not prepaid, whatever its first day.
-#}
{% macro is_prepaid() -%}
    coalesce(
        charge_category = 'Purchase'
        and source_format <> 'focus_cost_and_usage'
        and {{ dbt.datediff('charge_start_date', 'charge_end_date', 'day') }} >= 31
        and {{ year_month('charge_end_date') }} > billing_period,
        false
    )
{%- endmacro %}

{#-
The columns of int_focus_charges in which a month of a prepaid purchase differs from the purchase.
-#}
{% macro focus_amortized_columns() -%}
    {{ return([
        'billing_period', 'original_billing_period', 'period_start', 'period_end', 'closed_at',
        'line_id', 'corrects_line_id', 'refund_of_line_id', 'invoice_number', 'invoice_id',
        'invoice_detail_id', 'charge_start_date', 'charge_end_date', 'charge_category',
        'charge_class', 'charge_frequency', 'charge_kind', 'list_unit_price',
        'contracted_unit_price', 'total_cost', 'total_sales', 'total_margin', 'line_total_cost',
        'line_billed_cost', 'is_prepaid',
    ] + exact_amounts()) }}
{%- endmacro %}
