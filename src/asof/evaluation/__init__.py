"""Evaluation: scores with intervals, skill against a baseline, optimism, what to expect next, the ceiling of counts.

Answers are a frame of judged questions: ``label`` and ``prediction`` (Float64, none unknown), and where they have a
meaning ``place``, ``start`` and ``horizon``; ``weight`` where rows weigh differently.
"""

from asof.evaluation.ceilings import Ceiling, ceiling, noise_deviance
from asof.evaluation.estimates import Bootstrap, Estimate, batches, estimate, numbers
from asof.evaluation.outlook import Outlook, ahead
from asof.evaluation.scores import optimism, score, scores, skill

__all__ = [
    "Bootstrap",
    "Ceiling",
    "Estimate",
    "Outlook",
    "ahead",
    "batches",
    "ceiling",
    "estimate",
    "noise_deviance",
    "numbers",
    "optimism",
    "score",
    "scores",
    "skill",
]
