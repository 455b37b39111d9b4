"""From written dates and times of day to numbers, a distinct text at a time.

A million rows hold some thousand dates and at most some ten thousand times of day, so a column of
timestamps is cut into these two and only distinct texts are parsed.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from asof.errors import DataError

DAY: Final = 0
"""The row states a date."""
HOUR: Final = 1
"""The row states an hour."""
MINUTE: Final = 2
"""The row states a minute."""
SECOND: Final = 3
"""The row states a second, or less."""

_ZONE: Final = r"(?:\s*(?P<z>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?"
_HALF: Final = r"(?:\s*(?P<p>[AP])\.?M\.?)"
_YEAR: Final = r"(?P<y>\d{4}|\d{2})"
_YEAR_FIRST: Final = re.compile(r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})[-/.](?P<d>\d{1,2})")
_COMPACT: Final = re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?P<s>)")
_YEAR_LAST: Final = re.compile(rf"(?P<a>\d{{1,2}})(?P<s>[-/.])(?P<b>\d{{1,2}})[-/.]{_YEAR}")
_DAY_WORD: Final = re.compile(rf"(?P<d>\d{{1,2}})(?P<s>[-\s])(?P<w>[A-Za-z]{{3,}})\.?[-\s,]+{_YEAR}")
_WORD_DAY: Final = re.compile(rf"(?P<w>[A-Za-z]{{3,}})\.?(?P<s>\s)(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?P<c>,?)\s+{_YEAR}")
_COLONS: Final = re.compile(rf"(?P<h>\d{{1,2}}):(?P<m>\d{{2}})(?::(?P<s>\d{{2}}))?{_HALF}?{_ZONE}", re.IGNORECASE)
_DIGITS: Final = re.compile(rf"(?P<h>\d{{2}})(?P<m>\d{{2}})(?P<s>\d{{2}})?(?P<p>){_ZONE}", re.IGNORECASE)
_HOUR: Final = re.compile(rf"(?P<h>\d{{1,2}})(?P<m>)(?P<s>){_HALF}(?P<z>)", re.IGNORECASE)
_BARE: Final = re.compile(r"\d{1,4}")
_MIDNIGHT: Final = r"[T\s]+0?0:00(?::00(?:\.0+)?)?Z?$"
_FRACTION: Final = r"(:\d{2}|^\d{6})[.,](\d{1,9})"
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WORDS_CUT: Final = r"^(?P<date>.*?)[T\s]+(?P<clock>\d{1,2}(?::\d{2}.*|\s*[AaPp]\.?[Mm]\.?))$"
_SECOND: Final = 1_000_000


@dataclass(frozen=True)
class Texts:
    """What n rows state, before any zone is applied."""

    frame: pl.DataFrame
    """n rows: ``day`` (Date), ``micros`` (Int64, since that day's 00:00 as written), ``offset`` (Int64,
    microseconds east of UTC where written, else null), ``kind`` (Int8, DAY..SECOND), ``reason`` (String)."""
    formats: tuple[str, ...]
    """strptime forms met, the most frequent first."""


def read(columns: Sequence[pl.Series], formats: Sequence[str]) -> Texts:
    """Read one column, or a column of dates and one of times of day.

    Args:
        columns: one or two columns of n texts, named as in the source.
        formats: strptime formats tried in this order, and nothing else; empty: the usual forms.

    Raises:
        DataError: the order of day and month cannot be told, or the data prove both.
    """
    texts = [column.cast(pl.String).str.strip_chars() for column in columns]
    if formats:
        frame = _declared(texts, formats)
    elif len(texts) == 1:
        frame = _stamps(texts[0])
    else:
        frame = _pair(texts[0], texts[1])
    met = frame.filter(pl.col("reason").is_null()).group_by("form").len().sort("len", "form", descending=[True, False])
    return Texts(frame.drop("form"), tuple(met["form"].drop_nulls()))


def _pair(dates: pl.Series, clocks: pl.Series) -> pl.DataFrame:
    """Read a column of dates and a column of times of day in the usual forms."""
    frame = pl.DataFrame({"date": dates, "clock": clocks})
    return _joined(frame, _days(dates, midnight=True), _hours(clocks, alone=True), [dates.name, clocks.name])


def _joined(frame: pl.DataFrame, days: pl.DataFrame, clocks: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Give each row of ``date`` and ``clock`` what was read of its two texts."""
    frame = frame.join(days, on="date", how="left", maintain_order="left")
    frame = frame.join(clocks, on="clock", how="left", maintain_order="left")
    return frame.select(
        "day",
        "micros",
        "offset",
        "kind",
        reason=pl.coalesce(_missing("date", names[0], "day", "date"), _missing("clock", names[1], "micros", "time")),
        form=pl.col("date_form") + " " + pl.col("clock_form"),
    )


