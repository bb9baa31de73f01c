with

file_notes as (

    select * from {{ ref('stg_landing__file_notes') }}

)

select
    kind,
    cast(null as varchar) as organization_id,
    cast(null as varchar) as subscription_id,
    cast(null as varchar) as billing_period,
    cast(null as varchar) as currency,
    cast(0 as decimal(28, 10)) as amount_at_stake,
    concat(file, ': ', message) as message
from file_notes
