"""Scripts that leave the greenlets: threads of the operating system, and child processes."""

from __future__ import annotations

import pytest
from play import play
from servers import Target

_THREADS = """
import concurrent.futures, gevent.monkey, gevent.threadpool, threading
start_thread = gevent.monkey.get_original("_thread", "start_new_thread")
from locust import FastHttpUser
class U({base}):
    host = URL
    @task
    def t(self): pass
environment = Environment(user_classes=[U])
user = U(environment)
def calls(client, count=5, path="/delay/5"):
    return sum(client.get(path, name="t").status_code == 200 for _ in range(count))
def in_thread(function, *args):
    "What it returns or raises there, while greenlets go on here."
    done = []
    start_thread(lambda: done.append(outcome(function, *args)), ())
    with gevent.Timeout(60):
        while not done: gevent.sleep(0.002)
    return done[0]
"""


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_calls_from_native_threads(target: Target, base: str) -> None:
    """The thread that made the client, others, several at once, and one beside a greenlet: all are counted."""
    code = """
    environment.create_local_runner()
    results = [
        in_thread(calls, user.client),
        gevent.get_hub().threadpool.apply(calls, (user.client,)),
        in_thread(lambda: calls(U(environment).client)),
        in_thread(lambda: user.client.get("/nowhere", name="t").status_code),
    ]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        results += [future.result() for future in [pool.submit(calls, user.client) for _ in range(3)]]
    beside = gevent.spawn(calls, user.client, 20)
    results += [in_thread(calls, user.client), beside.get()]
    made_there = []
    in_thread(lambda: made_there.append(U(environment)))
    results.append(calls(made_there[0].client, path="/hello"))
    def catching():
        with user.client.get("/hello", catch_response=True, name="t") as response:
            response.failure("no")
        return response.status_code
    results.append(in_thread(catching))
    total = environment.stats.total
    out([results, total.num_requests, total.num_failures])
    """
    results, requests, failures = play(target, _THREADS.format(base=base) + code.replace("\n    ", "\n"))
    assert results == [5, 5, 5, 404, 5, 5, 5, 5, 20, 5, 200]
    assert (requests, failures) == (62, 2)


def test_two_threads_make_the_first_hub(target: Target) -> None:
    """Each is held up while it makes one; all sessions are on the one that was first, and the other one is gone."""
    code = """
    import _thread, threading, time, gevent.monkey
    start_thread = gevent.monkey.get_original("_thread", "start_new_thread")
    made, both, get_hub = [], [], gevent.get_hub
    def slow():
        both.append(1)
        until = time.monotonic() + 5
        while len(both) < 2 and time.monotonic() < until: pass
        return get_hub()
    gevent.get_hub = slow
    def sockets(): return sum(os.path.realpath(entry.path).count("socket:") for entry in os.scandir("/proc/self/fd"))
    before = sockets()
    start_thread(lambda: made.append(session()), ())
    made.append(session())
    while len(made) < 2: gevent.sleep(0.01)
    gevent.get_hub = get_hub
    pairs = (sockets() - before) / 2  # a loop has one, for other threads
    out([len(both), pairs, [one.get("/hello").status_code for one in made]])
    """
    assert play(target, code) == [2, 1, [200] * 2]


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_a_thread_waits_and_drops_sessions(target: Target, base: str) -> None:
    """TaskSet.wait() sleeps in the thread; sessions with open connections may be freed there; a user cannot start."""
    code = """
    class W(User):
        wait_time = constant(0.02)
        @task
        def t(self): pass
    waiter = W(environment)
    waiter._taskset_instance = TaskSet(waiter)
    results = [in_thread(waiter.wait)]
    for _ in range(20):
        box = [U(environment).client]
        calls(box[0], 1, "/hello")
        in_thread(box.clear)
    results += [in_thread(_cload.UserGreenlet, user), calls(user.client, 2, "/hello"), _cload.waiting_count()]
    out(results)
    """
    assert play(target, _THREADS.format(base=base) + code.replace("\n    ", "\n")) == [None, "RuntimeError", 2, 0]


def test_users_while_threads_call(target: Target) -> None:
    """Native threads that never rest, beside users that call, spawn and stop."""
    code = """
    stop = []
    def hammer():
        while not stop: calls(user.client, 1, "/hello")
        stop.append(1)
    for _ in range(3): start_thread(hammer, ())
    class V(HttpUser):
        host = URL
        wait_time = constant(0.001)
        @task
        def t(self): self.client.get("/hello", name="v")
    second = Environment(user_classes=[V])
    runner = second.create_local_runner()
    for _ in range(3):
        runner.start(20, 1000)
        enough = second.stats.total.num_requests + 50
        until(lambda: second.stats.total.num_requests > enough)
        runner.stop()
    stop.append(1)
    with gevent.Timeout(60):
        while len(stop) < 4: gevent.sleep(0.01)
    out([second.stats.total.num_requests > 100, second.stats.total.num_failures, _cload.waiting_count()])
    """
    assert play(target, _THREADS.format(base="HttpUser") + code.replace("\n    ", "\n")) == [True, 0, 0]


