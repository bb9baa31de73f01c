{#- Fails with every row of the invoice detail that differs from the sum of its charges. -#}
{% test focus_invoices_hold_their_charges(model) %}

with

charges as (

    select
        InvoiceDetailId as invoice_detail_id,
        sum(BilledCost) as charged
    from {{ ref('focus_cost_and_usage') }}
    where InvoiceDetailId is not null
    group by InvoiceDetailId

),

validation_errors as (

    select
        details.InvoiceDetailId,
        details.BilledCost,
        charges.charged
    from {{ model }} as details
    full outer join charges on details.InvoiceDetailId = charges.invoice_detail_id
    where details.BilledCost is distinct from charges.charged

)

select * from validation_errors

{% endtest %}
