with

license_skus as (

    select * from {{ ref('license_skus') }}

),

listed as (

    select * from {{ ref('stg_license_list__skus') }}
    where rejected_reason is null

),

files as (

    select * from {{ ref('stg_landing__files') }}
    where status = 'loaded'

),

-- Microsoft's list has a row per service plan of a license. Of several lists, the newest counts.
ranked as (

    select
        listed.*,
        {{ newest_first(['listed.sku_id'], rows='listed', whole_files=true) }}
    from listed
    inner join files on listed.content_hash = files.content_hash

),

words as (

    select
        lower(sku_id) as license_word,
        product_name,
        1 as source_rank
    from license_skus
    union all
    select
        lower(sku_part_number) as license_word,
        product_name,
        1 as source_rank
    from license_skus
    union all
    select
        sku_id as license_word,
        product_name,
        2 as source_rank
    from ranked
    where newest_first = 1
    union all
    select
        lower(sku_part_number) as license_word,
        product_name,
        2 as source_rank
    from ranked
    where newest_first = 1 and sku_part_number is not null

),

-- The seed has the names as bills print them, so they come first.
first_ranks as (

    select
        license_word,
        min(source_rank) as source_rank
    from words
    group by license_word

),

-- A word with two names identifies no product.
named as (

    select
        words.license_word,
        min(words.product_name) as product_name
    from words
    inner join first_ranks
        on
            words.license_word = first_ranks.license_word
            and words.source_rank = first_ranks.source_rank
    group by words.license_word
    having min(lower(words.product_name)) = max(lower(words.product_name))

)

select * from named
