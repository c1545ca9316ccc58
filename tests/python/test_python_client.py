"""python-socketio's sync and async clients against contract `app`, over each way of connecting and with each parser.

Run: python -m unittest tests/python/test_python_client.py
The server's command is SERVER, by default target/debug/server-axum.
"""

import asyncio
import os
import pathlib
import queue
import re
import shlex
import shutil
import subprocess
import threading
import unittest

import engineio.payload
import socketio

# python-engineio reads at most 16 packets from one polling payload unless told otherwise; a burst brings more.
engineio.payload.Payload.max_decode_packets = 1_000

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = shlex.split(os.environ.get("SERVER", str(ROOT / "target/debug/server-axum")))
PATIENCE = 10
BIG = 900 * 1024

WAYS = {
    "polling": ["polling"],
    "websocket": ["websocket"],
    "upgrade": ["polling", "websocket"],
}

# An event with no argument, one, or a tuple of several.
SHAPES = [
    (),
    (None,),
    (True, False),
    (0, -1.5, 9007199254740991),
    ("", "text"),
    ([], {}, [[]], [{}]),
    ({"nested": {"list": [1, "two", None, {"three": 3}]}},),
]

TEXTS = [
    "NUL \0 inside",
    "separators \u2028 and \u2029",
    "astral \U0001f600\U0001d11e",
    "replacement \ufffd and mark \ufeff",
    "</script><!--",
    "CR LF \r\n tab \t backslash \\ quote \" record \x1e",
    "ünïcödé кириллица",
]

BINARIES = [
    (b"\x01\x02\x03",),
    (b"",),
    (bytes(range(256)),),
    ({"deep": [{"deeper": b"\x00\xff"}, "text"], "other": b"\x30"},),
    ("mixed", b"\x04", 5, [b"\x06", [b"\x07"]]),
]


class Server:
    """The server under test, for as long as the module's tests run."""

    def start(self):
        if shutil.which(COMMAND[0]) is None:
            raise RuntimeError(f"{COMMAND[0]} is missing: run `cargo build -p server-axum` first")
        env = {**os.environ, "PING_INTERVAL_MS": "2000", "PING_TIMEOUT_MS": "6000", "MSGPACK_PORT": "0"}
        self.process = subprocess.Popen(
            [*COMMAND, "--contract", "app", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            text=True,
        )
        watchdog = threading.Timer(20, self.process.kill)
        watchdog.start()
        urls = []
        for line in self.process.stdout:
            if found := re.search(r"listening on (http://127\.0\.0\.1:\d+)", line):
                urls.append(found.group(1))
            if len(urls) == 2:
                watchdog.cancel()
                self.urls = dict(zip(("default", "msgpack"), urls))
                return
        raise RuntimeError("the server ended, or was ended, before it listened")

    def stop(self):
        died = self.process.poll()
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        if died is not None:
            raise RuntimeError(f"the server died during the tests (exit code {died})")


SERVER = Server()
setUpModule = SERVER.start
tearDownModule = SERVER.stop


def payload(args):
    """python-socketio's way to pass several arguments."""
    return args if args else None


def result(args):
    """What a call returns for an ack of `args`."""
    return args[0] if len(args) == 1 else (args or None)


class SyncMember:
    """One connected client; `next(event)` waits for an event's arguments."""

    def __init__(self, transports, serializer, namespace="/", query="", auth=None, refusals=None):
        self.namespace = namespace
        self.client = socketio.Client(reconnection=False, serializer=serializer)
        self.events = {}
        self.refusals = refusals if refusals is not None else []
        self.client.on("*", self._keep, namespace=namespace)
        self.client.on("question", self._answer, namespace=namespace)
        self.client.on("connect_error", self._refused, namespace=namespace)
        self.client.connect(
            SERVER.urls[serializer] + query,
            transports=transports,
            namespaces=[namespace],
            auth=auth,
            wait_timeout=PATIENCE,
        )
        self.id = self.client.get_sid(namespace)

    def _keep(self, event, *args):
        self.events.setdefault(event, queue.Queue()).put(args)

    def _refused(self, reason):
        self.refusals.append(reason)

    def _answer(self, *args):
        return (*args, "answer", b"\x01")

    def next(self, event):
        return self.events.setdefault(event, queue.Queue()).get(timeout=PATIENCE)

    def heard(self, event):
        waiting = self.events.get(event)
        return [] if waiting is None else [waiting.get() for _ in range(waiting.qsize())]

    def emit(self, event, *args):
        self.client.emit(event, payload(args), namespace=self.namespace)

    def call(self, event, *args):
        return self.client.call(event, payload(args), namespace=self.namespace, timeout=PATIENCE)

    def close(self):
        self.client.disconnect()


class AsyncMember:
    """The same over the async client, run in an event loop of its own so that one set of tests serves both."""

    def __init__(self, transports, serializer, namespace="/", query="", auth=None, refusals=None):
        self.namespace = namespace
        self.loop = asyncio.new_event_loop()
        self.events = {}
        self.refusals = refusals if refusals is not None else []
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        try:
            self._run(self._connect(transports, serializer, query, auth))
        except BaseException:
            self._end_loop()
            raise
        self.id = self.client.get_sid(namespace)

    async def _connect(self, transports, serializer, query, auth):
        self.client = socketio.AsyncClient(reconnection=False, serializer=serializer)
        self.client.on("*", self._keep, namespace=self.namespace)
        self.client.on("question", self._answer, namespace=self.namespace)
        self.client.on("connect_error", self._refused, namespace=self.namespace)
        await self.client.connect(
            SERVER.urls[serializer] + query,
            transports=transports,
            namespaces=[self.namespace],
            auth=auth,
            wait_timeout=PATIENCE,
        )

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE + 2)

    def _end_loop(self):
        async def settle():
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait(others, timeout=2) if others else None

        self._run(settle())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)
        self.loop.close()

    async def _keep(self, event, *args):
        self.events.setdefault(event, queue.Queue()).put(args)

    async def _refused(self, reason):
        self.refusals.append(reason)

    async def _answer(self, *args):
        return (*args, "answer", b"\x01")

    def next(self, event):
        return self.events.setdefault(event, queue.Queue()).get(timeout=PATIENCE)

    heard = SyncMember.heard

    def emit(self, event, *args):
        self._run(self.client.emit(event, payload(args), namespace=self.namespace))

    def call(self, event, *args):
        return self._run(
            self.client.call(event, payload(args), namespace=self.namespace, timeout=PATIENCE)
        )

    def close(self):
        self._run(self.client.disconnect())
        self._end_loop()


