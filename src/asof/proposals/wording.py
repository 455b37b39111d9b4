"""A guess written as a project file, with the reason beside each line."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asof.project.trees import scalar
from asof.proposals.guesses import Guess, Times
from asof.proposals.rows import Label
from asof.proposals.samples import Sample
from asof.specs import SourceSpec
from asof.times import Step

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]*[A-Za-z0-9_]|[A-Za-z_]")
_WIDTH = 58
QUARANTINE = SourceSpec.model_fields["quarantine"].default
"""More rows than this without a time, and the source is refused."""


@dataclass(frozen=True)
class Names:
    """How the project, its source and the file are called."""

    project: str
    source: str
    address: str


def project(sample: Sample, guess: Guess, names: Names) -> str:
    """Return the text of the project file of a table with a time."""
    lines = [
        *_head(sample, names),
        *(f"    {text}" for text in _source(sample, guess, names.address)),
        "predict:",
        *(f"  {text}" for text in _predict(guess, names.source)),
        line(
            "features: [calendar, history]",
            "a country's holidays: calendar: {holidays: US-NY}; other sources: weather: {nearest: NAME}",
        ),
    ]
    return "\n".join(lines) + "\n"


def of_rows(sample: Sample, label: Label, names: Names) -> str:
    """Return the text of the project file of a table without a time: a label of each row."""
    sure = "its name says that it is the label" if label.by_name else "NOT SURE: the first column that could be it"
    kind = f"{label.classes} classes" if label.classes else "numbers"
    asked = f"{'classes' if label.classes else 'value'}: {word(f'{names.source}.{label.column}')}"
    lines = [
        *_head(sample, names),
        f"    {_files(sample, names.address)}",
        f"    {_key_line((label.key,) if label.key else (), 0)}",
        "    # no column states a time: nothing can be learnt as of a moment, and no score would show the future",
        "predict:",
        f"  {line(asked, f'{sure}; {kind}')}",
        "# leave_out: {COLUMN: why}    what is known only after the label; columns of the row are its features",
    ]
    return "\n".join(lines) + "\n"


def _head(sample: Sample, names: Names) -> list[str]:
    what = "all" if sample.whole else "the first"
    return [
        f"# Proposed from {what} {sample.rows.height:,} rows of {names.address}. Read it, correct it, then: asof check",
        f"name: {names.project}",
        "sources:",
        f"  {names.source}:",
    ]


def _key_line(key: Sequence[str], repeated: int) -> str:
    if not key:
        return "# key: …    no column names a row; without a key, equal rows are one row"
    but = f" but for {repeated:,} rows" if repeated else ""
    return line(f"key: {word(key[0]) if len(key) == 1 else words(key)}", f"no two rows of the sample share it{but}")


def line(text: str, why: str) -> str:
    """A line with its reason behind it."""
    return f"{text:<{_WIDTH}}  # {why}" if why else text


def word(text: str) -> str:
    """A text as YAML reads it back, plain where it can be."""
    safe = (
        _PLAIN.fullmatch(text)
        and isinstance(scalar(text), str)
        and text.lower() not in {"yes", "no", "on", "off", "y", "n"}
    )
    return text if safe else json.dumps(text, ensure_ascii=False)


def words(texts: Iterable[str]) -> str:
    """A list of texts in brackets."""
    return f"[{', '.join(word(text) for text in texts)}]"


def _source(sample: Sample, guess: Guess, address: str) -> list[str]:
    lines = [_files(sample, address), _key_line(guess.key, guess.repeated)]
    lines += _time(guess.times)
    share = guess.times.unread / sample.rows.height
    if share > QUARANTINE:
        lines.append(
            line(
                f"quarantine: {math.ceil(share * 100 + 1) / 100:g}",
                f"{share:.0%} of the rows have no time and will be refused: is that meant?",
            )
        )
    lines.append(
        line(
            f"delay: {_delay(guess)}", "a guess on the safe side: how long after it happened is a row there to be read?"
        )
    )
    if guess.point is not None:
        point = guess.point
        box = ", ".join(f"{side:g}" for side in point.box)
        also = f"; there are also {'; '.join(point.others)}" if point.others else ""
        lines.append(
            line(
                f"place: {{lat: {word(point.lat)}, lon: {word(point.lon)}, box: [{box}]}}",
                f"by name and range; box: south, west, north, east; {point.missing:.1%} have no point{also}",
            )
        )
    elif guess.place is not None and guess.place_by_name:
        lines.append(line(f"place: {word(guess.place)}", "the column that names the place of a row"))
    return lines


def _files(sample: Sample, address: str) -> str:
    parts = {"delimiter": sample.delimiter, "encoding": sample.encoding}
    other = {name: value for name, value in parts.items() if value not in {",", "utf-8"}}
    path = json.dumps(address, ensure_ascii=False) if re.search(r"[^\w./-]", address) else address
    if not other:
        return line(f"files: {path}", "a glob such as data/*.csv.gz reads many files as one table")
    rest = ", ".join(f"{name}: {json.dumps(value)}" for name, value in other.items())
    why = "not UTF-8" if "encoding" in other else "found in the header"
    return line(f"files: {{paths: [{path}], {rest}}}", f"{why}; a glob reads many files as one table")


def _time(times: Times) -> list[str]:
    """The clock of the source, and what is not sure about it."""
    also = f"; other times: {', '.join(times.others)}" if times.others else ""
    unread = f"; {'1 row has' if times.unread == 1 else f'{times.unread:,} rows have'} none" if times.unread else ""
    if times.doubt:
        return [
            f"# NOT SURE, and not read before you say it: {times.doubt}",
            line(f"time: {{columns: {words(times.columns)}, zone: UTC}}", f"zone: where were these clocks read?{also}"),
        ]
    form = f"read as {' or '.join(times.formats)}{unread}{also}"
    if times.offset:
        return [
            line(
                f"time: {{columns: {words(times.columns)}}}",
                f"{form}; the values carry their offset, so no zone is needed to read them",
            ),
            "# days and weeks are cut in a zone: add predict.per.zone where the places are not in UTC",
        ]
    return [
        line(f"time: {{columns: {words(times.columns)}, zone: UTC}}", form),
        "# zone: UTC is no finding but a default; write the clocks' own, such as America/New_York",
    ]


def _delay(guess: Guess) -> Step:
    return guess.every if guess.every.unit in {"h", "d"} else Step(1, "h")


def _predict(guess: Guess, source: str) -> list[str]:
    every = guess.every
    if guess.measured is not None:
        target = f"{'sum' if guess.summed else 'mean'}: {word(f'{source}.{guess.measured}')}"
        why = f"each place has one row every {every}, so rows are measurements; the first that looks like an amount"
    else:
        target, why = f"count: {source}", "rows are events; sum, mean or max of a column: sum: SOURCE.COLUMN"
    place, reason = _where(guess)
    per = f"place: {place}, every: {every}" if place else f"every: {every}"
    horizon = "1d..7d" if every.unit == "d" else f"[{every}, 1d]"
    return [
        line(target, why),
        line(f"per: {{{per}}}", reason),
        line(f"horizon: {horizon}", "how long before the period begins the question is asked"),
    ]


def _where(guess: Guess) -> tuple[str, str]:
    """What a place is (nothing: everything is one), and why."""
    if guess.point is not None:
        points = f"{guess.point.places:,} points"
        return f"h3:{guess.point.cells}", f"map cells for {points}; or zones of your own: zones.geojson#id"
    if guess.place is not None and guess.place_by_name:
        return word(guess.place), "its name says that it is a place"
    if guess.place is not None:
        other = word(guess.place)
        return "", f"no column looks like a place, so all is one; perhaps place: {other}, here and in the source"
    return "", "no place found, so all is one"
