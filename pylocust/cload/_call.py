"""The parts of a call that the engine does not make itself: URL, body, credentials, proxy, TLS options."""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

import _cload
import requests
import requests.utils
from requests.auth import HTTPBasicAuth
from requests.models import RequestEncodingMixin
from requests.utils import select_proxy

_decoder: Any = json.JSONDecoder()


def parse_json(text: str) -> Any:
    """The value of a JSON text. ValueError if it is none; callers turn it into their own exception."""
    try:
        value, end = _decoder.scan_once(text, 0)
    except StopIteration:
        end = -1
    # Blanks around it are rare, and two regular expressions would look for them.
    return value if end == len(text) else _decoder.decode(text)


def _json_encoder(allow_nan: bool) -> Callable[[Any], str]:
    """json.dumps(), with one encoder for all calls where Python has its C one."""
    plain = json.JSONEncoder(allow_nan=allow_nan)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return plain.encode
    parents: dict[int, Any] = {}
    in_pieces = make(
        parents, plain.default, json.encoder.encode_basestring_ascii, None, ": ", ", ", False, False, allow_nan
    )

    def encode(value: Any) -> str:
        try:
            return "".join(in_pieces(value, 0))
        except BaseException:
            parents.clear()
            raise

    return encode


_encode_json = _json_encoder(allow_nan=False)


def dump_json(value: Any) -> bytes | None:
    """The body of `json=`; None for what JSON cannot hold: requests complains about it."""
    try:
        return _encode_json(value).encode()
    except ValueError:
        return None


def encode_form(data: Any) -> str | None:
    """A mapping or pairs as a form; None when only requests can send it (files, iterators)."""
    if isinstance(data, (str, bytearray)):
        return None if data else ""
    if not isinstance(data, (Mapping, list, tuple)):
        return None
    encoded = RequestEncodingMixin._encode_params(data)
    return encoded if isinstance(encoded, str) else None


_encode_any_json = _json_encoder(allow_nan=True)


def dump_fast_json(value: Any) -> str:
    """The body of FastHttpUser's `json=`."""
    return _encode_any_json(value)


def encode_fast_form(data: dict[Any, Any]) -> bytes:
    """The body of a dict that FastHttpUser sends: one field for each key, whatever the value."""
    return urllib.parse.urlencode(data).encode()


def url_text(url: Any) -> str:
    """A URL as text. Objects that other libraries use as URLs are turned into text by their ``str()``."""
    if url is None or isinstance(url, (int, float, list, tuple, dict, set)):
        raise TypeError(f"the URL must be a str, not {type(url).__name__}: {url!r}")
    return url.decode("utf8") if isinstance(url, bytes) else str(url)


def add_params(url: Any, params: Any, session_params: Any) -> str:
    """The URL with the query of `params`, merged over the session's own, as requests does it."""
    text = url_text(url)
    merged = requests.sessions.merge_setting(params, session_params) if session_params else params
    if not merged:
        return text
    query = RequestEncodingMixin._encode_params(url_text(merged) if isinstance(merged, bytes) else merged)
    if not query:
        return text
    if not isinstance(query, str):
        raise TypeError(f"params must be a mapping, pairs, str or bytes, not {type(query).__name__}")
    text, hash_sign, fragment = text.partition("#")
    separator = "?" if "?" not in text else "" if text.endswith("?") else "&"
    return f"{text}{separator}{query}{hash_sign}{fragment}"


def basic_auth(auth: Any) -> bytes | None:
    """The Authorization header of (user, password) or HTTPBasicAuth; None for every other kind."""
    if isinstance(auth, tuple) and len(auth) == 2:
        user, password = auth
    elif type(auth) is HTTPBasicAuth:
        user, password = auth.username, auth.password
    else:
        return None
    pair = [part if isinstance(part, bytes) else str(part).encode("latin1") for part in (user, password)]
    return b"Basic " + base64.b64encode(b":".join(pair))


def choose_proxy(session: Any, url: Any, proxies: Mapping[str, str]) -> str:
    """The proxy's URL for a request; an empty string for none."""
    url = url_text(url)
    if not re.match("https?://", url, re.IGNORECASE):
        url = session.base_url + url
    return str(select_proxy(url, dict(proxies)) or "")


_tls_capsules: dict[tuple[Any, Any], Any] = {}


def tls_capsule(verify: Any, cert: Any) -> Any:
    """The TLS options of requests' `verify` and `cert`, made once for each distinct pair.

    OSError: there is no such file; ssl.SSLError: what is in it cannot be used.
    """
    key = (verify, tuple(cert) if isinstance(cert, list) else cert)
    capsule = _tls_capsules.get(key)
    if capsule is None:
        ca_file = ca_dir = None
        if verify:
            location = requests.utils.DEFAULT_CA_BUNDLE_PATH if verify is True else os.fspath(verify)
            if not os.path.exists(location):
                raise OSError(f"Could not find a suitable TLS CA certificate bundle, invalid path: {location}")
            ca_file, ca_dir = (None, location) if os.path.isdir(location) else (location, None)
        cert_file, key_file = (cert or None, None) if isinstance(cert, str) or cert is None else cert
        for what, path in (("certificate", cert_file), ("key", key_file)):
            if path is not None and not os.path.exists(path):
                raise OSError(f"Could not find the TLS {what} file, invalid path: {path}")
        try:
            capsule = _cload.make_tls(not verify, ca_file, ca_dir, cert_file, key_file)
        except OSError as error:
            raise ssl.SSLError(1, str(error)) from error
        _tls_capsules[key] = capsule
    return capsule


def find_tls(verify: Any, cert: Any) -> Any:
    """The same; None if there is nothing usable in a file, for which a request fails rather than its caller."""
    try:
        return tls_capsule(verify, cert)
    except ssl.SSLError:
        return None
