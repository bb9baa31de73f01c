"""The metrics of the dbt project, as MetricFlow computes them: ten questions of finance."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import Company
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlEngine
from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
from metricflow_semantics.model.dbt_manifest_parser import (
    parse_manifest_from_dbt_generated_manifest,
)
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

from dagster_project import dbt_runner
from dagster_project.quoting import sql_literal
from dagster_project.settings import PROJECT_ROOT

APRIL = "{{ TimeDimension('metric_time', 'month') }} = '2026-04-01'"


@dataclass(frozen=True)
class Question:
    """A question, the query that answers it, and the answer of the sample company."""

    words: str
    metrics: tuple[str, ...]
    group_by: tuple[str, ...]
    where: tuple[str, ...]
    answer: tuple[tuple[str | None, ...], ...]


QUESTIONS = (
    Question(
        "What is charged this month?",
        ("charged_amount",),
        ("charge__currency",),
        (APRIL,),
        (("EUR", "332.2769615435"), ("USD", "15593.3533703226")),
    ),
    Question(
        "What does it cost, and what is earned?",
        ("total_cost", "total_margin", "margin_rate"),
        ("charge__currency",),
        (APRIL,),
        (
            ("EUR", "280.37", "51.9069615435", "0.1562"),
            ("USD", "13645.8783226", "1947.4750477226", "0.1249"),
        ),
    ),
    Question(
        "Who is charged most?",
        ("charged_amount",),
        ("charge__organization_id", "charge__currency"),
        (APRIL,),
        (
            ("alder", "USD", "1642.309"),
            ("brightwater", "USD", "4010.04"),
            ("cobalt", "USD", "4040.9881896774"),
            ("dunmore", "USD", "5430.6936"),
            ("fernhill", "USD", "469.3225806452"),
            ("greyport", "EUR", "332.2769615435"),
        ),
    ),
    Question(
        "What changed since the month before, and why?",
        ("amount_change", "price_change", "seats_change", "new_subscriptions_change"),
        ("amount_change__currency",),
        (APRIL,),
        (
            ("EUR", "118.3891714123", "2.6566744963", "103.933496916", "0"),
            ("USD", "1170.1301399655", "-27.08841", "-502.5281071774", "1245.9"),
        ),
    ),
    Question(
        "How much has nobody decided on, and how much is in Default?",
        ("unallocated_cost", "default_cost"),
        ("billed_line__currency",),
        (APRIL,),
        (("EUR", None, "0"), ("USD", "93.4956446", "803.8948276")),
    ),
    Question(
        "Are budgets kept?",
        ("budget", "actual_amount", "budget_variance_amount"),
        ("budgeted_month__currency",),
        (APRIL,),
        (("EUR", "120", "146.688745", "26.688745"), ("USD", "4860", "6679.9581", "1819.9581")),
    ),
    Question(
        "How much of the coming year is owed already?",
        ("committed_forecast",),
        ("forecast_month__currency",),
        (),
        (("EUR", "0"), ("USD", "72163.495028")),
    ),
    Question(
        "What does a license cost per cycle?",
        ("cost_per_license",),
        ("billed_line__currency", "billed_line__product_name"),
        (APRIL, "{{ Dimension('billed_line__currency') }} = 'EUR'"),
        (("EUR", "Exchange Online (Plan 1)", "4.05"), ("EUR", "Office 365 E3", "21.37")),
    ),
    Question(
        "What is a business unit charged?",
        ("unit_charged",),
        ("unit_amount__currency", "unit_amount__unit_name"),
        (
            APRIL,
            "{{ Dimension('unit_amount__unit_kind') }} = 'business_unit'",
            "{{ Dimension('unit_amount__organization_id') }} = 'dunmore'",
        ),
        (
            ("USD", "(none)", "197.721"),
            ("USD", "Faculties", "4622.01109"),
            ("USD", "Services", "610.96151"),
        ),
    ),
    Question(
        "What does each month bear?",
        ("amortized_cost",),
        ("metric_time__month", "charge__currency"),
        ("{{ Dimension('charge__currency') }} = 'USD'",),
        (
            ("2026-01-01 00:00:00", "USD", "11707.756164"),
            ("2026-02-01 00:00:00", "USD", "11477.150412"),
            ("2026-03-01 00:00:00", "USD", "12460.2587"),
            ("2026-04-01 00:00:00", "USD", "13667.2980186"),
        ),
    ),
)


class OnlyRenders:
    """What MetricFlow asks of a client before it runs a query; the tests run the SQL."""

    sql_engine_type = SqlEngine.DUCKDB
    sql_plan_renderer = DuckDbSqlPlanRenderer()


@pytest.fixture(scope="module")
def engine() -> MetricFlowEngine:
    """MetricFlow with the semantic manifest that dbt writes when it parses the project."""
    dbt_runner.prepared_manifest()
    content = semantic_manifest().read_text(encoding="utf-8")
    manifest = parse_manifest_from_dbt_generated_manifest(content)
    return MetricFlowEngine(SemanticManifestLookup(manifest), OnlyRenders())


def semantic_manifest() -> Path:
    return dbt_runner.MANIFEST.with_name("semantic_manifest.json")


@pytest.fixture(scope="module")
def published(sample_company: Company) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        path = sql_literal(sample_company.data.published_database)
        connection.execute(f"attach {path} as warehouse (read_only)")
        yield connection


def as_text(value: object) -> str | None:
    """A value of an answer: decimals without trailing zeros, rates to four decimals."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, float):
        return f"{round(value, 4):g}"
    return None if value is None else str(value)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.words)
def test_a_question_of_finance_has_its_answer(
    engine: MetricFlowEngine, published: duckdb.DuckDBPyConnection, question: Question
) -> None:
    request = MetricFlowQueryRequest.create(
        metric_names=question.metrics,
        group_by_names=question.group_by,
        where_constraints=question.where or None,
    )
    wanted = ", ".join((*question.group_by, *question.metrics))
    answer = f"select {wanted} from ({engine.explain(request).sql_statement.sql}) order by all"
    rows = published.execute(answer).fetchall()
    assert tuple(tuple(map(as_text, row)) for row in rows) == question.answer


def test_amounts_are_asked_by_currency() -> None:
    assert len(QUESTIONS) == 10
    for question in QUESTIONS:
        assert any(name.endswith("__currency") for name in question.group_by), question.words


def test_the_documentation_lists_every_question() -> None:
    page = (PROJECT_ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    for question in QUESTIONS:
        metrics, group_by = ",".join(question.metrics), ",".join(question.group_by)
        assert f"| {question.words} | `{metrics}` | `{group_by}` |" in page
