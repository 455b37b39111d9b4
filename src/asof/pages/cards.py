"""The model card: one page of Markdown beside the model."""

from collections.abc import Mapping
from typing import Any

from asof.pages import sentences, words
from asof.pages.facts import ReportFacts


def card(facts: ReportFacts) -> str:
    """Write the model card: what it predicts, how good it is, what it is for and what not."""
    rule = f"{_line(words.rule(facts.baseline_name, facts.task))}: {words.number(facts.baseline.value)}"
    skill = f"{words.percent(facts.skill.value)} ({words.within(facts.skill, words.percent) or 'no interval'})"
    lines = [
        f"# {_line(facts.release or facts.project)}",
        "",
        f"Predicts {_line(facts.predicts)}.",
        "",
        _line(sentences.headline(facts)),
        "",
        "| | |",
        "|---|---|",
        f"| model | {_line(facts.model)} |",
        f"| made | {words.minute(facts.created, facts.zone)} |",
        f"| judged on | {_judged(facts)} |",
        f"| {words.title(facts.metric)} | {sentences.score_with_interval(facts.holdout)} |",
        f"| best simple rule | {rule} |",
        f"| skill | {skill} |",
        *_more(facts),
        "",
        "## In everyday terms",
        "",
        *(f"- {_line(said)}" for said in sentences.everyday(facts)),
        "",
        "## For",
        "",
        *(f"- {_line(said)}" for said in sentences.uses(facts)),
        "",
        "## Not for",
        "",
        *(f"- {_line(said)}" for said in sentences.limits(facts)),
        "",
        "## The score",
        "",
        words.meaning(facts.metric, sentences.measured_in(facts)),
        "",
    ]
    return "\n".join(line for index, line in enumerate(lines) if line or index == 0 or lines[index - 1])


def _judged(facts: ReportFacts) -> str:
    if facts.since is not None and facts.until is not None:
        return f"{words.stretch(facts.since, facts.until, facts.zone)}, {facts.rows:,} predictions"
    if facts.apart:
        return f"{facts.rows:,} predictions in places held out"
    return f"{facts.rows:,} predictions{' of folds' if facts.opened == 0 else ' of rows set aside'}"


def _more(facts: ReportFacts) -> list[str]:
    lines = []
    if facts.coverage:
        promised, found = facts.coverage
        lines.append(f"| intervals | {words.percent(promised, 0)} promised, {words.percent(found)} found |")
    if facts.cut:
        lines.append(f"| learnt from | what was known at {words.minute(facts.cut, facts.zone)} |")
    if facts.opened:
        lines.append(f"| holdout opened | {'once' if facts.opened == 1 else f'{facts.opened} times'} |")
    if facts.sources is not None:
        lines += [
            f"| data | {_line(', '.join([row['source'], _version(row), *filter(None, [row.get('history')])]))} |"
            for row in facts.sources.to_dicts()
        ]
    if facts.fingerprint:
        lines.append(f"| fingerprint | `{facts.fingerprint}` |")
    return lines


def _version(row: Mapping[str, Any]) -> str:
    """Version of a source, or the moment as of which it was looked at."""
    version = str(row["version"])
    return f"version {version}" if version.isdecimal() else version


def _line(text: str) -> str:
    """Keep a user's text on its line and in its cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
