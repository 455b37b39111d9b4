"""Releases: a model with everything that is needed to answer, to explain and to check it, as plain files.

A release folder holds native model files, JSON, Arrow, Parquet and text; no pickle is ever
written or read. ``manifest.json`` carries the SHA-256 sum of every other file, so that a
changed, lost or added file is noticed before anything of it is used.
"""

from asof.releases.fingerprints import fingerprint
from asof.releases.folders import FORMAT, Contents, Release, environment, read, sweep, write
from asof.releases.paths import model_folder, predictions_file, release_name, rows_file, run_timestamp
from asof.releases.seen import Odd, Seen, odd, outside, seen

__all__ = [
    "FORMAT",
    "Contents",
    "Odd",
    "Release",
    "Seen",
    "environment",
    "fingerprint",
    "model_folder",
    "odd",
    "outside",
    "predictions_file",
    "read",
    "release_name",
    "rows_file",
    "run_timestamp",
    "seen",
    "sweep",
    "write",
]
