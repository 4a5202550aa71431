"""Users."""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import _cload

from ..exception import CatchResponseError, StopTest
from ..util.deprecation import check_for_deprecated_task_set_attribute
from ..util.late import late_names
from .task import (
    LOCUST_STATE_RUNNING,
    LOCUST_STATE_STOPPING,
    LOCUST_STATE_WAITING,
    get_tasks_from_base_classes,
)

# Scripts import them from here too.
from .task import DefaultTaskSet as DefaultTaskSet
from .task import TaskSet as TaskSet
from .wait_time import constant

if TYPE_CHECKING:
    from gevent.pool import Group
    from urllib3 import PoolManager


logger = logging.getLogger(__name__)


class UserMeta(type):
    """Collects a user's tasks when the class is made; ``abstract`` holds for one class, not for its subclasses."""

    def __new__(mcs, classname: str, bases: tuple[type, ...], class_dict: dict[str, Any]) -> UserMeta:
        check_for_deprecated_task_set_attribute(class_dict)
        class_dict["tasks"] = get_tasks_from_base_classes(bases, class_dict)
        class_dict["abstract"] = bool(class_dict.get("abstract"))
        return super().__new__(mcs, classname, bases, class_dict)


class User(_cload.User, metaclass=UserMeta):
    """One simulated user: runs its tasks one after the other, with a wait after each."""

    # What is put in front of the paths that tasks ask for.
    host: str | None = None
    # Old way to wait, in milliseconds; used when wait_time is None.
    min_wait: float | None = None
    max_wait: float | None = None
    wait_function: Callable[..., Any] | None = None
    # Seconds between tasks.
    wait_time: Any = constant(0)
    # What the user does: functions and task sets; a dictionary or pairs give weights.
    tasks: list[Any]
    # The share of this class among all users.
    weight: float = 1
    # Exactly so many users of this class, whatever its weight; they are spawned first.
    fixed_count: int = 0
    # Only meant to be subclassed.
    abstract: bool = True

    def wait(self) -> None:
        """Waits as after a task. A user that is asked to stop ends here, even in the middle of a task; where that is
        not wanted, sleep instead."""
        assert self._taskset_instance is not None
        self._taskset_instance.wait()

    def stop(self, force: bool = False) -> bool:
        """Stops the user: at once if it waits, has not begun, or by ``force`` (True), else after its task (False)."""
        if force or self._state in (None, LOCUST_STATE_WAITING):
            self._group.killone(self._greenlet)
            return True
        if self._state != LOCUST_STATE_RUNNING:
            raise Exception(f"{type(self).__name__} cannot be stopped in state {self._state}")
        self._state = LOCUST_STATE_STOPPING
        return False

    @property
    def group(self) -> Group:
        """The group the user was started in."""
        return self._group

    def context(self) -> dict[str, Any]:
        """What goes into the ``context`` of each of this user's request events, below what the call itself says."""
        return {}

    @classmethod
    def json(cls) -> dict[str, Any]:
        """What the class picker shows of this class."""
        names = [task.__name__ for task in cls.tasks]
        return {"host": cls.host, "weight": cls.weight, "fixed_count": cls.fixed_count, "tasks": names}

    @classmethod
    def fullname(cls) -> str:
        """Module and name of the class."""
        return ".".join(part for part in f"{cls.__module__}.{cls.__qualname__}".split(".") if part != "<locals>")


RestResponseT = TypeVar("RestResponseT")


class RestMixin(Generic[RestResponseT]):
    """``rest`` and ``rest_`` for users with an HTTP client."""

    @contextmanager
    def rest(
        self, method: str, url: str, headers: dict[str, str] | None = None, **kwargs: Any
    ) -> Generator[RestResponseT]:
        """A request for JSON, to be used in a with-block: the response has the parsed body in ``js``, and whatever goes
        wrong, in the body or in the block, makes the request a failure."""
        merged = dict(headers or {})
        for name in ("Content-Type", "Accept"):
            if name not in merged and name.lower() not in merged:
                merged[name] = "application/json"
        client: Any = self.client  # type: ignore[attr-defined]
        with client.request(method, url, catch_response=True, headers=merged, **kwargs) as response:
            _parse_body(response)
            try:
                yield response
            except AssertionError as error:
                response.failure(_assertion_text(error, response))
            except Exception as error:
                response.failure(
                    f"{type(error).__name__}: {error} at {', '.join(_places(error))}."
                    f" Response was {_beginning(response)}"
                )

    @contextmanager
    def rest_(self, method: str, url: str, name: str | None = None, **kwargs: Any) -> Generator[RestResponseT]:
        """``rest`` with a time stamp in the query, so that no cache answers."""
        stem = url + ("&" if "?" in url else "?") + "_="
        with self.rest(method, f"{stem}{time.time_ns() // 1_000_000}", name=name or f"{stem}...", **kwargs) as response:
            yield response


