with

{{ landed_typed_checked(
    'license_list',
    typed={'graph_id': 'lower(' ~ id_value('guid') ~ ')'},
    checks=[
        needs_id('GUID', 'guid'),
        needs_text('Product_Display_Name', 'product_display_name'),
    ],
) }},

renamed as (

    select
        file,
        row_number,
        content_hash,
        graph_id as sku_id,
        {{ given_id('string_id') }} as sku_part_number,
        {{ text_value('product_display_name') }} as product_name,
        {{ rejection() }}
    from checked

)

select * from renamed
