"""Numbers as people read them: sizes, counts, times ago."""

from __future__ import annotations

_AGO = (
    (60, "second"),
    (60, "minute"),
    (24, "hour"),
    (7, "day"),
    (4.345, "week"),
    (12, "month"),
    (float("inf"), "year"),
)


def size_text(n_bytes: float) -> str:
    """Decimal size with two or three digits.

    Examples
    --------
    >>> size_text(1_117_320_512), size_text(13_000_000_000), size_text(834)
    ('1.1 GB', '13 GB', '834 B')
    """
    unit, larger = "B", ["KB", "MB", "GB", "TB"]
    while n_bytes >= 999.5 and larger:
        n_bytes, unit = n_bytes / 1000, larger.pop(0)
    return f"{n_bytes:.1f} {unit}" if n_bytes < 9.95 and unit != "B" else f"{n_bytes:.0f} {unit}"


def count_text(count: int) -> str:
    """A number of parameters.

    Examples
    --------
    >>> count_text(1_777_088_000), count_text(3_411_000), count_text(950)
    ('1.8B', '3.4M', '950')
    """
    for size, unit in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)


def ago_text(seconds: float) -> str:
    """How long ago something was.

    Examples
    --------
    >>> ago_text(0.2), ago_text(61), ago_text(7200), ago_text(-5)
    ('just now', '1 minute ago', '2 hours ago', 'just now')
    """
    return "just now" if seconds < 1 else f"{_units(seconds)} ago"


def from_now_text(seconds: float) -> str:
    """How far ahead something is.

    Examples
    --------
    >>> from_now_text(250), from_now_text(0.5)
    ('4 minutes from now', 'Less than a second from now')
    """
    return f"{'Less than a second' if seconds < 1 else _units(seconds)} from now"


def _units(seconds: float) -> str:
    place = 0
    while seconds >= _AGO[place][0]:
        seconds /= _AGO[place][0]
        place += 1
    whole = int(seconds)
    return f"{whole} {_AGO[place][1]}{'s' if whole != 1 else ''}"


def table_lines(rows: list[list[str]]) -> list[str]:
    """Rows with aligned columns, four spaces between them."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "    ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
