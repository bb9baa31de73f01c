{#- The rows of every source format in one structure, usable or not. One line per format. -#}
{{ config(materialized='view') }}

{% set models = {
    'stg_broker_report__billing_lines': [],
    'stg_distributor__billing_lines': [],
    'stg_new_commerce__billing_lines': ['quantity_in_line_id', 'tax_total'],
    'stg_legacy__billing_lines': ['tax_total'],
    'stg_daily_usage__billing_lines': [],
    'stg_focus__billing_lines': [
        'tax_total',
        'allocated_tags',
        'allocated_resource_id',
        'split_cost_center_id',
        'split_cost_center_name',
        'is_split_unallocated',
    ],
} %}

{#- Columns that some formats have. -#}
{% set further_columns = {
    'quantity_in_line_id': 'decimal(28, 10)',
    'tax_total': 'decimal(28, 10)',
    'allocated_tags': 'string',
    'allocated_resource_id': 'string',
    'split_cost_center_id': 'string',
    'split_cost_center_name': 'string',
    'is_split_unallocated': 'boolean',
} %}

with

unioned as (

    {% for model, own in models.items() %}
        select
            source_format,
            charge_source,
            file,
            row_number,
            content_hash,
            invoice_number,
            billing_date,
            customer_id,
            customer_domain,
            customer_name,
            subscription_id,
            product_id,
            product_name,
            sku_id,
            charge_type,
            charge_start_date,
            charge_end_date,
            billing_line_details,
            billed_quantity,
            billed_unit,
            unit_price,
            total_cost,
            total_sales,
            billed_margin,
            rounding_residual,
            currency,
            reference_id,
            tags,
            charge_key,
            broad_charge_key,
            provider,
            seller,
            period_key,
            rejected_column,
            rejected_value,
            rejected_reason,
            {% for column, type in further_columns.items() %}
                {{ column if column in own else 'cast(null as ' ~ type ~ ')' }} as {{ column }},
            {% endfor %}
            raw_row
        from {{ ref(model) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

)

select * from unioned