def _stamps(stamps: pl.Series) -> pl.DataFrame:
    """Read a column of dates or of dates with times of day."""
    frame = _cut(stamps)
    days = _days(frame["date"].alias(stamps.name), midnight=False)
    if len(days.filter(pl.col("day").is_null())):
        bad = days.filter(pl.col("day").is_null())["date"]
        frame = _cut_words(frame, bad)
        days = _days(frame["date"].alias(stamps.name), midnight=False)
    hours = _hours(frame["clock"], alone=False)
    frame = frame.join(days, on="date", how="left", maintain_order="left")
    frame = frame.join(hours, on="clock", how="left", maintain_order="left")
    lone = pl.col("clock").is_null()
    bad_time = _missing("clock", stamps.name, "micros", "time")
    return frame.select(
        "day",
        micros=pl.when(lone).then(pl.lit(0, pl.Int64)).otherwise("micros"),
        offset="offset",
        kind=pl.when(lone).then(pl.lit(DAY, pl.Int8)).otherwise("kind"),
        reason=pl.coalesce(_missing("date", stamps.name, "day", "date"), pl.when(~lone).then(bad_time)),
        form=pl.when(lone).then("date_form").otherwise(pl.col("date_form") + pl.col("joint") + pl.col("clock_form")),
    )


def _missing(text: str, column: str, read_as: str, what: str) -> pl.Expr:
    """Why a row has no ``what``: nothing is written, or what is written cannot be read; else null."""
    return (
        pl.when(pl.col(text).is_null() | (pl.col(text) == ""))
        .then(pl.lit(f"no value in {column}"))
        .when(pl.col(read_as).is_null())
        .then(
            pl.format(f"{column.replace('{', '(').replace('}', ')')}: '{{}}' is no {what}", pl.col(text).str.head(60))
        )
    )


def _cut(stamps: pl.Series) -> pl.DataFrame:
    """Cut at the first T or space: ``date``, ``clock`` (null without one), ``joint``."""
    frame = pl.DataFrame({"text": stamps})
    parted = pl.col("text").str.replace("T", " ", literal=True).str.splitn(" ", 2)
    return frame.with_columns(
        date=parted.struct.field("field_0"),
        clock=parted.struct.field("field_1").str.strip_chars(),
        joint=pl.when(pl.col("text").str.contains("T", literal=True)).then(pl.lit("T")).otherwise(pl.lit(" ")),
    )


def _cut_words(frame: pl.DataFrame, bad: pl.Series) -> pl.DataFrame:
    """Cut ``12 Mar 2020 10:15`` before its time of day, where the first word alone is no date."""
    again = frame.filter(pl.col("date").is_in(bad.implode())).select("text").unique()
    parts = pl.col("text").str.extract_groups(_WORDS_CUT)
    again = again.with_columns(new_date=parts.struct.field("date"), new_clock=parts.struct.field("clock"))
    again = again.with_columns(pl.coalesce("new_date", "text").alias("new_date"))
    joined = frame.join(again, on="text", how="left", maintain_order="left")
    changed = pl.col("new_date").is_not_null()
    return joined.select(
        "text",
        date=pl.when(changed).then("new_date").otherwise("date"),
        clock=pl.when(changed).then("new_clock").otherwise("clock"),
        joint=pl.when(changed).then(pl.lit(" ")).otherwise("joint"),
    )


