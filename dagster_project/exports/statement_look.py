"""How statements look as PDF: logo and font, from `[statements]` of delivery.toml.

Belongs here: the checks of these files. Does not: the layout (statement_pdf), the settings
themselves (mail.settings).
"""

import unicodedata
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import pymupdf_fonts
from PIL import Image
from reportlab.pdfbase.ttfonts import TTFError, TTFontFace

from dagster_project.errors import UsageError
from dagster_project.mail.settings import StatementStyle
from dagster_project.settings import DataFolder

LOGO_BYTES = 5_000_000
LOGO_PIXELS = 4_000 * 4_000
FONT_BYTES = 30_000_000


class StyleInvalid(UsageError):
    """The logo or the font of statements is missing or cannot be used."""


@dataclass(frozen=True)
class Font:
    """A font as a file, and the characters that it draws."""

    content: bytes
    characters: frozenset[int]

    def missing(self, text: str) -> frozenset[str]:
        """The characters of a text that cannot be set.

        Scripts that join letters or run from right to left need shaping, which is not done here:
        text without it would be wrong, and is refused.
        """
        return frozenset(
            each
            for each in text
            if ord(each) not in self.characters
            or unicodedata.combining(each)
            or unicodedata.category(each) in ("Mn", "Mc", "Me")
            or unicodedata.bidirectional(each) in ("R", "AL")
        )


@dataclass(frozen=True)
class Look:
    """A checked logo and the fonts of statements."""

    logo: bytes | None
    font: Font
    bold_font: Font


@cache
def usual_look() -> Look:
    """No logo, and Noto Sans: Latin, Greek and Cyrillic."""
    return Look(None, _font(pymupdf_fonts.myfont("notos")), _font(pymupdf_fonts.myfont("notosbo")))


def read_look(data: DataFolder, style: StatementStyle) -> Look | None:
    """The look that the settings of a data folder describe; None without PDF.

    Raises StyleInvalid.
    """
    if not style.pdf:
        return None
    usual = usual_look()
    font = _own_font(data, "font", style.font) or usual.font
    bold_font = _own_font(data, "bold_font", style.bold_font)
    if bold_font is None:
        bold_font = font if style.font else usual.bold_font
    return Look(_logo(data, style.logo), font, bold_font)


def _logo(data: DataFolder, name: str | None) -> bytes | None:
    if name is None:
        return None
    content = _content(data, "logo", name, LOGO_BYTES)
    try:
        with Image.open(BytesIO(content), formats=("PNG", "JPEG")) as image:
            if image.width * image.height > LOGO_PIXELS:
                raise StyleInvalid(
                    f"delivery.toml: statements.logo: {name} has {image.width} x {image.height}"
                    f" pixels; use at most {LOGO_PIXELS:,}"
                )
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise StyleInvalid(
            f"delivery.toml: statements.logo: {name} is not a PNG or JPEG image: {error}"
        ) from error
    return content


def _own_font(data: DataFolder, setting: str, name: str | None) -> Font | None:
    if name is None:
        return None
    content = _content(data, setting, name, FONT_BYTES)
    try:
        return _font(content)
    except Exception as error:
        # The reader of fonts raises many kinds of errors for damaged files.
        raise StyleInvalid(
            f"delivery.toml: statements.{setting}: {name} is not a TrueType font that can be"
            f" embedded: {error}"
        ) from error


def _font(content: bytes) -> Font:
    face = TTFontFace(BytesIO(content))
    if not face.charToGlyph:
        raise TTFError("it has no characters")
    return Font(content, frozenset(face.charToGlyph))


def _content(data: DataFolder, setting: str, name: str, most_bytes: int) -> bytes:
    """The content of a file in the data folder."""
    path = (data.root / name).resolve()
    where = f"delivery.toml: statements.{setting}: {name}"
    if not path.is_relative_to(data.root.resolve()):
        raise StyleInvalid(f"{where} is not in the data folder")
    try:
        if path.stat().st_size > most_bytes:
            raise StyleInvalid(f"{where} is larger than {most_bytes:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise StyleInvalid(f"{where} cannot be read: {error.strerror}") from error
