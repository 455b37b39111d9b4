"""Promotion: the rules of a project, the paired comparison with the champion, and the decision with its figures.

Nothing here acts: a decision is data, which the flow keeps and carries out.
"""

import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from asof.data import Finding, Severity
from asof.errors import DataError
from asof.evaluation import Bootstrap, Estimate, batches, numbers
from asof.metrics import METRICS, Metric, find

Verdict = Literal["better", "worse", "cannot tell"]
LEAST_PERIODS = 7
"""A comparison on fewer periods cannot tell: a week is the least in which every weekday occurs."""
MISTAKEN = 0.05
"""Share of challengers no better than the champion that are promoted all the same."""
ROUNDING = 1e-9
"""Predictions that differ by a smaller share are the same."""
FOUND = 0.8
"""Share of better ones that a comparison shall find, where it says what gain it needs for that."""
OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
OTHER_FIGURES = ("coverage", "skill", "share_explained", "optimism")
"""Figures besides the metrics that a rule may name; those of the holdout."""


@dataclass(frozen=True)
class Rule:
    """What a figure of the holdout must reach before a release is promoted."""

    name: str
    sign: str
    limit: float

    def __str__(self) -> str:
        """Return it as written: ``skill >= 0.05``."""
        return f"{self.name} {self.sign} {self.limit:g}"


def rules(written: Mapping[str, str], own: Collection[str] = ()) -> tuple[Rule, ...]:
    """Read the rules of a project, such as ``{"skill": ">= 0.05", "audit": "pass"}``.

    ``audit: pass`` always holds and is not listed; ``own`` names metrics of the project.

    Raises:
        DataError: an unknown figure, or a rule that is no comparison with a number.
    """
    known = (*METRICS, *OTHER_FIGURES, *own)
    read = []
    for name, text in written.items():
        if name == "audit":
            if str(text).strip() != "pass":
                raise DataError(f"promote.audit: expected `pass`, got {text!r}; accept single findings in audit.accept")
            continue
        if name not in known:
            raise DataError(f"promote.{name}: no such figure; expected one of {', '.join(sorted((*known, 'audit')))}")
        found = re.fullmatch(r"\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d*)?(?:[eE]-?\d+)?)\s*", str(text))
        if found is None:
            raise DataError(f'promote.{name}: {text!r} is no rule; expected a comparison in quotes, such as ">= 0.05"')
        read.append(Rule(name, found[1], float(found[2])))
    return tuple(read)


def judge(read: Sequence[Rule], figures: Mapping[str, float], *, audit_passed: bool) -> list[Finding]:
    """Hold the rules against the figures of the holdout: one finding a rule, an ``error`` where it is not kept.

    A figure that is missing or not a number keeps no rule. The audit is the last finding.
    """
    found = []
    for rule in read:
        figure = figures.get(rule.name, math.nan)
        kept = OPERATORS[rule.sign](figure, rule.limit)
        said = "is not known" if math.isnan(figure) else f"is {figure:.4g}"
        message = f"{rule.name} {said}, the rule is {rule.sign} {rule.limit:g}: {'kept' if kept else 'not kept'}"
        severity = Severity.NOTE if kept else Severity.ERROR
        found.append(Finding("promotion rule", severity, rule.name, message, figure=figure, limit=rule.limit))
    message = "no check of the audit failed" if audit_passed else "a check of the audit failed"
    severity = Severity.NOTE if audit_passed else Severity.ERROR
    return [*found, Finding("promotion rule", severity, "audit", message)]


@dataclass(frozen=True)
class Comparison:
    """Champion and challenger on the same questions."""

    metric: str
    champion: float
    challenger: float
    gain: Estimate
    """How much better the challenger is, in the unit of the metric (positive: better), with a paired interval of 90 %:
    one that is no better has its lower end above 0 once in 20 times."""
    rows: int
    periods: int
    verdict: Verdict
    why: str
    needed: float = math.nan
    """True gain that is found in 8 of 10 comparisons on as many periods as these, in the unit of the metric."""


