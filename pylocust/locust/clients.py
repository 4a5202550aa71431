"""HTTP clients: what `self.client` of an HttpUser is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import _cload
import requests
from cload import _client  # noqa: F401 - registers itself with the C types
from cload._general import absolute_url, send_safely
from requests import Response
from requests.adapters import BaseAdapter, HTTPAdapter

# Scripts import the names of exceptions from here too.
from .exception import CatchResponseError as CatchResponseError
from .exception import LocustError
from .exception import ResponseError as ResponseError
from .util import renaming
from .util.late import late_names

if TYPE_CHECKING:
    from urllib3 import PoolManager

__all__ = ["HttpSession", "LocustHttpAdapter", "LocustResponse", "ResponseContextManager", "RestResponseContextManager"]

absolute_http_url_regexp = re.compile(r"^https?://", re.IGNORECASE)


class LocustResponse(Response):
    """A response that keeps the transport's exception, if there was one, until somebody asks."""

    error: Exception | None

    def raise_for_status(self) -> None:
        """Raise the transport's exception, or requests.HTTPError for a status of 400 or more."""
        if self.error is not None:
            raise self.error
        super().raise_for_status()


class ResponseContextManager(_cload.Response, LocustResponse):  # type: ignore[misc]
    """What every call of HttpSession returns.

    With `catch_response=True` it is to be used in a with-block, in which success() and failure() decide what is
    reported. `request_meta` holds what events.request will be given, and may be edited in the block.
    """

    def raise_for_status(self) -> None:
        """Raise what failure() was given; what went wrong otherwise, unless success() was called."""
        if isinstance(self._manual, Exception):
            raise self._manual
        if self._manual is None:
            super().raise_for_status()


class RestResponseContextManager(ResponseContextManager):
    """The response of HttpUser.rest(): `js` is the parsed body, or None."""

    js: Any


class LocustHttpAdapter(HTTPAdapter):
    """An adapter whose connections are those of a `pool_manager`, if there is one."""

    def __init__(self, pool_manager: PoolManager | None, *args: Any, **kwargs: Any) -> None:
        self.poolmanager = pool_manager  # type: ignore[assignment]
        super().__init__(*args, **kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self.poolmanager is None:
            super().init_poolmanager(*args, **kwargs)


class HttpSession(_cload.HttpSession, requests.Session):  # type: ignore[misc]
    """A requests.Session that knows its base URL and reports every request to events.request.

    The common calls are done by the C engine; everything else requests can do goes through requests' own code.
    """

    _response_class = ResponseContextManager

    @classmethod
    def _base_client(cls) -> type[HttpSession]:
        return HttpSession

    rename_request = renaming.rename_request

    def _build_url(self, path: str) -> str:
        return absolute_url(self, path)

    def _send_request_safe_mode(self, method: str, url: str, **kwargs: Any) -> Response:
        """A call as requests makes it; what keeps it from being answered is the response's `error`. For scripts that
        override it, or make their own request() with it."""
        return send_safely(self, method, url, kwargs)

    def mount(self, prefix: str, adapter: BaseAdapter) -> None:
        """Register a transport adapter; from then on requests' own code sends this session's requests."""
        super().mount(prefix, adapter)
        self._be_general()


def _no_context_manager(*_: Any) -> None:
    raise LocustError("this is a plain response: make the request with catch_response=True to judge it yourself")


Response.success = _no_context_manager  # type: ignore[attr-defined]
Response.failure = _no_context_manager  # type: ignore[attr-defined]


__getattr__ = late_names(
    __name__,
    EventHook="event",
)
