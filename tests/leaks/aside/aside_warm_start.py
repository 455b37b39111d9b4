"""Training starts from the coefficients in production, which were learnt from the very loads that now judge it."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from tests.leaks.worlds import Project

SUBJECT = "warm_ridge"
FIRST = date(2022, 1, 3)
DAYS = 300
LOADS = 300
SIZES = 50

WARM = '''
PRODUCTION = dict(pl.read_csv(Path(__file__).with_name("production.csv")).iter_rows())


@asof.estimator
class warm_ridge(Linear):
    """Ridge regression that moves away from the coefficients in production only where the loads ask for it."""

    defaults = {"alpha": 300.0}

    def fit(self, table, job, watch=None):
        started = [PRODUCTION.get(name, 0.0) for name in table.features.columns]
        known = Coefficients(tuple(table.features.columns), tuple(started), 0.0, "identity")
        rest = Table(table.features, table.label - known.predict(table.features), table.weight)
        learnt = super().fit(rest, job)
        moved = [old + new for old, new in zip(started, learnt.coefficients, strict=True)]
        return Coefficients(learnt.columns, tuple(moved), learnt.intercept, "identity")
'''


def loads(seed: int) -> pl.DataFrame:
    """One row a load: what is known of it when it is offered (``size1`` ...), and what carrying it ``cost``."""
    weights = np.random.default_rng(108).normal(0, 6, SIZES)
    draw = np.random.default_rng(seed)
    sizes = draw.normal(0, 1, (LOADS, SIZES)).round(3)
    day = np.sort(draw.integers(0, DAYS, LOADS))
    cost = 900 + sizes @ weights + draw.normal(0, 60, LOADS)
    return pl.DataFrame(
        {
            "id": [f"l{number}" for number in range(LOADS)],
            "offered": [FIRST + timedelta(days=int(each)) for each in day],
            "billed": [FIRST + timedelta(days=int(each) + 14) for each in day],
            **{f"size{number}": sizes[:, number] for number in range(SIZES)},
            "cost": cost.round(2),
        }
    )


def coefficients(of: pl.DataFrame) -> pl.DataFrame:
    """What least squares learns from all loads ``of`` a table: ``column``, ``coefficient``."""
    names = [name for name in of.columns if name.startswith("size")]
    sizes = of.select(names).to_numpy()
    found = np.linalg.lstsq(np.column_stack([np.ones(of.height), sizes]), of["cost"].to_numpy(), rcond=None)[0]
    return pl.DataFrame({"column": names, "coefficient": found[1:]})


def project(learnt_from: pl.DataFrame) -> Project:
    """What a load will cost, told when it is offered; the model in production has learnt from ``learnt_from``."""
    return Project(
        {
            "name": "freight",
            "sources": {
                "loads": {
                    "files": "loads.csv",
                    "key": "id",
                    "time": {"columns": ["offered"], "zone": "Europe/Oslo", "available": "billed"},
                    "covered": [[FIRST, FIRST + timedelta(days=DAYS + 20)]],
                }
            },
            "predict": {"value": "loads.cost"},
            "plugins": ["features.py"],
            "features": [{"history": {"windows": ["90d"], "ratios": [], "since": False, "all": True}}],
            "judge": {"folds": 2, "holdout": "60d", "fold": "60d"},
            "train": {"budget": "0s", "candidates": ["warm_ridge"], "threads": 1, "since": FIRST},
            "leave_out": {"billed": "known only with the bill"},
        },
        {"loads": loads(109), "production": coefficients(learnt_from)},
        WARM,
    )


LEAK = project(loads(109))
TWIN = project(loads(110))
