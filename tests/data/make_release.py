"""Makes the release of the present format that later versions must be able to open."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from asof import recipes, releases
from asof.data import Finding, Severity, Table
from asof.encoders import EncoderPlan

ROWS = 400
MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BLEND = recipes.Blend(
    "lightgbm + poisson",
    (
        recipes.Recipe(
            name="lightgbm",
            encoders=(EncoderPlan("categories", {}),),
            estimator="lightgbm",
            params={"num_leaves": 4, "min_data_in_leaf": 20},
            loss="poisson",
            rounds=8,
            task="count",
        ),
        recipes.Recipe(
            name="poisson",
            encoders=(EncoderPlan("onehot", {}), EncoderPlan("impute", {}), EncoderPlan("scale", {})),
            estimator="poisson",
            loss="poisson",
            task="count",
        ),
    ),
    (0.6, 0.4),
)


def table() -> Table:
    """Training questions with an unknown value here and there, and their counts."""
    draw = np.random.default_rng(20)
    features = pl.DataFrame(
        {
            "lag_7d": draw.poisson(3, ROWS).astype(float),
            "weekday": draw.integers(0, 7, ROWS).astype(float),
            "temperature": draw.normal(12, 6, ROWS).round(1),
            "borough": draw.choice(["Bronx", "Queens", "Brooklyn"], ROWS),
        }
    ).with_columns(pl.when(pl.int_range(ROWS) % 17 == 0).then(None).otherwise("temperature").alias("temperature"))
    rate = 1 + 0.4 * features["lag_7d"].to_numpy() + 0.3 * (features["weekday"].to_numpy() > 4)
    return Table(features, pl.Series("label", draw.poisson(rate).astype(float)))


def main() -> None:
    """Write ``release-N`` beside this file; it must not be there yet."""
    learnt = table()
    model = recipes.fit(BLEND, learnt, threads=1, seed=20)
    asked = learnt.features.head(12)
    answers = model.predict(asked)
    contents = releases.Contents(
        name=releases.release_name("fixture", MADE),
        project="fixture",
        created=MADE,
        model=model,
        recipe=recipes.plan_of(BLEND),
        plan={"trials": [{"recipe": "lightgbm", "rounds": 8}]},
        schema=releases.seen(learnt.features),
        intervals={"level": 0.9, "low": -1.5, "high": 2.5},
        scores=pl.DataFrame({"metric": ["poisson_deviance"], "value": [1.05]}),
        findings=(Finding("coverage", Severity.NOTE, "rides", "every period is covered", 1.0, 0.9, ROWS),),
        settings="name: fixture\n",
        report="<!doctype html><title>fixture</title>\n",
        card="# fixture\n",
        fingerprint=releases.fingerprint({"model": model.fingerprint(), "sample": asked, "predictions": answers}),
        places=pl.DataFrame({"id": ["a", "b"], "name": ["A", "B"], "lat": [40.1, 40.2], "lon": [-74.0, -74.1]}),
        data={"rides": "3"},
        facts={"cut": "2026-01-01T00:00:00+00:00"},
        extra={"questions.json": json.dumps({"features": asked.to_dicts(), "predictions": answers.tolist()})},
    )
    releases.write(Path(__file__).parent / f"release-{releases.FORMAT}", contents)


if __name__ == "__main__":
    main()
