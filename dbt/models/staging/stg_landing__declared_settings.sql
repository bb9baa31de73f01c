{{ config(materialized='view') }}

with

declared_settings as (

    select * from {{ source('raw', 'declared_settings') }}

)

select
    fiscal_year_first_month,
    equal_lines,
    reporting_currency
from declared_settings
