{#-
Files that repeat the other files of their delivery: every row with the same amount, or every charge
of at least twenty. The file may be an identical part or a file of another version. The manifest
of an export resolves this.
-#}
{%- set keys = {'line': 'line_hash', 'charge': 'charge_key'} %}

with

delivered_lines as (

    select * from {{ ref('int_delivered_lines') }}
    where scope_key is not null

),

delivered_files as (

    select * from {{ ref('int_delivered_files') }}

),

deliveries_of_several_files as (

    select delivery
    from delivered_files
    where not has_manifest
    group by delivery
    having count(*) > 1

),

{% for name, key in keys.items() %}
    {{ name }}_counts as (

        select
            delivered_lines.delivery,
            delivered_lines.scope_key,
            delivered_lines.landed_file,
            delivered_lines.{{ key }} as repeated_key,
            count(*) as row_count
        from delivered_lines
        inner join deliveries_of_several_files
            on delivered_lines.delivery = deliveries_of_several_files.delivery
        group by
            delivered_lines.delivery,
            delivered_lines.scope_key,
            delivered_lines.landed_file,
            delivered_lines.{{ key }}

    ),

    {{ name }}_compared as (

        select
            *,
            sum(row_count) over (same_key) - row_count as elsewhere_count,
            case
                when min(landed_file) over same_key <> landed_file
                    then min(landed_file) over same_key
                else max(landed_file) over same_key
            end as other_file
        from {{ name }}_counts
        window same_key as (partition by delivery, scope_key, repeated_key)

    ),

    {{ name }}_repeats as (

        select
            delivery,
            scope_key,
            landed_file,
            min(other_file) as other_file
        from {{ name }}_compared
        group by delivery, scope_key, landed_file
        having
            sum(least(row_count, elsewhere_count)) = sum(row_count)
            {% if name == 'charge' %}and sum(row_count) >= 20{% endif %}

    ),

{% endfor %}
repeated_files as (

    {% for name in keys %}
        select * from {{ name }}_repeats
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

final as (

    select
        delivery,
        scope_key,
        max(landed_file) as part_file,
        max_by(other_file, landed_file) as other_file
    from repeated_files
    group by delivery, scope_key

)

select * from final
