"""Objects whose own methods pull away what the engine is at work on, and arguments of every kind to everything it has.
None of it may crash; `./dev test` runs this under AddressSanitizer, too."""

from __future__ import annotations

from play import play
from servers import Target

_COLLECTED = """
class Garbage:
    def __init__(self, act): self.me, self.act = self, act
    def __del__(self): self.act()
def littered(act, call):
    "What `call` returns while garbage calls `act`, at each time at the next of the objects that it makes."
    for number in range(1, 30):
        gc.collect()
        gc.disable()
        Garbage(act)
        gc.set_threshold(gc.get_count()[0] + number, 10, 10)
        gc.enable()
        try:
            result = call()
        finally:
            gc.set_threshold(700, 10, 10)
    return result
"""


def test_the_table_is_emptied_by_what_is_logged(target: Target) -> None:
    """The texts, names and rules of statistics are the script's, and may clear or reset them."""
    code = """
    from locust.stats import RequestStats
    import locust.stats
    stats = RequestStats()
    class Clearing(Exception):
        def __str__(self):
            stats.clear_all()
            return "clearing"
        __repr__ = __str__
    for round in range(50):
        stats.log_request("GET", f"/{round}", 1, 2)
        stats.log_error("GET", f"/{round}", Clearing())
        stats._log_failure("GET", f"/x{round}", Clearing())
        stats._add_failure("GET", f"/y{round}", Clearing(), 1, 1.0, 2.0, False)
    def rule(ms):
        stats.clear_all()
        return 10
    stats._tune(rule, 10)
    for round in range(50):
        stats.log_request("GET", f"/{round}", 1, 2)
    environment = Environment()
    environment.create_local_runner()
    environment.stats = stats
    s = session(request_event=environment.events.request)
    codes = {s.get("/hello", name=f"/{round}").status_code for round in range(20)}
    def replacing(ms):
        stats._tune(None, 10)
        return 10
    class Rule:
        def __call__(self, ms): return replacing(ms)
        def __del__(self): stats.clear_all()
    stats._tune(Rule(), 10)
    stats.log_request("GET", "/", 1, 2)
    class Fraction:
        def __float__(self):
            fractions.clear()
            return 0.5
    fractions = [Fraction() for _ in range(100)]
    shown = outcome(stats._console_percentiles, 10, 10, fractions)
    counts_ = {Fraction(): Fraction() for _ in range(10)}
    fractions = counts_
    refused = outcome(setattr, stats.total, "response_times", counts_)
    out([sorted(codes), type(shown).__name__, refused])
    """
    assert play(target, code) == [[200], "str", "TypeError"]


def test_garbage_empties_what_is_listed(target: Target) -> None:
    """Making an object may collect others, whose finalizers are the script's."""
    code = """
    from locust.stats import RequestStats
    stats = RequestStats()
    def fill():
        for number in range(30): stats.log_request("GET", f"/{number}", number, 1)
    def keys():
        fill()
        return list(stats.entries)
    littered(stats.clear_all, keys)
    def entries():
        fill()
        return [stats.entries.get((f"/{number}", "GET")) for number in range(30)]
    littered(stats.clear_all, entries)
    def same():
        fill()
        return stats.get("/1", "GET") is stats.get("/1", "GET")
    littered(lambda: stats.get("/1", "GET"), same)
    littered(stats.total.reset, stats.total._moments)
    dispatcher = _cload.Dispatcher((("U", 1.0, 0),), tuple(f"w{number}" for number in range(40)))
    workers = [f"w{number}" for number in range(1, 40)]
    def shrink():
        if workers: dispatcher.remove_worker(workers.pop())
    def advance():
        dispatcher.start(1000, 1e9)
        return type(dispatcher.advance()).__name__
    littered(shrink, advance)
    out(len(stats.entries) <= 30)
    """
    assert play(target, _COLLECTED + code.replace("\n    ", "\n")) is True


