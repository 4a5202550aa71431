"""Scripts that treat the engine badly. Each runs in a process of its own, which must neither crash nor hang, nor lose
a user or an error on the way."""

from __future__ import annotations

import pytest
from play import OURS, play, source
from servers import Target


def test_a_timeout_cuts_a_lone_call(target: Target) -> None:
    """The only thing that waits is thrown out of its wait from outside the engine's own batch."""
    code = """
    s = session()
    def slow():
        with gevent.Timeout(0.05):
            s.get("/delay/60000")
    out([outcome(slow), outcome(slow), _cload.waiting_count(), outcome(s.get, "/hello")])
    """
    assert play(target, code) == ["Timeout", "Timeout", 0, 200]


def test_a_timeout_of_nothing(target: Target) -> None:
    code = """
    s = session()
    def at_once():
        with gevent.Timeout(0):
            s.get("/delay/60000")
    def silently():
        with gevent.Timeout(0, False):
            s.get("/delay/60000")
        return "went on"
    out([outcome(at_once), outcome(silently), outcome(s.get, "/hello")])
    """
    assert play(target, code) == ["Timeout", "went on", 200]


def test_base_url_changes_in_flight(target: Target) -> None:
    """API-114: the call that is under way ends in order, the next one goes to the new host."""
    code = """
    s = session()
    s.cookies.set("a", "b")
    calls = [gevent.spawn(outcome, s.get, "/delay/200") for _ in range(3)]
    gevent.sleep(0.05)
    s.base_url = URL
    s.base_url = URL + "/"
    s.base_url = URL
    killed = gevent.spawn(s.get, "/delay/60000")
    gevent.sleep(0.02)
    s.base_url = URL
    killed.kill()
    gevent.joinall(calls, timeout=60)
    out([[call.value for call in calls], outcome(s.get, "/hello"), s.cookies.get("a"), _cload.waiting_count()])
    """
    assert play(target, code) == [[200, 200, 200], 200, "b", 0]


def test_a_session_is_initialised_again_or_closed_in_flight(target: Target) -> None:
    code = """
    s = session()
    calls = [gevent.spawn(outcome, s.get, "/delay/200") for _ in range(3)]
    gevent.sleep(0.05)
    s.close()
    s.__init__(URL, None, None)
    s.close()
    gevent.joinall(calls, timeout=60)
    out([[call.value for call in calls], outcome(s.get, "/hello")])
    """
    assert play(target, code) == [[200, 200, 200], 200]


def test_a_session_is_forgotten_in_flight(target: Target) -> None:
    code = """
    def call(path):
        return session().get(path).status_code
    calls = [gevent.spawn(call, path) for _ in range(10) for path in ("/delay/60000", "/delay/100")]
    until(lambda: _cload.waiting_count() >= 10)
    gc.collect()
    for call in calls[::2]:
        call.kill(block=False)
    gc.collect()
    gevent.joinall(calls, timeout=60)
    gc.collect()
    out([sum(call.value == 200 for call in calls), _cload.waiting_count()])
    """
    assert play(target, code) == [10, 0]


def test_a_session_without_init(target: Target) -> None:
    code = """
    class Bare(HttpSession):
        def __init__(self): pass
    results = []
    for name in ["get", "post", "close", "_cookie_list", "_cookie_version", "_headers_changed"]:
        results.append(outcome(getattr(Bare(), name), *(["/hello"] if name in ("get", "post") else [])) is not None)
    s = Bare()
    results.append(outcome(s.cookies.set, "a", "b"))
    results.append(outcome(s._cookie_remove, None, None, None))
    for name in dir(HttpSession):
        outcome(getattr, s, name)
    s = Bare()
    results.append(outcome(setattr, s, "base_url", URL))
    outcome(s.get, "/hello")
    s = _cload.HttpSession.__new__(_cload.HttpSession)
    for name in dir(s):
        outcome(getattr, s, name)
        outcome(delattr, s, name)
        outcome(setattr, s, name, 7)
        outcome(getattr, s, name)
    outcome(s.get, "/hello")
    out(len(results))
    """
    assert play(target, code) == 9


