"""socketIO-client 0.7 over each of its transports. Run by ./run."""

import logging
import time
import unittest

import socketIO_client

from checks import PATIENCE, Checks, Idle, Refused
from server import Server

SERVER = Server()
setUpModule = SERVER.start
tearDownModule = SERVER.stop

# It warns of every connection that is lost.
logging.getLogger("socketIO-client").setLevel(logging.ERROR)

# It begins with polling whatever is asked for.
WAYS = {"polling": ["xhr-polling"], "upgrade": ["xhr-polling", "websocket"]}
TRANSPORTS = {"polling": "polling", "upgrade": "websocket"}


class Namespace(socketIO_client.SocketIONamespace):
    """Hears every event of a namespace."""

    def initialize(self):
        self.events = {}

    def keep(self, event, args):
        self.events.setdefault(event, []).append(args)

    def on_event(self, event, *args):
        self.keep(event, args)

    def on_question(self, *args):
        *asked, answer = args
        answer(*asked, "answer")

    def on_error(self, *reason):
        self.keep("refused", reason)
        self._connected = True  # else it waits for ever

    def on_disconnect(self):
        self.keep("disconnect", ())


class Member:
    """The client has no thread that reads: it is told to while something is awaited."""

    def __init__(self, way, namespace="/", token=None):
        self.path = "" if namespace == "/" else namespace
        self.client = socketIO_client.SocketIO(
            SERVER.url,
            Namespace=None if self.path else Namespace,
            transports=WAYS[way],
            params={} if token is None else {"token": token},
            hurry_interval_in_seconds=0.1,
        )
        if self.path:
            self.client.define(socketIO_client.SocketIONamespace)
            self.client.define(Namespace, self.path)
        if refused := self.heard("refused"):
            self.close()
            raise Refused(*refused[0])

    @property
    def id(self):
        return self.client._engineIO_session.id

    @property
    def events(self):
        return self.client.get_namespace(self.path).events

    def wait_until(self, happened, what):
        deadline = time.monotonic() + PATIENCE
        while not happened():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited in vain for {what}")
            try:
                self.client.wait(0.00001)  # reads once
            except IndexError:
                pass  # it reads a close frame as an empty packet

    def next(self, event):
        self.wait_until(lambda: self.events.get(event), event)
        return self.events[event].pop(0)

    def heard(self, event):
        return self.events.pop(event, [])

    def emit(self, event, *args):
        self.client.emit(event, *args, path=self.path)

    def call(self, event, *args):
        acked = []
        self.client.emit(event, *args, path=self.path, callback=lambda *answer: acked.append(answer))
        self.wait_until(lambda: acked, f"the ack of {event}")
        return acked[0]

    def drop(self):
        self.emit("close-me")

    def close(self):
        self.client.disconnect()


BINARY = "it has no binary messages"


def case(way):
    attributes = {
        "member": Member,
        "way": way,
        "transport": TRANSPORTS[way],
        "refusal": ("code",),  # it hands on the keys of an object
        "unknown_namespace": ("message",),
        "cannot": {
            "test_gets_binary_at_any_depth_back": BINARY,
            "test_gets_900_kb_of_binary_back": BINARY,
        },
    }
    return type(f"Member {way}", (Checks, unittest.TestCase), attributes)


Polling = case("polling")
Upgrade = case("upgrade")


class IdleMembers(Idle, unittest.TestCase):
    server = SERVER

    def connect(self):
        return map(Member, WAYS)


if __name__ == "__main__":
    unittest.main()