def test_greenlets_and_sets_lose_what_they_have(target: Target) -> None:
    """Users, links and task sets that are gone by the time they would be used."""
    code = """
    class U(Base):
        @task
        def t(self): pass
    environment = Environment(user_classes=[U])
    environment.create_local_runner()
    class Unlinking:
        def __call__(self, greenlet): pass
        def __eq__(self, other):
            for greenlet in greenlets: greenlet.unlink_all()
            gc.collect()
            return False
    greenlets = [_cload.UserGreenlet(U(environment)) for _ in range(2)]
    for number, greenlet in enumerate(greenlets, 1):
        for _ in range(50 * number - 49): greenlet.rawlink(Unlinking())
        greenlet.unlink(Unlinking())
    class Loose:
        "As a greenlet, but nobody holds the user."
        @property
        def args(self): return (type("V", (), {})(),)
    counted = _cload.count_users([Loose() for _ in range(20)])
    chosen = _cload.choose_users([Loose() for _ in range(20)], {"V": 5})
    class Swapped(TaskSet):
        @task
        def t(self):
            self._user = U(environment)
            gc.collect()
            self.interrupt()
    swapped = outcome(Swapped(U(environment)).run)
    swapped = [swapped, outcome(Swapped(U(environment)).wait)]
    class Odd(Base):
        @task
        def t(self):
            self._taskset_instance._user = "nobody"
            self._taskset_instance.schedule_task(lambda user: None)
    environment = Environment(user_classes=[Odd])
    runner = environment.create_local_runner()
    logging.disable()
    runner.start(1, 10)
    until(lambda: not runner.user_count)
    runner.quit()
    out([sum(counted.values()), len(chosen[0]), swapped])
    """
    assert play(target, code) == [20, 5, ["RescheduleTaskImmediately", None]]


def test_internals_are_given_anything(target: Target) -> None:
    """What only our own Python code calls says what is wrong, too."""
    code = """
    results = []
    class F(FastHttpUser):
        host = URL
    client = F(Environment()).client
    results.append([outcome(client._set_headers, given) for given in ([1], [()], [("a", "b")], [(b"a",)], 7)])
    results.append(outcome(client._setup, URL, None, None, "text", client._options, None))
    results.append([outcome(_cload.check_http_version, version) for version in (-2**63, 2**40, 2**70, 0, 4)])
    results.append(outcome(HttpSession, URL, None, None, http_version=-2**31))
    out(results)
    """
    results = play(target, "from locust import FastHttpUser\n" + code.replace("\n    ", "\n"))
    assert results[0] == ["TypeError"] * 5
    assert results[1] == "TypeError"
    assert results[2] == ["ValueError", "ValueError", "OverflowError", "ValueError", "ValueError"]
    assert results[3] == "ValueError"


def test_clients_of_the_scripts_own(target: Target) -> None:
    """A class in the place of HttpSession need not look like it inside; what a client leads back to itself is found."""
    code = """
    import weakref
    import locust.user.users
    from locust import FastHttpUser
    class Kept: pass
    left = []
    for base in HttpUser, FastHttpUser:
        client = type("U", (base,), {"host": URL})(Environment()).client
        client.request_name = kept = Kept()
        kept.client = client
        left.append(weakref.ref(kept))
        del client, kept
    gc.collect()
    class Fake:
        __slots__ = [f"a{number:02}" for number in range(70)] + ["trust_env"]
        def __init__(self, **settings): self.a01 = self.a02 = "\\0" * 100000
    locust.user.users.HttpSession = Fake
    class U(HttpUser):
        host = URL
    environment = Environment()
    out([[ref() is None for ref in left], [type(U(environment).client).__name__ for _ in range(3)]])
    """
    assert play(target, code) == [[True, True], ["Fake"] * 3]


