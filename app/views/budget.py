"""Budget: what was planned, and what came of it."""

from app import figures
from app.screen import columns_of, count, heading, looking, nothing, show
from dagster_project import wording

NO_BUDGET = "No budget has landed yet: put one into landing/budgets, then make run."

here = looking()
heading("Budget", f"{wording.period(here.period)}, {here.whose}")
columns = columns_of("budget_variance")
if not columns or not count(figures.budget(figures.Selection(), columns)):
    nothing(NO_BUDGET)
else:
    show(
        "Budget",
        figures.budget(here.selection, columns),
        empty="No budget has landed for this period.",
    )
