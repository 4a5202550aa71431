"""What the C sessions and responses ask Python for: everything about HTTP that is rare, or that is requests' own.

`_cload` calls the functions of this module by name (see embed/session.c and embed/response.c).
"""

from __future__ import annotations

import base64
import errno
import http.client
import io
import json
import logging
import os
import re
import socket
import ssl
import time
import urllib.parse
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import timedelta
from http.cookiejar import Cookie, CookieJar, CookiePolicy
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import _cload
import gevent.queue
import requests
import requests.adapters
import requests.cookies
import requests.exceptions
import requests.hooks
import requests.utils
import urllib3.connectionpool
import urllib3.exceptions
from requests.auth import HTTPBasicAuth
from requests.models import PreparedRequest, RequestEncodingMixin
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers, select_proxy
from urllib3.response import HTTPResponse

if not (os.getenv("LOCUST_SKIP_MONKEY_PATCH") or os.getenv("LOCUST_SKIP_URLLIB3_PATCH")):
    urllib3.connectionpool.ConnectionPool.QueueCls = gevent.queue.LifoQueue

logger = logging.getLogger(__name__)

_ACCEPT_ENCODING = str(requests.utils.default_headers()["Accept-Encoding"])
#: user agent, whether br is accepted, whether zstd is: what requests would send
session_defaults = (
    str(requests.utils.default_user_agent()),
    "br" in re.split(r"[,\s]+", _ACCEPT_ENCODING),
    "zstd" in re.split(r"[,\s]+", _ACCEPT_ENCODING),
)

#: of a str; what is wrong with it is told by whoever asked
parse_json = json.JSONDecoder().decode


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


# --- the body and the URL of a call ---


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
    """As text; objects that are URLs in other libraries become one by their ``str()``."""
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
    """The TLS options of requests' `verify` and `cert`, made once for each distinct pair."""
    key = (verify, tuple(cert) if isinstance(cert, list) else cert)
    capsule = _tls_capsules.get(key)
    if capsule is None:
        ca_file = ca_dir = None
        if verify is not False:
            location = requests.utils.DEFAULT_CA_BUNDLE_PATH if verify is True else os.fspath(verify)
            if not os.path.exists(location):
                raise OSError(f"Could not find a suitable TLS CA certificate bundle, invalid path: {location}")
            ca_file, ca_dir = (None, location) if os.path.isdir(location) else (location, None)
        cert_file, key_file = (cert, None) if isinstance(cert, str) or cert is None else cert
        for what, path in (("certificate", cert_file), ("key", key_file)):
            if path is not None and not os.path.exists(path):
                raise OSError(f"Could not find the TLS {what} file, invalid path: {path}")
        capsule = _cload.make_tls(verify is False, ca_file, ca_dir, cert_file, key_file)
        _tls_capsules[key] = capsule
    return capsule


# --- attributes of a session ---


class SessionHeaders(CaseInsensitiveDict):  # type: ignore[type-arg]  # not subscriptable in older releases
    """Default headers that tell the session when they change."""

    def __init__(self, session: Any, data: Any = None) -> None:
        self._session = session
        super().__init__(data)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self._session._headers_changed()

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        self._session._headers_changed()

    def copy(self) -> CaseInsensitiveDict[Any]:
        return CaseInsensitiveDict(self._store.values())

    def __reduce__(self) -> Any:
        return CaseInsensitiveDict, (dict(self._store.values()),)


def _to_cookie(item: tuple[Any, ...]) -> Cookie:
    name, value, domain, path, expires, is_host_only, is_path_set, is_secure, is_http_only, same_site = item
    rest: dict[str, Any] = {"HttpOnly": None} if is_http_only else {}
    if same_site:
        rest["SameSite"] = same_site
    return Cookie(
        0, name, value, None, False, domain if is_host_only or not domain or domain.startswith(".") else "." + domain,
        not is_host_only, not is_host_only, path, bool(is_path_set), bool(is_secure), expires, expires is None,
        None, None, rest,
    )  # fmt: skip


