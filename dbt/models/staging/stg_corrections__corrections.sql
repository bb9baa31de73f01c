with

landed as (

    select * from {{ source('raw', 'corrections') }}

),

typed as (

    select
        landed.*,
        {{ decimal_value('allocated_quantity') }} as exact_allocated_quantity
    from landed

),

checked as (

    select
        typed.*,
        {{ failed_check([
            needs_text('Subscription ID', 'subscription_id'),
            (
                'Billing Period',
                'billing_period',
                'billing_period is null or not '
                ~ matches('trim(billing_period)', '[0-9]{4}-(0[1-9]|1[0-2])'),
                'is not a month like 2026-01'
            ),
            needs_text('Cost Center ID', 'cost_center_id'),
            needs_number(
                'Allocated Quantity', 'allocated_quantity', 'exact_allocated_quantity'
            ),
            (
                'Allocated Quantity',
                'allocated_quantity',
                'exact_allocated_quantity < 0',
                'is negative'
            ),
            needs_text('Approved By', 'approved_by'),
            needs_text('Reason', 'reason'),
        ]) }}
    from typed

),

renamed as (

    select
        file,
        row_number,
        content_hash,
        {{ id_value('subscription_id') }} as subscription_id,
        trim(billing_period) as billing_period,
        {{ text_value('cost_center_id') }} as cost_center_id,
        {{ measure('exact_allocated_quantity') }} as allocated_quantity,
        {{ text_value('approved_by') }} as approved_by,
        {{ text_value('reason') }} as reason,
        rejected_column,
        rejected_value,
        rejected_reason,
        case
            when rejected_reason is not null then {{ row_as_json('checked') }}
        end as raw_row
    from checked

)

select * from renamed
