{#-
The billing lines to split. Posted lines are left out: their split and their parts are in the ledger and
do not change, and a run does not spend time on them.
-#}
{{ config(materialized='view') }}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

line_states as (

    select * from {{ ref('int_line_states') }}
    where line_state <> 'posted'

)

select billing_lines.*
from billing_lines
inner join line_states on billing_lines.line_id = line_states.line_id
