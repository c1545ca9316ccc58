//! Which scenarios there are.

use super::{Kind, Message, Scenario};

const CLIENTS: usize = 32;
const ECHO: Kind = echo(Message::Echo, 1, 0);

const IDLE: Kind = Kind::Idle { clients: 10_000 };
const INSTRUCTIONS: Kind = Kind::Instructions { message: Message::Echo };
const INSTRUCTIONS_TYPED: Kind = Kind::Instructions {
    message: Message::Typed,
};

const fn binary(kilobytes: usize) -> Message {
    Message::Binary { size: kilobytes * 1024 }
}

const fn echo(message: Message, depth: usize, beside: usize) -> Kind {
    Kind::Echo {
        message,
        clients: CLIENTS,
        depth,
        beside,
    }
}

const fn broadcast(subscribers: usize, size: usize, burst: usize) -> Kind {
    Kind::Broadcast {
        subscribers,
        size,
        burst,
    }
}

const fn one(name: &'static str, operations: usize, what: &'static str, kind: Kind) -> Scenario {
    Scenario {
        name,
        what,
        kind,
        operations,
        workers: 1,
    }
}

const fn two(name: &'static str, operations: usize, what: &'static str, kind: Kind) -> Scenario {
    Scenario {
        name,
        what,
        kind,
        operations,
        workers: 2,
    }
}

const SIDE_BY_SIDE: [Scenario; 21] = [
    one(
        "echo",
        60_000,
        "64 bytes come back; 32 clients, one on the way each",
        ECHO,
    ),
    one(
        "echo-16",
        200_000,
        "the same, 16 on the way each",
        echo(Message::Echo, 16, 0),
    ),
    one(
        "echo-typed",
        60_000,
        "an object through a struct",
        echo(Message::Typed, 1, 0),
    ),
    one(
        "ack",
        60_000,
        "an event is acknowledged with its 64 bytes",
        echo(Message::Ack, 1, 0),
    ),
    one(
        "ack-16",
        200_000,
        "the same, 16 on the way each",
        echo(Message::Ack, 16, 0),
    ),
    one(
        "broadcast-1000",
        300_000,
        "32 bytes to 1,000 subscribers; a delivery",
        broadcast(1_000, 32, 1),
    ),
    one("broadcast-1000-1k", 300_000, "1 KB to 1,000", broadcast(1_000, 1024, 1)),
    one(
        "broadcast-1000-burst-8",
        600_000,
        "32 bytes to 1,000, 8 at once",
        broadcast(1_000, 32, 8),
    ),
    one(
        "broadcast-1000-burst-16",
        800_000,
        "32 bytes to 1,000, 16 at once",
        broadcast(1_000, 32, 16),
    ),
    one("broadcast-5000", 300_000, "32 bytes to 5,000", broadcast(5_000, 32, 1)),
    one("broadcast-5000-1k", 300_000, "1 KB to 5,000", broadcast(5_000, 1024, 1)),
    one(
        "broadcast-5000-burst-8",
        600_000,
        "32 bytes to 5,000, 8 at once",
        broadcast(5_000, 32, 8),
    ),
    one(
        "broadcast-5000-burst-16",
        800_000,
        "32 bytes to 5,000, 16 at once",
        broadcast(5_000, 32, 16),
    ),
    one(
        "binary-1k",
        30_000,
        "an attachment of 1 KB comes back",
        echo(binary(1), 1, 0),
    ),
    one(
        "binary-64k",
        6_000,
        "an attachment of 64 KB comes back",
        echo(binary(64), 1, 0),
    ),
    one(
        "polling",
        10_000,
        "64 bytes come back by polling; 16 clients",
        Kind::Polling,
    ),
    one(
        "connect",
        6_000,
        "a client comes by WebSocket, is let in, and closes; 16 at a time",
        Kind::Connect,
    ),
    one(
        "upgrade",
        3_000,
        "the same by polling and an upgrade, with a message",
        Kind::Upgrade,
    ),
    one("idle", 1, "10,000 clients are connected; then 30 KB go to each", IDLE),
    one("instructions", 1, "64 bytes come back: user instructions", INSTRUCTIONS),
    one("instructions-typed", 1, "the same through a struct", INSTRUCTIONS_TYPED),
];

const SCALE: [Scenario; 14] = [
    one(
        "scale-clients-100",
        30_000,
        "echo, 100 others being connected",
        echo(Message::Echo, 1, 100),
    ),
    one(
        "scale-clients-1000",
        30_000,
        "1,000 others",
        echo(Message::Echo, 1, 1_000),
    ),
    one(
        "scale-clients-5000",
        30_000,
        "5,000 others",
        echo(Message::Echo, 1, 5_000),
    ),
    one(
        "scale-clients-15000",
        30_000,
        "15,000 others",
        echo(Message::Echo, 1, 15_000),
    ),
    one(
        "scale-rooms-1",
        60_000,
        "32 bytes to a room of 10; one room; a delivery",
        Kind::Rooms { rooms: 1 },
    ),
    one(
        "scale-rooms-100",
        60_000,
        "the same, 100 rooms",
        Kind::Rooms { rooms: 100 },
    ),
    one(
        "scale-rooms-10000",
        60_000,
        "the same, 10,000 rooms",
        Kind::Rooms { rooms: 10_000 },
    ),
    one(
        "scale-busy",
        1_000,
        "beside broadcasts to 5,000 that never cease",
        Kind::Busy { subscribers: 5_000 },
    ),
    one("scale-workers-1-echo", 60_000, "echo, a server of one worker", ECHO),
    two("scale-workers-2-echo", 60_000, "echo, a server of two workers", ECHO),
    one(
        "scale-workers-1-broadcast",
        300_000,
        "32 bytes to 1,000, one worker",
        broadcast(1_000, 32, 1),
    ),
    two(
        "scale-workers-2-broadcast",
        300_000,
        "32 bytes to 1,000, two workers",
        broadcast(1_000, 32, 1),
    ),
    one(
        "scale-in-memory-1",
        400_000,
        "echo without sockets, on one core",
        Kind::InMemory,
    ),
    two("scale-in-memory-2", 400_000, "the same on two cores", Kind::InMemory),
];

/// All of them. What is called `scale-…` compares a server with itself.
#[must_use]
pub fn all() -> Vec<Scenario> {
    SIDE_BY_SIDE.into_iter().chain(SCALE).collect()
}
