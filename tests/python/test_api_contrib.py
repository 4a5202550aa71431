"""locust.contrib.*. Where a client library needs a server of its kind, a small fake stands for
the library, the same for cload and for real Locust; the others are the real libraries."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from oracle import ENGINES, Engine
from servers import Target

# Keeps what listeners of the request event see.
_SEEN = """
import types
def fake(name, **members):
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        path = ".".join(parts[:end])
        module = sys.modules.setdefault(path, types.ModuleType(path))
        module.__path__ = []
        if end > 1:
            setattr(sys.modules[".".join(parts[:end - 1])], parts[end - 1], module)
    vars(module).update(members)
seen = []
def keep(request_type, name, response_time, response_length, exception=None, **_):
    seen.append([request_type, name, response_time >= 0, response_length, type(exception).__name__])
locust.events.request.add_listener(keep)
environment = Environment(events=locust.events)
"""


def _needs_there(engine: Engine, module: str) -> None:
    """The library, for that side: it is no part of what ./dev sets up for Locust."""
    if not engine.snippet(f"import importlib.util\nout(importlib.util.find_spec({module!r}) is not None)"):
        pytest.skip(f"{module} is not installed for {engine.name}")


def _needs(*modules: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


def test_csv_request_logger(engine: Engine, tmp_path: Path) -> None:
    """API-231."""
    code = f"""
from locust.contrib.csv_request_logger import CsvRequestLogger
import csv, types
path = {str(tmp_path / "requests.csv")!r}
environment = Environment()
writer = CsvRequestLogger(path, flush_interval=0)
writer.register(environment)
fire = environment.events.request.fire
fire(request_type="GET", name="/a", response_time=1.5, response_length=3, exception=None, context={{}},
     response=types.SimpleNamespace(status_code=201), start_time=1.0, url="/a")
fire(request_type="GET", name="/b", response_time=2, response_length=0, exception=ValueError("bad, really"),
     context={{}}, response=None, start_time=2.0, url="/b")
writer.close()
writer.close()
rows = list(csv.reader(open(path)))
out([rows[0], [row[1:3] + row[4:] for row in rows[1:]]])
"""
    columns = "timestamp request_type name response_time_ms response_length status_code exception"
    rows = engine.snippet(_SEEN + code)
    assert rows[0] == columns.split()
    assert rows[1] == [["GET", "/a", "3", "201", ""], ["GET", "/b", "0", "0", "bad, really"]]


def test_postgres(engine: Engine) -> None:
    """API-234."""
    code = """
class Error(Exception): pass
class Connection:
    closed = False
    def cursor(self): return self
    def execute(self, query, *_):
        if "broken" in query: raise Error(query)
        return self
    def fetchall(self): return []
    def rollback(self): pass
    def commit(self): pass
    def close(self): self.closed = True
    def __enter__(self): return self
    def __exit__(self, *_): pass
fake("psycopg", Error=Error, connect=lambda conn_string: Connection())
from locust.contrib.postgres import PostgresUser
class Asker(PostgresUser):
    conn_string = "postgresql://nowhere"
user = Asker(environment)
user.client.execute_query("SELECT 1")
user.client.execute_query("broken")
user.on_stop()
out([PostgresUser.abstract, seen, user.client.connection.closed])
"""
    expected = [
        ["postgres_success", "execute_query", True, 0, "NoneType"],
        ["postgres_failure", "execute_query", True, 0, "Error"],
    ]
    assert engine.snippet(_SEEN + code) == [True, expected, True]


def test_mongodb(engine: Engine) -> None:
    """API-234."""
    code = """
class PyMongoError(Exception): pass
class Collection:
    def find(self, query):
        if query is None: raise PyMongoError("no query")
        return iter([query])
class MongoClient:
    def __init__(self, conn_string): pass
    def __getitem__(self, name): return {"things": Collection()}
    def close(self): log.append("closed")
fake("pymongo", MongoClient=MongoClient)
fake("pymongo.errors", PyMongoError=PyMongoError)
from locust.contrib.mongodb import MongoDBUser
class Asker(MongoDBUser):
    conn_string = "mongodb://nowhere"
    db_name = "shop"
