"""Print, as shell assignments, what pip is told on this machine about where packages come from, in uv's words.

uv reads none of pip's settings. Behind a mirror or a proxy, where pip works because it was told so once, set-up would
otherwise fail. A variable of uv's own that is already set is left alone.

With ``--more`` the additional indexes and folders of pip are named too. They are asked only where the first index did
not have everything: a lock made from them would hold the hashes of their few files alone. What is installed is known by
its hash, so that it does not matter which index answers.
"""

import ast
import os
import shlex
import subprocess
import sys

WORDS = {
    "index-url": "UV_DEFAULT_INDEX",
    "cert": "SSL_CERT_FILE",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "proxy": "ALL_PROXY",
    "trusted-host": "UV_INSECURE_HOST",
}
MORE = {"extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS"}


def settings(listing: str) -> dict[str, str]:
    """Return pip's settings by name from the output of ``pip config list``: the command's own before global ones."""
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in found:
            found[section][key] = " ".join(str(ast.literal_eval(value)).split())
    return found["global"] | found["install"] | found[":env:"]


def translated(pip: dict[str, str], *, more: bool) -> dict[str, str]:
    """Return uv's variables for pip's settings; uv separates several links by commas."""
    words = WORDS | MORE if more else WORDS
    uv = {words[key]: value for key, value in pip.items() if key in words and value}
    if "UV_FIND_LINKS" in uv:
        uv["UV_FIND_LINKS"] = uv["UV_FIND_LINKS"].replace(" ", ",")
    if "UV_INDEX" in uv:
        uv["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # what pip does; safe, because hashes are required
    return {name: value for name, value in uv.items() if name not in os.environ}


def main() -> None:
    """Print the assignments."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    for name, value in translated(settings(listing), more="--more" in sys.argv).items():
        print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
