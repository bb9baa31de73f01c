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

{#-
The sum of quantities, or null if they have several units. Quantities without a unit, such as those
of credits, are part of the sum.
-#}
{% macro quantity_of_sum() -%}
    cast(
        case when min(quantity_unit) is not distinct from max(quantity_unit) then sum(quantity) end
        as decimal(28, 10)
    )
{%- endmacro %}

{#- The unit of quantity_of_sum; null if there are several, or a quantity other than zero has none. -#}
{% macro unit_of_quantity_of_sum() -%}
    case
        when
            min(quantity_unit) = max(quantity_unit)
            and max(case when quantity <> 0 and quantity_unit is null then 1 else 0 end) = 0
            then min(quantity_unit)
    end
{%- endmacro %}
