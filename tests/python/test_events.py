"""Event hooks: locust.event."""

from __future__ import annotations

from oracle import Engine


def test_listeners(engine: Engine) -> None:
    """EVT-1, EVT-2, EVT-3, EVT-8."""
    code = """
from locust.event import EventHook, DeprecatedEventHook
hook = EventHook()
@hook.add_listener
def a(x, **_):
    note("a", x)
    if b not in hook._handlers: hook.add_listener(b)
def b(x, **_):
    note("b", x)
    hook.remove_listener(b)
hook.fire(x=1)
hook.fire(x=2)
hook.fire(x=3, reverse=True)
hook.add_listener(a)
count = len(hook._handlers)
try:
    hook.remove_listener(print)
except ValueError:
    note("unknown")
try:
    hook.fire(1)
except TypeError:
    note("keywords only")
events.mine = EventHook()
warnings = []
logging.warning = lambda message: warnings.append(message)
DeprecatedEventHook("gone").add_listener(a)
out([log, a.__name__, count, warnings])
"""
    order = ["a 1", "a 2", "b 2", "a 3", "unknown", "keywords only"]
    assert engine.snippet(code) == [order, "a", 3, ["gone"]]


def test_failing_listeners(engine: Engine) -> None:
    """EVT-4, EVT-5, API-106."""
    code = """
logging.disable()
from locust import log as locust_log
from locust.event import EventHook
def fire(error):
    hook = EventHook()
    def bad(**_): raise error
    hook.add_listener(bad)
    hook.add_listener(lambda **_: note("next"))
    locust_log.unhandled_greenlet_exception = False
    try:
        hook.fire()
    except Exception as caught:
        return type(caught).__name__
    return locust_log.unhandled_greenlet_exception
control = [StopUser(), StopTest(), RescheduleTask(), RescheduleTaskImmediately(), InterruptTaskSet()]
out([fire(ValueError()), log, [fire(error) for error in control], log, InterruptTaskSet().reschedule])
"""
    names = ["StopUser", "StopTest", "RescheduleTask", "RescheduleTaskImmediately", "InterruptTaskSet"]
    assert engine.snippet(code) == [True, ["next"], names, ["next"], True]


def test_measure(engine: Engine) -> None:
    """EVT-6."""
    code = """
seen = []
events.request.add_listener(lambda **kw: seen.append(kw))
with events.request.measure("T", "n", 3, {"c": 1}) as meta:
    gevent.sleep(0.05)
    meta["name"] = "changed"
    meta["extra"] = 1
with events.request.measure("T", "n") as meta:
    raise StopUser("swallowed")
first, second = seen
out([sorted(first), first["name"], first["context"], 40 < first["response_time"] < 30000, repr(second["exception"]),
     second["context"], first["start_time"] > 1e9])
"""
    keys = ["context", "exception", "extra", "name", "request_type", "response_length", "response_time", "start_time"]
    assert engine.snippet(code) == [keys, "changed", {"c": 1}, True, "StopUser('swallowed')", {}, True]


def test_events_class(engine: Engine) -> None:
    """API-8, API-11, EVT-7."""
    code = """
from locust.event import EventHook
class Own(locust.Events):
    mine: "EventHook"
class Same(locust.Events):
    pass
out([sorted(vars(locust.Events())), sorted(vars(Own())), sorted(vars(Same())) == sorted(vars(locust.Events())),
     type(events) is locust.Events])
"""
    names = (
        "cpu_warning heartbeat_received heartbeat_sent init init_command_line_parser quit quitting report_to_master"
        " request reset_stats spawning_complete test_start test_stop test_stopping usage_monitor user_error"
        " worker_connect worker_report"
    )
    assert engine.snippet(code) == [names.split(), ["mine"], True, True]


def test_order_of_a_run(engine: Engine) -> None:
    """EVT-9, EVT-13, EVT-14, EVT-15, EVT-25, EVT-26, EVT-29."""
    code = """
from locust.event import Events
hooks = Events()
for name in vars(hooks):
    def listen(hook=name, **kw):
        note(hook, *sorted(set(kw) - {"environment"}))
    getattr(hooks, name).add_listener(listen)
class U(User):
    wait_time = constant(30)
    def on_start(self): note("on_start")
    def on_stop(self): note("on_stop")
    @task
    def t(self):
        self.environment.events.request.fire(request_type="T", name="n", response_time=None, response_length=0)
hooks.request.add_listener(lambda **_: note(environment.stats.num_requests))
environment = Environment(user_classes=[U], events=hooks)
runner = environment.create_local_runner()
runner.start(1, 1)
rest(0.2)
runner.quit()
out([log, environment.stats.num_requests, environment.stats.num_none_requests, environment.stats.num_failures])
"""
    order = [
        "test_start",
        "spawning_complete user_count",
        "on_start",
        "request name request_type response_length response_time",
        "0",
        "test_stopping",
        "on_stop",
        "test_stop",
    ]
    assert engine.snippet(code) == [order, 1, 1, 0]
