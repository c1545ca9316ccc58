"""socketIO-client 0.5, a client of Socket.IO 0.9, over each of its transports. Run by ./run."""

import logging
import queue
import threading
import unittest

import socketIO_client

from checks import BIG, PATIENCE, TEXTS, Checks, Idle, Refused
from server import Server

SERVER = Server()
setUpModule = SERVER.start
tearDownModule = SERVER.stop

# It warns of every connection that is lost.
logging.getLogger("socketIO_client").setLevel(logging.ERROR)

WAYS = ("websocket", "xhr-polling", "jsonp-polling")


class Client(socketIO_client.SocketIO):
    def __del__(self):
        """Theirs connects anew, to say farewell."""


class Namespace(socketIO_client.BaseNamespace):
    """Hears every event of a namespace."""

    def initialize(self):
        self.queues = {}

    def of(self, event):
        return self.queues.setdefault(event, queue.Queue())

    def on_event(self, event, *args):
        self.of(event).put(args)

    def on_question(self, *args):
        *asked, answer = args
        answer(*asked, "answer")

    def on_connect(self):
        self.of("answered").put(None)

    def on_disconnect(self):
        self.of("disconnect").put(())


class Member:
    """A thread of its own reads, as the client has none."""

    def __init__(self, way, namespace="/", token=None):
        path = "" if namespace == "/" else namespace
        self.client = Client(
            SERVER.url,
            Namespace=None if path else Namespace,
            transports=[way],
            wait_for_connection=False,
            params={} if token is None else {"token": token},
        )
        if path:
            self.client.define(socketIO_client.BaseNamespace)
        self.namespace = self.client.define(Namespace, path) if path else self.client.get_namespace()
        threading.Thread(target=self.read, daemon=True).start()
        refused = self.namespace.of("answered").get(timeout=PATIENCE)
        if refused is not None:
            self.close()
            raise Refused(refused)

    def read(self):
        try:
            self.client.wait()
        except ValueError:  # it expects advice behind the reason of a refusal
            self.namespace.of("answered").put("unauthorized")
        except socketIO_client.ConnectionError:
            pass  # the server is gone

    @property
    def id(self):
        return self.client._transport._url.rpartition("/")[2]

    def next(self, event):
        return self.namespace.of(event).get(timeout=PATIENCE)

    def heard(self, event):
        waiting = self.namespace.of(event)
        return [waiting.get() for _ in range(waiting.qsize())]

    def emit(self, event, *args):
        self.namespace.emit(event, *args)

    def call(self, event, *args):
        acked = queue.Queue()
        self.namespace.emit(event, *args, callback=lambda *answer: acked.put(answer))
        return acked.get(timeout=PATIENCE)

    def drop(self):
        self.emit("close-me")

    def close(self):
        self.client.disconnect()


BINARY = "0.9 has no binary messages"
CANNOT = {
    "test_gets_binary_at_any_depth_back": BINARY,
    "test_gets_900_kb_of_binary_back": BINARY,
    "test_an_unknown_namespace_is_refused": "0.9 gives no answer",
}
STAYS = "it goes on to poll the session that is gone"


def case(way, **attributes):
    cannot = CANNOT if way == "websocket" else {**CANNOT, "test_comes_back_when_its_connection_was_cut": STAYS}
    attributes = {
        "member": Member,
        "way": way,
        "protocol": 1,
        "transport": way,
        "refusal": ("unauthorized",),
        "cannot": cannot,
        **attributes,
    }
    return type(f"Member {way}", (Checks, unittest.TestCase), attributes)


WebSocket = case("websocket")
XhrPolling = case("xhr-polling")
# It takes the bytes of other characters for Latin-1.
JsonpPolling = case(
    "jsonp-polling",
    texts=[text for text in TEXTS if text.isascii() or "\u2028" in text],
    big_texts=("x" * BIG,),
)


class IdleMembers(Idle, unittest.TestCase):
    server = SERVER

    def connect(self):
        return map(Member, WAYS)


if __name__ == "__main__":
    unittest.main()
