"""Shapes of tests: what they may answer, their clock, and what they raise."""

from __future__ import annotations

import logging
from typing import Any

import gevent
from kit import Kit, Records, kind_of, until
from locust import LoadTestShape, User, constant, task


class Idle(User):
    wait_time = constant(30)

    @task
    def nothing(self) -> None: ...


def shape_of_every_form(kit: Kit) -> Any:
    """API-145, API-146: lists and floats, None as the third value, users of a class by name in it; 0 users."""
    results: Any = iter([[1, 10], (2.0, 10.5), (0, 10), (1, 10, None), (2, 10, [Idle]), None])

    class Forms(LoadTestShape):
        use_common_options = True

        def tick(self) -> Any:
            kit.note(self.get_current_user_count())
            return next(results)

    environment = kit.environment(Idle, shape_class=Forms())
    runner = environment.create_local_runner()
    assert environment.shape_class is not None
    assert environment.shape_class.runner is runner
    runner.start_shape()
    runner.shape_greenlet.join()
    return [kit.log, runner.state, Forms.use_common_options, Forms.abstract]


def shape_with_its_own_clock(kit: Kit) -> Any:
    """API-145: reset_time() starts the stages again."""

    class Again(LoadTestShape):
        resets = 0

        def tick(self) -> Any:
            if self.get_run_time() > 0.8:
                self.resets += 1
                if self.resets == 2:
                    return None
                self.reset_time()
            kit.note(self.get_run_time() < 0.9)
            return 1, 1

    environment = kit.environment(Idle, shape_class=Again())
    runner = environment.create_local_runner()
    runner.start_shape()
    runner.shape_greenlet.join()
    return kit.log


def shape_that_raises(kit: Kit) -> Any:
    """API-149, API-148: an exception in tick() is a critical line in the log; the test is over."""

    class Bad(LoadTestShape):
        def tick(self) -> Any:
            raise ValueError("no stage")

    class Missing(LoadTestShape):
        pass

    environment = kit.environment(Idle, shape_class=Bad())
    runner = environment.create_local_runner()
    from locust import log

    with Records() as records:
        runner.start_shape()
        until(lambda: any(record.levelno > logging.WARNING for record in records.found))
        gevent.sleep(0.1)
    was_unhandled, log.unhandled_greenlet_exception = log.unhandled_greenlet_exception, False
    levels = sorted({record.levelname for record in records.found if record.levelno > logging.WARNING})
    runner.quit()
    return [levels, was_unhandled, kind_of(Missing)]
