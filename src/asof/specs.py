"""What a project says, as typed nouns. Only ``project.py`` reads them from YAML.

Names here are the names in the project file. Every default is stated here and nowhere else.
"""

from datetime import date, datetime
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Measure = Literal["count", "distinct", "sum", "mean", "max", "value", "classes"]
"""How rows become a label; the last two are labels of single rows."""
MEASURES: tuple[Measure, ...] = get_args(Measure)


class Spec(BaseModel):
    """Base of all parts of a project: unknown names are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FilesSpec(Spec):
    """Files on disk or under ``s3://``: CSV, TSV, JSON (array or lines), Parquet; ``.gz`` of the first three."""

    paths: tuple[str, ...]
    """Globs relative to the project file."""
    format: Literal["auto", "csv", "json", "parquet"] = "auto"
    delimiter: str = ","
    encoding: str = "utf-8"
    """A byte-order mark is always understood."""


class SocrataSpec(Spec):
    """A Socrata data set, read in pages of day segments."""

    domain: str
    dataset: str
    since: date
    until: date | None = None
    """First day no longer asked for; default: today in the source's zone."""
    token: str = "${SOCRATA_APP_TOKEN}"
    """Resolved when read, never stored; an empty variable means no token."""
    page: int = Field(default=1000, ge=1, le=50_000)
    """Rows per request."""
    segment: str = "1d"
    """Length of the stretch asked for at once, in local days."""
    recheck: str = "7d"
    """How far before the watermark later corrections are looked for."""
    scheme: Literal["https", "http"] = "https"


class SqlSpec(Spec):
    """A table or a query of PostgreSQL or SQLite, read in the order of a watermark column and a key."""

    url: str
    """``postgresql://user@host/database`` or ``sqlite:///file``; a password only by a variable, resolved when read."""
    table: str | None = None
    query: str | None = None
    """A SELECT, in place of ``table``."""
    watermark: str | None = None
    """Column that grows with every new or changed row; none: everything is read each time."""
    key: tuple[str, ...] = ()
    """Columns that order rows of one watermark; default: the key of the source."""
    recheck: str | None = None
    """How far before the watermark late rows are looked for; default: ``1h``, or ``10000`` where it is a number."""
    page: int = Field(default=50_000, ge=1, le=1_000_000)
    """Rows fetched, and kept, at once."""
    timeout: str = "10m"
    """A statement that takes longer is given up."""


class PagingSpec(Spec):
    """How an API hands out its rows."""

    by: Literal["page", "offset", "cursor", "link", "next"]
    """A page number, an offset of rows, a cursor, the ``Link`` header, or the address of the next page."""
    param: str | None = None
    """Parameter of the page, offset or cursor; default: ``by``."""
    path: str | None = None
    """Where an answer holds the cursor or the next address, such as ``meta.next``."""
    first: int = Field(default=1, ge=0)
    """Number of the first page."""
    most: int = Field(default=10_000, ge=1)
    """More pages than this are taken for a fault."""


class ApiWatermarkSpec(Spec):
    """How an API is asked for what is new."""

    column: str
    """Column that grows with every new or changed row."""
    param: str | None = None
    """Parameter that asks for rows from a value on; none: everything is read each time."""
    since: str | None = None
    """Its value the first time."""
    recheck: str = "1h"
    """How far before the watermark late rows are looked for."""


class ApiSpec(Spec):
    """Any API that answers JSON in pages."""

    url: str
    rows: str = ""
    """Where an answer holds the list of rows, such as ``data.items``; empty: the answer is the list."""
    params: dict[str, str] = {}
    headers: dict[str, str] = {}
    """A secret only by a variable, ``Bearer ${TOKEN}``, resolved when read."""
    paging: PagingSpec | None = None
    """None: one answer holds everything."""
    watermark: ApiWatermarkSpec | None = None


class AdapterSpec(Spec):
    """A source of an installed package, with its own options. Short form: ``{name: {…}}``."""

    name: str
    options: dict[str, Any] = {}


class TimeSpec(Spec):
    """How the event time of a row is read."""

    columns: tuple[str, ...]
    """One column, or a date column and a time-of-day column."""
    zone: str = "UTC"
    """IANA zone in which the values are written (ignored where they carry an offset)."""
    formats: tuple[str, ...] = ()
    """strptime formats tried in this order; empty: the usual ones, month first only where the data prove it."""
    resolution: str | None = None
    """Smallest period that the column states (``1d``, ``1m``, ``1s``); default: read off the format."""
    available: str | None = None
    """A column that tells when the row could first be known; it replaces ended + delay."""


