"""What liblocustcore.so shows and needs: `test_shared_library.py LIBRARY`."""

import re
import subprocess
import sys


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(library: str) -> int:
    names = [line.split()[-1] for line in output("nm", "-D", "--defined-only", library).splitlines()]
    strangers = [name for name in names if not re.fullmatch(r"lc_[a-z0-9][a-z0-9_]*", name)]
    missing = {"lc_run", "lc_runner_new", "lc_fiber_start", "lc_session_call", "lc_user_get"} - set(names)
    pythons = [line for line in output("ldd", library).splitlines() if "python" in line]
    for what, found in (("exported", strangers), ("not exported", sorted(missing)), ("needed", pythons)):
        if found:
            print(f"{library}: {what}: {', '.join(found)}")
    return 1 if strangers or missing or pythons or not names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
