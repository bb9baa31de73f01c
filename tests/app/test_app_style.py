"""The colors of the app: texts are readable on their ground, in light and in dark mode."""

import re
import tomllib

import pytest

from app import drawing
from dagster_project.settings import PROJECT_ROOT

STYLE = (PROJECT_ROOT / "app" / "style.css").read_text(encoding="utf-8")
SCHEMES = dict(
    zip(
        ("light", "dark"),
        [
            dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
            for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
        ],
        strict=True,
    )
)
TEXTS = ("ink", "muted", "neutral", "link", "good", "warn", "bad")
SIGNS = ("good", "warn", "bad", "neutral-sign")
MARKS = (drawing.BILLED, drawing.FORECAST, drawing.OTHERS_COLOR, *drawing.CHANGE_TONES.values())


def luminance(color: str) -> float:
    """The relative luminance of a color (WCAG 2.2)."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colors (WCAG 2.2), 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#ffffff", "#000000") == 21
    assert round(contrast("#767676", "#ffffff"), 2) == 4.54


@pytest.mark.parametrize("scheme", SCHEMES)
def test_texts_and_signs_are_readable(scheme: str) -> None:
    colors = SCHEMES[scheme]
    assert {f"--{name}" for name in colors} == set(re.findall(r"var\((--[a-z-]+)\)", STYLE))
    for text in TEXTS:
        for ground in ("ground", "hover"):
            assert contrast(colors[text], colors[ground]) >= 4.5, (text, ground)
    for sign in SIGNS:
        assert contrast(colors["on-sign"], colors[sign]) >= 4.5, sign
    for mark in (colors["bar"], *MARKS):
        assert contrast(mark, colors["ground"]) >= 3, mark


@pytest.mark.parametrize("scheme", SCHEMES)
def test_streamlit_has_the_same_colors(scheme: str) -> None:
    settings = (PROJECT_ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    theme = tomllib.loads(settings)["theme"]
    # With a base, Streamlit ignores the setting of the browser.
    assert "base" not in theme
    own, colors = theme[scheme], SCHEMES[scheme]
    for option, name in (
        ("backgroundColor", "ground"),
        ("secondaryBackgroundColor", "hover"),
        ("textColor", "ink"),
        ("linkColor", "link"),
        ("borderColor", "border"),
    ):
        assert own[option] == colors[name], option
    # Words of a button are white on it.
    assert contrast(own["primaryColor"], "#ffffff") >= 4.5


def test_no_color_is_fixed_beside_the_variables() -> None:
    without = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-f]{3,6}\b", without) == []
    # Texts and lines of charts have the colors of the theme.
    assert not {"labelColor", "titleColor", "gridColor", "background"} & set(
        re.findall(r'"([a-zA-Z]+)":', str(drawing.budgets([], "USD")).replace("'", '"'))
    )
