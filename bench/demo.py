"""The main job by stage: where the time of `asof demo` goes, and how much of it is not estimators' fit.

    python bench/demo.py [RUNS]

Protocol: the bundled example in a new folder each time, as `asof demo` runs it, in one process; medians of RUNS (3).
Time within an estimator's fit is counted apart, wherever it is spent: choosing, judging, auditing or refitting.
Goals: everything outside fit at most 30 s, the whole at most 180 s, on two cores.
"""

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from asof import recipes, verbs
from asof.flows import running
from asof.flows.workspace import Quiet
from asof.recipes import fits


class Clock(Quiet):
    """Knows the present stage, and adds up the seconds spent in fits by stage."""

    def __init__(self) -> None:
        """Begin outside every stage."""
        self.name = ""
        self.fit: dict[str, float] = defaultdict(float)

    def stage(self, name: str) -> None:
        """Remember the stage."""
        self.name = name


def run(clock: Clock) -> tuple[dict[str, Any], float]:
    """Run the example once; returns its result and the seconds of all."""
    whole = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "demo"
        verbs.copy_example("collisions", target)
        result = running.run(verbs.open_project(str(target), progress=clock))
    return result, time.perf_counter() - whole


def main() -> int:
    """Measure, and print a line a stage."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    fitting = recipes.fit_encoded
    doors = (recipes, fits)  # by which the function is called
    stages: dict[str, list[tuple[float, float]]] = defaultdict(list)
    totals, results = [], []
    for _ in range(runs):
        clock = Clock()

        def timed(*args: Any, clock: Clock = clock, **options: Any) -> Any:
            begun = time.perf_counter()
            model = fitting(*args, **options)
            clock.fit[clock.name] += time.perf_counter() - begun
            return model

        for door in doors:
            door.fit_encoded = timed
        result, seconds = run(clock)
        results.append(result)
        totals.append(seconds)
        for name, spent in result["seconds"].items():
            stages[name].append((spent, clock.fit[name]))
    for door in doors:
        door.fit_encoded = fitting
    print(f"{'stage':<12} {'seconds':>8} {'of it fit':>10}   medians of {runs}")
    outside = 0.0
    for name, pairs in stages.items():
        spent, fit = (statistics.median(values) for values in zip(*pairs, strict=True))
        outside += spent - fit
        print(f"{name:<12} {spent:8.1f} {fit:10.1f}")
    print(f"outside fit {outside:.1f} s (goal 30), all {statistics.median(totals):.1f} s (goal 180)")
    share = statistics.median(spent for spent, _ in stages["audit"]) / statistics.median(totals)
    print(f"the quick audit takes {share:.0%} of the run (goal at most 25 %)")
    for result in results:
        score = result["holdout"][result["metric"]]["value"]
        print(f"  {result['recipe']}: {result['metric']} {score:.4f}, skill {result['skill']['value']:.2%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
