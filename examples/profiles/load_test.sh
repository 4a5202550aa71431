#!/usr/bin/env bash
# usage: load_test.sh PROFILE [OPTION ...]     PROFILE: basic, stress, cache, spike or all
# Options after the profile win over those in its file. LOAD_TEST_COMMAND is what runs it: cload, or locust.
set -u
cd "$(dirname "$(readlink -f "$0")")" || exit 1

run() {
    local name=$1 classes=Visitor
    shift
    [ "$name" = cache ] && classes=Reader
    mkdir -p results
    "${LOAD_TEST_COMMAND:-cload}" --config "profiles/$name.conf" --headless --only-summary \
        --csv "results/$name" "$classes" "$@"
}

profile=${1:-}
[ $# -eq 0 ] || shift
case $profile in
basic | stress | cache | spike) run "$profile" "$@" ;;
all)
    status=0
    for profile in basic stress cache spike; do
        run "$profile" "$@" || status=$?
    done
    exit $status
    ;;
*)
    sed -n 's/^# usage: /usage: /p' "$0" >&2
    exit 2
    ;;
esac
