with

commitments as (

    select * from {{ ref('int_focus_commitments') }}

),

focus_terms as (

    select * from {{ ref('focus_terms') }}

),

focus_sources as (

    select * from {{ ref('focus_sources') }}

),

final as (

    select
        commitments.currency as BillingCurrency,
        concat_ws(
            '',
            '{"InclusionOperator":"And","Inclusions":[{"Dimension":"SubAccountId",',
            '"Operator":"In","Values":[', {{ json_string('commitments.subscription_id') }},
            ']}]}'
        ) as ContractCommitmentApplicability,
        -- The commitment is a number of licenses: the right to use them.
        'Entitlement' as ContractCommitmentBenefitCategory,
        'Usage' as ContractCommitmentCategory,
        cast(null as decimal(28, 10)) as ContractCommitmentCost,
        {{ start_of_day('commitments.term_start_date') }} as ContractCommitmentCreated,
        concat_ws('', commitments.product_name, ', ', commitments.term_and_billing_cycle)
            as ContractCommitmentDescription,
        cast(null as decimal(28, 10)) as ContractCommitmentDiscountPercentage,
        focus_terms.duration_type as ContractCommitmentDurationType,
        focus_terms.fulfillment_interval as ContractCommitmentFulfillmentInterval,
        commitments.commitment_id as ContractCommitmentId,
        {{ start_of_day(
            'greatest(commitments.latest_billing_date, commitments.term_start_date)'
        ) }} as ContractCommitmentLastUpdated,
        commitments.lifecycle_status as ContractCommitmentLifecycleStatus,
        -- Licenses that are not used in a cycle expire and do not carry over.
        case
            when focus_terms.fulfillment_interval = 'Full Period' then 'Discontinuous'
            else 'Continuous'
        end as ContractCommitmentModel,
        'Public' as ContractCommitmentOfferCategory,
        focus_terms.payment_interval as ContractCommitmentPaymentInterval,
        focus_terms.payment_model as ContractCommitmentPaymentModel,
        {{ start_of_next_day('commitments.term_end_date') }} as ContractCommitmentPeriodEnd,
        {{ start_of_day('commitments.term_start_date') }} as ContractCommitmentPeriodStart,
        cast(commitments.quantity as decimal(28, 10)) as ContractCommitmentQuantity,
        'License subscription' as ContractCommitmentType,
        'Licenses' as ContractCommitmentUnit,
        commitments.subscription_id as ContractId,
        {{ start_of_next_day('commitments.contract_end_date') }} as ContractPeriodEnd,
        {{ start_of_day('commitments.contract_start_date') }} as ContractPeriodStart,
        focus_sources.invoice_issuer_name as InvoiceIssuerName,
        focus_sources.invoice_issuer_name as ServiceProviderName,
        commitments.organization_id as x_BillingAccountId
    from commitments
    inner join focus_terms
        on commitments.term_and_billing_cycle = focus_terms.term_and_billing_cycle
    inner join focus_sources on commitments.source_format = focus_sources.source_format

)

select * from final
