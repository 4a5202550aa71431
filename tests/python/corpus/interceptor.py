"""Like a grpc interceptor: a stub whose calls go through a chain and are reported there."""

import time
from dataclasses import dataclass

from locust import User, constant, task
from locust.exception import LocustError, StopUser


class StatusError(Exception):
    def __init__(self, code, details):
        super().__init__(code, details)
        self.code = code


@dataclass
class Call:
    method: str
    message: object


class Interceptor:
    def __init__(self, environment):
        self.environment = environment

    def intercept(self, continuation, call):
        begin = time.perf_counter()
        error = None
        length = 0
        answer = None
        try:
            answer = continuation(call)
            length = len(answer)
        except StatusError as raised:
            error = raised
        self.environment.events.request.fire(
            request_type="grpc",
            name=call.method,
            response_time=(time.perf_counter() - begin) * 1000,
            response_length=length,
            response=answer,
            context=None,
            exception=error,
        )
        return answer


class Stub:
    def __init__(self, interceptor):
        self.interceptor = interceptor

    def SayHello(self, name):
        return self.interceptor.intercept(self._say, Call("/hello.Service/SayHello", name))

    def _say(self, call):
        if not call.message:
            raise StatusError("INVALID_ARGUMENT", "who?")
        return f"hello {call.message}"


class GrpcUser(User):
    abstract = True
    stub_class = None

    def __init__(self, environment):
        super().__init__(environment)
        if self.stub_class is None:
            raise LocustError("stub_class is missing")
        self.stub = self.stub_class(Interceptor(environment))


class HelloUser(GrpcUser):
    stub_class = Stub
    wait_time = constant(0)

    @task
    def say(self):
        print(">", self.stub.SayHello("you"))
        print(">", self.stub.SayHello(""))
        raise StopUser