class PointSpec(Spec):
    """Coordinates of a row, in degrees, WGS 84."""

    lat: str
    lon: str
    box: tuple[float, float, float, float] | None = None
    """south, west, north, east; a point outside is refused."""


class RepairSpec(Spec):
    """One repair of cells, made in this order of settings before they are checked; what came is kept as it came."""

    columns: tuple[str, ...]
    """Names of columns, or patterns such as ``*_ATTRIBUTES``."""
    drop: bool = False
    """``true``: the columns are left out."""
    strip: str | None = None
    """Characters taken off the end of a cell: ``"*"`` reads ``64.9*`` as 64.9."""
    missing: tuple[str, ...] = ()
    """What stands for a missing value; a number however it is written."""
    under: float | None = None
    """Only numbers below this are multiplied and added to."""
    times: float | None = None
    """The number is multiplied by this."""
    add: float | None = None
    """And this is added to it."""
    flags: tuple[str, ...] = ()
    """Names of the columns of 0 and 1 that replace a text of as many digits, such as ``010000``."""


class CheckSpec(Spec):
    """Rules for one column."""

    between: tuple[float, float] | None = None
    above: str | None = None
    """A column: the value must be greater than that of the same row, where both are given."""
    below: str | None = None
    """A column: the value must be smaller than that of the same row, where both are given."""
    one_of: tuple[str, ...] | None = None
    unique: bool = False
    required: bool = False
    """A row without a value goes to quarantine."""
    missing: float | None = None
    """Largest share of missing values (0..1) before the source is refused."""
    type: Literal["integer", "number", "text", "boolean", "date"] | None = None
    matches: str | None = None
    """A regular expression that the whole value must match."""
    otherwise: Literal["quarantine", "missing"] = "quarantine"
    """What becomes of a value that breaks a rule: its row is refused, or the value alone counts as missing."""
    faulty: float | None = None
    """Largest share of the values (0..1) that may break a rule before the source is refused."""


class SourceSpec(Spec):
    """A table of events, observations or rows."""

    files: FilesSpec | None = None
    socrata: SocrataSpec | None = None
    sql: SqlSpec | None = None
    api: ApiSpec | None = None
    adapter: AdapterSpec | None = None
    key: tuple[str, ...] = ()
    time: TimeSpec | None = None
    delay: str = "0h"
    place: PointSpec | str | None = None
    """Coordinates, or the column that names the place."""
    columns: tuple[str, ...] = ()
    """Columns to keep besides those named elsewhere; empty: all."""
    header: Literal["as is", "lower"] = "as is"
    """``lower`` turns column names to lower case, so that files of different vintages agree."""
    missing_values: tuple[str, ...] = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")
    repairs: tuple[RepairSpec, ...] = ()
    checks: dict[str, CheckSpec] = {}
    quarantine: float = Field(default=0.2, ge=0, le=1)
    """Largest share of refused rows (0..1) before the whole source is refused."""
    covered: tuple[tuple[date | datetime, date | datetime], ...] = ()
    """Stretches [from, until) of local days, or local times, known to be complete; empty: found from the rows."""


class PlaceSpec(Spec):
    """What a place is. Short forms: ``h3:8``, ``zones.geojson#objectid``, ``column``."""

    h3: int | None = Field(default=None, ge=0, le=15)
    polygons: str | None = None
    """GeoJSON file (``.gz`` too), WGS 84."""
    id: str | None = None
    """Property of the polygons that identifies the place."""
    column: str | None = None
    coarser: str | int | None = None
    """Property or column of the coarser place, or the coarser H3 resolution (default: two steps up)."""


class PerSpec(Spec):
    """The unit of a panel: place x period; for a label of each row, where the row lies."""

    place: PlaceSpec | None = None
    """None: everything is one place."""
    every: str = "1d"
    zone: str | None = None
    """Zone in which periods are cut; default: that of the counted source."""


class PredictSpec(Spec):
    """What is predicted: a figure of each place and period, or a label of each row of a source.

    Of place and period a count of events, or the number of distinct values, sum, mean or maximum of a column
    (``source.column``); of a row the number or the class that a column holds.
    """

    count: str | None = None
    distinct: str | None = None
    """How many different values a column has among the rows of the place and period: ``pings.order_number``."""
    sum: str | None = None
    mean: str | None = None
    max: str | None = None
    value: str | None = None
    """A column of numbers, one label a row: ``sales.price``."""
    classes: str | None = None
    """A column of two or more classes, one label a row: ``passengers.survived``."""
    per: PerSpec = PerSpec()
    horizon: tuple[str, ...] = ("0h",)
    """How far ahead: as_of = start of the period - horizon. ``1d..7d`` is a list."""

    @property
    def source(self) -> str:
        """Name of the source whose rows make the label."""
        return self.target.split(".")[0]

    @property
    def target(self) -> str:
        """What is written after the measure: a source, or a source and its column."""
        return str(getattr(self, self.measure))

    @property
    def column(self) -> str | None:
        """Column that makes the label; none for a count."""
        parts = self.target.split(".", 1)
        return parts[1] if len(parts) == 2 and self.measure != "count" else None

    @property
    def measure(self) -> Measure:
        """How rows become a label."""
        return next(name for name in MEASURES if getattr(self, name) is not None)

    @property
    def rows(self) -> bool:
        """Whether each row is a unit, and not each place and period."""
        return self.measure in {"value", "classes"}


