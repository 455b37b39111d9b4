"""Too good: a column that all but holds the label, or is filled in only once the label is known.

Features that read the past are proven to be honest by ``future``: what came later was taken away and they did not move,
so a lag of the label may tell as much of it as it likes. That proof does not reach what a row says of itself, what is
declared to be known ahead, and what a plug-in brings from elsewhere. These columns are held against the label.
"""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from asof.audit import base, columns, moments, remarks
from asof.audit.base import Outcome, Verdict
from asof.audit.columns import Target
from asof.data import Finding, Severity

LEAST_ROWS = 60
"""Fewer training questions tell nothing about a single column."""


@dataclass(frozen=True)
class Limits:
    """Shares of the label that may be left untold by one column (1 - R2 of ranks, or 1 - AUC)."""

    exact: float
    """Less than this is the label itself, under another name."""
    near: float
    """Less than this is nearly the label; it fails where no other column comes near."""
    unvouched: float
    """The same, where no row that still waits for its label shows that the column is filled before."""
    suspicious: float
    """Less than this, where no other column comes near, is told of."""


NUMBERS = Limits(exact=0.001, near=0.005, unvouched=0.01, suspicious=0.05)
"""The list price of sold houses leaves 0.009 of the order of their closing prices untold, electricity demand half an
hour before 0.03, the best column of King County 0.45 (measured; ``docs/audit.md``)."""
CLASSES = Limits(exact=0.002, near=0.02, unvouched=0.02, suspicious=0.05)
"""Sex alone leaves 0.26 of the survivors of the Titanic untold, the width of a petal 0.01 of three irises, where its
length does as well."""
APART = 0.2
"""Another column comes near if it leaves no more than five times as much untold."""
BETTER = 0.25
"""For a warning: one that leaves four times as much untold is no match."""
FEW, EXPECTED, LEFT = 20, 15.0, 0.05
"""Presence tells the label where, in so many rows, so many of other classes are expected, and this share comes."""
PURE = 0.01
"""The same for a single value: next to no row of another class."""
VOUCHED = 0.8
"""Rows that wait for their label have the column so often, for each row with a label that has it."""
FILLED, EMPTY = 0.5, 0.02
"""Filled after the outcome: in this share or more of the rows with a label, in this or less of those without."""
RELIABLE = 0.97
"""Beyond this chance moves means too little for anything to follow it."""
LAST = "the last label known"
FOLLOWED = 0.35
"""A number made of labels leaves at most this share of what chance must leave."""
ORDERED = 0.5
"""Share of the label that the order of rows, or their key, may tell."""


@dataclass(frozen=True)
class Columns:
    """Training questions as the model is given them."""

    questions: pl.DataFrame
    """n rows: ``label``, ``place``, ``as_of`` (null without a time), ``known_at``; ``unit`` where rows are units."""
    features: pl.DataFrame
    """n rows."""
    own: Sequence[str] = ()
    """Features that a row says of itself, or that are declared to be known ahead."""
    brought: Sequence[str] = ()
    """Features of plug-ins."""
    made: Mapping[str, str] = field(default_factory=dict)
    """What features of plug-ins were made of, in words, where it was the rows of the project."""
    classes: int = 0
    """Number of classes; 0 for numbers and counts."""
    waiting: pl.DataFrame | None = None
    """Features of questions whose label is not yet known."""
    newest: pl.DataFrame | None = None
    """Features of the newest questions whose label is known; none without a time."""
    moments: Mapping[str, pl.Series] = field(default_factory=dict)
    """Moments (n, UTC) that columns of the row's own state, by name."""


def check(given: Columns, *, seed: int = 0) -> Verdict:
    """Hold each column that ``future`` cannot vouch for against the label, by itself, out of fold."""
    held = [name for name in (*given.own, *given.brought) if name in given.features.columns]
    if not held:
        return Verdict(
            "too good",
            Outcome.NOT_APPLICABLE,
            f"all {given.features.width} features are read from the past, which `future` has tried",
        )
    if given.features.height < LEAST_ROWS:
        return Verdict("too good", Outcome.UNTOLD, f"{given.features.height} training questions, too few to tell")
    timed = given.questions["as_of"].null_count() == 0
    part = columns.parts(given.features.height, seed=seed, blocks=timed)
    target = Target.of(given.questions["label"], given.classes)
    found = _alone(given, held, (target, part), np.random.default_rng(seed)) + _presence(given) + _filled_late(given)
    told = {one.subject for one in found}
    found += [one for one in _statistics(given, target, seed) if one.subject not in told] + _still_to_come(given)
    found += [
        Finding("too good", Severity.ERROR, name, f"{name} was made of the rows that it is to tell of: {what}")
        for name, what in given.made.items()
    ]
    if given.classes:
        found += _values(given, {one.subject for one in found})
    else:
        found += _together(given, [name for name in held if name not in {one.subject for one in found}], part)
    if not timed:
        found += _order(given, target, part, np.random.default_rng(seed))
    coverage = f"{len(held)} columns of {given.features.width}, {given.features.height:,} training questions"
    return base.settle("too good", coverage, found)


