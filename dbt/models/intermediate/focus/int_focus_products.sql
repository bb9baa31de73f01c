{#- FOCUS categories of the products on the bills, by the first matching pattern of the seed. -#}
with

report_rows as (

    select * from {{ ref('int_focus_allocations') }}

),

focus_services as (

    select * from {{ ref('focus_services') }}

),

products as (

    select service_name
    from report_rows
    group by service_name

),

matching as (

    select
        products.service_name,
        focus_services.service_category,
        focus_services.service_subcategory,
        focus_services.service_provider_name,
        row_number() over (
            partition by products.service_name
            order by focus_services.service_number nulls last
        ) as first_match
    from products
    inner join focus_services
        on lower(products.service_name) like focus_services.product_pattern

)

select * {{ without('first_match') }}
from matching
where first_match = 1