def test_objects_of_all_types_by_hand(target: Target) -> None:
    """No type may rely on its __init__ having run, nor on its attributes being there."""
    code = """
    from locust.clients import ResponseContextManager, LocustResponse
    import locust.stats
    kinds = [value for value in vars(_cload).values() if isinstance(value, type)]
    kinds += [ResponseContextManager, HttpSession, HttpUser, TaskSet, SequentialTaskSet]
    tried = 0
    for kind in kinds:
        for arguments in [(), (None,), (User.__new__(User),), ("x", 1, 2), (b"", {}, [])]:
            try:
                thing = kind.__new__(kind, *arguments)
            except BaseException:
                continue
            for name in dir(thing):
                if name in ("run", "__class__", "start", "join", "kill"):
                    continue
                for act in [getattr, delattr, getattr]:
                    outcome(act, thing, name)
                for value in [None, 7, "x", [], {}]:
                    outcome(setattr, thing, name, value)
                    outcome(getattr, thing, name)
                try:
                    function = getattr(thing, name)
                except BaseException:
                    continue
                if callable(function) and not name.startswith("__"):
                    for given in [(), (None,), ("x",), (thing,), (1, 2), ("a", "b", "c")]:
                        outcome(function, *given)
            tried += 1
            outcome(repr, thing)
            del thing
            gc.collect()
    out(tried > 5)
    """
    assert play(target, code) is True


def test_users_kill_each_other(target: Target) -> None:
    code = """
    stopped = []
    class U(Base):
        wait_time = constant(0)
        def on_stop(self):
            stopped.append(self.client.get("/hello").status_code)
        @task
        def t(self):
            self.client.get("/delay/5")
            others = [g for g in self.environment.runner.user_greenlets if g is not self.greenlet]
            if others and random.random() < 0.3:
                how = random.random()
                victim = random.choice(others)
                if how < 0.4: victim.kill()
                elif how < 0.7: victim.kill(block=False)
                else: gevent.kill(victim)
            elif not others:
                self.greenlet.kill()
    environment = Environment(user_classes=[U])
    runner = environment.create_local_runner()
    runner.start(60, 1000)
    runner.spawning_greenlet.join()
    until(lambda: not runner.user_count)
    runner.quit()
    out([len(stopped) > 20, set(stopped) <= {200}, _cload.waiting_count()])
    """
    assert play(target, code) == [True, True, 0]


@pytest.mark.parametrize("how", ["block=True", "block=False", "block=True, timeout=5"])
def test_killall_of_the_users(target: Target, how: str) -> None:
    code = f"""
    stopped = []
    begun = []
    class U(Base):
        def on_start(self): begun.append(self)
        def on_stop(self):
            stopped.append(self.client.get("/delay/20").status_code)
        @task
        def t(self): self.client.get("/delay/200")
        @task
        def u(self): gevent.sleep(0.1)
        @task
        def v(self): pass
    environment = Environment(user_classes=[U])
    runner = environment.create_local_runner()
    runner.start(50, 500)
    until(lambda: len(begun) == 50)
    rest(0.3)
    gevent.killall(runner.user_greenlets, {how})
    until(lambda: not runner.user_count)
    runner.quit()
    out([len(stopped), set(stopped) == {{200}}, _cload.waiting_count()])
    """
    assert play(target, code) == [50, True, 0]


def test_kill_of_the_greenlet_a_task_ran_in(target: Target) -> None:
    """A script may keep gevent.getcurrent() and kill it later, when the user waits or is in another task."""
    code = """
    stopped, kept, ran = [], {}, []
    class U(Base):
        wait_time = constant(0.05)
        def on_start(self): kept[self] = gevent.getcurrent()
        def on_stop(self): stopped.append(self)
        @task
        def t(self):
            ran.append(gevent.getcurrent() is kept[self])
            self.client.get("/hello")
    class V(Base):
        wait_time = constant(0.05)
        @task
        def t(self): self.client.get("/hello")
    environment = Environment(user_classes=[U, V])
    runner = environment.create_local_runner()
    runner.start(40, 500)
    until(lambda: len(kept) == 20 and len(ran) > 60)
    for g in kept.values(): gevent.kill(g)
    until(lambda: len(stopped) == 20 and runner.user_count == 20)
    left = runner.user_count
    runner.quit()
    out([all(ran), len(stopped) == len(kept), left, runner.user_count, _cload.waiting_count()])
    """
    assert play(target, code) == [True, True, 20, 0, 0]


def test_idle_greenlets_of_the_pool_are_killed(target: Target) -> None:
    """As a script does that kills every greenlet the collector knows."""
    code = """
    class U(Base):
        wait_time = constant(0.02)
        @task
        def t(self): self.client.get("/delay/10")
    environment = Environment(user_classes=[U])
    runner = environment.create_local_runner()
    runner.start(100, 1000)
    until(lambda: environment.stats.total.num_requests > 200)
    runner.stop()
    mine = [g for g in gc.get_objects() if type(g).__name__ == "Carrier" and not g.dead]
    for g in mine: gevent.kill(g)
    gevent.sleep(0.1)
    dead = sum(g.dead for g in mine)
    del mine
    environment.stats.reset_all()
    runner.start(100, 1000)
    until(lambda: environment.stats.total.num_requests > 200)
    users, requests = runner.user_count, environment.stats.total.num_requests
    runner.quit()
    out([dead > 0, users, requests > 100, environment.stats.total.num_failures, _cload.waiting_count()])
    """
    assert play(target, code) == [True, 100, True, 0, 0]