def _alone(
    given: Columns, held: Sequence[str], by: tuple[Target, columns.Ints], draw: np.random.Generator
) -> list[Finding]:
    target, part = by
    limits = CLASSES if given.classes else NUMBERS
    untold = {name: 1.0 - columns.told(given.features[name], target, part) for name in held}
    if min(untold.values()) > limits.suspicious:
        return []
    others = [name for name in given.features.columns if name not in untold]
    everything = untold | {name: 1.0 - columns.told(given.features[name], target, part) for name in others}
    last = _last_label(given.questions)
    if last is not None:
        everything[LAST] = 1.0 - columns.told(last, target, part)
    found = []
    for name, left in untold.items():
        # Two names of the label must not hide each other; the last label known is honest, however good it is.
        rest = {
            other: value
            for other, value in everything.items()
            if other == LAST or (other != name and value > limits.exact)
        }
        nearest = min(rest, key=lambda other: rest[other], default="")
        if name in given.brought and left > APART * everything.get(LAST, 1.0):
            continue
        own = limits if name not in given.own or _vouched(given, name) else replace(limits, near=limits.unvouched)
        finding = _finding(name, left, own, (nearest, rest.get(nearest, 1.0)), classes=bool(given.classes))
        # Of many columns and few rows, one comes near by chance.
        if finding and 1.0 - left > columns.chance(given.features[name], target, part, len(held), draw):
            found.append(finding)
    return found


def _vouched(given: Columns, name: str) -> bool:
    """Whether rows that still wait for their label have the column nearly as often as others: it was there before."""
    if given.waiting is None or given.waiting.height < FEW or name not in given.waiting.columns:
        return False
    filled, waiting = (1.0 - side[name].null_count() / side.height for side in (given.features, given.waiting))
    return waiting >= VOUCHED * filled


def _finding(name: str, left: float, limits: Limits, nearest: tuple[str, float], *, classes: bool) -> Finding | None:
    figure = f"an AUC of {1 - left:.4f}" if classes else f"{1 - left:.2%} of the order of the label"
    other = f" (the best other, {nearest[0]}: {1 - nearest[1]:.4f})" if nearest[0] else ""
    told = f"{name} alone gives {figure}{other}"
    if left <= limits.exact or (left <= limits.near and left <= APART * nearest[1]):
        limit = 1 - (limits.exact if left <= limits.exact else limits.near)
        message = f"{told}: it all but holds the label; leave it out, or accept it with the reason why it is known"
        return Finding("too good", Severity.ERROR, name, message, figure=1 - left, limit=limit)
    if left <= limits.suspicious and left <= BETTER * nearest[1]:
        message = f"{told}: is it known at the moment of prediction?"
        return Finding("too good", Severity.WARNING, name, message, figure=1 - left, limit=1 - limits.suspicious)
    return None


def _last_label(questions: pl.DataFrame) -> pl.Series | None:
    """The label of the same place that was known last at each question's moment; none without a time."""
    if questions["as_of"].null_count() or "known_at" not in questions.columns:
        return None
    asked = questions.select("place", "as_of").with_row_index("row").sort("as_of")
    known = questions.select("place", pl.col("known_at").cast(questions["as_of"].dtype), last="label").sort("known_at")
    return asked.join_asof(known, left_on="as_of", right_on="known_at", by="place", check_sortedness=False).sort("row")[
        "last"
    ]


