"""What every client of an older generation is checked for, whatever its library and transport.

A test case combines `Checks` with `member`, a class that wraps the client:

    member(way, namespace="/", token=None)   connects; raises `Refused` if the namespace does not want it
    id                                       the socket's id
    emit(event, *args)
    call(event, *args)                       emits, and waits for the arguments of the ack
    next(event)                              waits for the arguments of the next such event
    heard(event)                             the arguments of those that came and were not waited for
    drop()                                   makes the server cut the connection
    close()

What a library cannot do is said in `cannot`: a test's name, and why it is left out.
"""

import time

PATIENCE = 30
BIG = 900 * 1024

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
    (bytes(range(256)),),
    ({"deep": [{"deeper": b"\x00\xff"}, "text"], "other": b"\x30"},),
    ("mixed", b"\x04", 5, [b"\x06", [b"\x07"]]),
]

rooms = 0


class Refused(Exception):
    """The namespace does not want the client; `args` are what it was told."""


def new_room():
    global rooms
    rooms += 1
    return f"room-{rooms}"


class Checks:
    member = None
    way = None
    protocol = 3
    transport = None
    texts = TEXTS
    big_texts = ("x" * BIG, "é€\u4e2d" * (BIG // 8))
    refusal = ({"code": "E_AUTH"},)
    unknown_namespace = ({"message": "Invalid namespace"},)
    keeps_order = True
    cannot = {}

    def setUp(self):
        if reason := self.cannot.get(self._testMethodName):
            self.skipTest(reason)

    def open(self, **options):
        member = type(self).member(self.way, **options)
        self.addCleanup(member.close)
        return member

    def id_in(self, namespace, member):
        """The id of a connection's socket in a namespace."""
        return member.id if namespace == "/" or self.protocol == 1 else f"{namespace}#{member.id}"

    def assert_echoed(self, member, args):
        member.emit("echo", *args)
        self.assertEqual(member.next("echo"), args)
        self.assertEqual(member.call("echo-ack", *args), args)

    def test_is_welcomed_once_with_its_id(self):
        member = self.open()
        self.assertEqual(member.next("welcome"), ("/", member.id))
        member.call("echo-ack")
        self.assertEqual(member.heard("welcome"), [])

    def test_says_who_it_is(self):
        member = self.open()
        (me,) = member.call("whoami")
        self.assertEqual(me["id"], member.id)
        self.assertEqual(me["nsp"], "/")
        self.assertEqual(me["protocol"], self.protocol)
        self.assertEqual(me["transport"], self.transport)

    def test_gets_every_shape_back(self):
        member = self.open()
        for args in SHAPES:
            with self.subTest(args=args):
                self.assert_echoed(member, args)

    def test_gets_every_text_back(self):
        member = self.open()
        for text in self.texts:
            with self.subTest(text=text):
                self.assert_echoed(member, (text, {text: text}))

    def test_gets_binary_at_any_depth_back(self):
        member = self.open()
        for args in BINARIES:
            with self.subTest(args=args):
                self.assert_echoed(member, args)

    def test_gets_900_kb_of_text_back(self):
        member = self.open()
        for big in self.big_texts:
            member.emit("echo", big)
            self.assertTrue(member.next("echo") == (big,), "the event came back changed")
            self.assertTrue(member.call("echo-ack", big) == (big,), "the ack came back changed")

    def test_gets_900_kb_of_binary_back(self):
        member = self.open()
        big = b"bytes" * (BIG // 5)
        member.emit("echo", big)
        self.assertTrue(member.next("echo") == (big,), "the event came back changed")
        self.assertTrue(member.call("echo-ack", big) == (big,), "the ack came back changed")

    def test_answers_the_servers_questions(self):
        member = self.open()
        for args in ((), ("why", {"n": 1})):
            member.emit("ask-me", *args)
            self.assertEqual(member.next("answer-received"), (*args, "answer"))

    def test_sends_1000_events_in_order(self):
        member = self.open()
        for i in range(1000):
            member.emit("collect", i)
        self.assertEqual(member.call("collected"), (list(range(1000)),))

    def test_gets_1000_events(self):
        member = self.open()
        member.emit("burst", 1000, 1)
        ticks = [member.next("tick")[0] for _ in range(1000)]
        self.assertEqual(ticks if self.keeps_order else sorted(ticks), list(range(1000)))
        member.call("echo-ack")
        self.assertEqual(member.heard("tick"), [])

    def test_hears_its_room_and_not_itself(self):
        alice, bob, carol = self.open(), self.open(), self.open()
        room = new_room()
        self.assertEqual(alice.call("join", room), (room,))
        self.assertEqual(bob.call("join", room), (room,))
        self.assertEqual(alice.call("to-room", room, "news", {"from": "alice"}), (True,))
        self.assertEqual(bob.next("news"), ({"from": "alice"},))
        self.assertEqual(carol.call("to-room", room, "news", "from carol"), (True,))
        self.assertEqual(alice.next("news"), ("from carol",))
        self.assertEqual(bob.next("news"), ("from carol",))
        self.assertEqual(bob.call("leave", room), (room,))
        self.assertEqual(carol.call("to-room", room, "news", "last"), (True,))
        self.assertEqual(alice.next("news"), ("last",))
        for member in (alice, bob, carol):
            member.call("echo-ack")
            self.assertEqual(member.heard("news"), [])

    def test_hears_what_is_broadcast_to_others(self):
        alice, bob = self.open(), self.open()
        event = new_room()
        self.assertEqual(alice.call("broadcast-others", event, [1, "two"]), (True,))
        self.assertEqual(bob.next(event), ([1, "two"],))
        alice.call("echo-ack")
        self.assertEqual(alice.heard(event), [])

    def test_its_room_is_told_once_that_it_left(self):
        observer = self.open()
        room = new_room()
        observer.call("join", room)
        member = type(self).member(self.way)
        member.call("join", room)
        gone = member.id
        member.close()
        self.assertEqual(observer.next("left"), (gone,))
        observer.call("echo-ack")
        self.assertEqual(observer.heard("left"), [])

    def test_namespaces_are_apart(self):
        main, chat = self.open(), self.open(namespace="/chat")
        self.assertEqual(chat.next("welcome"), ("/chat", self.id_in("/chat", chat)))
        room = new_room()
        main.call("join", room)
        chat.call("join", room)
        self.open(namespace="/chat").call("to-room", room, "news", 1)
        self.assertEqual(chat.next("news"), (1,))
        main.call("broadcast-others", room, 2)
        for member in (main, chat):
            member.call("echo-ack")
        self.assertEqual((main.heard("news"), chat.heard(room)), ([], []))

    def test_admin_wants_the_token(self):
        for token in (None, "wrong"):
            with self.assertRaises(Refused) as refused:
                self.open(namespace="/admin", token=token)
            self.assertEqual(refused.exception.args, self.refusal)
        admin = self.open(namespace="/admin", token="letmein")
        self.assertEqual(admin.next("welcome"), ("/admin", self.id_in("/admin", admin)))

    def test_an_unknown_namespace_is_refused(self):
        with self.assertRaises(Refused) as refused:
            self.open(namespace="/nowhere")
        self.assertEqual(refused.exception.args, self.unknown_namespace)

    def test_outlives_a_handler_that_fails(self):
        member = self.open()
        member.emit("throw")
        self.assertEqual(member.call("echo-ack", "still here"), ("still here",))

    def test_is_told_that_it_was_kicked(self):
        member = self.open()
        member.emit("kick-me")
        self.assertEqual(member.next("disconnect"), ())

    def test_comes_back_when_its_connection_was_cut(self):
        member = self.open()
        _, first = member.next("welcome")
        member.drop()
        _, second = member.next("welcome")
        self.assertNotEqual(first, second)
        self.assertEqual(member.call("echo-ack", "back"), ("back",))


class Idle:
    """One case a library: members are connected, then silent for as long as `server` says."""

    server = None

    def connect(self):
        """Yields a member of each way."""
        raise NotImplementedError

    def test_outlives_two_heartbeats_in_silence(self):
        members = list(self.connect())
        for member in members:
            self.addCleanup(member.close)
            member.next("welcome")
        time.sleep(self.server.silence())
        for member in members:
            self.assertEqual(member.call("echo-ack", "still here"), ("still here",))
            self.assertEqual(member.heard("welcome"), [], "it has been connected anew")
