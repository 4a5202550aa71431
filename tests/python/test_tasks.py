"""Tasks, task sets and wait times: locust.user.task, .sequential_taskset, .markov_taskset, .wait_time."""

from __future__ import annotations

from oracle import Engine


def test_collection_order_and_weights(engine: Engine) -> None:
    """API-20, API-21, API-22, API-23, API-39."""
    code = """
def a(u): pass
def b(u): pass
class Base(User):
    abstract = True
    tasks = {a: 2, b: 1}
    @task(2)
    def c(self): pass
class Sub(Base):
    tasks = [(b, 2), a]
    @task
    def c(self): pass
    @task(3)
    class Inner(TaskSet):
        pass
class Nothing(User):
    tasks = None
class Zero(User):
    tasks = {a: 0, b: -1}
def fails(**body):
    try:
        type("X", (User,), body)
    except TypeError:
        return True
names = lambda c: [t.__name__ for t in c.tasks]
out([names(Base), names(Sub), Base.abstract, Sub.abstract, User.abstract, names(Nothing), names(Zero),
     fails(tasks={a: 1.5}), fails(tasks={a: "2"}), fails(t=task(None)(lambda u: None)), Sub.c.locust_task_weight])
"""
    base = ["a", "a", "b", "c", "c"]
    sub = [*base, "b", "b", "a", "c", "Inner", "Inner", "Inner"]
    assert engine.snippet(code) == [base, sub, True, False, True, [], [], True, True, True, 1]


def test_decorator_errors(engine: Engine) -> None:
    """API-29, API-42, API-10."""
    code = """
def kind(function):
    try:
        function()
    except Exception as error:
        return type(error).__name__
def run(self): pass
def plain(self): pass
out([kind(lambda: task(run)), kind(lambda: tag()), kind(lambda: tag(plain)), kind(lambda: type("X", (Locust,), {})),
     kind(lambda: type("X", (HttpLocust,), {})), kind(lambda: task(plain) and tag("a")(plain) and None),
     sorted(plain.locust_tag_set)])
"""
    expected = ["Exception", "ValueError", "ValueError", "ImportError", "ImportError", None, ["a"]]
    assert engine.snippet(code) == expected


def test_tags(engine: Engine) -> None:
    """API-41, API-43, API-44, API-45, API-46."""
    code = """
def make():
    class U(User):
        @tag("a")
        @task
        def t_a(self): pass
        @task
        @tag("b", "c")
        def t_bc(self): pass
        @task
        def bare(self): pass
        @task
        class Inner(TaskSet):
            @tag("a")
            @task
            def i_a(self): pass
            @task
            def i_bare(self): pass
        @tag("b")
        @task
        class Tagged(TaskSet):
            @task
            def x(self): pass
        @task
        class Empty(TaskSet):
            @task
            def y(self): pass
    return U
def left(**options):
    U = make()
    Environment(user_classes=[U], **options)._filter_tasks_by_tags()
    return [t.__name__ + (":" + ",".join(i.__name__ for i in t.tasks) if hasattr(t, "tasks") else "") for t in U.tasks]
out([left(), left(tags=["a"]), left(tags=["b"]), left(exclude_tags=["a"]), left(tags=["a", "b"], exclude_tags=["c"]),
     left(tags=["none"])])
"""
    assert engine.snippet(code) == [
        ["t_a", "t_bc", "bare", "Inner:i_a,i_bare", "Tagged:x", "Empty:y"],
        ["t_a", "Inner:i_a"],
        ["t_bc", "Tagged:x"],
        ["t_bc", "bare", "Inner:i_bare", "Tagged:x", "Empty:y"],
        ["t_a", "Inner:i_a", "Tagged:x"],
        [],
    ]


def test_sequential(engine: Engine) -> None:
    """API-65, API-66."""
    code = """
def a(s): note("a")
def b(s): note("b")
class U(User):
    wait_time = constant(0)
    @task
    class Seq(SequentialTaskSet):
        @task
        def one(self): note("one")
        tasks = {a: 2, b: 1}
        @task(2)
        def two(self): note("two")
        @task
        def end(self):
            if len(log) > 9: raise StopUser()
            self.interrupt()
run(U)
def kind(tasks):
    try:
        type("S", (SequentialTaskSet,), {"tasks": tasks})
    except ValueError as error:
        return True
out([log, kind((a, b))])
"""
    assert engine.snippet(code) == [["one", "a", "a", "b", "two", "two"] * 2, True]


def test_markov(engine: Engine) -> None:
    """API-67, API-68, API-69, API-70."""
    code = """
from locust.user import markov_taskset as m
class U(User):
    wait_time = constant(0)
    @task
    class Chain(MarkovTaskSet):
        @transition("b")
        def a(self): note("a")
        @transitions([("c", 2)])
        def b(self): note("b")
        @transitions({"a": 1})
        def c(self):
            note("c", self.current.__name__)
            if len(log) > 4: raise StopUser()
run(U)
def kind(**body):
    try:
        type("M", (MarkovTaskSet,), body)
    except Exception as error:
        return type(error).__name__
def f(self): pass
def g(self): pass
def h(self): pass
tagged = tag("x")(transition("h")(h))
class Weighted(MarkovTaskSet):
    @transition("x")
    @transition("y", 2)
    def x(self): pass
    @transitions(["x", ("y", 2)])
    def y(self): pass
out([log, kind(), kind(f=transition("nope")(f)), kind(g=transition("z")(g), z=lambda self: None), kind(h=tagged),
     kind(i=transitions([1])(lambda self: None)),
     kind(abstract=True), sorted(Weighted.x.transitions), sorted(Weighted.y.transitions), Weighted.tasks,
     issubclass(m.NoMarkovTasksError, LocustError), U.tasks[0].abstract, MarkovTaskSet.abstract])
"""
    assert engine.snippet(code) == [
        ["a", "b", "c a", "a", "b", "c a"],
        "NoMarkovTasksError",
        "InvalidTransitionError",
        "NonMarkovTaskTransitionError",
        "MarkovTaskTagError",
        "InvalidTransitionError",
        None,
        ["x", "y", "y"],
        ["x", "y", "y"],
        [],
        True,
        False,
        True,
    ]


