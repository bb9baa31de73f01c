{#-
The tax of each invoice as its own lines state it. Daily usage states no tax; the invoice's line
that contains it does.
-#}
with

lines as (

    select * from {{ ref('int_line_fates') }}
    where
        charge_source <> 'usage'
        and invoice_number is not null
        and fate in ('billed', 'usage_in_detail')

),

summed as (

    select
        {{ match_key('provider') }} as provider_key,
        invoice_number,
        currency,
        -- If one line does not state its tax, that of the invoice is unknown.
        case when count(tax_total) = count(*) then sum(tax_total) end as tax_total
    from lines
    group by {{ match_key('provider') }}, invoice_number, currency

)

select * from summed