user = Asker(environment)
user.client.execute_query("things", {"a": 1})
user.client.execute_query("things", None)
user.on_stop()
out([seen, log])
"""
    expected = [["MONGODB", "QUERY", True, 0, "NoneType"], ["MONGODB", "QUERY", True, 0, "PyMongoError"]]
    assert engine.snippet(_SEEN + code) == [expected, ["closed"]]


def test_dns(engine: Engine) -> None:
    """API-234."""
    code = """
class DNSException(Exception): pass
class Message:
    answer = ["1.2.3.4"]
class Empty(Message):
    answer = []
def udp(message, where):
    if where == "nowhere": raise DNSException("lost")
    return Empty() if where == "empty" else message
fake("dns.exception", DNSException=DNSException)
fake("dns.message", Message=Message)
fake("dns.query", udp=udp, tcp=udp)
from locust.contrib.dns import DNSUser
class Asker(DNSUser): pass
client = Asker(environment).client
client.udp(Message(), "here")
client.tcp(Message(), "empty")
client.udp(Message(), "nowhere", name="lost")
out([[*row[:3], row[4]] for row in seen])
"""
    assert engine.snippet(_SEEN + code) == [
        ["DNS", "udp", True, "NoneType"],
        ["DNS", "tcp", True, "LocustError"],
        ["DNS", "lost", True, "DNSException"],
    ]


def test_dns_with_dnspython() -> None:
    """API-234, with the real library and a name server of a few lines."""
    _needs("dns")
    code = """
import dns.message, dns.rdatatype, dns.rrset
from gevent.server import DatagramServer
class Names(DatagramServer):
    def handle(self, data, address):
        # Who asks lets others have their turn meanwhile.
        before = len(ticks)
        until(lambda: len(ticks) > before + 3)
        asked = dns.message.from_wire(data)
        answer = dns.message.make_response(asked)
        name = asked.question[0].name
        if "known" in str(name):
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "127.0.0.9"))
        self.sendto(answer.to_wire(), address)
server = Names(("127.0.0.1", 0))
server.start()
from locust.contrib.dns import DNSUser
class Asker(DNSUser): pass
client = Asker(environment).client
def ask(name): return dns.message.make_query(name, dns.rdatatype.A)
where = dict(where="127.0.0.1", port=server.server_port, timeout=60)
ticks = []
def tick():
    while True: gevent.sleep(0.01); ticks.append(1)
ticker = gevent.spawn(tick)
out_text = str(client.udp(ask("known.test"), **where).answer[0])
client.udp(ask("other.test"), **where, name="renamed")
client.udp(ask("known.test"), where="127.0.0.1", port=1, timeout=0.3)
ticker.kill()
out([[[*row[:3], row[3], row[4] in ("ConnectionRefusedError", "Timeout") or row[4]] for row in seen], out_text,
     len(ticks) > 3])
"""
    assert ENGINES[0].snippet(_SEEN + code) == [
        [
            ["DNS", "udp", True, 1, "NoneType"],
            ["DNS", "renamed", True, 0, "LocustError"],
            ["DNS", "udp", True, 0, True],
        ],
        "known.test. 60 IN A 127.0.0.9",
        True,
    ]


def test_mongodb_with_pymongo() -> None:
    """API-234, with the real library and a server that knows hello and find."""
    _needs("pymongo")
    code = """
