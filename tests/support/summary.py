"""What JUnit result files say.

`python summary.py FILE...` adds them up into one line; status 1 where a test failed or a file is not there, because
whoever should have written it came to an early end. Beside NAME.xml may lie NAME-again.xml, of failed tests that were
run once more: those that passed then count as passed, and are named.

`python summary.py --failed FILE` prints the failed tests of one file, a line each, as pytest or meson take them, unless
they are too many to be chance."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

MOST_BY_CHANCE = 3


def test_id(case: ElementTree.Element) -> str:
    """For pytest (its family xunit1 tells the file) or for meson."""
    name = case.get("name") or ""
    return f"{case.get('file')}::{name}" if case.get("file") else name


def is_failed(case: ElementTree.Element) -> bool:
    return case.find("failure") is not None or case.find("error") is not None


def read(path: Path) -> dict[str, ElementTree.Element]:
    # A test that fails and whose fixtures fail as well has two entries.
    cases: dict[str, ElementTree.Element] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        if test_id(case) not in cases or is_failed(case):
            cases[test_id(case)] = case
    return cases


def print_failed(path: Path) -> None:
    failed = [name for name, case in read(path).items() if is_failed(case)]
    if len(failed) <= MOST_BY_CHANCE:
        print("".join(name + "\n" for name in failed), end="")


def sum_up(paths: list[Path]) -> int:
    passed = failed = skipped = by_chance = 0
    for path in paths:
        try:
            cases = read(path)
            path_again = path.with_stem(path.stem + "-again")
            cases_again = read(path_again) if path_again.exists() else {}
        except (OSError, ElementTree.ParseError) as error:
            failed += 1
            print(f"FAILED {path}: no results: {error}")
            continue
        for name, case in cases.items():
            again = cases_again.get(name)
            if is_failed(case) and (again is None or is_failed(again) or again.find("skipped") is not None):
                failed += 1
                print(f"FAILED {path.stem} {name}")
            elif is_failed(case):
                passed += 1
                by_chance += 1
                print(f"FAILED ONCE {path.stem} {name}: it passed alone")
            elif case.find("skipped") is not None:
                skipped += 1
            else:
                passed += 1
    if passed + failed == 0:
        print("no test was run")
        failed = 1
    if by_chance:
        print(f"{by_chance} of the passed tests failed at first: mend what they wait for")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1] == "--failed":
        print_failed(Path(sys.argv[2]))
        sys.exit()
    sys.exit(sum_up([Path(name) for name in sys.argv[1:]]))