class SessionCookies(requests.cookies.RequestsCookieJar):
    """The session's cookies: what is read comes from the C core, what is written goes there."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._shown: tuple[int, Any] = (-1, None)
        super().__init__()

    @property
    def _cookies(self) -> dict[str, dict[str, dict[str, Cookie]]]:
        version = self._session._cookie_version()
        if self._shown[0] != version:
            tree: dict[str, dict[str, dict[str, Cookie]]] = {}
            for item in self._session._cookie_list():
                cookie = _to_cookie(item)
                tree.setdefault(cookie.domain, {}).setdefault(cookie.path, {})[cookie.name] = cookie
            self._shown = (version, tree)
        shown: dict[str, dict[str, dict[str, Cookie]]] = self._shown[1]
        return shown

    @_cookies.setter
    def _cookies(self, value: Any) -> None:
        """CookieJar's own constructor and clear() assign an empty dictionary here."""
        if self._shown[0] != -1:
            self._session._cookie_remove(None, None, None)

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> None:
        value = cookie.value
        if isinstance(value, str) and value.startswith('"') and value.endswith('"'):
            value = value.replace('\\"', "")
        rest = getattr(cookie, "_rest", {})
        self._session._cookie_set(
            *(
                cookie.name,
                "" if value is None else value,
                (cookie.domain or "").lstrip("."),
                cookie.path or "/",
                None if cookie.expires is None else int(cookie.expires),
                not cookie.domain_initial_dot and not (cookie.domain or "").startswith("."),
                bool(cookie.path_specified),
                bool(cookie.secure),
                any(name.lower() == "httponly" for name in rest),
                next((str(v) for name, v in rest.items() if name.lower() == "samesite"), None),
            )
        )

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        if domain is None and (path is not None or name is not None):
            raise ValueError("domain must be specified to remove cookies by path")
        if domain is not None and path is None and name is not None:
            raise ValueError("domain and path must be specified to remove a cookie by name")
        removed = self._session._cookie_remove(None if domain is None else domain.lstrip("."), path, name)
        if removed == 0 and domain is not None:
            raise KeyError(domain)

    def copy(self) -> requests.cookies.RequestsCookieJar:
        jar = requests.cookies.RequestsCookieJar()
        jar.set_policy(self.get_policy())
        jar.update(self)
        return jar

    def set_policy(self, policy: CookiePolicy) -> None:
        """The core has the rules of the default policy; a call under any other is requests' own code's."""
        super().set_policy(policy)
        self._session._be_general()

    def __reduce__(self) -> Any:
        return _plain_jar, (self.copy().__getstate__(),)


def _plain_jar(state: dict[str, Any]) -> requests.cookies.RequestsCookieJar:
    jar = requests.cookies.RequestsCookieJar()
    jar.__setstate__(state)
    return jar


def wrap_headers(session: Any, value: Any) -> SessionHeaders:
    return SessionHeaders(session, value)


def wrap_cookies(session: Any, value: Any) -> Any:
    if not session._has_core or (isinstance(value, SessionCookies) and value._session is session):
        return value
    jar = SessionCookies(session)
    kept = [value] if value is None else list(value) if isinstance(value, CookieJar) else []
    session._cookie_remove(None, None, None)
    if isinstance(value, Mapping) and not kept:
        jar.update(dict(value))
    for cookie in kept:
        if cookie is not None:
            jar.set_cookie(cookie)
    return jar


def _adapter_for(session: Any) -> requests.adapters.HTTPAdapter:
    if session.pool_manager is not None and conn_pool_of(session.pool_manager) is None:
        shared = requests.adapters.HTTPAdapter()
        shared.poolmanager = session.pool_manager
        return shared
    from ._transport import SessionAdapter

    return SessionAdapter(session)


def session_attribute(session: Any, name: str) -> Any:
    """The default that requests.Session would have for an attribute that is looked at for the first time."""
    if name == "headers":
        wrapped = SessionHeaders(session, requests.utils.default_headers())
        return wrapped
    if name == "cookies":
        return SessionCookies(session) if session._has_core else requests.cookies.RequestsCookieJar()
    if name == "hooks":
        return requests.hooks.default_hooks()
    if name in ("proxies", "params"):
        return {}
    if name == "adapters":
        return OrderedDict((prefix, _adapter_for(session)) for prefix in ("https://", "http://"))
    return {"verify": True, "max_redirects": requests.models.DEFAULT_REDIRECT_LIMIT, "stream": False,
            "trust_env": False}.get(name)  # fmt: skip


