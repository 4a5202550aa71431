"""What `client.client` of a FastHttpSession is: its settings."""

from __future__ import annotations

from typing import Any

from ._fast_headers import DefaultHeaders
from ._fast_response import FastRequest, FastResponse

_STATUS_LIMIT = 1024


class _ClientPool:
    """The connections of one session."""

    def __init__(self, session: Any) -> None:
        self._session = session

    @property
    def client_args(self) -> dict[str, Any]:
        """What connections are made with."""
        session = self._session
        factory = session.__dict__.get("_ssl_context_factory")
        return {"insecure": session._is_insecure, "ssl_context_factory": factory}

    def close(self) -> None:
        """Close the connections; the next request makes a new one."""
        self._session._close_idle()


class LocustUserAgent:
    """What `client.client` is: the settings of a session. Changes take effect with the next request."""

    response_type = FastResponse
    request_type = FastRequest
    valid_response_codes: frozenset[int] = frozenset(
        [*range(200, 209), 226, *range(301, 305), 307, 308]
    )  # read when a session is made
    # Seconds between tries; there is no wait.
    retry_delay = 0
    redirect_response_codes: frozenset[int] = frozenset([301, 302, 303, 307, 308])

    def __init__(self, session: Any) -> None:
        self._session = session
        self.clientpool: Any = session.__dict__.get("_client_pool") or _ClientPool(session)
        self.default_headers = DefaultHeaders(session, session._options[5])

    @property
    def cookiejar(self) -> Any:
        return self._session.cookiejar

    @property
    def max_redirects(self) -> int:
        limit: int = self._session._max_redirects
        return limit

    @max_redirects.setter
    def max_redirects(self, limit: int) -> None:
        self._session._max_redirects = max(0, int(limit))

    @property
    def max_retries(self) -> int:
        limit: int = self._session._max_retries
        return limit

    @max_retries.setter
    def max_retries(self, limit: int) -> None:
        self._session._max_retries = max(0, int(limit))

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "valid_response_codes":
            self._session._valid_statuses = status_table(value)

    def close(self) -> None:
        self._session._close_idle()

    def urlopen(
        self,
        url: str,
        method: str = "GET",
        headers: Any = None,
        payload: Any = None,
        to_string: bool = False,
        debug_stream: Any = None,
        params: Any = None,
        max_retries: int | None = None,
        max_redirects: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """A request that is not reported. Raises what goes wrong, also for a status that counts as a failure."""
        response = self._session.request(
            method, url, catch_response=True, headers=headers, data=payload, params=params, debug_stream=debug_stream,
            max_retries=max_retries, max_redirects=max_redirects, **kwargs,
        )._listened()  # fmt: skip
        response.raise_for_status()
        return response.content if to_string else response


def status_table(codes: Any) -> bytes:
    return bytes(status in codes for status in range(_STATUS_LIMIT))
