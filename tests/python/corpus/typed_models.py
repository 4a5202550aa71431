"""Answers become dataclasses, and what does not fit is a failure."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from locust import HttpUser, constant, task
from locust.exception import ResponseError, StopUser


class Method(enum.StrEnum):
    GET = "GET"
    POST = "POST"


@dataclass(slots=True)
class Echo:
    method: Method
    path: str
    body: str

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Echo:
        missing = [field.name for field in fields(cls) if field.name not in data]
        if missing:
            raise ResponseError(f"missing {', '.join(missing)}")
        return cls(Method(data["method"]), data["path"], data["body"])


class Step(NamedTuple):
    method: Method
    path: str


class Typed(HttpUser):
    wait_time = constant(0)
    steps = [
        Step(Method.GET, "/echo/a"),
        Step(Method.POST, "/echo/b"),
        Step(Method.GET, "/hello"),
        Step("PUT", "/echo/c"),
    ]

    @task
    def walk(self):
        for step in self.steps:
            with self.client.request(step.method, step.path, catch_response=True) as answer:
                try:
                    echo = Echo.parse(answer.json())
                    print("> echo", echo.method.value, echo.path)
                except json.JSONDecodeError:
                    answer.failure("no JSON")
                except ValueError as error:
                    answer.failure(error)
        with self.client.get("/token", catch_response=True, name="incomplete") as answer:
            Echo.parse({"method": "GET"})
        raise StopUser
