{#- The user of a directory row: the id or the sign-in name, in lower case. -#}
{% macro user_key() -%}
    lower(coalesce({{ given_id('user_id') }}, {{ text_value('user_principal_name') }}))
{%- endmacro %}

{#- The part of a sign-in name after the @, which is the organization's domain. -#}
{% macro domain_of(column) -%}
    nullif(split_part(lower(trim({{ column }})), '@', 2), '')
{%- endmacro %}

{#-
The date of the directory snapshot. An export as downloaded has it in its file name or its folder's
name.
-#}
{% macro snapshot_day() -%}
    case
        when {{ text_value('snapshot_date') }} is null then {{ date_in_name('file') }}
        else {{ date_value('snapshot_date') }}
    end
{%- endmacro %}

{#- Checks that apply to every row of the directory, as arguments of failed_check. -#}
{% macro directory_checks() -%}
    {{ return([
        (
            'User ID',
            'user_id',
            'coalesce(' ~ given_id('user_id') ~ ', ' ~ text_value('user_principal_name')
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

{#-
The last date in a path, or null: 2026-01-31, Entra's 2026-1-31, and the admin center's 1_31_2026, which
counts only with its time of day (2_22_37 PM) or a day after the 12th, because 1_2_2026 has two readings.
-#}
{% macro date_in_name(path) -%}
    {{ return(adapter.dispatch('date_in_name')(path)) }}
{%- endmacro %}

{% macro duckdb__date_in_name(path) -%}
    {{ _date_in_name(path, '\\') }}
{%- endmacro %}

{% macro spark__date_in_name(path) -%}
    {{ _date_in_name(path, '$') }}
{%- endmacro %}

{#- Engines refer to a group of a pattern by a mark and its number. -#}
{% macro _date_in_name(path, mark) -%}
    {%- set patterns = [
        ('^.*[^0-9]([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})([^0-9].*)?$', [1, 2, 3]),
        (
            '^.*[^0-9]([0-9]{1,2})_([0-9]{1,2})_([0-9]{4}) [0-9]{1,2}_[0-9]{2}_[0-9]{2} [AP]M.*$',
            [3, 1, 2]
        ),
        ('^.*[^0-9]([0-9]{1,2})_(1[3-9]|2[0-9]|3[01])_([0-9]{4})([^0-9].*)?$', [3, 1, 2]),
    ] -%}
    coalesce(
        {%- for pattern, groups in patterns %}
        try_cast(
            regexp_replace(
                {{ path }},
                '{{ pattern }}',
                '{% for group in groups %}{{ mark }}{{ group }}{{ '-' if not loop.last }}{% endfor %}'
            ) as date
        ){{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#- The elements of a list, one per row: `Microsoft 365 E3+Visio Plan 2`. -#}
{% macro each_word(column, separator) -%}
    {{ return(adapter.dispatch('each_word')(column, separator)) }}
{%- endmacro %}

{% macro duckdb__each_word(column, separator) -%}
    unnest(string_split({{ column }}, '{{ separator }}'))
{%- endmacro %}

{% macro spark__each_word(column, separator) -%}
    explode(split({{ column }}, '[{{ separator }}]'))
{%- endmacro %}

{#- The skuIds of a JSON list of licenses in Microsoft Graph's form, one per row. -#}
{% macro each_sku_id(column) -%}
    {{ return(adapter.dispatch('each_sku_id')(column)) }}
{%- endmacro %}

{% macro duckdb__each_sku_id(column) -%}
    unnest(
        case when json_valid({{ column }}) then json_extract_string({{ column }}, '$[*].skuId') end
    )
{%- endmacro %}

{% macro spark__each_sku_id(column) -%}
    explode(
        transform(
            from_json({{ column }}, 'array<map<string,string>>'), license -> license['skuId']
        )
    )
{%- endmacro %}

{#- The one organization with a directory, to which rows without an organization belong. Null if
several have one. -#}
{% macro only_directory_organization() -%}
    select case when count(*) = 1 then min(organization_id) end as organization_id
    from organizations
    where split_source = 'directory'
{%- endmacro %}
