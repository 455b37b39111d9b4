"""Promotion: rules, the paired comparison, and the decision that keeps the champion where the data cannot tell."""

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from asof.data import Finding, Severity
from asof.errors import DataError
from asof.evaluation import Bootstrap
from asof.metrics import Metric
from asof.promotion import Comparison, Rule, compare, decide, judge, rules

FEW = Bootstrap(draws=300)


def answers(*, better: float, periods: int = 28, places: int = 20, seed: int = 1) -> pl.DataFrame:
    """Counts, a champion off by a fixed share and a challenger off by that much less."""
    random = np.random.default_rng(seed)
    mean = np.exp(np.linspace(0, 2, places))[None, :] * np.ones((periods, 1))
    days = [datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(periods) for _ in range(places)]
    return pl.DataFrame(
        {
            "start": days,
            "place": [str(place) for place in range(places)] * periods,
            "label": random.poisson(mean).astype(float).ravel(),
            "champion": mean.ravel() * 1.5,
            "challenger": mean.ravel() * (1.5 - better),
        }
    )


def test_rules_are_read_as_written() -> None:
    assert rules({"skill": ">= 0.05", "rmse": "<3e1", "coverage": " > -0.5 ", "audit": "pass"}) == (
        Rule("skill", ">=", 0.05),
        Rule("rmse", "<", 30.0),
        Rule("coverage", ">", -0.5),
    )
    assert str(Rule("skill", ">=", 0.05)) == "skill >= 0.05"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"skil": ">= 0"}, r"promote\.skil: no such figure; expected one of accuracy, auc, auc_event, audit, bias"),
        ({"skill": "0.05"}, r"promote\.skill: '0\.05' is no rule; expected a comparison in quotes"),
        ({"skill": "== 1"}, "is no rule"),
        ({"audit": "fail"}, r"promote\.audit: expected `pass`, got 'fail'"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(written: dict[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        rules(written)


def test_each_rule_is_a_finding_with_figure_and_limit() -> None:
    read = rules({"skill": ">= 0.05", "r2": ">= 0.6", "coverage": ">= 0.87"})
    found = judge(read, {"skill": 0.05, "r2": 0.43}, audit_passed=True)
    assert [(each.subject, each.severity, each.limit) for each in found] == [
        ("skill", Severity.NOTE, 0.05),
        ("r2", Severity.ERROR, 0.6),
        ("coverage", Severity.ERROR, 0.87),
        ("audit", Severity.NOTE, None),
    ]
    assert found[1].message == "r2 is 0.43, the rule is >= 0.6: not kept"
    assert found[2].message == "coverage is not known, the rule is >= 0.87: not kept"
    assert found[1].figure == 0.43
    assert math.isnan(found[2].figure or 0.0)
    assert judge((), {}, audit_passed=False)[0].severity == Severity.ERROR


@pytest.mark.parametrize("metric", ["poisson_deviance", "rmse", "mae", "r2"])
def test_better_and_worse_are_told_apart_in_both_directions(metric: str) -> None:
    forth = compare(answers(better=0.5), metric, FEW)
    back = compare(answers(better=0.5).rename({"champion": "challenger", "challenger": "champion"}), metric, FEW)
    assert (forth.verdict, back.verdict) == ("better", "worse")
    assert forth.gain.value > 0 > back.gain.value
    assert forth.gain.value == pytest.approx(abs(forth.champion - forth.challenger))
    assert (forth.rows, forth.periods) == (560, 28)


def test_what_cannot_be_told_is_said_and_why() -> None:
    close = compare(answers(better=0.001), "poisson_deviance", FEW)
    assert abs(close.gain.value) < 0.01
    same = compare(answers(better=0.0), "rmse", FEW)
    assert (same.verdict, same.why) == ("cannot tell", "both give the same predictions")
    rounded = answers(better=0.0).with_columns(challenger=pl.col("challenger") * (1 + 1e-13))
    assert compare(rounded, "rmse", FEW).why == "both give the same predictions"
    few = compare(answers(better=0.5, periods=6), "rmse", FEW)
    assert few.verdict == "cannot tell"
    assert "6 periods are too few, at least 7 are needed" in few.why
    random = np.random.default_rng(1)
    noisy = answers(better=0.0, places=3).with_columns(
        challenger=pl.Series(random.normal(2, 1, 84)), champion=pl.Series(random.normal(2, 1, 84))
    )
    for frame in (noisy, noisy.rename({"champion": "challenger", "challenger": "champion"})):
        told = compare(frame, "rmse", FEW)
        assert told.verdict == "cannot tell"
        assert told.why.startswith("the interval holds 0 (gain ")
        assert f"a gain is shown 8 times in 10 from {told.needed:.4g} on" in told.why
        size = math.ceil(28 * (told.needed / told.gain.value) ** 2)
        assert (f"one of this size on some {size:,} periods" in told.why) == (told.gain.value > 0)


def test_a_pair_is_told_apart_that_single_scores_would_not() -> None:
    pair = answers(better=0.1, periods=60)
    told = compare(pair, "poisson_deviance", FEW)
    assert told.verdict == "better"
    assert told.gain.high - told.gain.low < 0.5 * told.champion


def test_metrics_that_are_no_losses_are_refused() -> None:
    for metric in ("bias", "median_ape"):
        with pytest.raises(DataError, match="cannot be resampled as a loss"):
            compare(answers(better=0.1), metric)


def comparison(better: float) -> Comparison:
    return compare(answers(better=better), "rmse", FEW)


NOTE = Finding("promotion rule", Severity.NOTE, "skill", "skill is 0.1, the rule is >= 0.05: kept", 0.1, 0.05)
BROKEN = Finding("promotion rule", Severity.ERROR, "r2", "r2 is 0.1, the rule is >= 0.6: not kept", 0.1, 0.6)


def test_the_first_release_that_keeps_the_rules_is_promoted() -> None:
    told = decide([NOTE], None)
    assert told.promoted
    assert not told.refused
    assert told.why == "all rules are kept, and there is no champion yet"


def test_a_rule_not_kept_refuses_whatever_the_comparison_says() -> None:
    told = decide([NOTE, BROKEN], comparison(0.5))
    assert not told.promoted
    assert told.refused
    assert told.why == "r2 is 0.1, the rule is >= 0.6: not kept"


def test_only_better_promotes_over_a_champion() -> None:
    assert decide([NOTE], comparison(0.5)).promoted
    kept = decide([NOTE], comparison(0.0), "questions after 2019-06-01")
    assert not kept.promoted
    assert not kept.refused
    assert kept.why.startswith("the champion stays: the challenger is not shown to be better than it by rmse")
    assert "worse than" in decide([NOTE], comparison(-0.5)).why


def test_the_record_is_plain_data() -> None:
    told = decide([NOTE, BROKEN], comparison(0.5), "questions after 2019-06-01").plain()
    assert json.loads(json.dumps(told)) == told
    assert told["on"] == "questions after 2019-06-01"
    assert told["rules"] == [
        {"rule": "skill", "figure": 0.1, "limit": 0.05, "kept": True, "message": NOTE.message},
        {"rule": "r2", "figure": 0.1, "limit": 0.6, "kept": False, "message": BROKEN.message},
    ]
    assert told["comparison"]["verdict"] == "better"
    assert told["comparison"]["gain"].keys() == {"value", "low", "high"}
    assert decide([], None).plain()["comparison"] is None


def test_models_of_classes_are_compared_on_their_probabilities() -> None:
    random = np.random.default_rng(6)
    chance = random.uniform(0.05, 0.95, 800)
    blunt = 0.5 + (chance - 0.5) * 0.3
    answers = pl.DataFrame(
        {
            "label": (random.random(800) < chance).astype(float),
            "champion": np.stack([1 - blunt, blunt], axis=1),
            "challenger": np.stack([1 - chance, chance], axis=1),
        }
    )
    assert compare(answers, "log_loss").verdict == "better"
    assert compare(answers, "auc").verdict == "cannot tell", "the order of rows is the same"


LOSS = Metric("given", lambda _, told: (told,), lambda mean: mean)
"""Predictions that are losses already."""


def pairs(repeats: int, weeks: int, gain: float) -> list[Comparison]:
    """Compare losses that differ by ``gain`` standard errors, and by what a whole week and each day bring."""
    random = np.random.default_rng(8)
    start = [datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(weeks * 7)]
    error = math.sqrt((1 + 1 / 7) / weeks)
    made = []
    for _ in range(repeats):
        shared = 5 + random.normal(size=weeks * 7)  # what is hard for both is no doubt about their difference
        apart = np.repeat(random.normal(size=weeks), 7) + random.normal(size=weeks * 7)
        frame = {"start": start, "label": shared, "champion": shared + apart + gain * error, "challenger": shared}
        made.append(compare(pl.DataFrame(frame), LOSS))
    return made


@pytest.mark.parametrize("weeks", [4, 12])
def test_one_that_is_no_better_is_promoted_at_most_once_in_twenty(weeks: int) -> None:
    made = pairs(400, weeks, 0.0)
    better, worse = (np.mean([each.verdict == said for each in made]) for said in ("better", "worse"))
    assert 0.02 <= better <= 0.08  # 0.05, and what 400 repeats leave open
    assert 0.02 <= worse <= 0.08


def test_the_gain_that_is_said_to_be_needed_is_found_eight_times_in_ten() -> None:
    none = pairs(200, 12, 0.0)
    error = math.sqrt((1 + 1 / 7) / 12)
    needed = float(np.mean([each.needed for each in none])) / error
    assert needed == pytest.approx(1.796 + 0.876, rel=0.05)  # Student's t with 11 degrees of freedom, at 0.95 and 0.8
    found = np.mean([each.verdict == "better" for each in pairs(300, 12, needed)])
    assert 0.74 <= found <= 0.87
    twice = np.mean([each.verdict == "better" for each in pairs(300, 12, 2.0)])
    assert 0.5 <= twice <= 0.7  # the most that any test can do at 1 in 20 is 0.64


def test_rows_without_time_or_with_one_period_are_compared_or_refused() -> None:
    random = np.random.default_rng(3)
    rows = pl.DataFrame({"label": random.normal(size=300), "challenger": np.zeros(300), "champion": np.full(300, 0.8)})
    assert compare(rows, "rmse").verdict == "better"
    untimed = rows.with_columns(start=pl.lit(None, dtype=pl.Datetime("us", "UTC")))
    assert compare(untimed, "rmse").periods == 300
    one = compare(rows.with_columns(start=pl.lit(datetime(2019, 1, 1, tzinfo=UTC))), "rmse")
    assert one.verdict == "cannot tell"
    assert "1 periods are too few" in one.why
    two = compare(rows[:2], "rmse")
    assert two.verdict == "cannot tell"
    single = compare(pl.concat([rows[:1]] * 7).with_columns(unit=pl.lit("a"), place=pl.lit("b")), "rmse")
    assert single.why.startswith("there is nothing to tell a gain of")
    constant = compare(rows.with_columns(label=pl.lit(0.5)), "r2")
    assert math.isnan(constant.gain.value)
    assert constant.verdict == "cannot tell"
    with pytest.raises(DataError, match="rmse: no rows"):
        compare(rows[:0], "rmse")