import bson, struct
from gevent.server import StreamServer
def receive(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece: raise EOFError
        data += piece
    return data
HELLO = {"helloOk": True, "isWritablePrimary": True, "ismaster": True, "maxBsonObjectSize": 16777216,
         "maxMessageSizeBytes": 48000000, "maxWriteBatchSize": 100000, "minWireVersion": 0, "maxWireVersion": 25,
         "ok": 1}
def answer(asked):
    if "find" not in asked: return HELLO
    if asked["filter"].get("$broken"): return {"ok": 0, "errmsg": "unknown operator", "code": 2, "codeName": "BadValue"}
    return {"ok": 1, "cursor": {"id": 0, "ns": "shop." + asked["find"], "firstBatch": [{"a": 1}, {"a": 2}]}}
def serve(connection, _):
    try:
        while True:
            length, request, _, code = struct.unpack("<iiii", receive(connection, 16))
            body = receive(connection, length - 16)
            if code == 2013:
                reply = answer(bson.decode(body[5:5 + struct.unpack("<i", body[5:9])[0]]))
                payload = struct.pack("<i", 0) + b"\\0" + bson.encode(reply)
                kind = 2013
            else:
                payload, kind = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(HELLO), 1
            connection.sendall(struct.pack("<iiii", 16 + len(payload), 0, request, kind) + payload)
    except (EOFError, OSError): pass
server = StreamServer(("127.0.0.1", 0), serve)
server.start()
from locust.contrib.mongodb import MongoDBUser
class Asker(MongoDBUser):
    conn_string = f"mongodb://127.0.0.1:{server.server_port}/?serverSelectionTimeoutMS=60000"
    db_name = "shop"
user = Asker(environment)
found = user.client.execute_query("things", {"a": 1})
nothing = user.client.execute_query("things", {"$broken": 1})
user.on_stop()
out([[len(found), nothing], seen])
"""
    rows = [["MONGODB", "QUERY", True, 0, "NoneType"], ["MONGODB", "QUERY", True, 0, "OperationFailure"]]
    assert ENGINES[0].snippet(_SEEN + code) == [[2, None], rows]


def test_postgres_with_psycopg() -> None:
    """API-234, with the real library and a server that answers every statement, wrong ones with an error."""
    _needs("psycopg")
    code = """
import struct
from gevent.server import StreamServer
def receive(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece: raise EOFError
        data += piece
    return data
def message(kind, body=b""): return kind + struct.pack("!i", 4 + len(body)) + body
def serve(connection, _):
    state = b"I"
    try:
        while True:
            length, code = struct.unpack("!ii", receive(connection, 8))
            receive(connection, length - 8)
            if code == 196608: break
            connection.sendall(b"N")
        parameters = b"".join(message(b"S", name + b"\\0" + value + b"\\0") for name, value in (
            (b"client_encoding", b"UTF8"), (b"server_version", b"16.0"), (b"standard_conforming_strings", b"on")))
        connection.sendall(message(b"R", struct.pack("!i", 0)) + parameters + message(b"Z", state))
        while True:
            kind = receive(connection, 1)
            body = receive(connection, struct.unpack("!i", receive(connection, 4))[0] - 4)
            if kind == b"X": return
            if kind != b"Q": continue
            statement = body[:-1].decode()
            # Who asks lets others have their turn meanwhile.
            before = len(ticks)
            until(lambda: len(ticks) > before + 3)
            if statement.startswith("broken"):
                state = b"E"
                fields = b"SERROR\\0C42601\\0Msyntax error\\0\\0"
                connection.sendall(message(b"E", fields) + message(b"Z", state))
            else:
                state = {"BEGIN": b"T", "COMMIT": b"I", "ROLLBACK": b"I"}.get(statement, state)
                connection.sendall(message(b"C", statement.split()[0].encode() + b"\\0") + message(b"Z", state))
    except (EOFError, OSError): pass
server = StreamServer(("127.0.0.1", 0), serve)
server.start()
from locust.contrib.postgres import PostgresUser
class Asker(PostgresUser):
    conn_string = f"postgresql://user@127.0.0.1:{server.server_port}/db?sslmode=disable&gssencmode=disable"
ticks = []
def tick():
    while True: gevent.sleep(0.005); ticks.append(1)
ticker = gevent.spawn(tick)
user = Asker(environment)
user.client.execute_query("SET x TO 1")
user.client.execute_query("broken")
user.client.execute_query("SET x TO 2")
ticker.kill()
user.on_stop()
out([seen, user.client.connection.closed, len(ticks) > 3])
"""
    good, bad = ["postgres_success", "execute_query", True, 0], ["postgres_failure", "execute_query", True, 0]
    rows = [[*good, "NoneType"], [*bad, "SyntaxError"], [*good, "NoneType"]]
    assert ENGINES[0].snippet(_SEEN + code) == [rows, True, True]


def test_openai_with_openai(engine: Engine) -> None:
    """API-235, with the real library."""
    _needs_there(engine, "openai")
    code = """
from gevent.pywsgi import WSGIServer
def serve(environ, start_response):
    if environ["PATH_INFO"].endswith("/models"):
        start_response("404 Not Found", [("Content-Type", "application/json")])
        return [b'{"error": {"message": "none"}}']
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"id": "r", "object": "response", "created_at": 1, "model": "m", "output": [],
        "status": "completed",
        "parallel_tool_calls": False, "tool_choice": "auto", "tools": [],
        "usage": {"input_tokens": 1, "output_tokens": 7, "total_tokens": 8}}).encode()]
