"""python-socketio 4.6, sync and async, over each way of connecting. Run by ./run."""

import asyncio
import queue
import threading
import unittest

import engineio.payload
import socketio

from checks import PATIENCE, Checks, Idle, Refused
from server import Server

# It reads at most 16 packets from one polling payload unless told otherwise; a burst brings more.
engineio.payload.Payload.max_decode_packets = 2_000

# It gives up a server that takes longer than an interval to answer a ping.
SERVER = Server(ping_interval=8)
setUpModule = SERVER.start
tearDownModule = SERVER.stop

WAYS = {
    "polling": ["polling"],
    "websocket": ["websocket"],
    "upgrade": ["polling", "websocket"],
}
OPTIONS = {"reconnection_delay": 0.1, "randomization_factor": 0, "request_timeout": PATIENCE}


class Events:
    """The arguments of what came, a queue an event."""

    def __init__(self):
        self.queues = {}

    def of(self, event):
        return self.queues.setdefault(event, queue.Queue())

    def keep(self, event, args):
        self.of("answered" if event in ("connect", "connect_error") else event).put((event, args))

    def next(self, event):
        return self.of(event).get(timeout=PATIENCE)[1]

    def heard(self, event):
        waiting = self.of(event)
        return [waiting.get()[1] for _ in range(waiting.qsize())]

    def assert_let_in(self):
        event, args = self.of("answered").get(timeout=PATIENCE)
        if event == "connect_error":
            raise Refused(*args)


def url(token):
    return SERVER.url if token is None else f"{SERVER.url}?token={token}"


class Namespace(socketio.ClientNamespace):
    """Hears every event of a namespace."""

    def __init__(self, name, events):
        super().__init__(name)
        self.events = events

    def trigger_event(self, event, *args):
        self.events.keep(event, args)
        return (*args, "answer") if event == "question" else None


class SyncMember:
    def __init__(self, way, namespace="/", token=None):
        self.namespace = namespace
        self.events = Events()
        self.client = socketio.Client(**OPTIONS)
        self.client.register_namespace(Namespace(namespace, self.events))
        self.client.connect(url(token), transports=WAYS[way], namespaces=[namespace])
        try:
            self.events.assert_let_in()
        except BaseException:
            self.close()
            raise
        self.id = self.client.sid
        self.next = self.events.next
        self.heard = self.events.heard

    def emit(self, event, *args):
        self.client.emit(event, args, namespace=self.namespace)

    def call(self, event, *args):
        acked = queue.Queue()
        self.client.emit(event, args, namespace=self.namespace, callback=lambda *answer: acked.put(answer))
        return acked.get(timeout=PATIENCE)

    def drop(self):
        self.emit("close-me")

    def close(self):
        self.client.disconnect()


class AsyncNamespace(socketio.AsyncClientNamespace):
    def __init__(self, name, events):
        super().__init__(name)
        self.events = events

    async def trigger_event(self, event, *args):
        return Namespace.trigger_event(self, event, *args)


class AsyncMember:
    """In an event loop of its own, so that one set of checks serves both."""

    def __init__(self, way, namespace="/", token=None):
        self.namespace = namespace
        self.events = Events()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        try:
            self.run(self.connect(way, token))
            self.events.assert_let_in()
        except BaseException:
            self.close()
            raise
        self.id = self.client.sid
        self.next = self.events.next
        self.heard = self.events.heard

    async def connect(self, way, token):
        self.client = socketio.AsyncClient(**OPTIONS)
        self.client.register_namespace(AsyncNamespace(self.namespace, self.events))
        await self.client.connect(url(token), transports=WAYS[way], namespaces=[self.namespace])

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def emit(self, event, *args):
        self.run(self.client.emit(event, args, namespace=self.namespace))

    def call(self, event, *args):
        acked = queue.Queue()
        answered = lambda *answer: acked.put(answer)
        self.run(self.client.emit(event, args, namespace=self.namespace, callback=answered))
        return acked.get(timeout=PATIENCE)

    def drop(self):
        self.emit("close-me")

    def close(self):
        async def end():
            await self.client.disconnect()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait(others, timeout=2) if others else None
            if self.client.eio.http:  # its farewell opens another
                await self.client.eio.http.close()

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)
        self.loop.close()


def case(member, way, cannot, keeps_order):
    attributes = {
        "member": member,
        "way": way,
        "transport": WAYS[way][-1],
        "cannot": {**cannot, **(ON_POLLING if way == "polling" else {})},
        "keeps_order": keeps_order,
    }
    return type(f"{member.__name__} {way}", (Checks, unittest.TestCase), attributes)


A_THREAD_A_PACKET = "each packet is handled in a thread of its own: attachments may overtake what announces them"
IN_THREADS = {
    "test_gets_binary_at_any_depth_back": A_THREAD_A_PACKET,
    "test_gets_900_kb_of_binary_back": A_THREAD_A_PACKET,
}
ON_POLLING = {
    "test_comes_back_when_its_connection_was_cut": "a close packet is a farewell to it: it does not come back",
}

SyncPolling = case(SyncMember, "polling", IN_THREADS, keeps_order=False)
SyncWebSocket = case(SyncMember, "websocket", IN_THREADS, keeps_order=False)
SyncUpgrade = case(SyncMember, "upgrade", IN_THREADS, keeps_order=False)
AsyncPolling = case(AsyncMember, "polling", {}, keeps_order=True)
AsyncWebSocket = case(AsyncMember, "websocket", {}, keeps_order=True)
AsyncUpgrade = case(AsyncMember, "upgrade", {}, keeps_order=True)


class IdleMembers(Idle, unittest.TestCase):
    server = SERVER

    def connect(self):
        for way in WAYS:
            yield SyncMember(way)
            yield AsyncMember(way)


if __name__ == "__main__":
    unittest.main()