def _days(column: pl.Series, *, midnight: bool) -> pl.DataFrame:
    """Distinct texts as days: ``date``, ``day``, ``date_form``; ``midnight`` drops a time 00:00 behind the date."""
    distinct = column.drop_nulls().unique().sort()
    plain = distinct.str.replace(_MIDNIGHT, "") if midnight else distinct
    day_first = _day_first(plain, column.name)
    read = [_day(text, day_first=day_first) for text in plain]
    return pl.DataFrame(
        {"date": distinct, "day": [day for day, _ in read], "date_form": [form for _, form in read]},
        schema={"date": pl.String, "day": pl.Date, "date_form": pl.String},
    )


def _day(text: str, *, day_first: bool) -> tuple[date | None, str | None]:
    """Read one date; (None, None) where it is none."""
    if found := _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text):
        day, month, form = found["d"], found["m"], "%Y{s}%m{s}%d"
    elif found := _YEAR_LAST.fullmatch(text):
        day, month = (found["a"], found["b"]) if day_first else (found["b"], found["a"])
        form = "%d{s}%m{s}{y}" if day_first else "%m{s}%d{s}{y}"
    elif found := _DAY_WORD.fullmatch(text) or _WORD_DAY.fullmatch(text):
        name = found["w"][:3].lower()
        day, month = found["d"], str(_MONTHS.index(name) + 1 if name in _MONTHS else 0)
        word = "%b" if len(found["w"]) == 3 else "%B"
        form = f"%d{{s}}{word}{{s}}{{y}}" if found.re is _DAY_WORD else f"{word} %d{found['c']} {{y}}"
    else:
        return None, None
    year = int(found["y"])
    if len(found["y"]) == 2:  # POSIX: 69..99 are of the last century, 00..68 of this one
        year += 2000 if year < 69 else 1900
    try:
        read = date(year, int(month), int(day))
    except ValueError:
        return None, None
    return read, form.format(s=found["s"], y="%Y" if len(found["y"]) == 4 else "%y")


def _day_first(distinct: pl.Series, name: str) -> bool:
    """Whether the first of two small numbers is the day, for the whole column: only a number above 12 proves it."""
    pairs = [(int(found["a"]), int(found["b"]), text) for text in distinct if (found := _YEAR_LAST.fullmatch(text))]
    day = [text for first, second, text in pairs if 12 < first < 32 and second < 13]
    month = [text for first, second, text in pairs if 12 < second < 32 and first < 13]
    if day and month:
        raise DataError(
            f"{name}: {day[0]!r} can only be day first and {month[0]!r} only month first ({len(day)} and {len(month)} "
            "distinct dates); say which is meant with formats: under time:, the others then go to quarantine",
        )
    if not day and not month and any(first != second for first, second, _ in pairs):
        example = next(text for first, second, text in pairs if first != second)
        raise DataError(
            f"{name}: nothing tells whether {example!r} is day first or month first; "
            "write formats: ['%d/%m/%Y'] or ['%m/%d/%Y'] under time:",
        )
    return bool(day)


def _hours(column: pl.Series, *, alone: bool) -> pl.DataFrame:
    """Distinct texts as times of day: ``clock``, ``micros``, ``offset``, ``kind``, ``clock_form``.

    ``alone``: the column holds nothing else, so that 0, 300, 1200 and 0, 1, .. 23 are times of day too.
    """
    frame = pl.DataFrame({"clock": column.drop_nulls().unique()}).with_columns(
        plain=pl.col("clock").str.replace(_FRACTION, "$1"),
        fraction=pl.col("clock").str.extract(_FRACTION, 2),
    )
    distinct = frame["plain"].unique().sort()
    bare = [text for text in distinct if alone and _BARE.fullmatch(text)]
    hours_only = all(len(text) < 3 and int(text) < 24 for text in bare)
    read = [_number(text, hours_only) if alone and _BARE.fullmatch(text) else _hour(text) for text in distinct]
    names = ("seconds", "offset", "kind", "clock_form")
    known = pl.DataFrame(
        {"plain": distinct, **{name: [row[i] for row in read] for i, name in enumerate(names)}},
        schema={"plain": pl.String, "seconds": pl.Int64, "offset": pl.Int64, "kind": pl.Int8, "clock_form": pl.String},
    )
    part = pl.col("fraction").str.pad_end(9, "0").cast(pl.Int64).fill_null(0) // 1000
    return frame.join(known, on="plain", how="left").select(
        "clock",
        "kind",
        micros=pl.col("seconds") * _SECOND + part,
        offset=pl.col("offset") * _SECOND,
        clock_form=pl.when(pl.col("fraction").is_null())
        .then("clock_form")
        .otherwise(pl.col("clock_form").str.replace("%S", "%S%.f", literal=True)),
    )