server = WSGIServer(("127.0.0.1", 0), serve, log=None)
server.start()
os.environ["OPENAI_API_KEY"] = "none"
os.environ["OPENAI_BASE_URL"] = f"http://127.0.0.1:{server.server_port}/v1"
from locust.contrib.oai import OpenAIUser
class Asker(OpenAIUser):
    host = "http://127.0.0.1:1"
client = Asker(environment).client
answer = client.responses.create(model="m", input="hello")
with client.rename_request("models"):
    try: client.models.list()
    except Exception as error: failed = type(error).__name__
out([seen, answer.usage.output_tokens, failed])
"""
    assert engine.snippet(_SEEN + code) == [
        [["POST", "/v1/responses", True, 7, "NoneType"], ["GET", "models", True, 0, "HTTPStatusError"]],
        7,
        "NotFoundError",
    ]


def test_qdrant_with_qdrant(engine: Engine) -> None:
    """API-236, with the real library, whose database is in its memory."""
    _needs_there(engine, "qdrant_client")
    code = """
from locust.contrib.qdrant import QdrantUser
from qdrant_client.models import Distance, FieldCondition, Filter, MatchValue, PointIdsList, PointStruct, VectorParams
class Asker(QdrantUser):
    url = None
    collection_name = "things"
    vectors_config = VectorParams(size=2, distance=Distance.DOT)
    client_kwargs = {"location": ":memory:"}
user = Asker(environment)
points = [PointStruct(id=number, vector=[number, 1.0], payload={"parity": number % 2}) for number in range(12)]
odd = Filter(must=[FieldCondition(key="parity", match=MatchValue(value=1))])
none = Filter(must=[FieldCondition(key="parity", match=MatchValue(value=5))])
done = [user.upsert(points), user.search([1.0, 0.0], limit=3), user.search([1.0, 0.0], 2, odd, None, False)]
found = [[point.id for point in each["result"].points] for each in done[1:]]
done += [user.scroll(limit=5), user.scroll(odd, 2), user.delete(PointIdsList(points=[11])), user.search([1.0], limit=1)]
found += [[record.id for record in each["result"]] for each in done[3:5]] + [done[3]["next_offset"]]
done += [user.search([1.0, 0.0], query_filter=none), user.scroll(none), user.search([1.0, 0.0], limit=1)]
found.append(done[-1]["result"].points[0].id)
user.client.create_collection(user.vectors_config)
user.on_stop()
out([seen, [[sorted(each), each["success"], each.get("empty")] for each in done], found])
"""
    done, failed = ["response_time", "result", "success"], ["exception", "response_time", "success"]
    some, page = ["empty", *done], ["empty", "next_offset", *done]
    names = ("upsert", "search", "search", "scroll", "scroll", "delete", "search", "search", "scroll", "search")
    seen = [["qdrant", name, True, 0, "NoneType"] for name in names]
    seen[6][4] = "ValueError"
    assert engine.snippet(_SEEN + code) == [
        seen,
        [
            *([done, True, None], [some, True, False], [some, True, False], [page, True, False], [page, True, False]),
            *([done, True, None], [failed, False, None], [some, False, True], [page, False, True], [some, True, False]),
        ],
        [[11, 10, 9], [11, 9], [0, 1, 2, 3, 4], [1, 3], 5, 10],
    ]


def test_qdrant(engine: Engine) -> None:
    """API-236."""
    code = """