def test_nesting_arguments_and_queue(engine: Engine) -> None:
    """API-38, API-48, API-49, API-51, API-53, API-54, API-55, API-64."""
    code = """
def plain(x): note("plain", type(x).__name__)
class U(User):
    client = "client"
    wait_time = constant(0)
    def on_start(self): note("start", "user")
    def on_stop(self): note("stop", "user")
    @task
    class Outer(TaskSet):
        def on_start(self):
            note("start outer", self.parent is self.user, self.client)
            self.schedule_task(plain)
            self.schedule_task(self.bound)
            self.schedule_task(plain, first=True)
        def on_stop(self): note("stop outer")
        def bound(self): note("bound")
        @task
        class Inner(TaskSet):
            def wait_time(self):
                note("inner waits")
                return 0
            def on_start(self): note("start inner", type(self.parent).__name__, type(self.user).__name__)
            def on_stop(self): note("stop inner")
            @task
            def t(self):
                if log.count("inner waits") == 2:
                    raise StopUser()
run(U)
class V(User):
    wait_time = constant(0)
    def __init__(self, environment):
        super().__init__(environment)
        self.tasks = [self.bound]
    def bound(self, extra):
        note("extra", extra is self)
        raise StopUser()
run(V)
out(log)
"""
    assert engine.snippet(code) == [
        "start user",
        "start outer True client",
        "plain Outer",
        "plain Outer",
        "bound",
        "start inner Outer U",
        "inner waits",
        "inner waits",
        "stop inner",
        "stop outer",
        "stop user",
        "extra True",
    ]


def test_interrupt(engine: Engine) -> None:
    """API-55, API-56, API-57, API-88, API-87."""
    code = """
class U(User):
    def wait_time(self):
        note("user waits")
        if log.count("user waits") > 3: raise StopUser()
        return 0
    def on_stop(self): note("user stops")
    @task
    class Set(SequentialTaskSet):
        visits = 0
        def wait_time(self):
            note("set waits")
            return 0
        def on_start(self):
            type(self).visits += 1
            note("enter", self.visits)
            if self.visits == 3: self.interrupt(reschedule=False)
        def on_stop(self): note("leave")
        @task
        def now(self): raise RescheduleTaskImmediately()
        @task
        def later(self): raise RescheduleTask()
        @task
        def out(self): self.interrupt(reschedule=self.visits != 1)
run(U)
class W(User):
    wait_time = constant(0)
    def on_stop(self): note("W stops")
    @task
    def t(self): raise InterruptTaskSet()
run(W)
out(log)
"""
    visit = ["set waits", "leave"]
    lines = engine.snippet(code)
    assert lines[:10] == [
        "enter 1",
        *visit,
        "user waits",
        "enter 2",
        *visit,
        "enter 3",
        "user waits",
        "enter 4",
    ]
    assert not any(line.startswith(("W stops", "user_error W")) for line in lines)


def test_wait_times(engine: Engine) -> None:
    """API-5, API-6, API-72, API-73, API-74, API-75, API-76, API-79."""
    code = """
class Holder:
    _cp_last_run = 0
    _cp_last_wait_time = 0
def kind(function):
    try:
        function()
    except Exception as error:
        return type(error).__name__
values = [between(5, 1)(None) for _ in range(50)]
pace = constant_pacing(500)
holder = Holder(); holder._cp_last_run = time.perf_counter()
first = pace(holder)
second = pace(holder)
class Legacy(User):
    wait_time = None
    min_wait = 20
    max_wait = 20
class Missing(User):
    wait_time = None
def waits(c):
    from locust.user.task import DefaultTaskSet
    return DefaultTaskSet(c(Environment())).wait_time()
out([all(1 <= v <= 5 for v in values), constant(-3)(None), 400 < first <= 500, second > 900,
     kind(lambda: constant_throughput(0)), kind(lambda: poisson(0)), poisson(5)(None) > 0, locust.wait_time.__name__,
     waits(Legacy), kind(lambda: waits(Missing))])
"""
    expected = [
        True,
        -3,
        True,
        True,
        "ValueError",
        "ValueError",
        True,
        "locust.user.wait_time",
        0.02,
        "MissingWaitTimeError",
    ]
    assert engine.snippet(code) == expected


def test_missing_tasks(engine: Engine) -> None:
    """API-47, API-71. A set without tasks is dropped at the start, as if tags had emptied it."""
    code = """
logging.disable()
class U(User):
    wait_time = constant(0.05)
    @task
    class Empty(TaskSet):
        pass
run(U, seconds=0.12)
def kind(holder):
    try:
        holder.get_next_task()
    except Exception as error:
        return type(error).__name__
user = U(Environment())
class Seq(SequentialTaskSet):
    pass
out([sorted({line.split("(")[0] for line in log}), kind(Seq(user)), kind(U.tasks and None or TaskSet(user))])
"""
    assert engine.snippet(code) == [["user_error DefaultTaskSet Exception"], "LocustError", "Exception"]
