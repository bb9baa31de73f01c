{#-
Exports overlap. Of rows with the same `keys`, the one with newest_first = 1 counts: it comes from the
file that was written last and, within that file, from the lowest row. With `whole_files`, all rows
that this file has for the keys count.

`rows` and `files` name the relations that have file and row_number, and modified_at.
-#}
{% macro newest_first(keys, rows, files='files', whole_files=false) -%}
    {{ 'dense_rank' if whole_files else 'row_number' }}() over (
        partition by {{ keys | join(', ') }}
        order by
            {{ files }}.modified_at desc,
            {{ rows }}.file desc
            {%- if not whole_files %},
            {{ rows }}.row_number desc
            {%- endif %}
    ) as newest_first
{%- endmacro %}