def _together(given: Columns, held: Sequence[str], part: columns.Ints) -> list[Finding]:
    """Numbers whose sum, or product, is the label: none of them has to be near it alone."""
    numbers = [name for name in held if given.features[name].dtype.is_numeric()]
    label = given.questions["label"].to_numpy()
    if len(numbers) < 2:
        return []
    known = given.features.select(pl.all_horizontal(pl.col(numbers).is_not_null())).to_series().to_numpy()
    if known.sum() < LEAST_ROWS:
        return []
    design = given.features.select(pl.col(numbers).cast(pl.Float64)).to_numpy()[known]
    ways = [("sum", design, label[known])]
    if (label[known] > 0).all():
        positive = (design > 0).all(axis=0)
        ways.append(("product", np.log(design[:, positive]), np.log(label[known])))
        numbers_of = {"sum": numbers, "product": [name for name, kept in zip(numbers, positive, strict=True) if kept]}
    else:
        numbers_of = {"sum": numbers}
    for way, values, target in ways:
        names = numbers_of[way]
        if len(names) < 2 or columns.untold_by_line(values, target, part[known]) > NUMBERS.exact:
            continue
        needed = [
            name
            for number, name in enumerate(names)
            if columns.untold_by_line(np.delete(values, number, axis=1), target, part[known]) > NUMBERS.near
        ]
        told = ", ".join(needed or names)
        message = f"the {way} of {told} is the label, to a thousandth: one of them was made of it"
        subject = _made_of_it(names, needed, values, part[known])
        return [Finding("too good", Severity.ERROR, subject, message, limit=1 - NUMBERS.exact, figure=1.0)]
    return []


def _made_of_it(names: Sequence[str], needed: Sequence[str], values: columns.Floats, part: columns.Ints) -> str:
    """The one that the other columns tell least of, since it carries chance of the label; all, where none are left."""
    rest = [number for number, name in enumerate(names) if name not in needed]
    if not rest or not needed:
        return ", ".join(needed or names)
    untold = {name: columns.untold_by_line(values[:, rest], values[:, names.index(name)], part) for name in needed}
    return max(untold, key=lambda name: untold[name])


def _statistics(given: Columns, target: Target, seed: int) -> list[Finding]:
    """Numbers that follow the chance in the labels of their own rows: means of labels that were stored with the rows.

    Rows of one value are a group, and those of one text, or of one group that the project names. Half of a group tells
    how far chance moves its mean label, and no honest number of a group can follow that mean more closely than its
    reliability allows (the bound of attenuation; Spearman, American Journal of Psychology 15(1), 1904).
    """
    draw = np.random.default_rng(seed)
    texts = [column for column in given.features.get_columns() if column.dtype == pl.String]
    named = [given.questions["group"]] if "group" in given.questions.columns else []
    kinds = [column.rank("dense").fill_null(0).to_numpy() for column in [*named, *texts[:5]]]
    found = []
    for name in given.own:
        if name not in given.features.columns or not given.features[name].dtype.is_numeric():
            continue
        column = given.features[name]
        known = column.is_not_null().to_numpy()
        numbers = column.drop_nulls().cast(pl.Float64).to_numpy()
        groups = [numbers, *(kind[known] for kind in kinds)]
        for number, group in itertools.product(range(target.values.shape[1]), groups):
            told = given.questions["label"].to_numpy() if not given.classes else target.values[:, number]
            if columns.others_of(numbers, told[known], group):
                message = f"{name} is what the others of a group came to: with it, a row's own label is what is left"
                found.append(Finding("too good", Severity.ERROR, name, message))
                break
            if not given.classes and columns.ranked_within(numbers, told[known], group):
                message = f"{name} orders the rows of each group as their labels do: it is their rank among the others"
                found.append(Finding("too good", Severity.ERROR, name, message))
                break
            followed, bound = columns.followed(numbers, target.values[known, number], group, draw)
            if bound <= RELIABLE and 1 - followed <= FOLLOWED * (1 - bound):
                message = (
                    f"{name} follows the mean label of its rows by {followed:.3f}, while chance allows {bound:.3f}: it "
                    "was made of their labels"
                )
                found.append(Finding("too good", Severity.ERROR, name, message, figure=followed, limit=bound))
                break
    return found


def _presence(given: Columns) -> list[Finding]:
    """Columns whose presence, or absence, tells the label: in those rows next to no other comes."""
    kinds, words = _kinds(given)
    share = np.bincount(kinds) / len(kinds)
    found = []
    for name in given.own:
        if name not in given.features.columns:
            continue
        known = given.features[name].is_not_null().to_numpy()
        for side, mask in (("known", known), ("unknown", ~known)):
            counts = np.bincount(kinds[mask], minlength=len(share))
            rows, most = int(mask.sum()), int(counts.argmax())
            expected = rows * (1.0 - share[most])
            if FEW <= rows < len(kinds) and expected >= EXPECTED and rows - counts[most] <= LEFT * expected:
                figure = (rows - int(counts[most])) / expected
                message = (
                    f"where {name} is {side}, {words[most]} in {counts[most]:,} of {rows:,} rows, while {expected:.0f} "
                    "others were expected: it seems to be filled in after the outcome"
                )
                found.append(Finding("too good", Severity.ERROR, name, message, figure=figure, limit=LEFT, rows=rows))
                break
    return found


