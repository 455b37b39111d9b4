"""The pages of one JSON API: asked for one after the other, from one host, each within bounds and with patience."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import quote, quote_plus

from asof.adapters import calls, jsontext, variables
from asof.adapters.calls import AgainError, Patience
from asof.errors import OutsideError, UserError
from asof.specs import ApiSpec, PagingSpec

if TYPE_CHECKING:
    import httpx

BYTES: Final = 64 << 20
"""A larger answer is refused."""
REDIRECTS: Final = 5
_MOVED: Final = (301, 302, 303, 307, 308)

Position = dict[str, Any]
"""Which page: a value of the paging parameter (``value``), or an address (``url``); the first page is empty."""


@dataclass(frozen=True)
class Page:
    """One answer."""

    rows: list[dict[str, Any]]
    here: Position
    following: Position | None
    digest: str


@dataclass
class Service:
    """An API that is being read."""

    spec: ApiSpec
    client: "httpx.Client"
    environ: Mapping[str, str]
    patience: Patience
    clock: Callable[[], datetime]

    def __post_init__(self) -> None:
        """Fill in the variables."""
        import httpx

        told = [self.spec.url, *self.spec.params.values(), *self.spec.headers.values()]
        names = dict.fromkeys(name for text in told for name in variables.names(text))
        self.secrets = {name: value for name in names if (value := self.environ.get(name, ""))}
        self.params = variables.fill_all(self.spec.params, self.environ)
        written = variables.fill(self.spec.url, self.environ)
        try:
            self.url = httpx.URL(written)
        except httpx.InvalidURL as fault:
            raise UserError(f"{self.spec.url}: is no address ({fault})") from None
        if self.url.scheme not in {"http", "https"} or not self.url.host:
            raise UserError(f"{self.spec.url}: is no address of http or https")
        self.host = self.url.netloc.decode().rpartition("@")[2]
        self.label = f"{self.host}{self._hide(self.url.path)}"

    def pages(self, since: str | None, at: Position | None, before: str) -> Iterator[Page]:
        """Yield the pages from ``at`` on (none: the first), the page before it having held ``before``."""
        position: Position | None = at or {}
        seen: set[str] = set()
        most = self.spec.paging.most if self.spec.paging else 1
        for _ in range(most):
            if position is None:
                return
            mark = json.dumps(position, sort_keys=True)
            if mark in seen:
                raise OutsideError(f"{self.host}: the page after {self._hide(mark)} is one that has been read already")
            seen.add(mark)
            page = self.ask(since, position, before)
            yield page
            position, before = page.following, page.digest
        if position is not None:
            raise UserError(f"{self.label}: more than {most:,} pages; is the paging right? Else raise paging.most")

    def ask(self, since: str | None, position: Position, before: str = "") -> Page:
        """Ask for one page, with patience; the same rows as ``before`` are taken for a fault of the service."""
        return calls.patiently(lambda: self._ask_once(since, position, before), self.patience, self.host)

    def _ask_once(self, since: str | None, position: Position, before: str) -> Page:
        answer = self._get(self._address(since, position))
        paging = self.spec.paging
        counted = paging is not None and paging.by in {"page", "offset"}
        if answer.status_code == 404 and counted and position:
            return Page([], position, None, "")  # how some services say that there are no more pages
        self._check_status(answer)
        try:
            value = jsontext.parse(answer.content)
        except ValueError as fault:
            raise AgainError(f"the answer is cut off or no JSON: {fault}") from None
        rows = self._rows(value)
        digest = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:16] if rows else ""
        if rows and digest == before:
            hint = f"; does the service know the parameter {paging.param or paging.by!r}?" if counted and paging else ""
            raise AgainError(f"a page holds the same rows as the page before{hint}")
        return Page(rows, position, self._following(answer, value, position, len(rows)), digest)

    def _rows(self, value: Any) -> list[dict[str, Any]]:
        found = dig(value, self.spec.rows) if self.spec.rows else value
        if found is None and isinstance(value, dict) and self._has(value):
            return []
        if not isinstance(found, list):
            there = f"it has {', '.join(list(value)[:12])}" if isinstance(value, dict) else f"it is a {_kind(value)}"
            where = f"no list at rows: {self.spec.rows}" if self.spec.rows else "no list itself; name its path in rows:"
            raise UserError(f"{self.label}: the answer holds {where}; {there}")
        if not all(isinstance(row, dict) for row in found):
            raise UserError(f"{self.label}: a row is no object; check rows:")
        return found

    def _has(self, value: dict[str, Any]) -> bool:
        """Whether the path is there and holds null, as it does where some services have no rows."""
        above, _, last = self.spec.rows.rpartition(".")
        parent = dig(value, above) if above else value
        return isinstance(parent, dict) and last in parent

    def _following(self, answer: "httpx.Response", value: Any, position: Position, count: int) -> Position | None:
        paging = self.spec.paging
        if paging is None:
            return None
        if paging.by in {"page", "offset"}:
            step = 1 if paging.by == "page" else count
            return {"value": self._value(paging, position) + step} if count else None
        if paging.by == "link":
            url = answer.links.get("next", {}).get("url")
        else:
            url = jsontext.as_text(dig(value, paging.path or ""))
            if paging.by == "cursor":
                return {"value": url} if url else None
        return {"url": str(self._same_host(answer.url.join(url), "the next page"))} if url else None

    def _value(self, paging: PagingSpec, position: Position) -> int:
        return int(position.get("value", paging.first if paging.by == "page" else 0))

    def _address(self, since: str | None, position: Position) -> "httpx.URL":
        paging, mark = self.spec.paging, self.spec.watermark
        if "url" in position:
            return self.url.join(position["url"])
        params = dict(self.params)
        if mark is not None and mark.param and since is not None:
            params[mark.param] = since
        if paging is not None and paging.by in {"page", "offset", "cursor"}:
            if paging.by != "cursor":
                params[paging.param or paging.by] = str(self._value(paging, position))
            elif position:
                params[paging.param or paging.by] = position["value"]
        return self.url.copy_merge_params(params)

    def _get(self, url: "httpx.URL") -> "httpx.Response":
        import httpx

        for _ in range(REDIRECTS + 1):
            try:
                with self.client.stream("GET", url) as stream:
                    answer = calls.read(stream, self.patience, most=BYTES)
            except calls.TooLargeError:
                told = f"an answer is larger than {BYTES >> 20} MB; ask for fewer rows a page by params:"
                raise UserError(f"{self.label}: {told}") from None
            except httpx.TimeoutException:
                raise AgainError(f"no answer within {self.patience.timeout:g} s") from None
            except httpx.RequestError as fault:
                raise AgainError(self._hide(f"{type(fault).__name__}: {fault}")) from None
            if answer.status_code not in _MOVED or "Location" not in answer.headers:
                return answer
            url = self._same_host(url.join(answer.headers["Location"]), "a redirect")
        raise UserError(f"{self.label}: more than {REDIRECTS} redirects; correct url:")

    def _same_host(self, url: "httpx.URL", what: str) -> "httpx.URL":
        """Refuse to carry credentials to another host, or to leave HTTPS with them."""
        same = (url.scheme, url.host, url.port) == (self.url.scheme, self.url.host, self.url.port)
        safer = url.scheme == "https" and self.url.scheme == "http" and url.host == self.url.host
        if not same and not safer and (self.secrets or self.url.userinfo):
            there = f"{url.scheme}://{url.netloc.decode().rpartition('@')[2]}"
            raise UserError(
                f"{self.label}: {what} leads to {there}, and the credentials must not; correct url: if that is right"
            )
        return url

    def _check_status(self, answer: "httpx.Response") -> None:
        status = answer.status_code
        if status == 200:
            return
        message = self._message(answer)
        calls.check_wait(answer, message, self.patience, self.clock(), self.host)
        told = f"{self.label}: HTTP {status}: {message}"
        if status in {401, 403}:
            self._refused(told)
        raise UserError(f"{told}; check {'url:' if status == 404 else 'url:, params: and paging:'}")

    def _refused(self, told: str) -> NoReturn:
        if not self.secrets:
            advice = 'credentials are missing; name them, such as headers: {Authorization: "Bearer ${TOKEN}"}'
        elif "expired" in told.lower():
            advice = f"the credentials have expired; renew {', '.join(self.secrets)}"
        else:
            advice = f"the credentials are wrong or have no right to this; check {', '.join(self.secrets)}"
        raise OutsideError(f"{told}; {advice}")

    def _message(self, answer: "httpx.Response") -> str:
        """What the service says, in one line and without a secret."""
        try:
            value = json.loads(answer.content)
        except ValueError:
            value = None
        told = value if isinstance(value, dict) else {}
        text = next((told[name] for name in ("message", "detail", "error", "title") if told.get(name)), answer.text)
        text = text if isinstance(text, str) else json.dumps(text)
        return " ".join(self._hide(text).split())[:300] or answer.reason_phrase

    def _hide(self, text: str) -> str:
        for value in self.secrets.values():
            for form in {value, quote(value, safe=""), quote_plus(value)}:
                text = text.replace(form, "…")
        return text

    def hidden(self, position: Position) -> Position:
        """A position fit to be kept: a secret in an address is written as its variable."""
        if "url" not in position:
            return position
        text = position["url"]
        for name, value in self.secrets.items():
            for form in {value, quote(value, safe=""), quote_plus(value)}:
                text = text.replace(form, f"${{{name}}}")
        return {"url": text}

    def shown(self, position: Position) -> Position:
        """The same with the secret in its place again."""
        if "url" not in position:
            return position
        secrets = {name: quote(value, safe="") for name, value in self.secrets.items()}
        return {"url": variables.fill(position["url"], secrets)}


def dig(value: Any, path: str) -> Any:
    """What lies at a path such as ``data.items``; none where there is nothing. A name may itself contain dots."""
    if not path or (isinstance(value, dict) and path in value):
        return value.get(path) if path else value
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _kind(value: Any) -> str:
    return {str: "text", list: "list", bool: "boolean"}.get(type(value), "number" if value is not None else "null")
