"""Where an address lies: a file of addresses, or a service over HTTP."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from asof.errors import DataError, OutsideError
from asof.places.lines import Point

PATIENCE = 10.0
"""Seconds that a service gets to answer."""
MOST_BYTES = 1_000_000


class AddressFile:
    """Addresses of a CSV or Parquet file with the columns ``address``, ``lat`` and ``lon`` (degrees)."""

    def __init__(self, file: Path) -> None:
        """Read the file; raises DataError where it is not there or lacks a column."""
        if not file.is_file():
            raise DataError(f"{file}: no such file of addresses")
        read = pl.read_parquet if file.suffix == ".parquet" else pl.read_csv
        rows = read(file)
        lacking = [name for name in ("address", "lat", "lon") if name not in rows.columns]
        if lacking:
            raise DataError(f"{file}: no column {', '.join(lacking)}; expected address, lat, lon")
        points = zip(rows["lat"].cast(pl.Float64), rows["lon"].cast(pl.Float64), strict=True)
        self._known = {_plain(text): point for text, point in zip(rows["address"], points, strict=True) if text}

    def locate(self, address: str) -> Point | None:
        """Latitude and longitude of an address, or none; case, commas and spaces do not matter."""
        return self._known.get(_plain(address))


class AddressService:
    """A geocoder over HTTP: ``{query}`` in its address is the text asked for.

    It answers with JSON in one of the usual forms: a list of objects with ``lat`` and ``lon`` (Nominatim), or GeoJSON
    points (Photon, Pelias).
    """

    def __init__(self, template: str) -> None:
        """Store the address; raises DataError where it has no ``{query}``."""
        if "{query}" not in template:
            raise DataError("serve.addresses: an address of a service needs {query} where the text goes")
        self._template = template

    def locate(self, address: str) -> Point | None:
        """Latitude and longitude of the best match, or none; raises OutsideError where the service fails."""
        import httpx

        try:
            with httpx.Client(timeout=PATIENCE, follow_redirects=False) as client:
                told = client.get(self._template.replace("{query}", quote(address, safe="")))
                told.raise_for_status()
                if len(told.content) > MOST_BYTES:
                    raise OutsideError("the service of addresses answers with too much")
                return _first(told.json())
        except (httpx.HTTPError, ValueError, KeyError, TypeError, IndexError) as fault:
            # Its text holds the address that was asked for, which is nobody's business.
            raise OutsideError(f"the service of addresses failed ({type(fault).__name__})") from None


def open_addresses(written: str, folder: Path) -> AddressFile | AddressService:
    """Open what ``serve.addresses`` names: a file beside the project, or the address of a service."""
    return AddressService(written) if re.match(r"https?://", written) else AddressFile(folder / written)


def _first(told: Any) -> Point | None:
    if isinstance(told, dict):
        found = told["features"]
        return (
            None
            if not found
            else (float(found[0]["geometry"]["coordinates"][1]), float(found[0]["geometry"]["coordinates"][0]))
        )
    return None if not told else (float(told[0]["lat"]), float(told[0]["lon"]))


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[,;.]", " ", text).casefold().split())