class Matrix:
    """The tests; a subclass says which client, which way of connecting and which parser."""

    member = None
    way = None
    serializer = "default"
    rooms = 0

    def open(self, **options):
        member = type(self).member(WAYS[self.way], self.serializer, **options)
        self.addCleanup(member.close)
        return member

    def new_room(self):
        Matrix.rooms += 1
        return f"python-{Matrix.rooms}"

    def assert_echoed(self, member, args):
        member.emit("echo", *args)
        self.assertEqual(member.next("echo"), args)
        self.assertEqual(member.call("echo-ack", *args), result(args))

    def test_is_welcomed_once_with_its_id(self):
        member = self.open()
        self.assertEqual(member.next("welcome"), ("/", member.id))
        member.call("echo-ack")
        self.assertEqual(member.heard("welcome"), [])

    def test_gets_every_shape_back(self):
        member = self.open()
        for args in SHAPES:
            with self.subTest(args=args):
                self.assert_echoed(member, args)

    def test_gets_every_text_back(self):
        member = self.open()
        for text in TEXTS:
            with self.subTest(text=text):
                self.assert_echoed(member, (text, {text: text}))

    def test_gets_binary_at_any_depth_back(self):
        member = self.open()
        for args in BINARIES:
            with self.subTest(args=args):
                self.assert_echoed(member, args)

    def test_gets_900_kb_back(self):
        member = self.open()
        for big in ("x" * BIG, "é€\U0001f600" * (BIG // 9), b"bytes" * (BIG // 5)):
            member.emit("echo", big)
            self.assertTrue(member.next("echo") == (big,), "the event came back changed")
            self.assertTrue(member.call("echo-ack", big) == big, "the ack came back changed")

    def test_answers_the_servers_questions(self):
        member = self.open()
        for args in ((), ("why", {"n": 1}), (b"\x02\x03",)):
            member.emit("ask-me", *args)
            self.assertEqual(member.next("answer-received"), (*args, "answer", b"\x01"))

    def test_uses_the_transport_it_asked_for(self):
        member = self.open(query="?color=blue")
        me = member.call("whoami")
        self.assertEqual(me["id"], member.id)
        self.assertEqual(me["nsp"], "/")
        self.assertEqual(me["protocol"], 4)
        self.assertEqual(me["transport"], WAYS[self.way][-1])
        self.assertEqual(me["query"]["color"], "blue")
        self.assertIn(me["auth"], (None, {}))

    def test_sends_and_gets_events_in_order(self):
        member = self.open()
        for i in range(200):
            member.emit("collect", i)
        self.assertEqual(member.call("collected"), list(range(200)))
        self.assertEqual(member.call("burst", 200, 1), 200)
        self.assertEqual([member.next("tick") for _ in range(200)], [(i,) for i in range(200)])

    def test_hears_its_room_exactly_once(self):
        alice, bob, carol = self.open(), self.open(), self.open()
        room = self.new_room()
        self.assertEqual(alice.call("join", room), room)
        self.assertEqual(bob.call("join", room), room)
        self.assertIs(alice.call("to-room", room, "news", {"from": "alice"}), True)
        self.assertIs(carol.call("to-room", room, "news", [b"\x01\x02"]), True)
        self.assertEqual(bob.call("leave", room), room)
        self.assertIs(carol.call("to-room", room, "news", "last"), True)
        for member in (alice, bob, carol):
            member.call("echo-ack")
        self.assertEqual(alice.heard("news"), [([b"\x01\x02"],), ("last",)])
        self.assertEqual(bob.heard("news"), [({"from": "alice"},), ([b"\x01\x02"],)])
        self.assertEqual(carol.heard("news"), [])

    def test_its_room_is_told_once_that_it_left(self):
        observer = self.open()
        room = self.new_room()
        observer.call("join", room)
        member = type(self).member(WAYS[self.way], self.serializer)
        member.call("join", room)
        member.close()
        self.assertEqual(observer.next("left"), (member.id,))
        observer.call("echo-ack")
        self.assertEqual(observer.heard("left"), [])

    def test_namespaces_are_apart(self):
        main, chat = self.open(), self.open(namespace="/chat")
        self.assertEqual(chat.next("welcome"), ("/chat", chat.id))
        room = self.new_room()
        main.call("join", room)
        chat.call("join", room)
        self.open(namespace="/chat").call("to-room", room, "news", 1)
        main.call("echo-ack")
        chat.call("echo-ack")
        self.assertEqual(main.heard("news"), [])
        self.assertEqual(chat.heard("news"), [(1,)])

    def test_admin_wants_the_token(self):
        for auth in (None, {"token": "wrong"}):
            refusals = []
            with self.assertRaises(socketio.exceptions.ConnectionError):
                self.open(namespace="/admin", auth=auth, refusals=refusals)
            self.assertEqual(refusals, [{"message": "unauthorized", "data": {"code": "E_AUTH"}}])
        for options in ({"auth": {"token": "letmein"}}, {"query": "?token=letmein"}):
            admin = self.open(namespace="/admin", **options)
            self.assertEqual(admin.next("welcome"), ("/admin", admin.id))

    def test_an_unknown_namespace_is_refused(self):
        refusals = []
        with self.assertRaises(socketio.exceptions.ConnectionError):
            self.open(namespace="/nowhere", refusals=refusals)
        self.assertIn(refusals, (["Invalid namespace"], [{"message": "Invalid namespace"}]))

    def test_outlives_a_handler_that_fails(self):
        member = self.open()
        member.emit("throw")
        member.emit("error", "an ordinary name")
        self.assertEqual(member.call("echo-ack", "still here"), "still here")


def case(name, member, way, *more):
    return type(name, (*more, Matrix, unittest.TestCase), {"member": member, "way": way})


SyncPolling = case("SyncPolling", SyncMember, "polling")
SyncWebSocket = case("SyncWebSocket", SyncMember, "websocket")
SyncUpgrade = case("SyncUpgrade", SyncMember, "upgrade")
AsyncPolling = case("AsyncPolling", AsyncMember, "polling")
AsyncWebSocket = case("AsyncWebSocket", AsyncMember, "websocket")
AsyncUpgrade = case("AsyncUpgrade", AsyncMember, "upgrade")


class WithMsgPack:
    """What only msgpack can say."""

    serializer = "msgpack"

    def test_gets_integers_of_64_bits_and_floats_back(self):
        member = self.open()
        self.assert_echoed(member, (2**64 - 1, -(2**63), 2**53 + 1, 0.1, -1e300))

    def test_keys_are_text_as_in_json(self):
        self.assertEqual(self.open().call("echo-ack", {1: "a", None: "b"}), {"1": "a", "null": "b"})
        self.assertEqual(self.open().call("echo-ack", {-7: {2: b"x"}}), {"-7": {"2": b"x"}})


MsgPackSyncPolling = case("MsgPackSyncPolling", SyncMember, "polling", WithMsgPack)
MsgPackSyncWebSocket = case("MsgPackSyncWebSocket", SyncMember, "websocket", WithMsgPack)
MsgPackSyncUpgrade = case("MsgPackSyncUpgrade", SyncMember, "upgrade", WithMsgPack)
MsgPackAsyncPolling = case("MsgPackAsyncPolling", AsyncMember, "polling", WithMsgPack)
MsgPackAsyncWebSocket = case("MsgPackAsyncWebSocket", AsyncMember, "websocket", WithMsgPack)
MsgPackAsyncUpgrade = case("MsgPackAsyncUpgrade", AsyncMember, "upgrade", WithMsgPack)

if __name__ == "__main__":
    unittest.main()
