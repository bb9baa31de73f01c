{#-
What has come to light about closed periods since they were closed, as rows for the oldest open
period: late lines, lines of re-issued invoices, approved corrections of splits. Once that period
is closed these rows are in the ledger and do not come again.
-#}
with

computed_rows as (

    select * from {{ ref('int_computed_rows') }}

),

correction_period as (

    select * from {{ ref('int_correction_period') }}

),

ledger_lines as (

    select * from {{ ref('int_ledger_lines') }}

),

ledger_balances as (

    select * from {{ ref('int_ledger_balances') }}

),

corrections as (

    select * from {{ ref('int_corrections') }}

),

half_read_invoices as (

    select * from {{ ref('int_half_read_invoices') }}

),

withdrawn_lines as (

    select * from {{ ref('int_withdrawn_lines') }}

),

shares as (

    select * from {{ ref('int_split_shares') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

-- 1. Lines of a closed period that are not in it: they came late or with a new invoice.
late_rows as (

    select
        computed_rows.* exclude (billing_period),
        correction_period.correction_period as billing_period,
        cast(null as varchar) as corrects_line_id
    from computed_rows
    inner join correction_period
        on computed_rows.billing_period <= correction_period.closed_through
    left join ledger_lines
        on
            computed_rows.line_id = ledger_lines.line_id
            and ledger_lines.is_standing
    left join half_read_invoices
        on
            computed_rows.invoice_number = half_read_invoices.invoice_number
            and computed_rows.provider is not distinct from half_read_invoices.provider
    where
        ledger_lines.line_id is null
        and half_read_invoices.invoice_number is null

),

-- 2. Lines that a re-issued invoice has no more.
reversal_rows as (

    select
        withdrawn_lines.* exclude (
            billing_period, line_id, cost_center_id, cost_center_name, quantity, total_cost,
            total_sales, total_margin, share, split_reason, corrects_line_id, explanation,
            charge_class, posting_number, reversal_count, is_standing, line_quantity,
            line_total_cost, line_total_sales, cost_center_name_then, is_unallocated,
            allocated_quantity
        ),
        correction_period.correction_period as billing_period,
        {{ surrogate_id([
            "'reversal'", 'withdrawn_lines.line_id', 'withdrawn_lines.reversal_count',
        ]) }} as line_id,
        withdrawn_lines.line_id as corrects_line_id,
        ledger_balances.cost_center_id,
        coalesce(cost_centers.cost_center_name, ledger_balances.cost_center_name)
            as cost_center_name,
        ledger_balances.cost_center_name_then,
        ledger_balances.is_unallocated,
        ledger_balances.allocated_quantity,
        -ledger_balances.quantity as quantity,
        -ledger_balances.total_cost as total_cost,
        -ledger_balances.total_sales as total_sales,
        -ledger_balances.total_margin as total_margin,
        ledger_balances.share,
        'reversed' as split_reason,
        {{ reversal_explanation(
            'withdrawn_lines.original_billing_period',
            'ledger_balances.cost_center_name',
            'ledger_balances.total_cost'
        ) }} as explanation
    from withdrawn_lines
    cross join correction_period
    inner join ledger_balances on withdrawn_lines.line_id = ledger_balances.line_id
    left join cost_centers
        on
            withdrawn_lines.organization_id = cost_centers.organization_id
            and ledger_balances.cost_center_id = cost_centers.cost_center_id

),

-- 3. Approved corrections: what each cost center should have had, less what it was billed.
line_totals as (

    select
        line_id,
        sum(quantity) as quantity,
        sum(total_cost) as total_cost,
        sum(total_sales) as total_sales
    from ledger_balances
    group by line_id

),

correction_sets as (

    select
        correction_id,
        subscription_id,
        billing_period,
        max(approved_by) as approved_by,
        max(reason) as reason
    from corrections
    group by correction_id, subscription_id, billing_period
    -- A split that gives nobody anything says nothing about who should have borne the line.
    having sum(allocated_quantity) > 0

),

corrected_lines as (

    select
        ledger_lines.* exclude (line_quantity, line_total_cost, line_total_sales),
        correction_sets.correction_id,
        correction_sets.approved_by,
        correction_sets.reason,
        cast(line_totals.quantity as decimal(28, 10)) as line_quantity,
        cast(line_totals.total_cost as decimal(28, 10)) as line_total_cost,
        cast(line_totals.total_sales as decimal(28, 10)) as line_total_sales
    from ledger_lines
    inner join correction_sets
        on
            ledger_lines.subscription_id = correction_sets.subscription_id
            and ledger_lines.original_billing_period = correction_sets.billing_period
    inner join line_totals on ledger_lines.line_id = line_totals.line_id
    left join withdrawn_lines on ledger_lines.line_id = withdrawn_lines.line_id
    where ledger_lines.is_standing and withdrawn_lines.line_id is null

),

should_have_been as (

    select
        corrected_lines.line_id,
        shares.cost_center_id,
        shares.share,
        shares.allocated_quantity,
    {%- for measure in ['quantity', 'total_cost', 'total_sales'] %}
        {{ part_for_share('corrected_lines.line_' ~ measure, 'shares') }}
            as {{ measure }}{{ ',' if not loop.last }}
    {%- endfor %}
    from corrected_lines
    inner join shares
        on concat('correction:', corrected_lines.correction_id) = shares.split_id
    where shares.total_units > 0

),

differences as (

    select
        coalesce(should_have_been.line_id, ledger_balances.line_id) as line_id,
        coalesce(should_have_been.cost_center_id, ledger_balances.cost_center_id)
            as cost_center_id,
        ledger_balances.cost_center_name,
        ledger_balances.cost_center_name_then,
        cast(coalesce(should_have_been.share, 0) as decimal(18, 10)) as share,
        cast(
            coalesce(should_have_been.allocated_quantity, 0) as decimal(28, 10)
        ) as allocated_quantity,
    {%- for measure in ['quantity', 'total_cost', 'total_sales'] %}
        cast(
            coalesce(should_have_been.{{ measure }}, 0)
            - coalesce(ledger_balances.{{ measure }}, 0) as decimal(28, 10)
        ) as {{ measure }}{{ ',' if not loop.last }}
    {%- endfor %}
    from should_have_been
    full outer join ledger_balances
        on
            should_have_been.line_id = ledger_balances.line_id
            and should_have_been.cost_center_id = ledger_balances.cost_center_id

),

approved_rows as (

    select
        corrected_lines.* exclude (
            billing_period, line_id, cost_center_id, cost_center_name, quantity, total_cost,
            total_sales, total_margin, share, split_reason, corrects_line_id, explanation,
            charge_class, posting_number, reversal_count, is_standing, correction_id,
            approved_by, reason, line_quantity, line_total_cost, line_total_sales,
            snapshot_effective_at, snapshot_id, is_unallocated, cost_center_name_then,
            allocated_quantity
        ),
        correction_period.correction_period as billing_period,
        {{ surrogate_id([
            "'correction'", 'corrected_lines.line_id', 'corrected_lines.correction_id',
        ]) }} as line_id,
        corrected_lines.line_id as corrects_line_id,
        differences.cost_center_id,
        coalesce(
            cost_centers.cost_center_name,
            differences.cost_center_name,
            differences.cost_center_id
        ) as cost_center_name,
        coalesce(differences.cost_center_name_then, cost_centers.cost_center_name)
            as cost_center_name_then,
        differences.allocated_quantity,
        differences.quantity,
        differences.total_cost,
        case
            when corrected_lines.line_total_sales is not null then differences.total_sales
        end as total_sales,
        case
            when corrected_lines.line_total_sales is not null
                then cast(
                    differences.total_sales - differences.total_cost as decimal(28, 10)
                )
        end as total_margin,
        differences.share,
        cast(null as timestamp) as snapshot_effective_at,
        cast(null as varchar) as snapshot_id,
        false as is_unallocated,
        'corrected' as split_reason,
        {{ correction_explanation(
            'corrected_lines.original_billing_period',
            'corrected_lines.approved_by',
            'corrected_lines.reason',
            'differences.total_cost'
        ) }} as explanation
    from corrected_lines
    cross join correction_period
    inner join differences on corrected_lines.line_id = differences.line_id
    left join cost_centers
        on
            corrected_lines.organization_id = cost_centers.organization_id
            and differences.cost_center_id = cost_centers.cost_center_id
    where
        differences.quantity <> 0
        or differences.total_cost <> 0
        or differences.total_sales <> 0

),

unioned as (

    select * from late_rows
    union all by name
    select * from reversal_rows
    union all by name
    select * from approved_rows

)

select
    *,
    'Correction' as charge_class
from unioned
