"""The history that charts are drawn from, however long a run is (REP-24, REP-44)."""

import json
import sys
import time
from typing import Any

import pytest
from locust import stats as st
from locust._history import HISTORY_MOST, History, thinned
from locust.util.date import format_utc_timestamp


def sample(number: int, **more: Any) -> dict[str, Any]:
    now = format_utc_timestamp(1_800_000_000 + 5 * number)
    values = {
        "response_time_percentile_0.5": number % 50,
        "response_time_percentile_0.95": 9000 if number == 1000 else 100,
        "current_rps": number / 7 if number else 0,
        "current_fail_per_sec": 0.0,
        "total_avg_response_time": 4.72,
        "user_count": number,
    }
    return {name: [now, value] for name, value in (values | more).items()} | {"time": now}


def test_samples_are_what_they_were() -> None:
    """As dictionaries, to the text of their JSON, whether or not somebody took the list meanwhile."""
    history = History()
    samples = [sample(number) for number in range(30)]
    history.extend(samples[:20])
    assert history.last_time == samples[19]["time"] and len(history) == 20
    assert json.dumps(history.since(0)) == json.dumps(samples[:20])
    assert history.since(18) == samples[18:20]
    taken = history.as_list()
    history.extend(samples[20:])
    assert taken is history.as_list() and taken == samples and history.since(25) == samples[25:]


@pytest.mark.parametrize("odd", [{"own": "text"}, {"current_rps": 1 << 60}, {"user_count": None}, {"more": 1}])
def test_samples_that_are_no_numbers_stay(odd: dict[str, Any]) -> None:
    history = History()
    samples = [sample(0), sample(1, **odd), sample(2)]
    history.extend(samples)
    assert json.dumps(history.since(0)) == json.dumps(samples)


def test_scripts_have_a_list() -> None:
    """What a script does to stats.history is the history, as in Locust."""
    stats = st.RequestStats()
    stats._history.add(sample(1))
    taken = stats.history
    assert type(taken) is list and taken is stats.history
    taken[0]["own"] = [taken[0]["time"], 5]
    taken.append({})
    stats._history.add(sample(2))
    assert [len(one) for one in stats.history] == [8, 0, 7]
    own: list[dict[str, Any]] = []
    stats.history = own
    stats._history.add(sample(3))
    assert own == [sample(3)]
    stats.clear_all()
    assert (stats.history, own) == ([], [sample(3)])


@pytest.mark.parametrize("is_list", [False, True])
def test_a_long_run_keeps_so_many(is_list: bool) -> None:
    """Two days: the spike, the last samples and the time between them stay; and memory does."""
    history = History()
    if is_list:
        history.as_list()
    begin = time.process_time()
    most = 0
    for number in range(2 * 24 * 720):
        history.add(sample(number))
        most = max(most, len(history))
    assert most <= HISTORY_MOST and time.process_time() - begin < 30
    kept = history.since(0)
    assert kept[-100:] == [sample(number) for number in range(2 * 24 * 720 - 100, 2 * 24 * 720)]
    times = [one["time"] for one in kept]
    assert times == sorted(times) and times[0] < sample(200)["time"]
    assert sum(one["response_time_percentile_0.95"][1] == 9000 for one in kept) == 1
    assert history.merged_count + len(history) == 2 * 24 * 720
    if not is_list:
        assert sum(map(sys.getsizeof, (history._times, history._values, history._whole))) < 100 * HISTORY_MOST


def test_thinned_spans_are_equal() -> None:
    """A run of coarse and of fine samples becomes one of even ones; a clock that was set loses none."""
    samples = [sample(number) for number in [*range(0, 10_000, 10), *range(10_000, 20_000)]]
    few = thinned(samples, 100)
    assert len(few) == 100 and few[-1]["time"] == samples[-1]["time"]
    assert few[10]["user_count"][1] - few[9]["user_count"][1] == pytest.approx(200, abs=10)
    assert len(thinned([*samples, *samples], 100)) == 100
    assert thinned([sample(7)] * 50, 5) == [sample(7)]
