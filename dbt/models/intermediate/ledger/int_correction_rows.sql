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

    select * from late_rows
    union all by name
    select * from reversal_rows
    union all by name
    select * from approved_rows

)

select
    *,
    'Correction' as charge_class
from unioned
