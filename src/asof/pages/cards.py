"""The model card: one page of Markdown beside the model."""

from asof.pages import words
from asof.pages.facts import ReportFacts

_WARNING = (
    "The score belongs to the recipe as judged on these periods. A prediction with the flag *outside what was seen* "
    "rests on little; after a change of the world or of the recording, train and judge again."
)


def card(facts: ReportFacts) -> str:
    """Write the model card: what it predicts, how good it is, where it must not be trusted."""
    score = f"{words.number(facts.holdout.value)} ({words.within(facts.holdout) or 'no interval'})"
    skill = f"{words.percent(facts.skill.value)} ({words.within(facts.skill, words.percent) or 'no interval'})"
    lines = [
        f"# {_line(facts.release or facts.project)}",
        "",
        f"Predicts {_line(facts.predicts)}.",
        "",
        "| | |",
        "|---|---|",
        f"| model | {_line(facts.model)} |",
        f"| made | {words.minute(facts.created, facts.zone)} |",
        f"| judged on | {words.stretch(facts.since, facts.until, facts.zone)}, {facts.rows:,} predictions |",
        f"| {words.title(facts.metric)} | {score} |",
        f"| best simple rule | {_line(facts.baseline_name)}: {words.number(facts.baseline.value)} |",
        f"| skill | {skill} |",
    ]
    if facts.coverage:
        promised, found = facts.coverage
        lines.append(f"| intervals | {words.percent(promised, 0)} promised, {words.percent(found)} found |")
    if facts.cut:
        lines.append(f"| learnt from | what was known at {words.minute(facts.cut, facts.zone)} |")
    lines += [f"| fingerprint | `{facts.fingerprint}` |" if facts.fingerprint else "", ""]
    lines += ["## Use", "", words.meaning(facts.metric, facts.unit), ""]
    lines += [_WARNING, ""]
    return "\n".join(line for index, line in enumerate(lines) if line or index == 0 or lines[index - 1])


def _line(text: str) -> str:
    """Keep a user's text on its line and in its cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