class FeatureSpec(Spec):
    """One lookup by name: ``calendar``, ``history``, ``around``, one of ``nearest: SOURCE`` and the like, a plug-in."""

    name: str
    kind: Literal["calendar", "history", "around", "nearest", "observations", "distances", "trips", "plugin"]
    options: dict[str, Any] = {}


class JudgeSpec(Spec):
    """How candidates are judged."""

    holdout: str | None = None
    """Length of the last stretch, or its first local day; default: 28 days or 10 %, whichever is longer."""
    folds: int = Field(default=4, ge=2, le=50)
    fold: str | None = None
    """Length of one fold's test part; default: that of the holdout, or less where the history is short."""
    metric: str | None = None
    """Default: ``poisson_deviance`` for counts, ``log_loss`` for classes, ``rmse`` else."""
    by: Literal["place"] | None = None
    """``place``: whole places are held out in ``folds`` parts, as if never met, in place of the periods that follow."""
    group: tuple[str, ...] = ()
    """Columns whose rows belong together, such as a household: never on both sides of a fold."""
    repeats: int = Field(default=2, ge=1, le=20)
    """Without a time and below 2,000 rows, or by place: how often the folds that give the score are drawn anew."""


class TrainSpec(Spec):
    """How a model is made."""

    since: date | None = None
    """First local day of the periods to learn from; default: as soon as all windows are covered."""
    budget: str = "60s"
    """Wall time for choosing and tuning; it decides how many trials of a fixed sequence are run."""
    candidates: tuple[str, ...] | Literal["default"] = "default"
    model: str | None = None
    """The one model to make, by name, whatever else would do better; ``candidates`` then has no say."""
    params: dict[str, Any] = {}
    """Parameters of ``model``, or of the only candidate; the others are tuned."""
    encoders: tuple[str, ...] = ()
    """Encoders, such as ``clusters`` or those of plug-ins, put before those of every candidate."""
    seed: int = 20
    threads: int = Field(default=0, ge=0)
    """0: all cores."""


class AuditSpec(Spec):
    """Findings of the audit that the owner accepts, with the reason."""

    accept: dict[str, str] = {}


class ServeSpec(Spec):
    """What `asof serve` needs besides the release."""

    roads: str | None = None
    """GeoJSON file of lines, a road each: ways between two points go along them."""
    addresses: str | None = None
    """CSV or Parquet file with ``address``, ``lat``, ``lon``; or the address of a service, with ``{query}`` in it."""


class WatchSpec(Spec):
    """What is kept for `asof watch`, and whom it tells of an alarm."""

    webhook: str | None = None
    """An address that takes JSON by POST, as a variable such as ``${ALARMS_URL}``; resolved when used, never shown."""
    keep: bool = True
    """Whether answers of `asof predict` and `asof serve` are kept in the store, as those of a run always are."""


class ProjectSpec(Spec):
    """One page: what the columns mean, what is predicted, what must hold."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    sources: dict[str, SourceSpec]
    predict: PredictSpec
    features: tuple[FeatureSpec, ...] = ()
    leave_out: dict[str, str] = {}
    """Features or columns that must not be used, each with the reason."""
    judge: JudgeSpec = JudgeSpec()
    train: TrainSpec = TrainSpec()
    promote: dict[str, str] = {}
    """Rules such as ``skill: ">= 0.05"``; ``audit: pass`` always holds."""
    audit: AuditSpec = AuditSpec()
    answers: str | None = None
    """Table into which a run writes its predictions too: ``postgresql://user@host/database#table``, or of SQLite."""
    serve: ServeSpec = ServeSpec()
    watch: WatchSpec = WatchSpec()
    store: str = ".asof"
    """Folder beside the project file, or ``s3://bucket/prefix``."""
    tracking: str | None = None
    """URI of an MLflow server; default: SQLite in the store."""
    location: str = "default"
    """Name of the place of business in artifact paths: ``models/{location}/…``."""
    plugins: tuple[str, ...] = ()
    """Python files beside the project file."""
