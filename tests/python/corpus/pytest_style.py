"""Test functions instead of classes."""

import time


def test_front(session):
    session.get("/hello")
    session.get("/status/404")
    time.sleep(0.05)


def test_quick(fastsession):
    response = fastsession.get("/echo/fast")
    time.sleep(0.05)
    response.raise_for_status()


def test_ends(session):
    with session.get("/", catch_response=True) as response:
        response.failure("never good")
    raise RuntimeError("ends this user")
