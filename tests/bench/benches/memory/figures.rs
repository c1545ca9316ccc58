//! What is measured, on one framework.

use std::{
    net::{SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use bench::Table;
use tower_socketio::{Data, RawArgs, Socket, SocketIo};

use crate::{
    commander::Commander,
    frameworks::{Framework, bare::Held},
    rest::{Rest, allocations, per, stats},
};

pub(crate) const CLIENTS: usize = 5_000;
const ECHOES: usize = 1_000;
const BROADCASTS: usize = 20;
const LARGE: usize = 100_000;

/// What a client may cost beyond the framework's own connection: axum's figure and a tenth.
const BEYOND: f64 = 1_985.0;

/// Prints all figures; `false` when one exceeds its limit.
pub(crate) fn measure(framework: &Framework) -> bool {
    let io = server();
    let serve = framework.serve;
    let service = io.service();
    let mut clients = Commander::start(start(move |listener| serve(listener, service)));
    let rest = |clients| Rest::with(clients, || io.clients_count());
    let limits = &framework.limits;
    let mut table = Table::new(framework.name);

    // What is made once is not a client's.
    clients.tell("connect 50 plain");
    clients.tell("close");
    let start = rest(0);

    clients.tell(&format!("connect {CLIENTS} plain"));
    let idle = rest(CLIENTS).since(&start);
    table.row("idle client: heap bytes", idle.heap, limits.idle_heap);
    table.row("idle client: resident bytes", idle.resident, limits.idle_resident);

    let strings = echo(&mut clients, "echo");
    table.row("echo of a String: allocations", strings, limits.echo_allocations);
    table.row("echo of RawArgs: allocations", echo(&mut clients, "raw"), None);
    table.row("connecting: allocations", idle.allocations, None);

    let text = "x".repeat(64);
    broadcast(&io, &mut clients, &text);
    let before = stats();
    for _ in 0..BROADCASTS {
        broadcast(&io, &mut clients, &text);
    }
    let asked = stats() - before;
    let count = per(allocations(&asked), BROADCASTS * CLIENTS);
    let bytes = per(asked.bytes_allocated, BROADCASTS * CLIENTS);
    table.row(
        "broadcast of 64 B, a recipient: allocations",
        count,
        limits.recipient_allocations,
    );
    table.row(
        "broadcast of 64 B, a recipient: bytes allocated",
        bytes,
        limits.recipient_bytes,
    );

    broadcast(&io, &mut clients, &"x".repeat(LARGE));
    clients.tell(&format!("echo echo {LARGE} 1 {CLIENTS}"));
    let after = rest(CLIENTS).since(&start);
    let growth = 100.0 * (after.heap / idle.heap - 1.0);
    table.row(
        "after 100 KB to and from everybody: heap growth in %",
        growth,
        limits.growth,
    );
    table.row(
        "after 100 KB to and from everybody: resident bytes",
        after.resident,
        None,
    );

    clients.tell("close");
    rest(0);
    clients.tell(&format!("connect {CLIENTS} browser"));
    let kept = rest(CLIENTS).since(&start).heap;
    table.row(
        "idle client, 15 headers and cookies kept: heap bytes",
        kept,
        limits.browser_heap,
    );
    clients.stop();
    rest(0);

    let beyond = idle.heap - bare(framework);
    table.row("idle client, beyond the framework's own: heap bytes", beyond, BEYOND);
    table.is_good()
}

/// The heap that a connection takes which the framework holds by itself.
fn bare(framework: &Framework) -> f64 {
    let mut clients = Commander::start(start(framework.serve_bare));
    clients.tell("open 50");
    clients.tell("close");
    let start = Rest::with(0, Held::count);
    clients.tell(&format!("open {CLIENTS}"));
    let idle = Rest::with(CLIENTS, Held::count);
    clients.stop();
    idle.since(&start).heap
}

fn server() -> SocketIo {
    // Nothing stirs while something else is counted.
    let io = SocketIo::builder().ping_interval(Duration::from_secs(3_600)).build();
    io.of("/")
        .on("echo", async |socket: Socket, Data(text): Data<String>| {
            socket.emit("echo", text)
        })
        .on("raw", async |socket: Socket, args: RawArgs| socket.emit("raw", args));
    io
}

/// Serves in a thread, until the process ends.
fn start(serve: impl FnOnce(TcpListener) -> std::io::Result<()> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.set_nonblocking(true).expect("it can be");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || serve(listener).expect("the server runs"));
    address
}

/// What one echo of that event costs in allocations.
fn echo(clients: &mut Commander, event: &str) -> f64 {
    clients.tell(&format!("echo {event} 64 10 1"));
    let command = format!("echo {event} 64 {ECHOES} 1");
    let before = stats();
    clients.tell(&command);
    per(allocations(&(stats() - before)), ECHOES)
}

fn broadcast(io: &SocketIo, clients: &mut Commander, text: &str) {
    io.emit("news", text).expect("text can be written as JSON");
    clients.tell("receive");
}