def _parse_body(response: Any) -> None:
    response.js = None
    if response.content is None:
        response.failure(str(response.error))
    elif response.text:
        try:
            response.js = response.json()
        except JSONDecodeError as error:
            shown = f"{response.text[:250]}, response code {response.status_code}, error {error}"
            response.failure(f"Could not parse response as JSON. {shown}")


def _beginning(response: Any) -> Any:
    return response.text[:200] if response.text else response.text


def _assertion_text(error: AssertionError, response: Any) -> Any:
    if not error.args:
        return "Assertion failed"
    message = error.args[0]
    if isinstance(message, str) and message.endswith(","):
        return f"{message[:-1]}, response was {_beginning(response)}"
    return message


def _places(error: Exception) -> list[str]:
    places = []
    for frame in traceback.extract_tb(error.__traceback__):
        file = re.sub(r"^/(home|Users)/[^/]*/", "~/", frame.filename)
        places.append(f"{file}:{frame.lineno} in {frame.name}")
    return places


def chosen_http_version(user: User) -> int:
    """The highest version of HTTP that the user speaks, if the server does: what its class says, else the options."""
    http2, http3 = user.http2, user.http3  # type: ignore[attr-defined]
    if http3 or http2:
        version = 3 if http3 else 2
    else:
        options = getattr(user.environment, "parsed_options", None)
        version = 1
        if http3 is None and getattr(options, "http3", False):
            version = 3
        elif http2 is None and getattr(options, "http2", False):
            version = 2
    if version > 2:
        try:
            _cload.check_http_version(version)
        except NotImplementedError as error:
            raise StopTest(str(error)) from None
    return version


class HttpUser(User, _cload.ClientUser, RestMixin[Any]):
    """A user with an HTTP client: ``self.client``, a session that keeps cookies and connections."""

    abstract = True
    # Whether HTTP/2 or HTTP/3 is spoken with servers that can; None: what the options --http2 and --http3 say.
    http2: bool | None = None
    http3: bool | None = None
    # Connections shared among users, where that is wanted.
    pool_manager: PoolManager | None = None

    def _make_client(self) -> Any:
        if self.host is None:
            raise StopTest(
                f"You must specify the base host: the attribute host of {type(self).__name__}, or the option --host"
            )
        client = sys.modules[__name__].HttpSession(  # type: ignore[attr-defined]
            base_url=self.host,
            request_event=self.environment.events.request,
            user=self,
            pool_manager=self.pool_manager,
            http_version=chosen_http_version(self),
        )
        # Proxies and passwords of whoever starts the test are not the simulated user's.
        client.trust_env = False
        return client


_cload.set_client_source(HttpUser, globals(), "HttpSession", ("host", "pool_manager", "http2", "http3"))


class PytestUser(User):
    """Runs test functions written for pytest, over and over, without a wait. Failed requests do not end it."""

    abstract = True
    functions: list[Any]
    # Makes the arguments of each function, for one user.
    arguments: list[Callable[[User], dict[str, Any]]]

    def run(self) -> None:
        from requests.exceptions import RequestException

        self._state = LOCUST_STATE_RUNNING
        calls = [(function, make(self)) for function, make in zip(self.functions, self.arguments, strict=True)]
        while True:
            for function, arguments in calls:
                try:
                    function(**arguments)
                except (RequestException, CatchResponseError, ConnectionError) as error:
                    if isinstance(error, ValueError):
                        # The URL makes no sense: no request was made, and none ever will be.
                        raise
                    logger.debug("%s", error, exc_info=True)


__getattr__ = late_names(
    __name__,
    DefaultTaskSet="user.task",
    HttpSession="clients",
    RestResponseContextManager="clients",
    StopUser="exception",
    TaskSet="user.task",
)
