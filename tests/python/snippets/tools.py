"""What tools and debuggers do with users, their greenlets and their clients: look into them, copy them, put their own
methods in the place of those of requests, urllib3 and http.client."""

from __future__ import annotations

import copy
import http.client
import json
import pickle
from typing import Any
from unittest import mock

import gevent
import gevent.local
import requests
import urllib3.connection
import urllib3.connectionpool
from gevent.pywsgi import WSGIServer
from kit import Kit
from locust import HttpUser, SequentialTaskSet, TaskSet, User, constant, task
from locust.clients import HttpSession
from locust.env import Environment
from locust.exception import StopUser


def _answer(environ: Any, start_response: Any) -> list[bytes]:
    """Tells what it was asked for, with the headers that are no ordinary ones."""
    start_response("200 OK", [("Content-Type", "application/json")])
    headers = sorted(name[5:] for name in environ if name.startswith("HTTP_X_"))
    return [json.dumps([environ["REQUEST_METHOD"], environ["PATH_INFO"], headers]).encode()]


def tools_in_the_place_of_methods(kit: Kit) -> Any:
    """API-152, API-172: what is put there while a session is in use is called from the next request on, and no more
    when it is taken away."""
    server = WSGIServer(("127.0.0.1", 0), _answer, log=None)
    server.start()
    url = f"http://127.0.0.1:{server.server_port}"
    client = HttpSession(url, Environment().events.request, None)
    told: list[Any] = []
    adapter = requests.adapters.HTTPAdapter
    pool = urllib3.connectionpool.HTTPConnectionPool
    originals: Any = adapter.send, pool.urlopen, http.client.HTTPConnection.putrequest

    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        told.append(("send", request.url.removeprefix(url)))
        return originals[0](self, request, **kwargs)

    def urlopen(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        told.append((method, url))
        return originals[1](self, method, url, *args, **kwargs)

    def putrequest(self: Any, method: str, path: str, *args: Any, **kwargs: Any) -> None:
        originals[2](self, method, path, *args, **kwargs)
        self.putheader("X-Traced", "1")

    def prepare_headers(self: Any, headers: Any) -> None:
        self.headers = requests.structures.CaseInsensitiveDict({"X-Prepared": "1"})

    class Recorder(urllib3.connection.HTTPConnection):
        def request(self, method: str, path: str, *args: Any, **kwargs: Any) -> Any:
            told.append(("recorder", path))
            return super().request(method, path, *args, **kwargs)

    patches = [
        mock.patch.object(adapter, "send", send),
        mock.patch.object(pool, "urlopen", urlopen),
        mock.patch.object(http.client.HTTPConnection, "putrequest", putrequest),
        mock.patch.object(requests.models.PreparedRequest, "prepare_headers", prepare_headers),
        mock.patch.object(pool, "ConnectionCls", Recorder),
    ]
    answers = []
    for number, patch in enumerate(patches):
        # A pool may have connections from before: a recorder only has those it makes.
        client.close()
        answers.append(client.get(f"/{number}/before").json())
        client.close()
        with patch:
            answers += [client.get(f"/{number}/a").json(), client.post(f"/{number}/b", json={}).json()]
        client.close()
        answers.append(client.get(f"/{number}/after").json())
    server.stop()
    assert len(told) == 6, told
    return answers, told


def what_vars_and_copy_find(kit: Kit) -> Any:
    """API-17, API-33: vars() of users, task sets, sessions and responses, and copies of them."""
    found: list[Any] = []

    class Step(SequentialTaskSet):
        @task
        def look(self) -> None:
            mine = vars(self)
            other = copy.copy(self)
            found.append([mine["_user"] is self.user, mine["_parent"] is self.parent, list(mine["_task_queue"]) == [],
                          other.user is self.user, type(other) is type(self)])  # fmt: skip
            raise StopUser

    class Visitor(HttpUser):
        host = kit.url
        wait_time = constant(0)
        tasks = [Step]

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.number = 5

        def on_start(self) -> None:
            mine = vars(self)
            found.append([name in mine for name in ("client", "environment", "number", "_greenlet", "_state", "none")])
            found.append([mine["client"] is self.client, mine["environment"] is self.environment, mine["_state"]])
            mine["added"] = 1
            other = copy.copy(self)
            found.append([other.client is self.client, other.number, self.added, other.added])  # type: ignore[attr-defined]
            other.number = 6
            found.append([self.number, type(other) is type(self), "client" in dir(self)])
            with mock.patch.object(self, "client") as client:
                client.get.return_value = 7
                found.append(self.client.get("/hello"))
            response = self.client.get("/hello")
            found.append([vars(self)["client"] is self.client, response.status_code])
            with mock.patch.object(self.client, "get", return_value=8):
                found.append(self.client.get("/hello"))
            found.append(self.client.get("/hello").status_code)
            names = ("status_code", "_content", "headers", "url", "cookies", "history", "request_meta", "elapsed")
            found.append([vars(response)[name] == getattr(response, name) for name in names])
            found.append(pickle.loads(pickle.dumps(response)).text == response.text == copy.copy(response).text)
            kept = vars(self.client)
            found.append([kept["base_url"] == kit.url, kept["headers"] is self.client.headers, kept["user"] is self])

    class Plain(User):
        @task
        def look(self) -> None:
            found.append(["client" in vars(self), hasattr(self, "client"), vars(self)["environment"] is not None])
            raise StopUser

    kit.run(Visitor)
    kit.run(Plain)
    empty = vars(TaskSet(Plain(Environment())))
    found.append(["_user" in empty, "_parent" in empty])
    return found


def greenlet_is_one_of_gevents(kit: Kit) -> Any:
    """API-31, API-33: what code that knows gevent asks of the current greenlet."""
    found: list[Any] = []
    local = gevent.local.local()

    class Caller(User):
        wait_time = constant(0)
        ran = 0

        def on_start(self) -> None:
            self.kept = gevent.getcurrent()
            self.greenlet.label = "mine"  # type: ignore[union-attr]
            local.number = 3

        @task
        def look(self) -> None:
            current: Any = gevent.getcurrent()
            users = self.environment.runner.user_greenlets
            found.append([isinstance(current, gevent.Greenlet), current is self.greenlet, current == self.greenlet,
                          self.greenlet == current, current is self.kept, current in users, list(users) == [current],
                          current != gevent.spawn(int), hash(current) == hash(self.greenlet)])  # fmt: skip
            found.append([current.label, local.number, current.spawn_tree_locals is current.spawn_tree_locals,
                          current.parent is gevent.get_hub(), repr(current).startswith("<Greenlet ")])  # fmt: skip
            current.spawn_tree_locals["trace"] = 9
            child = gevent.spawn(lambda: gevent.getcurrent().spawn_tree_locals["trace"])
            found.append([child.get(), child.spawning_greenlet() is current, callable(current.spawning_greenlet)])
            seen = gevent.spawn(self.look_from_beside).get()
            found.append(seen)
            self.ran += 1
            if self.ran == 2:
                current.name = "Bob"
                found.append([gevent.getcurrent().name, self.greenlet.name])  # type: ignore[union-attr]
                raise StopUser

        def look_from_beside(self) -> Any:
            mine: Any = self.greenlet
            return [isinstance(mine, gevent.Greenlet), mine is gevent.getcurrent(), mine == self.kept,
                    mine in {self.kept}, mine.label, mine.gr_frame.f_code.co_name, mine.dead, mine.ready(),
                    mine.spawn_tree_locals.get("trace"), mine.parent is gevent.get_hub()]  # fmt: skip

    kit.run(Caller)
    return found