def compare(answers: pl.DataFrame, metric: str | Metric, bootstrap: Bootstrap | None = None) -> Comparison:
    """Compare two models on n judged questions, paired, by how their difference varies from block to block of periods.

    ``answers`` has ``label``, ``champion`` and ``challenger`` (predictions), and ``start`` and ``place`` where they
    have a meaning. Each block, a week where there are four, gives one figure of how far it moves the gain; Student's t
    of these figures (batch means, Schmeiser 1982) tells better from not better at 1 in 20 even where blocks are few,
    which quantiles of resampled blocks do not (``bench/promotion.py``). Places stay the same, so they are no doubt.
    Only the block of ``bootstrap`` is read.

    Raises:
        DataError: no rows, unknown values, or a metric without row losses.
    """
    chosen = metric if isinstance(metric, Metric) else find(metric)
    if not chosen.resamples or chosen.name == "bias":
        raise DataError(
            f"compare: {chosen.name} cannot be resampled as a loss; choose poisson_deviance, rmse, mae or r2"
        )
    label, old, new = (numbers(answers, name) for name in ("label", "champion", "challenger"))
    before, after = chosen(label, old), chosen(label, new)
    theirs, finish = chosen.resampled(label, old)
    ours, _ = chosen.resampled(label, new)
    sign = 1.0 if chosen.greater_is_better else -1.0

    def gained(*means: Any) -> Any:
        return sign * (finish(*means[: len(ours)]) - finish(*means[len(ours) :]))

    gain, needed = _gain(*batches(answers, (*ours, *theirs), gained, bootstrap))
    timed = "start" in answers.columns and answers["start"].null_count() < answers.height
    periods = answers["start"].n_unique() if timed else answers.height
    verdict, why = _verdict(gain, needed, periods, same=bool(np.allclose(old, new, rtol=ROUNDING, atol=0.0)))
    return Comparison(chosen.name, before, after, gain, answers.height, periods, verdict, why, needed)


def _gain(value: float, moved: np.ndarray) -> tuple[Estimate, float]:
    """Interval of a gain, and the true gain that would be found in 8 of 10 such comparisons."""
    from scipy.stats import t

    freedom = len(moved) - 1
    if freedom < 1 or not np.isfinite(value):
        return Estimate(value, math.nan, math.nan), math.nan
    error = math.sqrt(float(np.sum(moved**2)) * len(moved) / freedom)
    reach = float(t.ppf(1 - MISTAKEN, freedom)) * error
    return Estimate(value, value - reach, value + reach), reach + float(t.ppf(FOUND, freedom)) * error


def _verdict(gain: Estimate, needed: float, periods: int, *, same: bool) -> tuple[Verdict, str]:
    interval = f"gain {gain.value:.4g}, interval {gain.low:.4g} to {gain.high:.4g}"
    if same:
        return "cannot tell", "both give the same predictions"
    if periods < LEAST_PERIODS:
        return "cannot tell", f"{periods} periods are too few, at least {LEAST_PERIODS} are needed ({interval})"
    if gain.low > 0:
        return "better", interval
    if gain.high < 0:
        return "worse", interval
    if math.isnan(gain.low):
        return "cannot tell", f"there is nothing to tell a gain of {gain.value:.4g} from chance by"
    shown = f"a gain is shown 8 times in 10 from {needed:.4g} on"
    if gain.value > 0:
        shown += f", one of this size on some {math.ceil(periods * (needed / gain.value) ** 2):,} periods"
    return "cannot tell", f"the interval holds 0 ({interval}); {shown}"


@dataclass(frozen=True)
class Decision:
    """Whether a release becomes champion, and why, with everything needed to check it later."""

    promoted: bool
    why: str
    refused: bool
    """Whether a rule or the audit said no (exit code 1), as opposed to a champion that is merely kept."""
    findings: tuple[Finding, ...]
    comparison: Comparison | None
    on: str
    """Which questions the comparison was made on."""

    def plain(self) -> dict[str, Any]:
        """Return plain data for the record of decisions."""
        compared = None
        if self.comparison is not None:
            one = self.comparison
            compared = {
                "metric": one.metric,
                "champion": one.champion,
                "challenger": one.challenger,
                "gain": one.gain.plain(),
                "rows": one.rows,
                "periods": one.periods,
                "verdict": one.verdict,
                "why": one.why,
                "needed": one.needed,
            }
        held = [
            {
                "rule": each.subject,
                "figure": each.figure,
                "limit": each.limit,
                "kept": each.severity != Severity.ERROR,
                "message": each.message,
            }
            for each in self.findings
        ]
        return {
            "promoted": self.promoted,
            "why": self.why,
            "refused": self.refused,
            "rules": held,
            "comparison": compared,
            "on": self.on,
        }


def decide(findings: Sequence[Finding], comparison: Comparison | None, on: str = "") -> Decision:
    """Decide from the rules' findings and the comparison with the champion (none: there is no champion yet).

    A rule not kept refuses. Without a champion, rules are enough. With one, only *better* promotes: if the data cannot
    tell, the champion stays.
    """
    broken = [finding.message for finding in findings if finding.severity == Severity.ERROR]
    if broken:
        return Decision(
            promoted=False, why="; ".join(broken), refused=True, findings=tuple(findings), comparison=comparison, on=on
        )
    if comparison is None:
        why, promoted = "all rules are kept, and there is no champion yet", True
    elif comparison.verdict == "better":
        why, promoted = f"better than the champion by {comparison.metric}: {comparison.why}", True
    else:
        said = "worse than" if comparison.verdict == "worse" else "not shown to be better than"
        why, promoted = (
            f"the champion stays: the challenger is {said} it by {comparison.metric}: {comparison.why}",
            False,
        )
    return Decision(promoted=promoted, why=why, refused=False, findings=tuple(findings), comparison=comparison, on=on)