def test_a_waiting_greenlet_is_switched_into(target: Target) -> None:
    code = """
    s = session()
    waiting, called = [], []
    def call():
        waiting.append(gevent.getcurrent())
        return s.get("/delay/500").status_code
    call_ = gevent.spawn(call)
    until(_cload.waiting_count)
    for _ in range(5):
        gevent.get_hub().loop.run_callback(waiting[0].switch)
        gevent.sleep(0.001)
    call_.join(60)
    class U(Base):
        @task
        def t(self):
            me = gevent.getcurrent()
            for _ in range(3): gevent.get_hub().loop.run_callback(me.switch)
            self.client.get("/delay/5")
            called.append(None)
    environment = run(U, users=5, ready=lambda: called)
    out([call_.value, counts(environment), _cload.waiting_count()])
    """
    assert play(target, code) == [200, [True, 0], 0]


def test_a_listener_calls_and_changes(target: Target) -> None:
    """EVT: events.request listeners that make requests, raise, remove themselves, replace the statistics."""
    code = """
    from locust.stats import RequestStats
    class U(Base):
        @task
        def t(self):
            self.client.get("/hello")
            self.client.get("/status/500")
            with self.client.get("/hello", catch_response=True) as r: r.failure("no")
    seen = []
    def listen(name, request_type, context, response, **kwargs):
        seen.append(name)
        if name == "/hello" and len(seen) < 200:
            seen.append(session().get("/status/404").status_code)
        if len(seen) % 7 == 0: raise ValueError("listener")
        if len(seen) > 100: environment.events.request.remove_listener(listen)
    environment = Environment(user_classes=[U])
    environment.events.request.add_listener(listen)
    runner = environment.create_local_runner()
    logging.disable()
    runner.start(5, 100)
    until(lambda: len(seen) > 100 and 404 in seen)
    class Odd(Exception):
        def __repr__(self):
            environment.stats = RequestStats()
            gc.collect()
            return "odd"
    environment.runner.environment.stats.clear_all()
    s = session(request_event=environment.events.request)
    for _ in range(50):
        with s.get("/hello", catch_response=True) as r: r.failure(Odd())
    gevent.sleep(0.2)
    runner.quit()
    out([len(seen) > 100, 404 in seen, _cload.waiting_count()])
    """
    assert play(target, code) == [True, True, 0]


def test_calls_while_being_killed(target: Target) -> None:
    """A call in on_stop is an ordinary one, and a second kill ends that too."""
    code = """
    log_ = []
    class U(Base):
        def on_stop(self):
            log_.append(self.client.get("/hello").status_code)
            try:
                self.client.get("/delay/60000")
            except gevent.GreenletExit:
                log_.append("killed")
                raise
        @task
        def t(self):
            begun.append(self)
            self.client.get("/delay/60000")
    begun = []
    environment = Environment(user_classes=[U])
    runner = environment.create_local_runner()
    runner.start(10, 100)
    until(lambda: len(begun) == 10)
    rest(0.1)
    for g in list(runner.user_greenlets): g.kill(block=False)
    until(lambda: log_.count(200) == 10)
    rest(0.1)
    for g in list(runner.user_greenlets): g.kill(block=False)
    until(lambda: not runner.user_count)
    runner.quit()
    out([log_.count(200), log_.count("killed"), _cload.waiting_count()])
    """
    assert play(target, code) == [10, 10, 0]


def test_a_child_process_in_a_task(target: Target) -> None:
    """What a forked child does with the loop must not reach the parent."""
    code = """
    import subprocess
    logging.disable()
    results = []
    class U(Base):
        @task
        def t(self):
            self.client.get("/hello")
            pid = os.fork()
            if pid == 0:
                results.clear()  # The child has a copy of the main greenlet too: it shall not end this user.
                self.client.cookies.clear()
                del self.client
                gc.collect()
                code = session().get("/hello").status_code == 200
                gevent.sleep(0.01)
                os._exit(3 if code else 4)
            results.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            results.append(subprocess.run(["true"]).returncode)
            results.append(self.client.get("/hello").status_code)
    environment = Environment(user_classes=[U])
    runner = environment.create_local_runner()
    runner.start(3, 100)
    until(lambda: len(results) > 6 and 200 in results)
    runner.quit()
    out([sorted(set(results)), len(results) > 6, counts(environment), _cload.waiting_count()])
    """
    assert play(target, code) == [[0, 3, 200], True, [True, 0], 0]


