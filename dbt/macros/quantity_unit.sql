{#- The unit of the quantity of a line whose bill states none. Credits and taxes have no unit. -#}
{% macro default_quantity_unit(line) -%}
    case
        when {{ line }}.charge_kind in ('credit', 'tax') then null
        when
            {{ line }}.charge_kind = 'usage'
            or {{ line }}.source_format in ('daily_rated_usage', 'focus_cost_and_usage')
            then 'Units'
        else 'Licenses'
    end
{%- endmacro %}

{#- The unit of a sum of quantities, or null if they have several. -#}
{% macro unit_of_sum(column='quantity_unit') -%}
    case when min({{ column }}) = max({{ column }}) then min({{ column }}) end
{%- endmacro %}