class QdrantClient:
    def __init__(self, url, api_key=None, timeout=None, **_): pass
    def collection_exists(self, collection_name): return False
    def create_collection(self, collection_name, vectors_config, **_): log.append("made " + collection_name)
    def upsert(self, collection_name, points, **_): return points
    def query_points(self, collection_name, query, **_): return types.SimpleNamespace(points=query)
    def scroll(self, collection_name, limit, **_): return [1] * limit, 7
    def delete(self, collection_name, points_selector, **_): raise KeyError("gone")
    def close(self): log.append("closed")
fake("qdrant_client", QdrantClient=QdrantClient)
fake("qdrant_client.models", VectorParams=dict)
from locust.contrib.qdrant import QdrantUser
class Asker(QdrantUser):
    collection_name = "things"
    vectors_config = {}
user = Asker(environment)
done = [user.upsert([1]), user.search([0.1]), user.scroll(), user.delete([1])]
done += [user.search([]), user.scroll(limit=0), user.client.search([1])]
user.on_stop()
out([seen, log, [[sorted(each), each["success"], each.get("empty"), each.get("next_offset")] for each in done],
     done[2]["result"], repr(done[3]["exception"]), user.client.api_key, user.client.timeout])
"""
    rows = [["qdrant", name, True, 0, "NoneType"] for name in ("upsert", "search", "scroll")]
    more = [["qdrant", name, True, 0, "NoneType"] for name in ("search", "scroll")]
    found = ["empty", "response_time", "result", "success"]
    page = ["empty", "next_offset", "response_time", "result", "success"]
    assert engine.snippet(_SEEN + code) == [
        [*rows, ["qdrant", "delete", True, 0, "KeyError"], *more],
        ["made things", "closed"],
        [
            [["response_time", "result", "success"], True, None, None],
            [found, True, False, None],
            [page, True, False, 7],
            [["exception", "response_time", "success"], False, None, None],
            [found, False, True, None],
            [page, False, True, 7],
            [found, True, False, None],
        ],
        [1] * 10,
        "KeyError('gone')",
        None,
        60,
    ]


def test_milvus(engine: Engine) -> None:
    """API-236."""
    code = """
class MilvusClient:
    def __init__(self, **_): pass
    def create_collection(self, collection_name, **_): log.append("made " + collection_name)
    def insert(self, **_): return {}
    upsert = delete = insert
    def search(self, data, output_fields, **_):
        log.append(output_fields)
        return data
    def hybrid_search(self, output_fields, **_): return [[], [{"id": 1}]]
    def query(self, **_): raise ValueError("no such field")
    def close(self): log.append("closed")
fake("grpc.experimental.gevent", init_gevent=lambda: None)
fake("pymilvus", MilvusClient=MilvusClient, CollectionSchema=dict)
fake("pymilvus.milvus_client", IndexParams=dict)
from locust.contrib.milvus import MilvusUser
class Asker(MilvusUser):
    def __init__(self, environment):
        super().__init__(environment, collection_name="things", schema={"a": 1}, index_params={"b": 1})
