"""A session: the attributes it has as a requests.Session, and its settings."""

from __future__ import annotations

import http.client
import logging
import re
import sys
import urllib.parse
from collections import OrderedDict
from collections.abc import Mapping
from http.client import HTTPConnection
from http.cookiejar import Cookie, CookieJar, CookiePolicy, DefaultCookiePolicy
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import _cload
import requests
import requests.adapters
import requests.cookies
import requests.hooks
import requests.utils
import urllib3
import urllib3.connection
import urllib3.connectionpool
from requests.auth import HTTPBasicAuth
from requests.structures import CaseInsensitiveDict

logger = logging.getLogger(__name__)

_URLLIB3_AGENT = f"python-urllib3/{vars(urllib3)['__version__']}"
_ACCEPT_ENCODING = str(requests.utils.default_headers()["Accept-Encoding"])
#: user agent, whether br is accepted, whether zstd is: what requests would send
session_defaults = (
    str(requests.utils.default_user_agent()),
    "br" in re.split(r"[,\s]+", _ACCEPT_ENCODING),
    "zstd" in re.split(r"[,\s]+", _ACCEPT_ENCODING),
)


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
        """The core knows only the default policy. With any other one, requests' own code makes the calls."""
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


def _has_default_policy(jar: CookieJar) -> bool:
    policy = jar._policy  # type: ignore[attr-defined]  # RequestsCookieJar alone has a method for it
    usual = vars(DefaultCookiePolicy())
    return type(policy) is DefaultCookiePolicy and {k: v for k, v in vars(policy).items() if k in usual} == usual


def wrap_cookies(session: Any, value: Any) -> Any:
    if not session._has_core or (isinstance(value, SessionCookies) and value._session is session):
        return value
    if isinstance(value, CookieJar) and type(value) not in (CookieJar, requests.cookies.RequestsCookieJar):
        # With methods of its own, or another session's: what the script has in its hands must stay the jar.
        session._be_general()
        return value
    jar = SessionCookies(session)
    if isinstance(value, CookieJar) and not _has_default_policy(value):
        jar.set_policy(value._policy)  # type: ignore[attr-defined]
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
        from locust.clients import LocustHttpAdapter

        return LocustHttpAdapter(session.pool_manager)
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
    told = {str(name).lower() for name in headers or ()}
    # What http.client and urllib3 say where nobody does.
    for name, value in (("accept-encoding", "identity"), ("user-agent", _URLLIB3_AGENT)):
        if name not in told or headers[name] is None:
            pairs.append((name.title().encode(), value.encode()))
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


class Watched(  # type: ignore[misc]
    urllib3.connection.HTTPSConnection,
    urllib3.connectionpool.HTTPSConnectionPool,
    requests.adapters.HTTPAdapter,
    requests.models.PreparedRequest,
):
    """Has no instances. This type's version changes when one of its bases is changed. By that sessions notice when a
    tool for tracing, mocking or recording replaces a method of what requests would send with."""


#: Classes that requests sends with, and where their methods are from.
_SENDERS = (
    (requests.adapters.HTTPAdapter, requests.adapters),
    (requests.models.PreparedRequest, requests.models),
    (urllib3.connectionpool.HTTPConnectionPool, urllib3.connectionpool),
    (urllib3.connectionpool.HTTPSConnectionPool, urllib3.connectionpool),
    (urllib3.connection.HTTPConnection, urllib3.connection),
    (urllib3.connection.HTTPSConnection, urllib3.connection),
    (HTTPConnection, http.client),
)


def _is_as_made(cls: type, module: Any) -> bool:
    methods = (value for value in vars(cls).values() if callable(value) and not isinstance(value, (type, staticmethod)))
    return all(_is_own(method, module) for method in methods)


def has_own_connections() -> bool:
    """Whether urllib3 makes its connections with a class that was put in the place of its own."""
    pools = urllib3.connectionpool.HTTPConnectionPool, urllib3.connectionpool.HTTPSConnectionPool
    return any(pool.ConnectionCls.__module__ != "urllib3.connection" for pool in pools)


def _is_own(function: Any, module: Any) -> bool:
    """Whether a function is the module's, not one that was put in its place, as tools for tracing or mocking do."""
    return type(function) is FunctionType and function.__globals__ is vars(module)


def is_class_general(cls: type) -> bool:
    """Whether a session class, requests.Session itself or what requests sends with has methods that only requests' own
    code would call, or whether http.client is to print what is said."""
    if HTTPConnection.debuglevel:
        return True
    if not _is_own(cls._send_request_safe_mode, sys.modules["locust.clients"]):  # type: ignore[attr-defined]
        return True
    methods = [getattr(cls, name) for name in _SESSION_METHODS]
    if not all(_is_own(method, requests.sessions) for method in (*methods, requests.Session.request)):
        return True
    return has_own_connections() or not all(_is_as_made(sender, module) for sender, module in _SENDERS)


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
    """The engine's connections in place of a `pool_manager`; None if it has settings that only urllib3 knows."""
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
    """Warns, once for each server, that it does not speak the version of HTTP that was asked for."""
    server = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(url))
    if (server, wanted) not in _told_older:
        _told_older.add((server, wanted))
        logger.warning("%s does not speak HTTP/%d: an older version is used there", server, wanted)