_Clock = tuple[int | None, int | None, int | None, str | None]
"""Seconds since 00:00, seconds east of UTC where written, kind, form."""


def _hour(text: str) -> _Clock:
    """Read one time of day; four times None where it is none."""
    found = _COLONS.fullmatch(text) or _DIGITS.fullmatch(text) or _HOUR.fullmatch(text)
    if found is None:
        return None, None, None, None
    hour, minute, second = (int(found[part] or 0) for part in ("h", "m", "s"))
    half = found["p"]
    if minute > 59 or second > 59 or hour > 23 or (half and not 1 <= hour <= 12):
        return None, None, None, None
    if half:
        hour = hour % 12 + (12 if half in "pP" else 0)
    kind = SECOND if found["s"] else MINUTE if found["m"] else HOUR
    mark = ":" if found.re is _COLONS else ""
    form = mark.join(["%I" if half else "%H", "%M", "%S"][: kind if kind > HOUR else 1])
    form += (" %p" if half else "") + ("%z" if found["z"] else "")
    return hour * 3600 + minute * 60 + second, _offset(found["z"]), kind, form


def _offset(zone: str | None) -> int | None:
    if not zone:
        return None
    if zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60
    return -seconds if zone[0] == "-" else seconds


def _number(text: str, hours_only: bool) -> _Clock:  # noqa: FBT001 - a private step of one caller
    """Read 0, 1, .. 23 as hours, or 0, 30, 300, 1200 as hours and minutes."""
    hour, minute = (int(text), 0) if hours_only else divmod(int(text), 100)
    if hour > 23 or minute > 59:
        return None, None, None, None
    return hour * 3600 + minute * 60, None, HOUR if hours_only else MINUTE, "%H" if hours_only else "%H%M"


def _declared(texts: Sequence[pl.Series], formats: Sequence[str]) -> pl.DataFrame:
    """Read by declared formats alone; a part that no format describes is read in the usual forms."""
    if len(texts) == 2:
        if not any("00:00" in form for form in formats):
            texts = [texts[0].str.replace(_MIDNIGHT, ""), texts[1]]
        dates = [form for form in formats if _has(form, "YymdbBjF") and not _has(form, "HIMSTR")]
        hours = [form for form in formats if not _has(form, "YymdbBjFs")]
        if len(dates) + len(hours) == len(formats):
            return _declared_pair(texts, dates, hours)
        joined = (texts[0] + " " + texts[1]).alias(f"{texts[0].name} {texts[1].name}")
        return _declared([joined], formats)
    name = texts[0].name
    known = _by_formats(texts[0], formats)
    frame = pl.DataFrame({"text": texts[0]}).join(known, on="text", how="left", maintain_order="left")
    return frame.select(
        "day",
        "micros",
        "offset",
        "kind",
        reason=_missing("text", name, "day", f"time of {_forms(formats)}"),
        form="form",
    )


