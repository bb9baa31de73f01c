{#-
The subscription of a FOCUS row, by the variable focus_subscription: its SubAccountId or its
ResourceId. If one is empty, the other is used.
-#}
{% macro focus_subscription() -%}
    {%- set column = var('focus_subscription') -%}
    {%- if column not in ('SubAccountId', 'ResourceId') and exceptions is defined -%}
        {{ exceptions.raise_compiler_error(
            "focus_subscription is '" ~ column ~ "'; it can be SubAccountId or ResourceId"
        ) }}
    {%- endif -%}
    {%- if column == 'ResourceId' -%}
        coalesce({{ id_value('resource_id') }}, {{ id_value('sub_account_id') }})
    {%- else -%}
        coalesce({{ id_value('sub_account_id') }}, {{ id_value('resource_id') }})
    {%- endif -%}
{%- endmacro %}


{#- The name that belongs to this id. -#}
{% macro focus_subscription_name() -%}
    case
        when {{ focus_subscription() }} = {{ id_value('sub_account_id') }}
            then {{ text_value('sub_account_name') }}
        else {{ text_value('resource_name') }}
    end
{%- endmacro %}