def header_pairs(headers: Any) -> list[tuple[bytes, bytes]]:
    """Names and values as they go on the wire; requests' own checks complain about what cannot."""
    pairs = []
    for name, value in (headers or {}).items():
        if value is None:
            continue
        requests.utils.check_header_validity((name, value))
        pairs.append(
            (
                name.encode("latin1") if isinstance(name, str) else name,
                value.encode("latin1") if isinstance(value, str) else value,
            )
        )
    return pairs


def has_hooks(hooks: Any) -> bool:
    return any(bool(hook) for hook in hooks.values())


def close_adapters(adapters: Any) -> None:
    for adapter in adapters.values():
        adapter.close()


#: methods of requests.Session that the core stands for, beside those of HttpSession
_SESSION_METHODS = (
    "send", "prepare_request", "merge_environment_settings", "get_adapter", "resolve_redirects", "rebuild_auth",
    "rebuild_method", "rebuild_proxies", "should_strip_auth", "get_redirect_target",
)  # fmt: skip


def _is_own(function: Any, module: Any) -> bool:
    """Whether a function is the module's, not one that was put in its place, as tools for tracing or mocking do."""
    return type(function) is FunctionType and function.__globals__ is vars(module)


def is_class_general(cls: type) -> bool:
    """Whether a session class, or requests.Session itself, has methods that only requests' own code would call."""
    methods = [getattr(cls, name) for name in _SESSION_METHODS]
    if not all(_is_own(method, requests.sessions) for method in (*methods, requests.Session.request)):
        return True
    return not _is_own(requests.adapters.HTTPAdapter.send, requests.adapters)


def session_setup(session: Any, base_url: str | None) -> tuple[str, Any, type, Any]:
    """URL without credentials, the credentials, the class of responses, and the connections it shares."""
    auth = None
    base_url = "" if base_url is None else base_url
    if not isinstance(base_url, str):
        raise TypeError(f"base_url must be a str, not {type(base_url).__name__}")
    if "@" in base_url:
        parts = urllib.parse.urlsplit(base_url)
        if parts.username is not None and parts.password is not None:
            auth = HTTPBasicAuth(urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password))
            netloc = parts.netloc.rpartition("@")[2]
            base_url = urllib.parse.urlunsplit((parts.scheme, netloc, parts.path, parts.query, parts.fragment))
    conn_pool = None
    if session.pool_manager is not None:
        conn_pool = conn_pool_of(session.pool_manager)
        if conn_pool is None:
            session._be_general()
    return base_url, auth, type(session)._base_client()._response_class, conn_pool


_conn_pools: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def conn_pool_of(manager: Any) -> Any:
    """The engine's connections that stand for a `pool_manager`; None where only urllib3's have all that it says."""
    if type(manager) is not urllib3.PoolManager or not manager.connection_pool_kw.keys() <= {"maxsize", "block"}:
        return None
    pool = _conn_pools.get(manager)
    if pool is None:
        most = int(manager.connection_pool_kw.get("maxsize", 1))
        limit = most if manager.connection_pool_kw.get("block") else 0
        pool = _conn_pools[manager] = _cload.make_conn_pool(limit, most)
    return pool


_told_older: set[tuple[str, int]] = set()


def tell_of_older_http(url: str, wanted: int) -> None:
    """Said once for each server."""
    server = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(url))
    if (server, wanted) not in _told_older:
        _told_older.add((server, wanted))
        logger.warning("%s does not speak HTTP/%d: an older version is used there", server, wanted)


# --- errors ---


def raise_not_catching(response: Any) -> None:
    from locust.exception import LocustError

    if response._is_catching:
        raise LocustError("success() and failure() belong into the with-block of a request with catch_response=True")
    raise LocustError(
        "a request can only be used in a with-block, and judged there, if it was made with catch_response=True"
    )


def failure_text(error: Any) -> str:
    """What tells failures apart where they show addresses of objects."""
    from locust.stats import StatsError

    return StatsError.parse_error(error)


def wrap_failure(reason: Any) -> Exception:
    from locust.exception import CatchResponseError

    return CatchResponseError(reason)


def is_response_error(value: Any) -> bool:
    from locust.exception import ResponseError

    return isinstance(value, ResponseError)


class _Peer:
    """Stands in urllib3's texts for the pool or connection that was used."""

    def __init__(self, url: str, kind: str) -> None:
        parts = urllib.parse.urlsplit(url)
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.scheme = "HTTPS" if parts.scheme == "https" else "HTTP"
        self.target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        self.kind = kind

    def __str__(self) -> str:
        return f"{self.scheme}Connection{self.kind}(host={self.host!r}, port={self.port})"

    def __repr__(self) -> str:
        # Without an address, which would make each failure one of its own.
        return f"<{self}>"


