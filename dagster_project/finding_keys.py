"""Keys of findings: by them a finding is the same one in the next run.

Belongs here: the SQL of keys, for reviews in the app and for alerts. Does not: either of them.

The key is of kind, organization, subscription, billing period, currency and the message without
numbers, because counts and amounts in the message change from run to run. Findings that differ by
numbers only have the whole message in their key.
"""

DATES = r"([0-9]{1,2}) ([A-Z][a-z]{2}) ([0-9]{4})"
"""Days as bills print them: 9 Jan 2026."""

NUMBERS = r"(^|[\s(])-?[0-9][0-9,]*(\.[0-9]+)?([\s;,%)]|$)"
"""Numbers in a message that stand alone: amounts and counts, not ids, dates or names of files."""

PARAMETERS = (("dates", DATES), ("numbers", NUMBERS))
"""The values of the parameters in `with_keys`."""


def with_keys(findings: str) -> str:
    """SQL of the rows of `findings`, a table or query in parentheses, with their `finding_key`."""
    return f"""
        (
            with masked as (
                select
                    *,
                    md5(concat_ws(
                        chr(31), kind, coalesce(organization_id, ''),
                        coalesce(subscription_id, ''), coalesce(billing_period, ''),
                        coalesce(currency, ''),
                        -- Twice, because two numbers may share the space between them.
                        regexp_replace(
                            regexp_replace(
                                regexp_replace(message, $dates, '\\1-\\2-\\3', 'g'),
                                $numbers, '\\1#\\3', 'g'
                            ),
                            $numbers, '\\1#\\3', 'g'
                        )
                    )) as masked_key
                from {findings}
            )
            select
                * exclude (masked_key),
                case
                    when min(message) over same = max(message) over same then masked_key
                    else md5(masked_key || message)
                end as finding_key
            from masked
            window same as (partition by masked_key)
        )
        """
