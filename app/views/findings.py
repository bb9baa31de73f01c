"""Findings to review before billing."""

from html import escape

import streamlit as st

from app import markup
from app.queries import review
from app.queries.query import Row
from app.screen import ALL, ask, heading, page_context, pick, show
from dagster_project import wording

here = page_context()
heading("Findings to review", f"{wording.period(here.period)}, {here.owner}")
counts = {
    str(row["severity"]): int(str(row["finding_count"]))
    for row in ask(review.finding_counts(here.selection))
}
LABELS = {
    "error": ("Errors", "the bill is incomplete"),
    "warning": ("Warnings", "review before billing"),
    "info": ("Notes", "for information"),
}
st.html(
    markup.cards(
        [
            (label, f"{counts.get(severity, 0):,}", note)
            for severity, (label, note) in LABELS.items()
        ]
    )
)
with st.columns(3)[0]:
    chosen = pick(
        "Severity",
        "severity",
        {ALL: "All severities", **{severity: label for severity, (label, _) in LABELS.items()}},
    )


def kind(row: Row) -> str:
    """The heading of findings of one kind."""
    meaning = str(row["meaning"])
    return f"{markup.mark(str(row['severity']))} {escape(wording.sentence(meaning))}"


query = review.findings(here.selection, chosen or None)
show(
    "Findings",
    query.without("organization_name") if here.organization_id else query,
    empty="No findings.",
    group=kind,
    grouped=("severity", "meaning"),
    prepare=lambda row: {**row, "message": wording.sentence(str(row["message"]))},
)
