"""Users that ask name servers, with dnspython."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dns.query
from dns.exception import DNSException
from dns.message import Message

from .. import User
from ..exception import LocustError

if TYPE_CHECKING:
    from ..env import Environment
    from ..event import EventHook


class DNSClient:
    """The functions of ``dns.query``, each call reported. The name of a request is the function's unless ``name`` says
    otherwise."""

    def __init__(self, request_event: EventHook) -> None:
        self.request_event = request_event

    def __getattr__(self, function_name: str) -> Callable[..., Message | None]:
        function = getattr(dns.query, function_name)

        def ask(message: Message, *args: Any, name: str | None = None, **kwargs: Any) -> Message | None:
            response = None
            exception: Exception | None = None
            start_time = time.time()
            begin = time.perf_counter()
            try:
                response = function(message, *args, **kwargs)
                if not response.answer:
                    exception = LocustError("the response has no answer")
            except (DNSException, OSError) as error:
                exception = error
            self.request_event.fire(
                request_type="DNS",
                name=name or function_name,
                start_time=start_time,
                response_time=(time.perf_counter() - begin) * 1000,
                response_length=len(response.answer) if response is not None else 0,
                response=response,
                context={},
                exception=exception,
            )
            return response

        return ask


class DNSUser(User):
    """A user whose ``client`` asks name servers."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.client = DNSClient(environment.events.request)
