"""Tracebacks that are kept as text read as those of Python's own module."""

import traceback

import cload  # noqa: F401  (makes `locust` this package)
import pytest
from locust import _tracebacks
from locust._tracebacks import format_error, format_trace


def plain():
    raise ValueError("one\ntwo")


def chained():
    try:
        plain()
    except ValueError as error:
        raise KeyError("outer") from error


def in_handler():
    try:
        plain()
    except ValueError:
        raise KeyError("outer")  # noqa: B904


def hidden():
    try:
        plain()
    except ValueError:
        raise KeyError("outer") from None


def noted():
    error = ValueError("x")
    error.add_note("a note")
    raise error


def deep(depth=12):
    if depth == 0:
        plain()
    deep(depth - 1)


def misspelled():
    return "".joim([])


def grouped():
    raise ExceptionGroup("all", [ValueError("a"), KeyError("b")])


def broken():
    compile("a b", "<script>", "exec")


@pytest.mark.parametrize("fail", [plain, chained, in_handler, hidden, noted, deep, misspelled, grouped, broken])
def test_text_is_that_of_python(fail):
    for _ in range(2):
        try:
            fail()
        except Exception as error:
            assert format_error(error) == "".join(traceback.format_exception(error))
            assert format_trace(error.__traceback__) == "".join(traceback.format_tb(error.__traceback__))


def test_without_a_traceback():
    assert format_error(ValueError("x")) == "ValueError: x\n"
    assert format_trace(None) == ""


def test_two_places_on_one_line_are_told_apart():
    texts = set()
    for wanted in range(2):
        try:
            (1 // 0) if wanted else [][1]
        except Exception as error:
            texts.add(format_trace(error.__traceback__))
            assert format_trace(error.__traceback__) == "".join(traceback.format_tb(error.__traceback__))
    assert len(texts) == 2


def test_code_without_end_is_not_kept():
    for number in range(3 * _tracebacks._MOST):
        try:
            exec(compile(f"raise ValueError({number})", f"<script {number}>", "exec"))
        except ValueError as error:
            assert f'File "<script {number}>", line 1' in format_error(error)
    assert len(_tracebacks._texts) <= _tracebacks._MOST
