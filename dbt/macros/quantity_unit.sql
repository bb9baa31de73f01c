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
Whether quantities have one unit, and therefore a sum. A quantity of zero without a unit is none; others
without a unit have a unit of their own.
-#}
{% macro have_one_unit() -%}
    {%- set counted -%}
        case when quantity <> 0 or quantity_unit is not null then coalesce(quantity_unit, '') end
    {%- endset -%}
    coalesce(min({{ counted }}) = max({{ counted }}), true)
{%- endmacro %}

{#- The sum of quantities, or null if they have several units. -#}
{% macro quantity_of_sum() -%}
    cast(case when {{ have_one_unit() }} then sum(quantity) end as decimal(28, 10))
{%- endmacro %}

{#- The unit of quantity_of_sum, or null if there are several. -#}
{% macro unit_of_quantity_of_sum() -%}
    case when {{ have_one_unit() }} then min(quantity_unit) end
{%- endmacro %}