def test_streams_that_another_thread_drops(target: Target) -> None:
    """Their connections are given back in the loop's thread, which may have heard of them what it has not told yet: of
    hundreds that become readable at once it tells some at a time."""
    code = """
    from gevent import monkey
    start, sleep = monkey.get_original("_thread", "start_new_thread"), monkey.get_original("time", "sleep")
    server = monkey.get_original("socket", "socket")()
    server.bind(("127.0.0.1", 0))
    server.listen(500)
    COUNT = 300
    steps = {"asked": False, "sent": False, "dropped": False}
    def until_step(step):
        while not steps[step]: sleep(0.001)
    def serve():
        held = []
        for _ in range(COUNT):
            held.append(server.accept()[0])
            held[-1].recv(65536)
            held[-1].sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\nabc")
        until_step("asked")
        for connection in held: connection.sendall(b"d")
        steps["sent"] = True
        until_step("dropped")
        sleep(1)
    start(serve, ())
    class U(HttpUser):
        host = "http://127.0.0.1:%d" % server.getsockname()[1]
    environment = Environment()
    responses = [U(environment).client.get("/", stream=True) for _ in range(COUNT)]
    assert all(response._stream.read(3) == b"abc" for response in responses)
    dropped, kept = responses[::2], responses[1::2]
    waiting = [gevent.spawn(response._stream.read, 1) for response in dropped]
    gevent.sleep(0.05)
    gevent.killall(waiting)
    del responses, waiting
    gc.collect()
    filled = []
    def drop():
        dropped.clear()
        filled.extend(bytes([221]) * 47 for _ in range(5000))
        steps["dropped"] = True
    def read(response):
        got.append(response._stream.read(9))
        if len(got) == 1: start(drop, ())
        until_step("dropped")
    got = []
    readers = [gevent.spawn(read, response) for response in kept]
    gevent.sleep(0.05)
    steps["asked"] = True
    until_step("sent")
    gevent.joinall(readers, timeout=60)
    out([len(got), set(got) == {b"d"}])
    """
    assert play(target, code) == [150, True]


def test_nothing_grows_from_cycle_to_cycle(target: Target) -> None:
    """Blocks of Python's memory that are left of each user, environment, session and failed request: nearly none."""
    code = """
    from locust import FastHttpUser
    logging.disable()
    class U(Base):
        @task
        def t(self): self.client.get("/hello")
    class F(FastHttpUser):
        host = URL
        wait_time = constant(0.01)
        @task
        def t(self): self.client.get("/redirect/1")
    environment = Environment(user_classes=[U, F])
    runner = environment.create_local_runner()
    def cycle():
        runner.start(10, 1000)
        gevent.sleep(0.02)
        runner.stop()
        return 10
    def another():
        further = Environment(user_classes=[U, F])
        further.create_local_runner().start(2, 1000)
        gevent.sleep(0.01)
        further.runner.quit()
        return 1
    def sessions():
        s = session(request_event=environment.events.request)
        s.headers["a"] = "b"
        s.cookies.set("c", "d")
        s.get("/redirect/1")
        F(environment).client.get("/hello")
        return 1
    broken = [session(request_event=environment.events.request), F(environment).client]
    def failing():
        for client in broken:
            for _ in range(10):
                client.get("http://127.0.0.1:1/", name="n")
                with client.get("/status/500", name="n", catch_response=True) as response: response.failure("no")
                outcome(client.get, "/hello", headers=7)
        return 60
    left = {}
    for work in (cycle, another, sessions, failing):
        rounds = []
        for _ in range(4):
            gc.collect()
            before = sys.getallocatedblocks()
            made = sum(work() for _ in range(12))
            gc.collect()
            rounds.append((sys.getallocatedblocks() - before) / made)
        left[work.__name__] = min(rounds[1:])
    out(left)
    """
    left = play(target, code)
    assert all(blocks < 0.3 for blocks in left.values()), left