def _declared_pair(texts: Sequence[pl.Series], dates: Sequence[str], hours: Sequence[str]) -> pl.DataFrame:
    """Read a column of dates and one of times of day, each by its own formats."""
    frame = pl.DataFrame({"date": texts[0], "clock": texts[1]})
    days = (
        _by_formats(texts[0], dates).select(date="text", day="day", date_form="form")
        if dates
        else _days(texts[0], midnight=True)
    )
    clocks = (
        _by_formats(texts[1], hours).select("micros", "offset", "kind", clock="text", clock_form="form")
        if hours
        else _hours(texts[1], alone=True)
    )
    return _joined(frame, days, clocks, [text.name for text in texts])


def _by_formats(column: pl.Series, formats: Sequence[str]) -> pl.DataFrame:
    """Distinct texts by the first format that fits: ``text``, ``day``, ``micros``, ``offset``, ``kind``, ``form``."""
    left = pl.DataFrame({"text": column.drop_nulls().unique().sort()})
    found = []
    for form in formats:
        hits = left.with_columns(moment=_parse(left["text"], form)).drop_nulls("moment")
        left = left.join(hits, on="text", how="anti")
        moment = pl.col("moment")
        kind = SECOND if _has(form, "STsRX") else MINUTE if _has(form, "M") else HOUR if _has(form, "HI") else DAY
        zoned = _has(form, "zs") or form.endswith("Z")
        found.append(
            hits.select(
                "text",
                day=moment.dt.date(),
                micros=moment.to_physical() - moment.dt.truncate("1d").to_physical(),
                offset=pl.lit(0 if zoned else None, pl.Int64),
                kind=pl.lit(kind, pl.Int8),
                form=pl.lit(form),
            )
        )
    return pl.concat(found)


def _parse(texts: pl.Series, form: str) -> pl.Series:
    """Datetime[us] without a zone (UTC where the format states an offset); null where the format does not fit."""
    naive = pl.Datetime("us")
    if form == "%s":
        number = texts.cast(pl.Float64, strict=False)
        # Seconds reach 1e11 in the year 5138, milliseconds were 1e11 in 1973: larger numbers are milliseconds.
        micros = pl.select(pl.when(number.abs() < 1e11).then(number * 1e6).otherwise(number * 1e3)).to_series()
        return micros.round().cast(pl.Int64).cast(naive)
    texts, form = _as_strptime(texts, form)
    if not _has(form, "YymdbBjFDc"):
        return (texts.str.to_time(form, strict=False).cast(pl.Int64) // 1000).cast(naive)
    if not _has(form, "HIMSTRXpc"):
        moments = texts.str.to_date(form, strict=False).cast(naive)
    elif _has(form, "z"):
        moments = texts.str.to_datetime(form, strict=False, time_unit="us").dt.convert_time_zone("UTC")
        moments = moments.dt.replace_time_zone(None)
    else:
        moments = texts.str.to_datetime(form, strict=False, time_unit="us")
    # %Y reads "19" as the year 19: such a match is a %y that was not declared.
    return moments.set(moments.dt.year() < 1000, None)


def _as_strptime(texts: pl.Series, form: str) -> tuple[pl.Series, str]:
    """Write out what the parser of formats wants spelt: Z, p.m., the 0 of 0300, the minute of an hour."""
    if _has(form, "z"):
        texts = texts.str.replace(r"\s*(?i:Z|UTC|GMT)$", "+0000").str.replace(r"([+-]\d{2})$", "${1}00")
    if _has(form, "p"):
        texts = texts.str.replace(r"(?i)\s*([ap])\.?m\.?", " ${1}m")
        form = re.sub(r"\s*%p", " %p", form)
    if form.endswith("%H%M"):
        texts = texts.str.replace(r"(^|\D)(\d{1,3})$", "${1}000${2}").str.replace(r"(^|\D)0*(\d{4})$", "${1}${2}")
    if _has(form, "HI") and not _has(form, "MTRXc"):
        texts, form = texts + " 0", form + " %M"
    return texts, form


def _has(form: str, directives: Iterable[str]) -> bool:
    """Whether a strptime format uses one of ``directives``."""
    used = set(re.findall(r"%[-_0:.#\d]*([A-Za-z])", form))
    return not used.isdisjoint(directives)


def _forms(formats: Sequence[str]) -> str:
    return " or ".join(formats)
