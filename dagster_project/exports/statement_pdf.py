"""A statement as PDF, with a logo, and amounts in whole units of the currency.

Belongs here: layout and rounding for print. Does not: what a statement contains (statements), the
checks of logo and font (statement_look).

The same statement gives the same bytes: a file has no time of writing and no random id.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from decimal import ROUND_FLOOR, Decimal
from hashlib import sha256
from html import escape
from io import BytesIO

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    Image,
    LongTable,
    PageTemplate,
    Paragraph,
    Spacer,
    TableStyle,
)

from dagster_project import wording
from dagster_project.exports.statement_look import Font, Look
from dagster_project.exports.statement_parts import Bill, Part, Section, Statement
from dagster_project.seeds import currency_decimals

MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN
LOGO_WIDTH, LOGO_HEIGHT = 60 * mm, 18 * mm
INK, GRAY, LINE = HexColor("#1a1a1a"), HexColor("#555555"), HexColor("#d5d5d5")


class NotPrintable(Exception):
    """A text of a statement has characters that its font cannot set."""


def statement_pdf(statement: Statement, bill: Bill, look: Look, *, has_bill_total: bool) -> bytes:
    """The statement as PDF. Raises NotPrintable.

    `has_bill_total` adds the sum of all statements of the organization.
    """
    return _Page(statement, bill, look, has_bill_total).write()


class _Page:
    """A statement in progress."""

    def __init__(self, statement: Statement, bill: Bill, look: Look, has_bill_total: bool) -> None:
        self.statement = statement
        self.account = statement.account
        self.bill = bill
        self.look = look
        self.has_bill_total = has_bill_total
        plain, bold = _registered(look.font), _registered(look.bold_font)
        self.fonts = {"plain": look.font, "bold": look.bold_font}
        self.styles = {
            "title": _style(bold, 16, space_after=2),
            "head": _style(bold, 11, space_before=12, space_after=4, keepWithNext=1),
            "plain": _style(plain, 9),
            "bold": _style(bold, 9),
            "number": _style(plain, 9, alignment=TA_RIGHT),
            "bold number": _style(bold, 9, alignment=TA_RIGHT),
            "note": _style(plain, 8, textColor=GRAY, space_before=4),
        }

    def write(self) -> bytes:
        """The bytes of the file."""
        target = BytesIO()
        statement, account = self.statement, self.account
        document = BaseDocTemplate(
            target,
            pagesize=A4,
            leftMargin=MARGIN,
            rightMargin=MARGIN,
            topMargin=MARGIN,
            bottomMargin=MARGIN,
            title=f"Statement {account.billing_period}, {_clean(statement.cost_center_name)}",
            author=_clean(statement.organization_name),
            invariant=1,
        )
        frame = Frame(
            MARGIN,
            MARGIN,
            WIDTH,
            A4[1] - 2 * MARGIN,
            leftPadding=0,
            rightPadding=0,
            topPadding=0,
            bottomPadding=0,
        )
        document.addPageTemplates([PageTemplate(frames=[frame], onPage=self._foot)])
        document.build(list(self._parts()))
        return target.getvalue()

    def _foot(self, canvas: Canvas, document: BaseDocTemplate) -> None:
        canvas.setFont(_registered(self.look.font), 8)
        canvas.setFillColor(GRAY)
        words = f"{wording.period(self.account.billing_period)}, page {document.page}"
        canvas.drawRightString(A4[0] - MARGIN, MARGIN / 2, words)

    def _parts(self) -> Iterator[Flowable]:
        statement, account, bill = self.statement, self.account, self.bill
        currency = account.currency
        if self.look.logo is not None:
            yield _logo(self.look.logo)
            yield Spacer(0, 6)
        yield self._text(statement.cost_center_name, "title")
        yield self._text(statement.organization_name)
        period = wording.period(account.billing_period)
        draft = " (draft: the period is open)" if bill.is_open else ""
        yield self._text(f"License statement for {period}{draft}")
        billed = f", billed on {wording.day(bill.billing_date)}" if bill.billing_date else ""
        yield self._text(f"{statement.kind} {account.cost_center_id}{billed}")

        yield self._text("Summary", "head")
        rows = [
            (section.title, wording.amount(section.billed_amount, currency))
            for section in statement.sections
        ]
        total = ("Total", wording.amount(statement.billed_amount, currency))
        yield self._table(("Section", currency), [*rows, total], (0.8, 0.2), has_total=True)
        note = "Lines are rounded so that they add up to their section."
        if statement.parts:
            note = "Amounts are rounded so that they sum to the bill."
        if self.has_bill_total:
            note = (
                f"All statements of {statement.organization_name} for {period} in {currency} sum to"
                f" {wording.amount(bill.billed_amount, currency)}. {note}"
            )
        yield self._text(note, "note")
        if statement.unpriced_line_count:
            lines = wording.counted(statement.unpriced_line_count, "line")
            yield self._text(f"The total excludes {lines} without a sales price.", "bold")
        if statement.parts:
            yield self._text("Cost centers", "head")

            def amount_of(part: Part) -> str:
                return wording.amount(part.billed_amount, currency)

            parts = [
                (each.cost_center_name, each.cost_center_id, amount_of(each))
                for each in statement.parts
            ]
            headers = ("Cost center", "Id", currency)
            sum_of_parts = ("Total", "", wording.amount(statement.billed_amount, currency))
            yield self._table(headers, [*parts, sum_of_parts], (0.5, 0.3, 0.2), has_total=True)
        for section in statement.sections:
            if section.lines:
                yield from self._section(section)

    def _section(self, section: Section) -> Iterator[Flowable]:
        currency = self.account.currency
        yield self._text(section.title, "head")
        details = "Counterparty" if section.is_shared else "Charge"
        amounts = whole_amounts(
            [line.amount for line in section.lines], section.billed_amount, currency
        )
        rows = [
            (
                line.product_name or "",
                line.details or "",
                wording.share(line.share),
                "" if line.quantity is None else wording.exact(line.quantity),
                line.quantity_unit or "",
                "no price" if amount is None else wording.amount(amount, currency),
            )
            for line, amount in zip(section.lines, amounts, strict=True)
        ]
        headers = ("Product", details, "Share", "Quantity", "Unit", currency)
        yield self._table(headers, rows, (0.23, 0.29, 0.11, 0.12, 0.12, 0.13))

    def _text(self, text: str, style: str = "plain") -> Paragraph:
        """A paragraph that wraps, also within a long word. Raises NotPrintable."""
        text = _clean(text)
        font = self.look.bold_font if style in ("title", "head") or "bold" in style else None
        if missing := (font or self.look.font).missing(text):
            names = ", ".join(f"{each} (U+{ord(each):04X})" for each in sorted(missing))
            raise NotPrintable(f"the font of statements cannot set {names} of {text!r}")
        return Paragraph(escape(text, quote=False), self.styles[style])

    def _table(
        self,
        headers: Sequence[str],
        rows: Sequence[Sequence[str]],
        widths: Sequence[float],
        *,
        has_total: bool = False,
    ) -> LongTable:
        """A table whose header is repeated on every page; its numbers are right-aligned."""
        right = {"Share", "Quantity", self.account.currency}
        kinds = ["number" if header in right else "plain" for header in headers]
        bold = [kind.replace("number", "bold number").replace("plain", "bold") for kind in kinds]
        cells = [[self._text(*each) for each in zip(headers, bold, strict=True)]]
        for at, row in enumerate(rows):
            styles = bold if has_total and at == len(rows) - 1 else kinds
            cells.append([self._text(*each) for each in zip(row, styles, strict=True)])
        table = LongTable(cells, [WIDTH * width for width in widths], repeatRows=1)
        rules = [
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 3),
            ("RIGHTPADDING", (0, 0), (-1, -1), 3),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ]
        if has_total:
            rules.append(("LINEABOVE", (0, -1), (-1, -1), 1, INK))
        table.setStyle(TableStyle(rules))
        return table


def whole_amounts(
    amounts: Sequence[Decimal | None], total: Decimal, currency: str
) -> list[Decimal | None]:
    """Amounts rounded to the decimals of the currency, so that they sum to `total`.

    By largest remainder, the first of equal ones; None stays None.
    """
    unit = Decimal(1).scaleb(-currency_decimals(currency))
    floors = {
        at: amount.quantize(unit, rounding=ROUND_FLOOR)
        for at, amount in enumerate(amounts)
        if amount is not None
    }
    if not floors:
        return list(amounts)
    missing = int((total - sum(floors.values(), Decimal(0))) / unit)
    by_remainder = sorted(floors, key=lambda at: (floors[at] - (amounts[at] or 0), at))
    every, some = divmod(missing, len(floors))
    raised = set(by_remainder[:some])
    return [
        floors[at] + unit * (every + (at in raised)) if at in floors else None
        for at in range(len(amounts))
    ]


def _clean(text: str) -> str:
    """A text on one line, composed, without control and format characters."""
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    return "".join(each for each in composed if unicodedata.category(each) not in ("Cc", "Cf"))


def _style(font: str, size: float, **properties: object) -> ParagraphStyle:
    return ParagraphStyle(
        "statement",
        fontName=font,
        fontSize=size,
        leading=size * 1.35,
        textColor=properties.pop("textColor", INK),
        spaceBefore=properties.pop("space_before", 0),
        spaceAfter=properties.pop("space_after", 0),
        splitLongWords=1,
        **properties,
    )


def _registered(font: Font) -> str:
    """The name of a font at reportlab, which has one list of fonts per process."""
    name = f"statement-{sha256(font.content).hexdigest()[:16]}"
    if name not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(name, BytesIO(font.content)))
    return name


def _logo(content: bytes) -> Image:
    """The logo, in its own proportions."""
    width, height = ImageReader(BytesIO(content)).getSize()
    scale = min(LOGO_WIDTH / width, LOGO_HEIGHT / height)
    return Image(BytesIO(content), width * scale, height * scale, hAlign="RIGHT")