user = Asker(environment)
user.insert([1])
user.upsert([1])
hits = [[{"id": 1}, {"id": 2}]]
recall = {"calculate_recall": True}
done = [user.search(hits, "vector", 2), user.search(hits, "vector", 2, ground_truth=[1, 5], **recall)]
done += [user.hybrid_search([], None, 1), user.query("a == 1"), user.delete("a == 1")]
@events.request.add_listener
def times(name, response_time, **_): log.append([name, response_time])
client = user.client
for truth in ([1, 2, 3], [1], [], None): done.append(client.search(hits, "vector", 2, ground_truth=truth, **recall))
for rows in ([], [[]], [[], [{"id": 4}]]): done.append(client.search(rows, "vector", 2, "", None, ["a"], True, [4, 5]))
user.search(hits, "vector", 3, ground_truth=[1, 2, 3, 4], **recall)
user.on_stop()
log[:] = [["search"] if each[0] == "search" else each for each in log]
out([seen[:8], log, [[sorted(each), each["success"], each.get("empty"), each.get("recall")] for each in done]])
"""
    rows = [["milvus", name, True, 0, "NoneType"] for name in ("insert", "upsert", "search", "search")]
    rows += [["milvus", "recall", True, 0, "NoneType"], ["milvus", "hybrid_search", True, 0, "NoneType"]]
    rows += [["milvus", "query", True, 0, "ValueError"], ["milvus", "delete", True, 0, "NoneType"]]
    found = ["empty", "response_time", "result", "success"]
    recalled = ["empty", "recall", "response_time", "result", "success"]
    plain = [["id"]] * 6 + [["a"]] * 3 + [["id"]]
    assert engine.snippet(_SEEN + code) == [
        rows,
        ["made things", *plain, ["search"], ["recall", 66], "closed"],
        [
            [found, True, False, None],
            [recalled, True, False, 0.5],
            [found, True, False, None],
            [["exception", "response_time", "success"], False, None, None],
            [["response_time", "result", "success"], True, None, None],
            [recalled, True, False, 1.0],
            [recalled, True, False, 0.0],
            [recalled, True, False, 0.0],
            [found, True, False, None],
            [found, False, True, None],
            [found, False, True, None],
            [recalled, True, False, 0.0],
        ],
    ]


def test_milvus_with_milvus(engine: Engine, tmp_path: Path) -> None:
    """API-236, with the real library and milvus-lite, which ./dev does not set up: they take half a gigabyte."""
    _needs_there(engine, "milvus_lite")
    code = f"""
from locust.contrib.milvus import MilvusUser
from pymilvus import DataType, MilvusClient
schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("v", DataType.FLOAT_VECTOR, dim=2)
index = MilvusClient.prepare_index_params()
index.add_index(field_name="v", index_type="FLAT", metric_type="L2")
path = {str(tmp_path)!r} + "/" + locust.__name__ + str(os.getpid()) + ".db"
class Asker(MilvusUser):
    def __init__(self, environment):
        super().__init__(environment, uri=path, collection_name="c", schema=schema, index_params=index)
user = Asker(environment)
at = [[0.0, 0.0]]
done = [user.insert([{{"id": number, "v": [number, 0]}} for number in range(10)])]
done += [user.upsert([{{"id": 1, "v": [1, 1]}}]), user.search(at, "v", 3)]
done += [user.search(at, "v", 3, calculate_recall=True, ground_truth=[0, 1, 2]), user.query("id > 7")]
done += [user.query("id > 70"), user.query("nope =="), user.delete("id == 9")]
done.append(user.search(at, "v", 3, filter="id > 70"))
user.on_stop()
out([seen, [[each["success"], each.get("empty"), each.get("recall")] for each in done]])
"""
    names = ("insert", "upsert", "search", "search", "recall", "query", "query", "query", "delete", "search")
    seen = [["milvus", name, True, 0, "NoneType"] for name in names]
    seen[7][4] = "MilvusException"
    assert engine.snippet(_SEEN + code, "x") == [
        seen,
        [
            *([True, None, None], [True, None, None], [True, False, None], [True, False, 1.0], [True, False, None]),
            *([False, True, None], [False, None, None], [True, None, None], [False, True, None]),
        ],
    ]


def test_openai_needs_a_key(engine: Engine) -> None:
    """API-235."""
    code = """
fake("httpx")
fake("openai", OpenAI=object)
os.environ.pop("OPENAI_API_KEY", None)
try:
    import locust.contrib.oai
    out("imported")
except BaseException as error:
    out(isinstance(error, ImportError))
"""
    assert engine.snippet(_SEEN + code) is False


def test_openai_reports_calls(target: Target) -> None:
    """API-235."""
    _needs("httpx")
    code = f"""
import httpx
class OpenAI:
    def __init__(self, http_client=None, **_):
        self.http = http_client
fake("openai", OpenAI=OpenAI)
os.environ["OPENAI_API_KEY"] = "none"
from locust.contrib.oai import OpenAIUser
class Asker(OpenAIUser): pass
client = Asker(environment).client
client.http.post({target.url!r} + "/echo/responses", json={{}})
with client.rename_request("renamed"):
    client.http.get({target.url!r} + "/status/404")
