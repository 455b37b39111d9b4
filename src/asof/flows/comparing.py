"""Champion against challenger, on questions that neither has seen."""

from datetime import datetime

import polars as pl

from asof import promotion, recipes, releases
from asof.evaluation import Bootstrap
from asof.flows import learning
from asof.flows.judging import Judged
from asof.flows.learning import Bench
from asof.flows.workspace import Workspace
from asof.ports import ReleaseRecord
from asof.promotion import Comparison, Decision


def decide(workspace: Workspace, bench: Bench, judged: Judged, *, audit_passed: bool) -> Decision:
    """Hold the rules of the project against the holdout, and compare with the champion if there is one."""
    rules = promotion.rules(workspace.spec.promote, workspace.plugins.metrics)
    findings = promotion.judge(rules, figures(judged), audit_passed=audit_passed)
    champion = workspace.registry.find("champion")
    if champion is None:
        return promotion.decide(findings, None)
    comparison, on = against(workspace, champion, bench, judged)
    return promotion.decide(findings, comparison, on)


def figures(judged: Judged) -> dict[str, float]:
    """Figures of the holdout that a rule may name."""
    found = {name: estimate.value for name, estimate in judged.scores.items()}
    found |= {"skill": judged.skill.value, "coverage": judged.coverage, "optimism": judged.optimism.value}
    if judged.explained is not None:
        found["share_explained"] = judged.explained.value
    return found


def against(workspace: Workspace, champion: ReleaseRecord, bench: Bench, judged: Judged) -> tuple[Comparison, str]:
    """Compare on questions asked after the champion's own last cut, else both recipes fitted at the same cut.

    The champion itself can answer only where the project still makes the features that it was made with.
    """
    release = releases.read(champion.folder)
    last_cut = datetime.fromisoformat(str(release.facts["cut"]))
    fresh = judged.asked.questions["as_of"] >= max(last_cut, judged.cut)
    periods = judged.asked.questions.filter(fresh)["start"].n_unique()
    bootstrap = Bootstrap(seed=bench.wanted.seed)
    model = release.model(threads=workspace.threads, plugins=workspace.plugins)
    fits = set(model.columns) == set(judged.asked.features.columns)
    if periods >= promotion.LEAST_PERIODS and fits:
        told = model.predict(judged.asked.features.filter(fresh))
        answers = judged.answers.filter(fresh)
        on = f"{answers.height:,} questions asked after the champion's last cut {last_cut:%Y-%m-%d}"
    else:
        recipe = recipes.read_plan(release.json("recipe"))
        told = learning.fit(workspace, bench, bench.split.train, recipe).predict(judged.asked.features)
        answers = judged.answers
        few = f"only {periods} periods lie after the champion's own last cut"
        why = few if fits else "the champion was made with other features"
        on = f"both recipes fitted at {judged.cut:%Y-%m-%d} and asked {answers.height:,} later questions ({why})"
    both = answers.with_columns(champion=pl.Series(told), challenger=pl.col("prediction"))
    return promotion.compare(both, bench.wanted.measure, bootstrap), on
