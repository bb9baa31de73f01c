{#-
Months of the purchased term and of the billing cycle of each license line. New-commerce bills may
state both. Otherwise the term is unknown, and the days of the cycle show its months.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where charge_source = 'license'

),

line_days as (

    select * from {{ ref('int_line_days') }}

),

bill_terms as (

    select * from {{ ref('stg_new_commerce__terms') }}

),

focus_terms as (

    select * from {{ ref('focus_terms') }}

),

with_days as (

    select
        billing_lines.line_id,
        focus_terms.term_months,
        focus_terms.cycle_months,
        coalesce(
            line_days.cycle_days,
            {{ dbt.datediff(
                'billing_lines.charge_start_date', 'billing_lines.charge_end_date', 'day'
            ) }} + 1
        ) as cycle_days
    from billing_lines
    left join line_days on billing_lines.line_id = line_days.line_id
    left join bill_terms
        on
            billing_lines.file = bill_terms.file
            and billing_lines.row_number = bill_terms.row_number
    left join focus_terms
        on
            {{ match_key('bill_terms.term_and_billing_cycle') }}
            = {{ match_key('focus_terms.term_and_billing_cycle') }}

)

select
    line_id,
    term_months,
    coalesce(
        cycle_months,
        case
            when cycle_days between 28 and 31 then 1
            when cycle_days between 365 and 366 then 12
            when cycle_days between 1095 and 1096 then 36
        end
    ) as cycle_months
from with_days
