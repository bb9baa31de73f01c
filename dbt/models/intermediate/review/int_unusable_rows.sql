{#- A view, in the schema of staging: raw rows of the directory name persons. -#}
{{ config(materialized='view', schema='staging') }}
with

delivered_lines as (

    select * from {{ ref('int_delivered_lines') }}

),

delivered_files as (

    select * from {{ ref('int_delivered_files') }}

),

sources as (

    select * from {{ ref('focus_sources') }}

),

files as (

    select * from {{ ref('stg_landing__files') }}

),

no_rows as (

    select * from {{ ref('stg_landing__rejected_rows') }}

),

refused_files as (

    select
        feed,
        cast(null as string) as source_format,
        file,
        cast(null as string) as content_hash,
        cast(null as bigint) as row_number,
        cast(null as string) as column_name,
        cast(null as string) as value,
        reason,
        cast(null as string) as raw_row,
        cast(null as string) as delivery,
        cast(null as string) as scope_key,
        cast(null as string) as provider,
        cast(null as string) as invoice_number,
        cast(null as date) as billing_date,
        cast(null as string) as currency,
        cast(null as decimal(38, 18)) as exact_cost
    from files
    where status = 'refused'

),

-- A damaged row of a bill counts once for each delivery that its file belongs to.
broken_rows as (

    select
        no_rows.feed,
        no_rows.source_format,
        coalesce(delivered_files.landed_file, no_rows.file) as file,
        no_rows.content_hash,
        no_rows.row_number,
        no_rows.column_name,
        no_rows.value,
        no_rows.reason,
        no_rows.raw_row,
        delivered_files.delivery,
        cast(null as string) as scope_key,
        coalesce(sources.invoice_issuer_name, delivered_files.folder_provider) as provider,
        no_rows.invoice_number,
        no_rows.billing_date,
        no_rows.currency,
        no_rows.total_cost as exact_cost
    from no_rows
    left join delivered_files on no_rows.content_hash = delivered_files.content_hash
    left join sources on no_rows.source_format = sources.source_format

),

unusable_billing_lines as (

    select
        'billing_lines' as feed,
        source_format,
        landed_file as file,
        content_hash,
        row_number,
        rejected_column as column_name,
        rejected_value as value,
        concat_ws('', rejected_column, ' ', rejected_reason) as reason,
        raw_row,
        delivery,
        scope_key,
        provider,
        invoice_number,
        billing_date,
        currency,
        -- An implausibly large amount is not shown.
        case
            when abs(total_cost) < {{ number_limit() }} then total_cost + rounding_residual
        end as exact_cost
    from delivered_lines
    where rejected_reason is not null

),

unusable_rows_of_other_feeds as (

    {% for feed, model in [
        ('split_history', 'stg_split_history__events'),
        ('cost_centers', 'stg_cost_centers__cost_centers'),
        ('organizations', 'stg_organizations__organizations'),
        ('invoices', 'stg_invoices__invoices'),
        ('corrections', 'stg_corrections__corrections'),
        ('price_list', 'stg_price_list__prices'),
        ('price_list', 'stg_microsoft_price_list__prices'),
        ('directory', 'stg_directory__users'),
        ('directory', 'stg_directory__assignments'),
        ('budgets', 'stg_budgets__budgets'),
        ('manual_forecasts', 'stg_manual_forecasts__forecasts'),
        ('exchange_rates', 'stg_exchange_rates__rates'),
        ('shared_costs', 'stg_shared_costs__rules'),
        ('license_skus', 'stg_license_list__skus'),
    ] %}
        select
            '{{ feed }}' as feed,
            '{{ feed }}' as source_format,
            file,
            content_hash,
            row_number,
            rejected_column as column_name,
            rejected_value as value,
            concat_ws('', rejected_column, ' ', rejected_reason) as reason,
            raw_row,
            cast(null as string) as delivery,
            cast(null as string) as scope_key,
            cast(null as string) as provider,
            cast(null as string) as invoice_number,
            cast(null as date) as billing_date,
            cast(null as string) as currency,
            cast(null as decimal(38, 18)) as exact_cost
        from {{ ref(model) }}
        where rejected_reason is not null
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

unioned as (

    select * from refused_files
    union all
    select * from broken_rows
    union all
    select * from unusable_billing_lines
    union all
    select * from unusable_rows_of_other_feeds

)

select * from unioned
