{#- Rows and files that cannot be used, of every feed, with the bill they belong to. -#}
{#- A view, in the schema of staging: raw rows of the directory name persons. -#}
{{ config(materialized='view', schema='staging') }}
with

delivered_lines as (

    select * from {{ ref('int_delivered_lines') }}

),

delivered_files as (

    select * from {{ ref('int_delivered_files') }}

),

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

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
        cast(null as varchar) as source_format,
        file,
        cast(null as varchar) as content_hash,
        cast(null as bigint) as row_number,
        cast(null as varchar) as column_name,
        cast(null as varchar) as value,
        reason,
        cast(null as varchar) as raw_row,
        cast(null as varchar) as delivery,
        cast(null as varchar) as scope_key,
        cast(null as varchar) as provider,
        cast(null as varchar) as invoice_number,
        cast(null as date) as billing_date,
        cast(null as varchar) as currency,
        cast(null as decimal(38, 18)) as exact_cost
    from files
    where status = 'refused'

),

-- A damaged row of a bill is there once for each delivery that its file belongs to.
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
        cast(null as varchar) as scope_key,
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
        concat(rejected_column, ' ', rejected_reason) as reason,
        raw_row,
        delivery,
        scope_key,
        provider,
        invoice_number,
        billing_date,
        currency,
        -- An amount that is too large to be one is not shown as one.
        case
            when abs(total_cost) < 1000000000000 then total_cost + rounding_residual
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
        ('directory', 'stg_directory__users'),
        ('directory', 'stg_directory__assignments'),
        ('budgets', 'stg_budgets__budgets'),
        ('exchange_rates', 'stg_exchange_rates__rates'),
        ('shared_costs', 'stg_shared_costs__rules'),
    ] %}
        select
            '{{ feed }}' as feed,
            '{{ feed }}' as source_format,
            file,
            content_hash,
            row_number,
            rejected_column as column_name,
            rejected_value as value,
            concat(rejected_column, ' ', rejected_reason) as reason,
            raw_row,
            cast(null as varchar) as delivery,
            cast(null as varchar) as scope_key,
            cast(null as varchar) as provider,
            cast(null as varchar) as invoice_number,
            cast(null as date) as billing_date,
            cast(null as varchar) as currency,
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

),

-- A damaged row belongs to the bill that the other rows of its file belong to.
bills_of_files as (

    select
        content_hash,
        case when count(distinct provider) = 1 then max(provider) end as provider,
        case
            when count(distinct invoice_number) = 1 then max(invoice_number)
        end as invoice_number,
        case when count(distinct billing_date) = 1 then max(billing_date) end as billing_date,
        case when count(distinct currency) = 1 then max(currency) end as currency
    from delivered_lines
    group by content_hash

),

currencies_of_files as (

    select
        landed_file as file,
        case when count(distinct currency) = 1 then max(currency) end as currency
    from billing_lines
    group by landed_file

),

attributed as (

    select
        unioned.* exclude (provider, invoice_number, billing_date, currency),
        coalesce(unioned.provider, bills_of_files.provider) as provider,
        coalesce(unioned.invoice_number, bills_of_files.invoice_number) as invoice_number,
        case
            when coalesce(unioned.invoice_number, bills_of_files.invoice_number) is null
                then coalesce(unioned.billing_date, bills_of_files.billing_date)
        end as billing_date,
        case
            when unioned.feed = 'billing_lines'
                then coalesce(
                    unioned.currency,
                    currencies_of_files.currency,
                    bills_of_files.currency,
                    'XXX'
                )
        end as currency
    from unioned
    left join bills_of_files on unioned.content_hash = bills_of_files.content_hash
    left join currencies_of_files on unioned.file = currencies_of_files.file

)

select * from attributed