def test_calls_that_are_killed_at_every_step(target: Target) -> None:
    """After each number of turns of the hub; the clients are as good as before."""
    code = """
    from locust import FastHttpUser
    class F(FastHttpUser): host = URL
    class Boom(Exception): pass
    def pieces():
        for _ in range(3):
            gevent.sleep(0)
            yield b"x" * 3000
    calls = [lambda c: c.get("/hello"), lambda c: c.get("/redirect/2"), lambda c: c.post("/echo", json={"a": 1}),
             lambda c: c.post("/echo", data=b"x" * 500_000), lambda c: c.get("/bytes/500000"),
             lambda c: c.post("/echo", data=pieces()), lambda c: c.get("/bytes/300000", stream=True).content,
             lambda c: c.get(URL.replace("127.0.0.1", "localhost") + "/hello")]
    gevent.get_hub().exception_stream = None
    killed, stuck, left = 0, 0, []
    for client in session(), F(Environment()).client:
        for call in calls:
            for turns in range(8):
                for kill in lambda: greenlet_.kill(block=False), lambda: gevent.kill(greenlet_, Boom()):
                    greenlet_ = gevent.spawn(call, client)
                    for _ in range(turns): gevent.sleep(0)
                    killed += not greenlet_.dead
                    if not greenlet_.dead: kill()
                    greenlet_.join(20)
                    stuck += not greenlet_.dead
        left.append(client.get("/hello").status_code)
    out([killed > 100, stuck, left, _cload.waiting_count()])
    """
    assert play(target, code) == [True, 0, [200, 200], 0]


def test_a_hub_that_has_ended(target: Target) -> None:
    """A signal handler that raises in the midst of gevent's hub ends it: calls then fail, and do not spin for ever."""
    code = """
    client = session()
    class Boom(Exception): pass
    ended = outcome(gevent.get_hub().throw, Boom())
    out([ended, gevent.get_hub().dead, outcome(client.get, "/hello"), outcome(client.get, "/redirect/1")])
    """
    assert play(target, code) == ["Boom", True, "RuntimeError", "RuntimeError"]


def test_listeners_turn_everything_over(target: Target) -> None:
    """Rows and tables go, users end or come, clients lose what they have: in the middle of requests and of spawning."""
    code = """
    import locust.stats
    from locust import FastHttpUser
    class U(Base):
        wait_time = constant(0.001)
        @task
        def t(self): self.client.get("/redirect/1", name=f"n{random.randrange(5)}")
        @task
        def c(self):
            with self.client.post("/status/500", json={}, catch_response=True) as response: response.failure("no")
    class F(FastHttpUser):
        host = URL
        wait_time = constant(0.001)
        @task
        def t(self): self.client.get("/hello")
    class Clearing(Exception):
        def __str__(self):
            environment.stats.clear_all()
            return "clearing"
        __repr__ = __str__
    def each(act):
        for found in list(runner.user_greenlets): act(found)
    def raises(error):
        def act(): raise error
        return act
    acts = [lambda: environment.stats.clear_all(), lambda: environment.stats.reset_all(),
            lambda: setattr(environment, "stats", locust.stats.RequestStats()),
            lambda: [environment.stats.entries.pop(key) for key in list(environment.stats.entries)],
            lambda: environment.stats.log_error("GET", "n1", Clearing()),
            lambda: runner.stop(), lambda: runner.quit(), lambda: runner.start(random.randrange(1, 8), 1000),
            lambda: runner.spawn_users({"U": 1}), lambda: runner.stop_users({"U": 1}),
            lambda: gevent.getcurrent().kill(block=False), lambda: gevent.getcurrent().throw(RuntimeError()),
            lambda: each(lambda found: found.kill(block=False)), raises(StopUser()), raises(gevent.GreenletExit()),
            raises(RescheduleTask()), lambda: gevent.sleep(0.002), lambda: environment.events.request._handlers.clear(),
            lambda: each(lambda found: found.args[0].client.cookies.clear() if found.args else None),
            lambda: each(lambda found: setattr(found.args[0], "client", None) if found.args else None),
            lambda: each(lambda found: vars(found.args[0]).clear() if found.args else None), gc.collect]
    logging.disable()
    gevent.get_hub().exception_stream = None
    done = []
    for event in "request", "spawning_complete":
        for act in acts:
            environment = Environment(user_classes=[U, F])
            runner = environment.create_local_runner()
            happened = []
            def listener(act=act, happened=happened, **_):
                happened.append(1)
                if len(happened) < 30: act()
            getattr(environment.events, event).add_listener(listener)
            with gevent.Timeout(20):
                runner.start(6, 1000)
                while not happened: gevent.sleep(0.01)
                gevent.sleep(0.01)
                runner.quit()
            done.append(runner.user_count)
    out([done, _cload.waiting_count()])
    """
    assert play(target, code) == [[0] * 44, 0]
