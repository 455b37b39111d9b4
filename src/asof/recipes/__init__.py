"""Recipes: encoders, estimator and parameters as plain data; a fitted recipe is a model.

A model is kept as a folder of plain files (JSON, ``.npy``, a booster's own format) that predicts with
the same bits as before; its fingerprint is a SHA-256 over what it is, without times, ids and paths.
"""

from asof.encoders import EncoderPlan
from asof.recipes.fits import LOGS, Encoded, Parts, encode, encode_for, fit, fit_encoded, load
from asof.recipes.models import BlendModel, Model, RecipeModel, mix
from asof.recipes.plans import Blend, Recipe, plan_of, read_plan

__all__ = [
    "LOGS",
    "Blend",
    "BlendModel",
    "Encoded",
    "EncoderPlan",
    "Model",
    "Parts",
    "Recipe",
    "RecipeModel",
    "encode",
    "encode_for",
    "fit",
    "fit_encoded",
    "load",
    "mix",
    "plan_of",
    "read_plan",
]
