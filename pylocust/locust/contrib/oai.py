"""Users of OpenAI's API, with its own client. OPENAI_API_KEY has to be set."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import httpx
from openai import OpenAI

from ..user import User
from ..util import renaming

if TYPE_CHECKING:
    from ..event import EventHook

if "OPENAI_API_KEY" not in os.environ:
    raise RuntimeError("OPENAI_API_KEY is not set")


class OpenAIClient(OpenAI):
    """OpenAI's client on an httpx client that reports each call; the length of a response is its output tokens."""

    rename_request = renaming.rename_request

    def __init__(self, request_event: EventHook, user: User, *args: Any, **kwargs: Any) -> None:
        self.user = user
        self.request_name: str | None = None

        def sent(request: httpx.Request) -> None:
            request.start_time = time.time()  # type: ignore[attr-defined]
            request.begin = time.perf_counter()  # type: ignore[attr-defined]

        def received(response: httpx.Response) -> None:
            exception: Exception | None = None
            tokens = 0
            try:
                response.read()
                response.raise_for_status()
                tokens = (response.json().get("usage") or {}).get("output_tokens", 0)
            except (httpx.HTTPError, ValueError, AttributeError) as error:
                exception = error
            request: Any = response.request
            request_event.fire(
                request_type=request.method,
                name=self.request_name or response.url.path,
                context={},
                response=response,
                exception=exception,
                start_time=request.start_time,
                response_time=(time.perf_counter() - request.begin) * 1000,
                response_length=tokens,
                url=response.url,
            )

        kwargs.setdefault("http_client", httpx.Client(event_hooks={"request": [sent], "response": [received]}))
        super().__init__(*args, **kwargs)


class OpenAIUser(User):
    """A user whose ``client`` is OpenAI's; OPENAI_BASE_URL is the address of another server."""

    abstract = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.client = OpenAIClient(self.environment.events.request, self)