def test_signals_during_calls(target: Target) -> None:
    code = """
    got = []
    signal.signal(signal.SIGALRM, lambda *_: got.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    class U(Base):
        wait_time = constant(0)
        @task
        def t(self): self.client.get("/hello")
        @task
        def u(self): self.client.get("/delay/3")
    environment = run(U, users=20, seconds=0.5, ready=lambda: len(got) > 50)
    signal.setitimer(signal.ITIMER_REAL, 0)
    def stop(*_): raise KeyboardInterrupt
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    s = session()
    out([len(got) > 50, counts(environment), outcome(s.get, "/delay/60000"), outcome(s.get, "/hello")])
    """
    assert play(target, code) == [True, [True, 0], "KeyboardInterrupt", 200]


def test_exceptions_in_destructors(target: Target) -> None:
    code = """
    sys.unraisablehook = lambda *_: None
    class Bad:
        def __del__(self): raise ValueError("bad")
    class Caller:
        def __del__(self): self.r = outcome(session().get, "/hello")
    class U(Base):
        @task
        def t(self):
            self.bad = Bad()
            self.caller = Caller()
            response = self.client.get("/hello")
            response.bad = Bad()
            self.client.bad = Bad()
    # A kill would be lost in a destructor: Python reports what is raised there, and goes on.
    environment = run(U, users=10, stop_timeout=10)
    del environment
    gc.collect()
    out(_cload.waiting_count())
    """
    assert play(target, code) == 0


@pytest.mark.parametrize("words", ["sys.exit(3)", "raise SystemExit(3)", "gevent.spawn(sys.exit, 3); gevent.sleep(1)"])
def test_sys_exit_in_a_task(target: Target, words: str) -> None:
    code = f"""
    class U(Base):
        @task
        def t(self):
            self.client.get("/hello")
            {words}
    try:
        run(U, seconds=0, ready=lambda: False)
    except SystemExit as error:
        code = error.code
    gevent.sleep(0.05)
    out([code, outcome(session().get, "/hello")])
    """
    assert play(target, code) == [3, 200]


def test_bodies_are_kept(target: Target) -> None:
    code = """
    kept = []
    class U(Base):
        def on_start(self): self.kept = []
        @task
        def t(self):
            response = self.client.get("/bytes/3000000")
            kept.append(None)
            self.kept.append(response if random.random() < 0.5 else response.content)
            if len(self.kept) > 5: self.kept.clear()
    environment = run(U, users=5, seconds=1, ready=lambda: len(kept) > 20)
    out(counts(environment))
    """
    assert play(target, code) == [True, 0]


def test_a_tracer_is_active(target: Target) -> None:
    code = """
    calls = []
    def trace(frame, event, arg):
        calls.append(event)
        return trace
    class U(Base):
        @task
        def t(self):
            sys.settrace(trace)
            self.client.get("/hello")
            gevent.sleep(0.001)
            with self.client.get("/status/500", catch_response=True) as response: response.success()
        @task
        def u(self):
            sys.setprofile(lambda *_: None)
            self.client.get("/delay/5")
            sys.setprofile(None)
    environment = run(U, users=10, seconds=0.5, ready=lambda: len(calls) > 10)
    sys.settrace(None)
    out([len(calls) > 10, counts(environment)])
    """
    assert play(target, code) == [True, [True, 0]]


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "raise SystemExit", "del U, environment, runner; gc.collect()"])
def test_the_interpreter_ends_with_users_alive(target: Target, ending: str) -> None:
    code = f"""
    class Late:
        def __del__(self): gc.collect()
    calls = []
    class U(Base):
        wait_time = constant(0)
        @task
        def t(self):
            self.late = Late()
            calls.append(self)
            self.client.get("/delay/50")
        @task
        def u(self): gevent.sleep(0.1)
    class Waiting(Base):
        wait_time = constant(100)
        @task
        def t(self): self.client.get("/hello")
    environment = Environment(user_classes=[U, Waiting])
    runner = environment.create_local_runner()
    runner.start(40, 1000)
    until(lambda: len(calls) > 20)
    out(runner.user_count)
    {ending}
    """
    done = OURS._run(["-c", "import cload\n" + source(target, code)], None, {}, 120)
    assert done.status == 0, done
    assert "RESULT 40" in done.stdout
    assert "Traceback" not in done.stderr, done.stderr
