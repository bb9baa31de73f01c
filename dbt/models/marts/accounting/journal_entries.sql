{#-
Every amount of a statement becomes a debit and a credit from the same row, so that every entry is
balanced: the cost center's account against clearing. Refunds and reversing corrections change sides
and never have a negative amount.
-#}
{{ config(meta={
    'partition_column': 'billing_period',
    'partitioned_by': {
        'int_report_rows': 'billing_period',
        'int_statement_amounts': 'billing_period',
    },
}) }}

with

statement_amounts as (

    select * from {{ ref('int_statement_amounts') }}
    where billed_amount <> 0

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

gl_accounts as (

    select * from {{ ref('gl_accounts') }}

),

bills as (

    select
        billing_period,
        organization_id,
        currency,
        max(billing_date) as posting_date
    from {{ ref('int_report_rows') }}
    group by billing_period, organization_id, currency

),

numbered as (

    select
        statement_amounts.*,
        bills.posting_date,
        cost_centers.gl_account,
        row_number() over (
            partition by statement_amounts.billing_period
            order by
                statement_amounts.organization_id nulls last,
                statement_amounts.currency nulls last,
                statement_amounts.cost_center_id nulls last,
                statement_amounts.section_order nulls last,
                statement_amounts.corrected_period nulls last
        ) as entry_number
    from statement_amounts
    inner join bills
        on
            statement_amounts.billing_period = bills.billing_period
            and statement_amounts.organization_id = bills.organization_id
            and statement_amounts.currency = bills.currency
    left join cost_centers
        on
            statement_amounts.organization_id = cost_centers.organization_id
            and statement_amounts.cost_center_id = cost_centers.cost_center_id

),

-- An organization's own account takes precedence over the account for all organizations.
accounts as (

    select
        numbered.billing_period,
        numbered.entry_number,
        gl_accounts.purpose,
        gl_accounts.gl_account,
        gl_accounts.account_name,
        row_number() over (
            partition by numbered.billing_period, numbered.entry_number, gl_accounts.purpose
            order by gl_accounts.organization_id nulls last
        ) as own_first
    from numbered
    inner join gl_accounts
        on
            numbered.organization_id
            = coalesce(gl_accounts.organization_id, numbered.organization_id)

),

clearing as (

    select * from accounts
    where purpose = 'clearing' and own_first = 1

),

no_account as (

    select * from accounts
    where purpose = 'no_account' and own_first = 1

),

sides as (

    select
        numbered.*,
        1 as side_order,
        coalesce(numbered.gl_account, no_account.gl_account) as side_account,
        case
            when numbered.gl_account is null then no_account.account_name
            else numbered.cost_center_name
        end as side_account_name,
        numbered.billed_amount > 0 as is_debit
    from numbered
    inner join no_account
        on
            numbered.billing_period = no_account.billing_period
            and numbered.entry_number = no_account.entry_number
    union all
    select
        numbered.*,
        2 as side_order,
        clearing.gl_account as side_account,
        clearing.account_name as side_account_name,
        numbered.billed_amount < 0 as is_debit
    from numbered
    inner join clearing
        on
            numbered.billing_period = clearing.billing_period
            and numbered.entry_number = clearing.entry_number

),

final as (

    select
        billing_period,
        concat_ws('', billing_period, '-', lpad(cast(entry_number as string), 6, '0')) as entry_id,
        cast(side_order as integer) as entry_line,
        posting_date,
        organization_id,
        cost_center_id,
        cost_center_name,
        side_account as gl_account,
        side_account_name as account_name,
        cast(case when is_debit then abs(billed_amount) else 0 end as decimal(28, 10)) as debit,
        cast(case when is_debit then 0 else abs(billed_amount) end as decimal(28, 10)) as credit,
        currency,
        case
            when corrected_period is not null then 'correction'
            when section = 'shared' then 'shared'
            when billed_amount < 0 then 'reversal'
            else 'charge'
        end as entry_type,
        corrected_period,
        concat_ws(
            '',
            'Licenses ', billing_period, ', ', cost_center_name, ', ', section,
            case
                when corrected_period is not null then concat_ws('', ' of ', corrected_period)
                else ''
            end
        ) as entry_text,
        amount_basis,
        {{ period_start('billing_period') }} as billing_period_start
    from sides

)

select * from final
