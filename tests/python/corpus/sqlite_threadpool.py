"""A database driver that blocks the thread: its calls go to gevent's thread pool, so that other users go on."""

import contextlib
import functools
import sqlite3
import tempfile

import gevent
from locust import HttpUser, User, constant, task
from locust.exception import StopUser


def measured(name):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(self, *args):
            with self.environment.events.request.measure("SQL", name) as meta:
                rows = gevent.get_hub().threadpool.apply(function, (self, *args))
                meta["response_length"] = len(rows)
                return rows

        return wrapper

    return decorate


class Clerk(User):
    wait_time = constant(0)

    def on_start(self):
        self.folder = tempfile.TemporaryDirectory()
        self.execute("create table things (id integer primary key, name text)")

    def on_stop(self):
        self.folder.cleanup()

    def execute(self, *statement):
        with contextlib.closing(sqlite3.connect(self.folder.name + "/things.db")) as database, database:
            return database.execute(*statement).fetchall()

    @measured("insert")
    def insert(self, name):
        return self.execute("insert into things (name) values (?) returning id", [name])

    @measured("select")
    def select(self):
        return self.execute("select * from things")

    @measured("broken")
    def broken(self):
        return self.execute("select * from nothing")

    @task
    def work(self):
        for name in ("a", "b", "c"):
            self.insert(name)
        print("> rows", self.select())
        print("> broken", self.broken())
        raise StopUser


class Other(HttpUser):
    wait_time = constant(0.01)
    rounds = 0

    @task
    def call(self):
        self.client.get("/hello")
        self.rounds += 1
        if self.rounds == 10:
            raise StopUser
