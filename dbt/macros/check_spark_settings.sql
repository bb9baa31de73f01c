{#-
Refuses a session of Apache Spark whose settings give other figures, by the name of the setting. It
runs before every dbt command that builds or tests, and is no statement on DuckDB.
-#}
{% macro check_spark_settings() -%}
    {%- if execute and target.type == 'spark' -%}
        {%- for name, needed in var('spark_settings').items() -%}
            {%- set found = run_query('set ' ~ name).columns['value'].values() | first | string -%}
            {%- if found | lower != needed.value | lower -%}
                {{ exceptions.raise_compiler_error(
                    name ~ ' is ' ~ found ~ ', not ' ~ needed.value ~ ': ' ~ needed.otherwise
                    ~ '. APPORTION_ENGINE=spark make run has the settings (docs/scaling.md).'
                ) }}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
