{#-
Values by which a tag or the directory may refer to a cost center, per kind of value. A value that
two cost centers of an organization share identifies neither.
-#}
with

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

-- The most reliable key first.
words as (

    {% for kind, column in [
        ('cost_center_id', 'cost_center_id'),
        ('charge_code', 'charge_code'),
        ('department', 'cost_center_name'),
        ('location', 'location'),
    ] %}
        select
            organization_id,
            '{{ kind }}' as word_kind,
            {{ loop.index }} as preference,
            lower(trim({{ column }})) as word,
            cost_center_id
        from cost_centers
        where {{ column }} is not null
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

)

select
    organization_id,
    word_kind,
    preference,
    word,
    case when count(*) = 1 then min(cost_center_id) end as cost_center_id
from words
group by organization_id, word_kind, preference, word