out(seen)
"""
    assert ENGINES[0].snippet(_SEEN + code) == [
        ["POST", "/echo/responses", True, 0, "NoneType"],
        ["GET", "renamed", True, 0, "HTTPStatusError"],
    ]


def test_socketio(engine: Engine) -> None:
    """API-232."""
    if engine.is_ours:
        _needs("socketio")
    code = """
from locust.contrib.socketio import SocketIOUser
class Talker(SocketIOUser):
    options = {"reconnection": False}
sio = Talker(environment).sio
sio.emit("event", "ab")
sio.send("abc", name="named")
sio.on_message("arrived", "d")
sio.call("question", "ab", timeout=0.1)
sio.connect("http://127.0.0.1:1")
out([sorted(sio.handlers["/"]), sio.reconnection, seen])
"""
    assert engine.snippet(_SEEN + code) == [
        ["*"],
        False,
        [
            ["WSE", "event", True, 2, "BadNamespaceError"],
            ["WSE", "message", True, 3, "BadNamespaceError"],
            ["WSS", "named", True, 3, "NoneType"],
            ["WSR", "arrived", True, 1, "NoneType"],
            ["WSE", "question", True, 2, "BadNamespaceError"],
            ["WSC", "question", True, 0, "TimeoutError"],
            ["WS", "connect", True, 0, "ConnectionError"],
        ],
    ]


@pytest.mark.parametrize("is_v5", [False, True], ids=["v311", "v5"])
@pytest.mark.parametrize("has_selectors", [False, True], ids=["select", "selectors"])
def test_mqtt(is_v5: bool, has_selectors: bool) -> None:
    """API-233, with a broker that knows as little as is needed."""
    _needs("paho")
    code = f"""
from gevent.server import StreamServer
is_v5 = {is_v5}
def serve(connection, _):
    def receive(count):
        data = b""
        while len(data) < count and (piece := connection.recv(count - len(data))): data += piece
        return data
    while True:
        head = receive(2)
        if len(head) < 2: return
        body = receive(head[1])
        kind = head[0] >> 4
        properties = b"\\0" if is_v5 else b""
        def answer(first, rest):
            connection.sendall(bytes([first, len(rest)]) + rest)
        if kind == 1: answer(0x20, b"\\0\\0" + properties)
        elif kind == 3:
            length = body[0] * 256 + body[1]
            if head[0] & 6: answer(0x40, body[2 + length:4 + length])
        elif kind == 8: answer(0x90, body[:2] + properties + (b"\\x80" if b"refused" in body else b"\\1"))
        elif kind == 14: return
server = StreamServer(("127.0.0.1", 0), serve)
server.start()
from locust.contrib.mqtt import MqttUser
import paho.mqtt.client as mqtt
class Talker(MqttUser):
    host = "127.0.0.1"
    port = server.server_port
    protocol = mqtt.MQTTv5 if is_v5 else mqtt.MQTTv311
    use_loop_selectors = {has_selectors}
user = Talker(environment)
def wait_for(count): until(lambda: len(seen) >= count)
wait_for(1)
user.client.publish("a/b", b"12345", qos=1)
wait_for(2)
user.client.publish("a/c", "123")
wait_for(3)
user.client.subscribe("a/d", qos=1)
wait_for(4)
user.client.subscribe("refused")
wait_for(5)
user.client.disconnect()
wait_for(6)
user.client.loop_stop()
out([seen, len(user.client.client_id) > 10])
"""
    assert ENGINES[0].snippet(_SEEN + code) == [
        [
            ["MQTT", "connect", True, 0, "NoneType"],
            ["MQTT", "publish:1:a/b", True, 5, "NoneType"],
            ["MQTT", "publish:0:a/c", True, 3, "NoneType"],
            ["MQTT", "subscribe:1:a/d", True, 0, "NoneType"],
            ["MQTT", "subscribe:0:refused", True, 0, "AssertionError"],
            ["MQTT", "disconnect", True, 0, "NoneType"],
        ],
        True,
    ]
