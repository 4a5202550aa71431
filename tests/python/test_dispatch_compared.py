"""Users per worker, step by step, as Locust's own dispatcher has them: random ramps, played on both (DST-60 to DST-72).

Each play is drawn from its number alone: classes with weights and fixed counts, workers of several machines, rises,
falls, other classes for new users, and workers that come and go between two steps and in the middle of a ramp.
"""

from __future__ import annotations

from oracle import both

PLAYS = 300
PLAY = """
from locust.dispatch import UsersDispatcher

pauses = []
gevent.sleep = lambda seconds=0, **_: pauses.append(seconds)

def shown(step):
    return {worker: [counts[name] for name in sorted(counts)] for worker, counts in step.items()}

def make_classes(chance):
    weights = chance.choice([(1,), (1, 2, 3, 5, 10), (0.1, 0.5, 1, 1.5, 7.25), (1, 90), (0, 1, 2)])
    classes = []
    for index in range(chance.randint(1, 6)):
        fixed = chance.choice([0, 0, 0, 1, 2, 5]) if chance.random() < 0.5 else 0
        attributes = {"weight": chance.choice(weights), "fixed_count": fixed}
        classes.append(type(chance.choice("ABCxyz") + str(index), (), attributes))
    if not any(c.weight for c in classes):
        classes[0].weight = 1
    return classes

def play(number):
    chance = random.Random(number)
    classes = make_classes(chance)
    machines = chance.randint(1, 4)
    fresh = iter(range(1000))
    def worker():
        return WorkerNode(f"host{chance.randrange(machines)}_{chance.getrandbits(32):08x}{next(fresh)}")
    nodes = [worker() for _ in range(chance.randint(1, 10))]
    dispatcher = UsersDispatcher(worker_nodes=list(nodes), user_classes=list(classes))
    told = []
    sources = classes
    def change_workers():
        if chance.random() < 0.5 or len(nodes) == 1:
            nodes.append(worker())
            dispatcher.add_worker(nodes[-1])
        else:
            dispatcher.remove_worker(nodes.pop(chance.randrange(len(nodes))))
    for _ in range(chance.randint(1, 6)):
        target = chance.choice([0, 1, chance.randint(0, 10), chance.randint(0, 60), chance.randint(0, 300)])
        rate = chance.choice([0.3, 1, 1.5, 2.5, 7, chance.uniform(0.5, 30), 100])
        rate = max(rate, abs(target - dispatcher.get_current_user_count()) / 12)
        only = chance.sample(classes, chance.randint(1, len(classes))) if chance.random() < 0.3 else None
        dispatcher.new_dispatch(target, rate, only)
        sources = only or sources
        steps = 0
        # Where only fixed counts are left, Locust loses count of its users with a worker, and its ramp never ends.
        is_changing = chance.random() < 0.3 and any(c.weight and not c.fixed_count for c in sources)
        while steps < 60:
            before = len(pauses)
            step = next(dispatcher, None)
            if step is None:
                break
            steps += 1
            told.append([shown(step), dispatcher.get_current_user_count(), len(pauses) - before])
            if is_changing and chance.random() < 0.25:
                change_workers()
            elif chance.random() < 0.02:
                break
        told.append(["end", dispatcher.get_current_user_count()])
        while chance.random() < 0.3:
            change_workers()
    return told

def attempt(number):
    try:
        return play(number)
    except Exception as error:
        return type(error).__name__

out([attempt(number) for number in range(int(sys.argv[1]), int(sys.argv[2]))])
"""


def test_random_ramps() -> None:
    """DST-60, DST-62, DST-64 to DST-72, DST-76: every step, on every worker."""
    ours, theirs = both(lambda engine: engine.snippet(PLAY, "0", str(PLAYS)))
    assert len(ours) == len(theirs) == PLAYS
    differing = [number for number in range(PLAYS) if ours[number] != theirs[number]]
    assert sum(len(told) for told in theirs) > 10 * PLAYS, "the plays have steps"
    first = differing[0] if differing else 0
    assert not differing, f"plays {differing[:20]} of {PLAYS}; of the first\n{ours[first]}\n{theirs[first]}"
