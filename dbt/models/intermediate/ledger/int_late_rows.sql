{#- They landed after the period was closed, in a new file or with a re-issued invoice. -#}
{{ config(materialized='view') }}
with

computed_rows as (

    select * from {{ ref('int_computed_rows') }}
    where line_state = 'late'

),

correction_period as (

    select * from {{ ref('int_correction_period') }}

),

late_rows as (

    select
        computed_rows.* {{ without('billing_period', 'line_state') }},
        correction_period.correction_period as billing_period,
        cast(null as string) as corrects_line_id
    from computed_rows
    cross join correction_period

)

select * from late_rows
