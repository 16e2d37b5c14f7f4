"""Tables as spreadsheets save them: with commas, semicolons or tabs, in whatever encoding."""

import csv
import io
import re
import unicodedata

ENCODINGS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
FORMULA = "=", "+", "-", "@", "\t", "\r"  # a spreadsheet would compute what begins so


class TableError(ValueError):
    """A table that can't be read; the message is for the teacher."""


def read(path):
    """Return the rows of a table that are not empty, the header first: list of list of str.

    Raises
    ------
    TableError
        If it is no text, or empty.
    """
    text, delimiter = decoded(path)
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    ]
    rows = [row for row in rows if any(row)]
    if not rows:
        raise TableError(f"{path}: expected a table, got an empty file")
    width = len(rows[0])
    return [row + [""] * (width - len(row)) for row in rows]


def decoded(path):
    """Return a table as text, and what stands between its cells.

    Raises
    ------
    TableError
        If it is a workbook, or not there.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path}: {error.strerror}") from None
    if raw[:4] == b"PK\x03\x04":
        raise TableError(f"{path}: expected a CSV file, got a workbook: save it as CSV (UTF-8)")
    encoding = next((e for mark, e in ENCODINGS.items() if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")  # a spreadsheet's on Windows
    return text, max(",;\t", key=text.partition("\n")[0].count)


def write(rows, header):
    """Return a table as CSV, with nothing in it that a spreadsheet would compute."""
    text = io.StringIO()
    cells = [list(map(guarded, row)) for row in (header, *rows)]
    csv.writer(text, lineterminator="\n").writerows(cells)
    return text.getvalue()


def guarded(text):
    """Return a text with an apostrophe before what a spreadsheet would compute.

    Examples
    --------
    >>> guarded("@lice"), guarded("-1.5"), guarded("Bob")
    ("'@lice", '-1.5', 'Bob')
    """
    return f"'{text}" if text.startswith(FORMULA) and number(text) is None else text


def unguarded(text):
    """Return a text without the apostrophe; the opposite of ``guarded``.

    Examples
    --------
    >>> unguarded("'@lice"), unguarded("'s Gravesande")
    ('@lice', "'s Gravesande")
    """
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def number(text):
    """Return the number that a text is, with a point or a comma; None for another text.

    Examples
    --------
    >>> number("2,5"), number("1.5"), number(" 3 "), number("1.234,5"), number("nan")
    (2.5, 1.5, 3.0, None, None)
    """
    text = text.strip().removeprefix("'")
    is_one = re.fullmatch(r"[+-]?\d{1,9}([.,]\d{1,9})?", text)
    return float(text.replace(",", ".")) if is_one else None


def plain(text):
    """Return the letters and digits of a name, in lower case and without accents.

    Examples
    --------
    >>> plain("Ash, Alicé"), plain("007")
    ('ashalice', '7')
    """
    parts = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(character for character in parts if character.isalnum())
    return letters.lstrip("0") if letters.isdecimal() else letters
