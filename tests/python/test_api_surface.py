"""Everything public that scripts can reach is there as in Locust: names, kinds, signatures and plain values.

surface_probe.py walks modules, classes and objects (before, in and after a test) on both sides; what Locust has and we
have not, or have differently, is a failure unless DIFFERENT says why.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from oracle import Engine, both
from servers import Target

HERE = Path(__file__).parent

# Object, attribute, why: patterns of what is different on purpose, or by chance.
DIFFERENT = [
    # By chance: two processes, two moments.
    (".*", "client_id|id|master_port|response_times_cache|median_response_time", "of the process and the moment"),
    ("(runner|master|worker|stats|total|entry|failure) .*", "state|.*_count|num_.*|current_.*", "the moment"),
    ("keywords request", "response", "of one of two users"),
    ("fast request|fast error", "http_log|host|selector|original_host", "the port"),
    (".*", "DEFAULT_BUILD_PATH|DEFAULT_CA_BUNDLE_PATH|render_template_from", "a path"),
    # Modules: what Locust's own files import for themselves.
    ("locust", "monkey|queue|urllib3", "standard library"),
    ("module .*", "TYPE_CHECKING|basestring|deprecated_locust_meta_class|raise_argument_type_error", "internals"),
    ("module locust.argument_parser", "Message|.*_from_master", "how workers get the locustfile"),
    ("module locust.opentelemetry", "MAX_REQUEST_NAMES|request_names", "internals"),
    ("module locust.rpc.protocol", "ObjectId|decode|encode", "MessagePack is the engine's"),
    ("module locust.rpc.zmqrpc|class locust.rpc.zmqrpc.*", ".*", "sockets are the engine's; see test_rpc.py"),
    ("module locust.web|class locust.web.WebUI", "get_ratio|HttpUser|app|greenlet|server", "see test_web_rows.py"),
    ("module locust.main", "main", "takes the arguments, too"),
    ("module locust.runners", "locust_exception_handler", "takes what it is told with, too"),
    ("class locust.input_events.UnixKeyPoller", "poll", "the name of self"),
    # Fleets: how a node does it. What scripts use is in test_distributed.py, test_worker.py and tests/interop.
    ("master.*|worker.*|class locust.runners.*", "handle_message|rebalancing_enabled|worker_index.*|connection_event"
     "|logs|retry|spawning_complete|start_worker|web_base_path|spawn_rate|reported_.*", "the engine's protocol"),
    # HTTP: the engine's types stand where requests' and geventhttpclient's are.
    (".*", "greenlet", "a user has a stack only while a task runs"),
    ("greenlet of a user", "GreenletExit|add_spawn_callback|error|getcurrent|gettrace|gr_context|gr_frame"
     "|remove_spawn_callback|run|settrace|spawn|spawn_later|spawning_stack.*|start_later|switch|kill|throw|args|link.*",
     "a user has a stack only while a task runs"),
    ("client .*|agent", "cookies|headers|cookiejar|default_headers|clientpool", "subclasses that tell the engine"),
    ("client .*", "explicit_name", "internals"),
    (".*", "connection", "a subclass"),
    ("class locust\\..*|module .*", "error|text|elapsed|encoding|headers|history|request|status_code|url|content"
     "|payload|auth_header|type|avg_.*|current_.*|fail_ratio|median.*|total_.*|.*ResponseContextManager|LocustBadStatusCode"
     "|FAILURE_EXCEPTIONS", "attributes and bases of classes of the engine"),
    ("class .*", "\\(\\)", "built in other ways"),
    (".*esponse.*|fast .*|caught|rest|failed|redirected|streamed|refused", "wrap_response|unzipped|stream", "inside"),
    ("fast .*", "elapsed|history", "also there where Locust raises AttributeError"),
    ("class .*|fast .*|response.*", "failure|json", "take more"),
    ("class .*FastRequest|fast request", "has_proxy|redirect|set_proxy|set_url|url_split|original_origin", "internals"),
    ("class .*LocustUserAgent|agent", "download|urlopen", "urlopen() has no arguments of TLS"),
    ("fast headers|class .*Headers|agent", "keys|pop|update|extend|get.*|add|discard|setdefault", "names of arguments"),
    ("(stats|runner|master|worker).*", "errors", "a mapping over the engine's table"),
    ("stats .*|class .*EntriesDict", ".*", "a mapping over the engine's table"),
    (".*", "user_greenlets|group", "a subclass; of a fresh user, None before it is started"),
]  # fmt: skip


def _walked(engine: Engine, url: str) -> Any:
    assert engine.python is not None
    start = [engine.python, "-m", "cload"] if engine.is_ours else [engine.python]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    done = subprocess.run(
        [*start, str(HERE / "surface_probe.py"), url],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout[-1000:] + done.stderr[-3000:]
    return json.loads(lines[-1].removeprefix("RESULT "))


def _is_expected(thing: str, attribute: str) -> bool:
    return any(re.fullmatch(where, thing) and re.fullmatch(which, attribute) for where, which, _ in DIFFERENT)


def _same(ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None:
        return bool(ours == theirs)
    if {ours[0], theirs[0]} <= {"int", "float"}:
        return ours[0] == theirs[0]
    if ours[0] in ("list", "dict", "set", "tuple", "OrderedDict", "defaultdict"):
        return bool(ours[0] == theirs[0])
    if ours[0] == "function" == theirs[0] and theirs[1] is None:
        return True
    # Whether an argument may be given by name is tried where it matters.
    return json.dumps(ours).replace("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD") == json.dumps(theirs).replace(
        "POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD"
    )


def test_everything_public_is_there(target: Target) -> None:
    """API-12, 17, 98 to 105, 107 to 128, 132, 133, 142 to 145, 168, 193 to 195, 209, 219, 220, 223."""
    ours, theirs = both(lambda engine: _walked(engine, target.url))
    different = [
        f"{thing}: {attribute}: ours {ours.get(thing, {}).get(attribute)}, theirs {known}"
        for thing, attributes in theirs.items()
        for attribute, known in attributes.items()
        if not _is_expected(thing, attribute) and not _same(ours.get(thing, {}).get(attribute), known)
    ]
    assert different == [], "\n".join(different)
