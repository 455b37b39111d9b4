"""Credentials of S3 by the usual chain, each step named in what is said where none leads on.

Variables (``AWS_ACCESS_KEY_ID`` …), web identity, a container's and an instance's own are read by obstore itself; a
profile of ``~/.aws/credentials`` or ``~/.aws/config`` is read here, and one that must be asked for (single sign-on, a
role, a process) by boto3, where it is installed.
"""

import configparser
import os
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from asof.errors import OutsideError

_ENDPOINT: Final = ("169.254.169.254", 80)
_KEYS: Final = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_OWN: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_ASKED: Final = ("sso_session", "sso_start_url", "role_arn", "credential_process")
MISSING: Final = (
    "credentials are missing: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or AWS_SKIP_SIGNATURE="
    "true for a public bucket"
)


def options(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Options of a store, besides what it reads from the environment itself.

    Raises ``OutsideError`` where there are no credentials at all.
    """
    found = _region(environ)
    if any(environ.get(name) for name in _OWN) or is_open(environ):
        return found
    name = environ.get("AWS_PROFILE") or "default"
    profile = _profile(name, environ)
    if profile.get("region") and not environ.get("AWS_REGION") and not environ.get("AWS_DEFAULT_REGION"):
        found["region"] = profile["region"]
    if profile.get("endpoint_url") and not environ.get("AWS_ENDPOINT_URL"):
        found["endpoint"] = profile["endpoint_url"]
    if profile.get(_KEYS[0]) and profile.get(_KEYS[1]):
        names = ("access_key_id", "secret_access_key", "session_token")
        return found | {ours: profile[key] for ours, key in zip(names, _KEYS, strict=True) if profile.get(key)}
    asked = next((setting for setting in _ASKED if profile.get(setting)), "")
    if asked:
        return found | {"credential_provider": _asked(name, asked)}
    if environ.get("AWS_PROFILE"):
        raise OutsideError(f"credentials are missing: the AWS profile {name!r} is not there or holds no key")
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true" or not _instance_answers():
        raise OutsideError(MISSING)
    return found


def of_profile(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The profile that stands in a file, as variables, for a store that reads no profile; nothing where variables tell.

    Raises ``OutsideError`` where the file cannot be read.
    """
    if any(environ.get(name) for name in _OWN) or is_open(environ):
        return {}
    profile = _profile(environ.get("AWS_PROFILE") or "default", environ)
    if not all(profile.get(key) for key in _KEYS[:2]):
        return {}
    told = {key.upper(): profile[key] for key in _KEYS if profile.get(key)}
    if not environ.get("AWS_REGION") and not environ.get("AWS_DEFAULT_REGION"):
        told["AWS_REGION"] = profile.get("region") or _region(environ)["region"]
    if profile.get("endpoint_url") and not environ.get("AWS_ENDPOINT_URL"):
        told["AWS_ENDPOINT_URL"] = profile["endpoint_url"]
    return told


def is_open(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether objects are asked for without credentials."""
    return environ.get("AWS_SKIP_SIGNATURE", "").lower() in {"1", "true"}


def _region(environ: Mapping[str, str]) -> dict[str, Any]:
    return {} if environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") else {"region": "us-east-1"}


def _profile(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Settings of a profile, out of both files; what the file of credentials says comes first."""
    home = Path(environ.get("HOME") or Path.home()) / ".aws"
    files = {
        environ.get("AWS_CONFIG_FILE") or str(home / "config"): name if name == "default" else f"profile {name}",
        environ.get("AWS_SHARED_CREDENTIALS_FILE") or str(home / "credentials"): name,
    }
    found: dict[str, str] = {}
    for file, section in files.items():
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as fault:
            raise OutsideError(f"{file}: is no file of AWS settings: {' '.join(str(fault).split())}") from None
        if parser.has_section(section):
            found |= dict(parser.items(section))
    return found


def _asked(name: str, setting: str) -> Any:
    """Credentials that boto3 asks for, and asks for again when they have expired."""
    try:
        import boto3  # type: ignore[import-untyped,unused-ignore]
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise OutsideError(
            f"credentials are missing: the AWS profile {name!r} gets them by {setting}, which needs boto3; install it, "
            "or set the variables that `aws configure export-credentials --format env` prints"
        ) from None
    return Boto3CredentialProvider(boto3.Session(profile_name=name))


@cache
def _instance_answers() -> bool:
    """Whether this is a machine of the cloud that gives out credentials of its own."""
    try:
        with socket.create_connection(_ENDPOINT, timeout=1):
            return True
    except OSError:
        return False
