{#-
Exports overlap. Among rows with the same `keys`, the one with newest_first = 1 counts: it comes from the
file with the latest modification time (of several such files, the last by name) and, within that
file, from the last row. With `whole_files`, all rows of that file count.

`rows` and `files` name the relations with the columns file and row_number, and modified_at. Rows for
which the condition `preferred` holds come before all others.
-#}
{% macro newest_first(keys, rows, files='files', whole_files=false, preferred=none) -%}
    {{ 'dense_rank' if whole_files else 'row_number' }}() over (
        partition by {{ keys | join(', ') }}
        order by
            {%- if preferred %}
            {{ preferred }} desc nulls last,
            {%- endif %}
            {{ files }}.modified_at desc nulls last,
            {{ rows }}.file desc nulls last
            {%- if not whole_files %},
            {{ rows }}.row_number desc nulls last
            {%- endif %}
    ) as newest_first
{%- endmacro %}
