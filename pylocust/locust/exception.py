"""Exceptions that locustfiles raise and catch."""

from __future__ import annotations

from typing import Any


class LocustError(Exception):
    """The package was used in a way it does not allow."""


class MissingWaitTimeError(LocustError):
    """A user has to wait, but says nowhere for how long."""


class ResponseError(Exception):
    """Raised inside a ``catch_response`` block: becomes the failure of that request and goes no further."""


class CatchResponseError(Exception):
    """Carries what a response's ``failure()`` was given when that was no exception."""


class InterruptTaskSet(Exception):
    """Leaves a task set. ``reschedule``: whether the parent goes on at once or waits first."""

    def __init__(self, reschedule: bool = True) -> None:
        # Arguments given by place are in `args`, as with every exception.
        self.reschedule = reschedule


class StopUser(Exception):
    """Ends the user that raises it."""


class StopTest(Exception):
    """Raised while a user is constructed: ends the test. Raised by a running user: ends that user."""


class RescheduleTask(Exception):
    """Ends the running task as if it had returned."""


class RescheduleTaskImmediately(Exception):
    """Ends the running task; the next one starts without a wait."""


class RPCError(Exception):
    """Something between master and worker went wrong."""


class RPCSendError(Exception):
    """A message could not be sent."""


class RPCReceiveError(Exception):
    """A message could not be read. ``addr``: who sent it, if known."""

    def __init__(self, *args: object, addr: Any = None) -> None:
        super().__init__(*args)
        self.addr = addr


class RunnerAlreadyExistsError(Exception):
    """The environment has a runner already."""


# What a running user's code raises to steer its user; these pass through listeners and helpers.
CONTROL_EXCEPTIONS = (StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet)
