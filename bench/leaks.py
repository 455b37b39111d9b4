"""Planted leaks: how many the audit catches by name, how many clean twins it flags, and those kept aside.

    python bench/leaks.py

Protocol: every leak of tests/leaks is an ordinary plug-in or table in a small project, read, learnt and audited as
`asof run` does it, in the quick form; its twin is the same without the leak. A leak counts as caught where the audit
fails and names it, a twin as flagged where the audit fails at all. The leaks kept aside (tests/leaks/aside and
aside_second) were written by people who had not seen the checks, and tried once: what came out is kept beside them.
Goals: at least 30 leaks, all caught; no twin flagged.
"""

import json
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ASIDE = {
    "kept aside": ROOT / "tests" / "leaks" / "aside" / "outcome.json",
    "kept aside, a second time": ROOT / "tests" / "leaks" / "aside_second" / "outcome.json",
}
KINDS = {"test_a_leak_is_caught_by_name": "leaks caught", "test_its_clean_twin_passes": "twins passed"}


def outcomes() -> dict[str, dict[str, bool]]:
    """Run the suite; of each kind of test, whether each case came out as it should."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "tests/leaks/test_leaks.py", "-q", "-n", "2"]
        subprocess.run([*command, f"--junitxml={report}"], cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314 - written by pytest just now
        found: dict[str, dict[str, bool]] = {kind: {} for kind in KINDS.values()}
        for case in cases:
            test, _, name = str(case.get("name")).partition("[")
            if test in KINDS:
                bad = any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))
                found[KINDS[test]][name.rstrip("]")] = not bad
        return found


def main() -> int:
    """Measure, and print a line a kind."""
    print("| | as it should be | of | otherwise |")
    print("|---|---|---|---|")
    found = outcomes()
    for kind, cases in found.items():
        wrong = [name for name, good in cases.items() if not good]
        print(f"| {kind} | {len(cases) - len(wrong)} | {len(cases)} | {', '.join(wrong) or 'none'} |")
    for called, outcome in ASIDE.items():
        kept = json.loads(outcome.read_text(encoding="utf-8"))
        for what, kind in (("caught", "leaks caught"), ("passed", "twins passed")):
            told = Counter(bool(one[what]) for one in kept["leaks"])
            wrong = [str(one["name"]) for one in kept["leaks"] if not one[what]]
            row = (f"{called}: {kind}, tried once on {kept['on']}", told[True], len(kept["leaks"]), ", ".join(wrong))
            print("| " + " | ".join(map(str, row)) + " |")
    return 0 if all(found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