def _max_retries(url: str, reason: Exception) -> urllib3.exceptions.MaxRetryError:
    pool: Any = _Peer(url, "Pool")
    return urllib3.exceptions.MaxRetryError(pool, pool.target, reason)


def resolve_error(text: str) -> socket.gaierror:
    match = re.search(r"\[Errno (-?\d+)\] (.*)", text)
    number = int(match[1]) if match else socket.EAI_NONAME
    return socket.gaierror(number, match[2] if match else "Name or service not known")


def _seconds(text: str) -> Any:
    match = re.search(r"([0-9.]+) ?s", text)
    return float(match[1]) if match else None


def _transport_error(response: Any) -> tuple[Exception, Exception]:
    """The exception that requests raises for a failed exchange, and the innermost cause, which is what is counted."""
    kind, number, text, url, status = response._core_failure()
    peer: Any = _Peer(url, "")
    pool: Any = _Peer(url, "Pool")
    request = response.request
    exceptions = requests.exceptions
    cause: Exception
    if kind in ("REFUSED", "CONNECT") and number:
        cause = OSError(number, os.strerror(number))
        new = urllib3.exceptions.NewConnectionError(
            peer, f"Failed to establish a new connection: [Errno {number}] {os.strerror(number)}"
        )
        return exceptions.ConnectionError(_max_retries(url, new), request=request), cause
    if kind == "DNS":
        cause = resolve_error(text)
        failed = urllib3.exceptions.NameResolutionError(peer.host, peer, cause)
        return exceptions.ConnectionError(_max_retries(url, failed), request=request), cause
    if kind == "CONNECT_TIMEOUT":
        message = f"Connection to {peer.host} timed out. (connect timeout={_seconds(text)})"
        late = urllib3.exceptions.ConnectTimeoutError(peer, message)
        return exceptions.ConnectTimeout(_max_retries(url, late), request=request), late
    if kind == "READ_TIMEOUT":
        message = f"Read timed out. (read timeout={_seconds(text)})"
        return _twice(exceptions.ReadTimeout(urllib3.exceptions.ReadTimeoutError(pool, "", message), request=request))
    if kind == "PROXY":
        cause = proxy_error(number, text)
        broken = urllib3.exceptions.ProxyError("Unable to connect to proxy", cause)
        return exceptions.ProxyError(_max_retries(url, broken), request=request), cause
    if kind in ("TLS", "TLS_UNTRUSTED"):
        cause = urllib3.exceptions.SSLError(tls_error(kind, text))
        return exceptions.SSLError(_max_retries(url, cause), request=request), cause
    if kind in ("INCOMPLETE", "BAD_CHUNK") or (kind == "RESET" and status):
        cause = _body_error(kind, number, text)
        broken_body = urllib3.exceptions.ProtocolError(f"Connection broken: {cause!r}", cause)
        return _twice(exceptions.ChunkedEncodingError(broken_body, request=request))
    if kind == "DECODE":
        encoding = next((v for k, v in response._core_headers() if k.lower() == "content-encoding"), "")
        message = f"Received response with content-encoding: {encoding}, but failed to decode it."
        return _twice(
            exceptions.ContentDecodingError(urllib3.exceptions.DecodeError(message, ValueError(text)), request=request)
        )
    if kind == "TOO_MANY_REDIRECTS":
        return _twice(exceptions.TooManyRedirects(f"Exceeded {_first_number(text, 30)} redirects.", request=request))
    if kind == "BAD_REDIRECT":
        return _twice(exceptions.InvalidURL(text, request=request))
    if kind == "CLOSED":
        cause = http.client.RemoteDisconnected("Remote end closed connection without response")
    elif kind == "RESET" or (kind == "SEND" and number):
        cause = OSError(number or errno.ECONNRESET, os.strerror(number or errno.ECONNRESET))
    elif kind == "BAD_STATUS_LINE":
        cause = http.client.BadStatusLine(text)
    else:
        cause = OSError(number, text) if number else http.client.HTTPException(text)
    aborted = urllib3.exceptions.ProtocolError("Connection aborted.", cause)
    return exceptions.ConnectionError(aborted, request=request), cause


