{#- Whom a row of the directory is about: ids in one case, names without regard to it. -#}
{% macro user_key() -%}
    lower(coalesce({{ given_value('user_id') }}, {{ text_value('user_principal_name') }}))
{%- endmacro %}

{#- The part of a sign-in name behind the @: that of the organization. -#}
{% macro domain_of(column) -%}
    nullif(split_part(lower(trim({{ column }})), '@', 2), '')
{%- endmacro %}

{#- Of which day the directory was: an export as downloaded tells it by its name or its folder's. -#}
{% macro snapshot_day() -%}
    case
        when {{ text_value('snapshot_date') }} is null then {{ date_in_name('file') }}
        else {{ date_value('snapshot_date') }}
    end
{%- endmacro %}

{#- What every row of the directory needs, in the form failed_check takes. -#}
{% macro directory_checks() -%}
    {{ return([
        (
            'User ID',
            'user_id',
            'coalesce(' ~ given_value('user_id') ~ ', ' ~ text_value('user_principal_name')
            ~ ') is null',
            'is empty'
        ),
        date_if_given('Snapshot Date', 'snapshot_date', 'snapshot_day'),
        (
            'Snapshot Date',
            'snapshot_date',
            'snapshot_day is null',
            'is missing, and neither the file name nor the folder name contains a date'
            ~ ' (like users-2026-01-31.csv)'
        ),
    ]) }}
{%- endmacro %}

{#- The last date like 2026-01-31 in a path, or null. -#}
{% macro date_in_name(path) -%}
    {{ return(adapter.dispatch('date_in_name')(path)) }}
{%- endmacro %}

{% macro duckdb__date_in_name(path) -%}
    try_cast(
        regexp_extract({{ path }}, '.*([0-9]{4}-[0-9]{2}-[0-9]{2})', 1) as date
    )
{%- endmacro %}

{% macro default__date_in_name(path) -%}
    try_cast(
        nullif(regexp_extract({{ path }}, '.*([0-9]{4}-[0-9]{2}-[0-9]{2})', 1), '') as date
    )
{%- endmacro %}

{#- The words of a list, one row each: `Microsoft 365 E3+Visio Plan 2`. -#}
{% macro each_word(column, separator) -%}
    {{ return(adapter.dispatch('each_word')(column, separator)) }}
{%- endmacro %}

{% macro duckdb__each_word(column, separator) -%}
    unnest(string_split({{ column }}, '{{ separator }}'))
{%- endmacro %}

{% macro default__each_word(column, separator) -%}
    explode(split({{ column }}, '[{{ separator }}]'))
{%- endmacro %}

{#- The skuIds of a JSON list of licenses as Microsoft Graph writes it, one row each. -#}
{% macro each_sku_id(column) -%}
    {{ return(adapter.dispatch('each_sku_id')(column)) }}
{%- endmacro %}

{% macro duckdb__each_sku_id(column) -%}
    unnest(
        case when json_valid({{ column }}) then json_extract_string({{ column }}, '$[*].skuId') end
    )
{%- endmacro %}

{% macro default__each_sku_id(column) -%}
    explode(from_json({{ column }}, 'array<struct<skuId:string>>').skuId)
{%- endmacro %}

{#- The one organization with a directory, to which rows without an organization belong. Null if
several have one. -#}
{% macro only_directory_organization() -%}
    select case when count(*) = 1 then min(organization_id) end as organization_id
    from organizations
    where split_source = 'directory'
{%- endmacro %}
