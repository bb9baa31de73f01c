{#- Months of a term: P1M, P1Y, P3Y and the like. Null without a term. -#}
{% macro term_months(column) -%}
    case
        when upper(trim({{ column }})) in ('P1M', 'P3M', 'P6M')
            then cast(substr(trim({{ column }}), 2, 1) as integer)
        when upper(trim({{ column }})) in ('P1Y', 'P2Y', 'P3Y', 'P5Y')
            then 12 * cast(substr(trim({{ column }}), 2, 1) as integer)
    end
{%- endmacro %}

{#-
Months that one bill of a billing plan covers, at most the term. A plan that is paid at once, or no
plan, covers the term.
-#}
{% macro cycle_months(plan, months_of_term) -%}
    least(
        {{ months_of_term }},
        case {{ match_key(plan) }}
            when 'monthly' then 1
            when 'annual' then 12
            when 'annually' then 12
            when 'yearly' then 12
            else {{ months_of_term }}
        end
    )
{%- endmacro %}

{#- A check for `failed_check`: a term is empty, or one that is known. -#}
{% macro known_term(name, column) -%}
    {{ return((
        name,
        column,
        term_months(column) ~ ' is null and ' ~ given_value(column) ~ ' is not null',
        'is not a term; write P1M, P1Y or P3Y'
    )) }}
{%- endmacro %}

{#- The price of one cycle, where a price is for the whole term. -#}
{% macro price_per_cycle(price, plan, term) -%}
    case
        when {{ term_months(term) }} is null then {{ price }}
        else
            {{ prorated_price(
                price, '1', cycle_months(plan, term_months(term)), term_months(term)
            ) }}
    end
{%- endmacro %}

{#- Price lists print an open beginning as 1753 or the year 1 and an open end as the year 9999. -#}
{% macro has_open_beginning(column) -%}
    coalesce({{ column }} like '%1753%' or {{ column }} like '0001-01-01%', false)
{%- endmacro %}

{% macro has_open_end(column) -%}
    coalesce({{ column }} like '%9999%', false)
{%- endmacro %}