_FORKS = """
import multiprocessing, subprocess
from locust import FastHttpUser
def calls(client, count=5):
    return sum(client.get("/hello", name="t").status_code == 200 for _ in range(count))
def end_of(pid):
    with gevent.Timeout(60):
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended: return os.waitstatus_to_exitcode(status)
            gevent.sleep(0.005)
"""


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_a_task_forks(target: Target, base: str) -> None:
    """The child uses the user's client, with its cookies, on connections of its own, while the parent's users go on;
    the parent's users do not run in the child."""
    code = f"""
    class U({base}):
        host = URL
        wait_time = constant(0.005)
        def on_start(self): self.child = None
        @task
        def t(self):
            calls(self.client)
            if log: return
            note("forks")
            self.client.get("/cookies/set?who=me")
            pid = os.fork()
            if pid == 0:
                before = total.num_requests
                ok = calls(self.client)
                gevent.sleep(0.1)
                cookie = "who" in self.client.get("/cookies").text
                os._exit(10 * cookie + calls(self.client) if ok == 5 and total.num_requests <= before + 13 else 1)
            calls(self.client)
            note(end_of(pid))
    environment = Environment(user_classes=[U])
    total = environment.stats.total
    runner = environment.create_local_runner()
    runner.start(10, 1000)
    until(lambda: len(log) == 2 and total.num_requests > 100)
    runner.quit()
    out([log, total.num_requests > 100, total.num_failures, _cload.waiting_count()])
    """
    assert play(target, _FORKS + code.replace("\n    ", "\n")) == [["forks", "15"], True, 0, 0]


def test_a_task_starts_processes(target: Target) -> None:
    """multiprocessing and subprocess in on_start and in a task; no descriptor of the engine's reaches a program."""
    code = """
    def child(queue, client): queue.put(calls(client))
    def processes(user):
        queue = multiprocessing.get_context("fork").Queue()
        process = multiprocessing.get_context("fork").Process(target=child, args=(queue, user.client))
        process.start()
        note(queue.get(timeout=60)); process.join(60); note(process.exitcode)
        note(subprocess.run(["sh", "-c", "echo /proc/self/fd/*"], capture_output=True, text=True).stdout.count("fd"))
        note(os.popen("echo x").read().strip(), os.system("exit 3") >> 8)
    class U(Base):
        def on_start(self): calls(self.client); processes(self)
        @task
        def t(self): processes(self); calls(self.client); raise StopUser()
    environment = Environment(user_classes=[U])
    runner = environment.create_local_runner()
    runner.start(1, 1)
    runner.spawning_greenlet.join()
    with gevent.Timeout(100): runner.user_greenlets.join()
    runner.quit()
    out([log, environment.stats.total.num_failures])
    """
    log, failures = play(target, _FORKS + code.replace("\n    ", "\n"))
    assert log == ["5", "0", "4", "x 3"] * 2
    assert failures == 0


def test_a_child_goes_on_as_if_nothing_were(target: Target) -> None:
    """A child that returns from the task: its user ends there, the parent's does not notice."""
    code = """
    children = []
    class U(Base):
        @task
        def t(self):
            calls(self.client)
            if not children:
                children.append(os.fork())
    environment = Environment(user_classes=[U])
    runner = environment.create_local_runner()
    runner.start(5, 1000)
    until(lambda: children)
    rest(0.3)
    seen = environment.stats.total.num_requests
    rest(0.3)
    if children != [0]: until(lambda: environment.stats.total.num_requests > seen + 50)
    more = environment.stats.total.num_requests - seen
    runner.quit()
    if children == [0]: os._exit(3 if more == 0 else 4)
    out([end_of(children[0]), more > 50, environment.stats.total.num_failures])
    """
    assert play(target, _FORKS + code.replace("\n    ", "\n")) == [3, True, 0]


def test_a_child_has_none_of_its_parents_channels(target: Target) -> None:
    """DST: what a forked child sends, takes, closes or forgets there reaches neither the parent nor other nodes."""
    code = """
    master = _cload.Channel("127.0.0.1", 0)
    worker = _cload.Channel("127.0.0.1", master.port, "w")
    def talk():
        worker.send(b"there")
        name, there = master.recv()
        master.send(b"back", name.decode())
        return [there.decode(), worker.recv()[1].decode()]
    results = [talk()]
    receiving = gevent.spawn(master.recv)
    gevent.sleep(0.01)
    for number in range(2):
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.alarm(100)
            told = [outcome(worker.send, b"x"), outcome(master.send, b"x", "w"), outcome(worker.recv),
                    outcome(getattr, master, "port"), outcome(getattr, worker, "unconnected")]
            if number == 0:
                master.close()
                worker.close()
            else:
                del master, worker
                gc.collect()
            gevent.sleep(0.01)
            own = _cload.Channel("127.0.0.1", 0)
            told.append(own.port > 0)
            own.close()
            _cload.end_rpc()
            os.write(write_end, json.dumps(told).encode())
            os._exit(0)
        os.close(write_end)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        results.append([status, json.loads(os.read(read_end, 9999) or "null")])
    worker.send(b"to who waits")
    results.append(receiving.get(timeout=60)[1].decode())
    results.append(talk())
    out(results)
    """
    child = [0, ["OSError"] * 5 + [True]]
    assert play(target, code) == [["there", "back"], child, child, "to who waits", ["there", "back"]]
