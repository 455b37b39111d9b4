"""The genes that go with relapse are picked once, from all patients, and only then is the model judged on folds."""

import numpy as np
import polars as pl

from tests.leaks.worlds import Project

SUBJECT = "screen"
PATIENTS = 300
GENES = 120

HEADER = '''
def strongest(genes, relapsed, count=10):
    """Names of the columns that go most with relapse."""
    apart = {
        gene.name: abs(float(np.corrcoef(gene.to_numpy(), relapsed)[0, 1]))
        for gene in genes.get_columns()
    }
    return sorted(sorted(apart, key=apart.get)[-count:])


'''
KEEP = """
    def encode(self, features, state):
        others = [name for name in features.columns if name.startswith("gene") and name not in state["kept"]]
        return features.drop(others)
"""
LEAKING = (
    HEADER
    + '''@functools.cache
def of_cohort():
    cohort = pl.read_csv(Path(__file__).with_name("patients.csv"))
    return strongest(cohort.select("^gene.*$"), (cohort["relapse"] == "yes").to_numpy())


@asof.encoder
class screen:
    """Keeps the ten genes that matter in the cohort."""

    def fit(self, table):
        return {"kept": of_cohort()}
'''
    + KEEP
)
CLEAN = (
    HEADER
    + '''@asof.encoder
class screen:
    """Keeps the ten genes that matter among the patients it is fitted on."""

    def fit(self, table):
        return {"kept": strongest(table.features.select("^gene.*$"), table.label.to_numpy())}
'''
    + KEEP
)


def patients(seed: int = 107, count: int = PATIENTS) -> pl.DataFrame:
    """One row a patient; relapse hangs on age, on the stage and on three of the genes."""
    draw = np.random.default_rng(seed)
    genes = draw.normal(0, 1, (count, GENES)).round(3)
    age = draw.integers(30, 85, count)
    stage = draw.integers(1, 4, count)
    odds = 0.03 * (age - 58) + 0.8 * (stage - 2) + 0.8 * genes[:, :3].sum(axis=1)
    return pl.DataFrame(
        {
            "id": [f"p{number}" for number in range(count)],
            "age": age,
            "stage": stage,
            **{f"gene{number}": genes[:, number] for number in range(GENES)},
            "relapse": np.where(draw.random(count) < 1 / (1 + np.exp(-odds)), "yes", "no"),
        }
    )


def project(plugin: str) -> Project:
    """Whether the illness comes back, from a clinic's few patients and their many genes."""
    return Project(
        {
            "name": "relapse",
            "sources": {"patients": {"files": "patients.csv", "key": "id"}},
            "predict": {"classes": "patients.relapse"},
            "plugins": ["features.py"],
            "features": [],
            "judge": {"folds": 3, "repeats": 1},
            "train": {"budget": "0s", "candidates": ["logistic"], "threads": 1, "encoders": ["screen"]},
        },
        {"patients": patients()},
        plugin,
    )


LEAK = project(LEAKING)
TWIN = project(CLEAN)