def proxy_error(number: int, text: str) -> OSError:
    """Why a proxy did not help; with an errno if there is no connection to it."""
    if number and text.startswith("cannot connect to proxy"):
        return OSError(number, os.strerror(number))
    answered = re.search(r"tunnel failed, response (\d+)", text)
    if answered is None:
        return OSError(text)
    status = int(answered[1])
    return OSError(f"Tunnel connection failed: {status} {http.client.responses.get(status, '')}".rstrip())


def tls_error(kind: str, text: str) -> ssl.SSLError:
    """As Python's ssl names it, with the reason OpenSSL gave."""
    if kind == "TLS_UNTRUSTED":
        untrusted = re.fullmatch(r"certificate of (.*) not trusted: (.*?) \(give a CA .*", text)
        if untrusted:
            host, text = untrusted.groups()
            if text.endswith(" mismatch"):
                text += f", certificate is not valid for '{host}'."
        return ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {text}")
    return ssl.SSLError(1, text)


def _twice(error: Exception) -> tuple[Exception, Exception]:
    """Kinds of which requests' exception itself is counted."""
    return error, error


def _body_error(kind: str, number: int, text: str) -> Exception:
    if kind == "RESET":
        return OSError(number or errno.ECONNRESET, os.strerror(number or errno.ECONNRESET))
    counts = [int(digits) for digits in re.findall(r"\d+", text)]
    if kind == "INCOMPLETE" and counts:
        return urllib3.exceptions.IncompleteRead(counts[0], counts[1] if len(counts) > 1 else 0)
    return http.client.HTTPException(text)


def _first_number(text: str, default: int) -> int:
    match = re.search(r"\d+", text)
    return int(match[0]) if match else default


def outcome_exception(response: Any, name: str) -> Exception | None:
    """The exception that counts for a response: its transport failure, or its status; None when all is well."""
    if response._core_failure() is not None:
        return _transport_error(response)[1]
    failed: Exception | None = response.error
    if failed is None:
        try:
            response.raise_for_status()
        except requests.exceptions.RequestException as error:
            failed = error
    if failed is None:
        return None
    if isinstance(failed, requests.exceptions.HTTPError) and response.url:
        failed.args = tuple(arg.replace(response.url, name) if isinstance(arg, str) else arg for arg in failed.args)
        return failed
    return innermost(failed)


def innermost(error: Exception) -> Exception:
    """What lies under requests' ConnectionError, so that equal causes are counted as one."""
    seen: Any = error
    while isinstance(seen, (requests.exceptions.ConnectionError, urllib3.exceptions.HTTPError)) and not isinstance(
        seen, requests.exceptions.Timeout
    ):
        inner = getattr(seen, "reason", None)
        if not isinstance(inner, Exception):
            inner = next((arg for arg in reversed(seen.args) if isinstance(arg, Exception)), None)
        if inner is None:
            inner = seen.__cause__ or seen.__context__
        if not isinstance(inner, Exception) or inner is seen:
            break
        seen = inner
    return seen if isinstance(seen, Exception) else error


# --- attributes of a response ---


class _Message:
    """Header lines as http.client's message shows them to the cookie jar."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def get_all(self, name: str, default: Any = None) -> Any:
        values = [value for key, value in self._pairs if key.lower() == name.lower()]
        return values or default


class _Original:
    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.msg = _Message(pairs)

    def isclosed(self) -> bool:
        return True

    def close(self) -> None:
        """It is."""


def _headers(response: Any) -> CaseInsensitiveDict[Any]:
    if response._core_failure() is not None:
        return CaseInsensitiveDict()
    headers: CaseInsensitiveDict[Any] = CaseInsensitiveDict()
    for name, value in response._core_headers():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _request(response: Any) -> PreparedRequest:
    prepared = PreparedRequest()
    head = response._core_sent_head() or b""
    lines = head.decode("latin1").split("\r\n")
    prepared.method = response._core_method()
    failure = response._core_failure()
    prepared.url = failure[3] if failure else response.url
    prepared.headers = CaseInsensitiveDict(
        line.partition(": ")[::2] for line in lines[1:] if line and not line.startswith("Host: ")
    )
    prepared.body = response._sent_body if prepared.method not in ("GET", "HEAD") or not response._is_history else None
    prepared.hooks = requests.hooks.default_hooks()
    prepared._cookies = requests.cookies.RequestsCookieJar()
    return prepared


def _elapsed(response: Any) -> timedelta:
    timings = response.timings
    if timings is None or response._core_failure() is not None:
        return timedelta(0)
    return timedelta(milliseconds=timings.total if timings.first_byte is None else timings.first_byte)


def decode_text(response: Any) -> str:
    """`text` where the encoding is not one of the usual."""
    return str(requests.Response.text.fget(response))  # type: ignore[attr-defined]


def decode_json(response: Any, **kwargs: Any) -> Any:
    return requests.Response.json(response, **kwargs)


def _raw(response: Any) -> HTTPResponse | None:
    """urllib3's response, read to its end."""
    wire_info = response._core_wire()
    if wire_info is None:
        return None
    version, body_size = wire_info
    headers = response._core_headers()
    raw = HTTPResponse(
        io.BytesIO(),
        headers=headers,
        status=response.status_code,
        version=version,
        version_string=response.http_version,
        reason=response.reason,
        preload_content=False,
        decode_content=False,
        original_response=_Original(headers),  # type: ignore[arg-type]
        enforce_content_length=False,
        request_method=response._core_method(),
    )
    raw._fp_bytes_read = body_size
    raw.close()
    return raw