def _values(given: Columns, told: Collection[str]) -> list[Finding]:
    """Single values that come with one class alone, such as a status that is set with the outcome."""
    codes = given.questions["label"].to_numpy().astype(np.int64)
    share = np.bincount(codes) / len(codes)
    found = []
    for name in given.own:
        if name not in given.features.columns or name in told:
            continue
        value = given.features[name].rank("dense").fill_null(0).to_numpy().astype(np.int64)
        counts = np.zeros((int(value.max()) + 1, len(share)), dtype=np.int64)
        np.add.at(counts, (value, codes), 1)
        rows, most = counts.sum(axis=1), counts.argmax(axis=1)
        expected = rows * (1 - share[most])
        pure = (rows - counts.max(axis=1) <= PURE * expected) & (expected >= EXPECTED) & (rows < len(codes))
        if pure.any():
            worst = int(np.argmax(np.where(pure, expected, 0)))
            text = given.features[name].gather([int(np.flatnonzero(value == worst)[0])])[0]
            message = (
                f"where {name} is {text}, all but {rows[worst] - counts[worst].max()} of {rows[worst]:,} rows are of "
                f"class {most[worst]}, while {expected[worst]:.0f} others were expected: it comes with the outcome"
            )
            found.append(Finding("too good", Severity.ERROR, name, message, limit=PURE, rows=int(rows[worst])))
            continue
        word = remarks.telling(given.features[name], codes)
        found += [word] if word else []
    return found


def _kinds(given: Columns) -> tuple[columns.Ints, list[str]]:
    """Kind of each label: its class; or whether it is the most frequent number, or else above the median."""
    label = given.questions["label"].to_numpy()
    if given.classes:
        return label.astype(np.int64), [f"the label is class {code}" for code in range(given.classes)]
    values, counts = np.unique(label, return_counts=True)
    most = float(values[counts.argmax()])
    if counts.max() >= len(label) / 20 and len(values) > 1:
        return (label != most).astype(np.int64), [f"the label is {most:g}", f"the label is not {most:g}"]
    middle = float(np.median(label))
    return (label > middle).astype(np.int64), [f"the label is at most {middle:g}", f"the label is above {middle:g}"]


def _still_to_come(given: Columns) -> list[Finding]:
    """Times of the row's own that lie after the period that is asked about."""
    if "end" not in given.questions.columns:
        return []
    told = [
        moments.after(name, stated, given.questions["end"])
        for name, stated in given.moments.items()
        if name in given.features.columns
    ]
    return [finding for finding in told if finding is not None]


def _filled_late(given: Columns) -> list[Finding]:
    """Columns that rows with a label have, and those that still wait for theirs have not."""
    if given.waiting is None or given.waiting.height < FEW:
        return []
    found = []
    # A column that was given up is empty in the newest rows, whether their label is known or not.
    newest = given.newest is not None and given.newest.height >= FEW
    labelled = given.newest if newest and given.newest is not None else given.features
    for name in given.own:
        if name not in given.features.columns or name not in given.waiting.columns:
            continue
        filled, waiting = (1.0 - side[name].null_count() / side.height for side in (labelled, given.waiting))
        if filled >= FILLED and waiting <= EMPTY:
            message = (
                f"{name} is filled in {filled:.0%} of the rows whose label is known, and in {waiting:.0%} of the "
                f"{given.waiting.height:,} that still wait for theirs: it comes with the outcome"
            )
            found.append(Finding("too good", Severity.ERROR, name, message, figure=waiting, limit=EMPTY))
    return found


def _order(given: Columns, target: Target, part: columns.Ints, draw: np.random.Generator) -> list[Finding]:
    """Rows whose order or key tells the label: a sorted file, or a key given after the outcome."""
    orders = {"the order of rows": pl.int_range(given.features.height, eager=True).cast(pl.Float64)}
    if "unit" in given.questions.columns:
        orders["the key of rows"] = given.questions["unit"]
    base_line = 0.5 if given.classes else 0.0
    found = []
    for name, values in orders.items():
        told = columns.told(values, target, part)
        figure = (told - base_line) / (1 - base_line)
        if figure >= ORDERED and told > columns.chance(values, target, part, len(orders), draw):
            message = f"{name} tells {figure:.2f} of the label: make no feature of it; ask how rows were numbered"
            found.append(Finding("too good", Severity.WARNING, name, message, figure=figure, limit=ORDERED))
    return found
