"""Questions about URLs."""

from __future__ import annotations

from urllib.parse import urlparse, urlsplit


def is_url(url: str) -> bool:
    """Whether this is an absolute http or https URL."""
    try:
        parts = urlparse(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc != ""


def what_is_wrong(host: str) -> str | None:
    """Why no request can be made of this as the base of URLs; None if nothing is seen to be wrong."""
    if not host.lower().startswith(("http://", "https://")):
        return "without http:// or https:// in front, only absolute URLs can be requested"
    try:
        parts = urlsplit(host)
        _ = parts.port
    except ValueError as error:
        return f"{error}. A host is like https://www.example.com, http://10.0.0.1:8080 or http://[::1]:8080"
    if not parts.hostname:
        return "there is no name of a host in it"
    if any(character.isspace() for character in parts.netloc):
        return "there is a blank in the name of the host"
    return None
