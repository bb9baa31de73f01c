{#- Whether a billing line belongs to the cycles of a subscription, which repeat. -#}
{% macro belongs_to_cycles() -%}
    subscription_id is not null
    and (
        (charge_source = 'license' and charge_kind in ('cycle', 'extra', 'refund'))
        -- For other clouds, only purchases marked as recurring count, because an account has all
        -- kinds of purchases.
        or (charge_source = 'FOCUS' and charge_kind = 'cycle')
    )
{%- endmacro %}
