{#-
The purchased term of each billing line. Only new-commerce bills state it. A term that is not in the
seed is no commitment.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where
        source_format = 'new_commerce_reconciliation'
        and subscription_id is not null
        and charge_kind in ('cycle', 'extra', 'refund')

),

terms as (

    select * from {{ ref('stg_new_commerce__terms') }}

),

focus_terms as (

    select
        *,
        {{ match_key('term_and_billing_cycle') }} as term_key
    from {{ ref('focus_terms') }}

),

with_commitment as (

    select
        billing_lines.line_id,
        billing_lines.organization_id,
        billing_lines.organization_name,
        billing_lines.subscription_id,
        billing_lines.product_name,
        billing_lines.currency,
        billing_lines.source_format,
        billing_lines.billing_date,
        billing_lines.charge_type,
        billing_lines.charge_kind,
        billing_lines.charge_start_date,
        billing_lines.quantity,
        focus_terms.term_and_billing_cycle,
        terms.term_start_date,
        terms.term_end_date,
        concat_ws('', billing_lines.subscription_id, '/', cast(terms.term_start_date as string))
            as commitment_id
    from billing_lines
    inner join terms
        on billing_lines.file = terms.file and billing_lines.row_number = terms.row_number
    inner join focus_terms
        on {{ match_key('terms.term_and_billing_cycle') }} = focus_terms.term_key
    -- After its term, a subscription may continue monthly. Those charges still print the dates of
    -- the term but have no commitment.
    where
        terms.term_start_date <= terms.term_end_date
        and billing_lines.charge_start_date <= terms.term_end_date

)

select * from with_commitment
