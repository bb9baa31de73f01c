{#-
Changes to closed periods that are not posted yet, as rows for the oldest open period. Closing that
period posts them.
-#}
with

late_rows as (

    select * from {{ ref('int_late_rows') }}

),

reversal_rows as (

    select * from {{ ref('int_reversal_rows') }}

),

approved_rows as (

    select * from {{ ref('int_approved_correction_rows') }}

),

unioned as (

    {% for relation in ['late_rows', 'reversal_rows', 'approved_rows'] %}
        select {{ bill_row_columns() | join(', ') }} from {{ relation }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

)

select
    *,
    'Correction' as charge_class
from unioned
