"""get.py under as many request names as NAMES says, in one of these ways, by NAMING:

list    name= takes strings that are there already
format  name= gets a string that is made for the call
fixed   the same string is made, but name= is always the same
url     no name=, but as many URLs, each made for the call"""

import itertools
import os

from locust import HttpUser, constant, task

PATH = os.environ.get("PATH_TO_GET", "/hello")
COUNT = int(os.environ.get("NAMES", "1"))
NUMBERS = itertools.cycle(range(COUNT))
NAMES = itertools.cycle([f"/page/{number}" for number in range(COUNT)])


def from_list(client):
    client.get(PATH, name=next(NAMES))


def formatted(client):
    client.get(PATH, name=f"/page/{next(NUMBERS)}")


def fixed(client):
    _ = f"/page/{next(NUMBERS)}"
    client.get(PATH, name="/page")


def urls(client):
    client.get(f"{PATH}?page={next(NUMBERS)}")


CALL = {"list": from_list, "format": formatted, "fixed": fixed, "url": urls}[os.environ.get("NAMING", "list")]


class Getter(HttpUser):
    wait_time = constant(0)

    @task
    def get(self):
        CALL(self.client)
