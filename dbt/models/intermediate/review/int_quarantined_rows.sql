with

landed_lines as (

    select * from {{ ref('int_billing_lines_unioned') }}

),

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

landed_invoices as (

    select * from {{ ref('int_landed_invoices') }}

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
        cast(null as varchar) as invoice_number,
        cast(null as date) as billing_date,
        cast(null as varchar) as currency,
        cast(null as decimal(28, 10)) as total_cost
    from files
    where status = 'refused'

),

broken_rows as (

    select
        feed,
        source_format,
        file,
        content_hash,
        row_number,
        column_name,
        value,
        reason,
        raw_row,
        invoice_number,
        billing_date,
        currency,
        {{ measure('total_cost') }} as total_cost
    from no_rows

),

unusable_billing_lines as (

    select
        'billing_lines' as feed,
        source_format,
        file,
        content_hash,
        row_number,
        rejected_column as column_name,
        rejected_value as value,
        concat(rejected_column, ' ', rejected_reason) as reason,
        raw_row,
        invoice_number,
        billing_date,
        currency,
        -- An amount that is too large to be one is not shown as one.
        case when abs(total_cost) < 1000000000000 then total_cost end as total_cost
    from landed_lines
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
            cast(null as varchar) as invoice_number,
            cast(null as date) as billing_date,
            cast(null as varchar) as currency,
            cast(null as decimal(28, 10)) as total_cost
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
        case
            when count(distinct invoice_number) = 1 then max(invoice_number)
        end as invoice_number,
        case when count(distinct billing_date) = 1 then max(billing_date) end as billing_date
    from landed_lines
    group by content_hash

),

currencies_of_files as (

    select
        file,
        case when count(distinct currency) = 1 then max(currency) end as currency
    from billing_lines
    group by file

),

attributed as (

    select
        unioned.* exclude (invoice_number, billing_date, currency),
        coalesce(unioned.invoice_number, bills_of_files.invoice_number) as invoice_number,
        case
            when coalesce(unioned.invoice_number, bills_of_files.invoice_number) is null
                then coalesce(unioned.billing_date, bills_of_files.billing_date)
        end as billing_date,
        case
            when unioned.feed = 'billing_lines'
                then coalesce(unioned.currency, currencies_of_files.currency, 'XXX')
        end as currency
    from unioned
    left join bills_of_files on unioned.content_hash = bills_of_files.content_hash
    left join currencies_of_files on unioned.file = currencies_of_files.file

),

-- A report without invoice number that is exported again brings its bad rows again.
keyed as (

    select
        *,
        {{ surrogate_id([
            'feed', 'source_format', 'column_name', 'value', 'reason', 'raw_row',
        ]) }} as row_key
    from attributed

),

counted as (

    select
        *,
        row_number() over (
            partition by content_hash, row_key
            order by row_number
        ) as occurrence
    from keyed

),

ranked as (

    select
        *,
        row_number() over (
            partition by row_key, occurrence
            order by file
        ) as copy_number
    from counted

),

-- Where in a workbook it stands, as its user would look for it.
places as (

    select
        content_hash,
        min(sheet) as sheet,
        min(column_letters) as column_letters
    from files
    where sheet is not null and content_hash is not null
    group by content_hash

),

-- Once a newer file has brought the invoice again, the older file's bad rows are history.
superseded as (

    select
        ranked.* exclude (row_key, occurrence, copy_number, value, raw_row),
        -- Of people nothing is shown: the row can be looked up in the file.
        case when ranked.feed <> 'directory' then ranked.value end as value,
        case when ranked.feed <> 'directory' then ranked.raw_row end as raw_row,
        case
            when places.sheet is not null and ranked.row_number is not null
                then
                    concat(
                        places.sheet,
                        '!',
                        {{ json_text_at(
                            'places.column_letters', match_key('ranked.column_name')
                        ) }},
                        ranked.row_number
                    )
        end as cell,
        coalesce(not landed_invoices.is_current, false)
        or (ranked.invoice_number is null and ranked.raw_row is not null and ranked.copy_number > 1)
            as is_superseded
    from ranked
    left join landed_invoices
        on
            ranked.invoice_number = landed_invoices.invoice_number
            and ranked.content_hash = landed_invoices.content_hash
    left join places on ranked.content_hash = places.content_hash

)

select * from superseded
