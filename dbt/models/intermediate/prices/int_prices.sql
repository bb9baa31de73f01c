{#- Prices, percentages and offers with their rank. The lowest applicable rank wins. -#}
with

prices as (

    select
        *,
        cast(null as decimal(28, 10)) as minimum_quantity
    from {{ ref('stg_price_list__prices') }}
    where rejected_reason is null
    union all
    select
        * {{ without('minimum_quantity') }},
        minimum_quantity
    from {{ ref('stg_microsoft_price_list__prices') }}
    where rejected_reason is null

),

files as (

    select * from {{ ref('stg_landing__files') }}
    where status = 'loaded'

),

organization_keys as (

    select * from {{ ref('int_organization_keys') }}

),

with_organization as (

    select
        prices.* {{ without('organization') }},
        coalesce(organization_keys.organization_id, prices.organization) as organization_id,
        files.modified_at
    from prices
    inner join files on prices.content_hash = files.content_hash
    left join organization_keys
        on lower(prices.organization) = organization_keys.organization_key

),

-- Special offers come first, then rows for the customer before rows for all customers, and prices
-- before percentages.
sourced as (

    select
        *,
        case
            when offer is not null then 'offer'
            when organization_id is not null and unit_price is not null then 'customer_price'
            when organization_id is not null then 'customer_percent'
            when unit_price is not null then 'global_price'
            else 'global_percent'
        end as price_source,
        case
            when sku_id is not null then 'sku'
            when product_name is not null then 'product'
            else 'all'
        end as price_is_for,
        case
            when sku_id is not null then {{ match_key('sku_id') }}
            when product_name is not null then lower(product_name)
            else '*'
        end as product_key
    from with_organization

),

ranked as (

    select
        {{ surrogate_id(['content_hash', 'row_number']) }} as price_id,
        *,
        case price_source
            when 'offer' then case when organization_id is not null then 1 else 2 end
            when 'customer_price' then 3
            when 'customer_percent' then 4
            when 'global_price' then 5
            else 6
        end as price_rank,
        case price_is_for when 'sku' then 1 when 'product' then 2 else 3 end as detail_rank
    from sourced

)

select * from ranked