def build_attribute(response: Any, name: str) -> Any:
    """An attribute of requests.Response, from what the core received."""
    if name == "headers":
        return _headers(response)
    if name == "encoding":
        return get_encoding_from_headers(response.headers) if response.headers else None
    if name == "history":
        if response._core_failure() is not None:
            return []
        history = response._core_take_history()
        for place, hop in enumerate(history):
            hop.history = history[:place]
        return history
    if name == "cookies":
        jar = requests.cookies.RequestsCookieJar()
        raw = type("Raw", (), {"_original_response": _Original(response._core_headers())})
        requests.cookies.extract_cookies_to_jar(jar, response.request, raw)
        return jar
    if name == "elapsed":
        return _elapsed(response)
    if name == "request":
        return _request(response)
    if name == "raw":
        return _raw(response)
    if name == "error":
        return _transport_error(response)[0]
    if name == "_next":
        if not response.is_redirect:
            return None
        return next(requests.Session().resolve_redirects(response, response.request, yield_requests=True), None)
    raise AttributeError(name)


# --- what requests' own code does ---


def request_by_keywords(session: Any, kwargs: dict[str, Any]) -> Any:
    method = kwargs.pop("method")
    url = kwargs.pop("url")
    return _cload.HttpSession.request(session, str(method), url, **kwargs)


def absolute_url(session: Any, url: Any) -> str:
    url = url_text(url)
    return url if re.match("https?://", url, re.IGNORECASE) else f"{session.base_url}{url}"


def request_general(session: Any, method: str, url: Any, kwargs: dict[str, Any]) -> Any:
    """A call with something that only requests can do: its own code sends it, and it is reported like any other."""
    from . import _transport

    name = kwargs.pop("name", None)
    is_catching = bool(kwargs.pop("catch_response", False))
    context = kwargs.pop("context", None) or {}
    start, start_ns = time.time(), time.monotonic_ns()
    end_ns = 0
    failure: Exception | None = None
    try:
        made = requests.Session.request(session, method, absolute_url(session, url), **kwargs)
        end_ns = _transport.end_ns(made)
    except (
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidSchema,
        requests.exceptions.InvalidURL,
    ):
        raise
    except requests.exceptions.RequestException as error:
        failure = error
        made = requests.Response()
        made.status_code = 0
        made._content = None
        made._content_consumed = True
        made.request = error.request or requests.Request(method, absolute_url(session, url)).prepare()  # type: ignore
    milliseconds = ((end_ns or time.monotonic_ns()) - start_ns) / 1e6
    length = int(made.headers.get("content-length") or 0) if kwargs.get("stream") else len(made.content or b"")
    response = session._response_class.__new__(session._response_class)
    for key, value in made.__dict__.items():
        setattr(response, key, value)
    response.error = failure
    first = ((made.history and made.history[0]) or made).request
    if not name:
        name = session.request_name or first.path_url
    response._adopt(
        method, name, session.request_event, session.user, context, first.url, milliseconds, length, start, is_catching
    )
    if not is_catching:
        response._report_request()
    return response


_cload.set_client_helpers(__import__("sys").modules[__name__])
