"""Findings to review: what a person should look at before billing."""

from html import escape

import streamlit as st

from app import figures, markup
from app.figures import Row
from app.screen import ALL, ask, heading, looking, pick, show
from dagster_project import wording

here = looking()
heading("Findings to review", f"{wording.period(here.period)}, {here.whose}")
counts = {
    str(row["severity"]): int(str(row["finding_count"]))
    for row in ask(figures.finding_counts(here.selection))
}
LABELS = {
    "error": ("Errors", "the bill is not complete"),
    "warning": ("Warnings", "look before billing"),
    "info": ("Notes", "good to know"),
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
        "Show",
        "severity",
        {ALL: "Everything", **{severity: label for severity, (label, _) in LABELS.items()}},
    )


def kind(row: Row) -> str:
    """The heading of the findings of a kind."""
    meaning = str(row["meaning"])
    return f"{markup.mark(str(row['severity']))} {escape(wording.sentence(meaning))}"


query = figures.findings(here.selection, chosen or None)
show(
    "Findings",
    query.without("organization_name") if here.organization_id else query,
    empty="Nothing was found that needs a look.",
    group=kind,
    grouped=("severity", "meaning"),
    prepare=lambda row: {**row, "message": wording.sentence(str(row["message"]))},
)
