//! What a client and a message cost the server in memory: exact counts, each with the limit that it
//! must not exceed.
//!
//! ```sh
//! cargo bench -p axum-socketio --bench memory
//! ```
//!
//! Exits with 1 when a limit is exceeded. The server runs in this process, whose allocator counts;
//! the clients in a child process, so that nothing of theirs is counted. They do as they are told
//! by lines on their standard input, and answer each when it is done. 5,100 open files must be
//! allowed (`ulimit -n`).

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use axum::Router;
use axum_socketio::{Data, RawArgs, Socket, SocketIo};
use stats_alloc::{INSTRUMENTED_SYSTEM, Stats, StatsAlloc};
use tokio::{net::TcpListener, runtime::Runtime};

#[global_allocator]
static HEAP: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const CLIENTS: usize = 5_000;
const OPEN_FILES: usize = CLIENTS + 100;
const ECHOES: usize = 1_000;
const BROADCASTS: usize = 20;
const LARGE: usize = 100_000;

/// The argument that makes this program the clients, before the server's address.
const AS_CLIENTS: &str = "as-clients";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == AS_CLIENTS) {
        let server = arguments[at + 1].parse().expect("an address follows");
        return Clients::new(server).obey().expect("the server answers");
    }
    // `cargo test --benches` runs this too, but does not say so.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return println!("run by `cargo bench`");
    }
    let allowed = proc_number("/proc/self/limits", "Max open files");
    if allowed < OPEN_FILES {
        eprintln!("{OPEN_FILES} open files are needed and {allowed} allowed: run `ulimit -n {OPEN_FILES}` before");
        std::process::exit(1);
    }
    if !measure() {
        std::process::exit(1);
    }
}

/// Prints all figures; `false` when one exceeds its limit.
fn measure() -> bool {
    let io = server();
    let runtime = Runtime::new().expect("a runtime can be made");
    let app: Router = axum_socketio::mount(&io);
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    runtime.spawn(async move { axum::serve(listener, app).await });
    let mut clients = Commander::start(address);
    let mut table = Table::new();

    // What is made once is not a client's.
    clients.tell("connect 50 plain");
    clients.tell("close");
    let start = settled(&io, 0);

    clients.tell(&format!("connect {CLIENTS} plain"));
    let idle = settled(&io, CLIENTS);
    let connects = per(idle.allocations - start.allocations, CLIENTS);
    table.row("idle client: heap bytes", idle.heap_since(&start), 2_560.0);
    table.row("idle client: resident bytes", idle.resident_since(&start), 4_096.0);

    table.row("echo of a String: allocations", echo(&mut clients, "echo"), 4.0);
    table.row("echo of RawArgs: allocations", echo(&mut clients, "raw"), None);
    table.row("connecting: allocations", connects, None);

    let text = "x".repeat(64);
    broadcast(&io, &mut clients, &text);
    let before = HEAP.stats();
    for _ in 0..BROADCASTS {
        broadcast(&io, &mut clients, &text);
    }
    let asked = HEAP.stats() - before;
    let recipients = BROADCASTS * CLIENTS;
    let allocations = per(allocations(&asked), recipients);
    let bytes = per(asked.bytes_allocated, recipients);
    table.row("broadcast of 64 B, a recipient: allocations", allocations, 0.05);
    table.row("broadcast of 64 B, a recipient: bytes allocated", bytes, 1.0);

    broadcast(&io, &mut clients, &"x".repeat(LARGE));
    clients.tell(&format!("echo echo {LARGE} 1 {CLIENTS}"));
    let large = settled(&io, CLIENTS);
    let growth = 100.0 * (large.heap_since(&start) / idle.heap_since(&start) - 1.0);
    let resident = large.resident_since(&start);
    table.row("after 100 KB to and from everybody: heap growth in %", growth, 5.0);
    table.row("after 100 KB to and from everybody: resident bytes", resident, None);

    clients.tell("close");
    settled(&io, 0);
    clients.tell(&format!("connect {CLIENTS} browser"));
    let kept = settled(&io, CLIENTS).heap_since(&start);
    table.row("idle client, 15 headers and cookies kept: heap bytes", kept, 6_144.0);
    clients.stop();
    table.good
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

/// What one echo of that event costs in allocations.
fn echo(clients: &mut Commander, event: &str) -> f64 {
    clients.tell(&format!("echo {event} 64 10 1"));
    let command = format!("echo {event} 64 {ECHOES} 1");
    let before = HEAP.stats();
    clients.tell(&command);
    per(allocations(&(HEAP.stats() - before)), ECHOES)
}

fn broadcast(io: &SocketIo, clients: &mut Commander, text: &str) {
    io.emit("news", text).expect("text can be written as JSON");
    clients.tell("receive");
}

/// The server at rest.
struct Rest {
    heap: usize,
    resident: usize,
    /// Since it began.
    allocations: usize,
}

impl Rest {
    fn heap_since(&self, start: &Self) -> f64 {
        per(self.heap.saturating_sub(start.heap), CLIENTS)
    }

    fn resident_since(&self, start: &Self) -> f64 {
        per(self.resident.saturating_sub(start.resident), CLIENTS)
    }
}

/// Waits until that many clients are connected and the server rests.
fn settled(io: &SocketIo, clients: usize) -> Rest {
    let mut before = usize::MAX;
    for _ in 0..100 {
        sleep(Duration::from_millis(200));
        let stats = HEAP.stats();
        let heap = stats.bytes_allocated - stats.bytes_deallocated;
        if io.clients_count() == clients && heap == before {
            return Rest {
                heap,
                resident: 1024 * proc_number("/proc/self/status", "VmRSS:"),
                allocations: allocations(&stats),
            };
        }
        before = heap;
    }
    panic!("the server does not come to rest with {clients} clients");
}

fn allocations(stats: &Stats) -> usize {
    stats.allocations + stats.reallocations
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn per(total: usize, count: usize) -> f64 {
    total as f64 / count as f64
}

/// A number of a file of `/proc`, in whatever unit it is written there.
fn proc_number(file: &str, name: &str) -> usize {
    let text = fs::read_to_string(file).expect("this is Linux");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
}

/// The figures, printed as they come.
struct Table {
    good: bool,
}

impl Table {
    fn new() -> Self {
        println!("{:<58} {:>10} {:>10}", "figure", "measured", "limit");
        Self { good: true }
    }

    fn row(&mut self, figure: &str, measured: f64, limit: impl Into<Option<f64>>) {
        let limit = limit.into();
        let good = limit.is_none_or(|limit| measured <= limit);
        let verdict = if good { "" } else { "  EXCEEDED" };
        let limit = limit.map_or("-".to_owned(), |limit| format!("{limit:.2}"));
        println!("{figure:<58} {measured:>10.2} {limit:>10}{verdict}");
        self.good &= good;
    }
}

/// The server's side of the child process.
struct Commander {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    answer: String,
}

impl Commander {
    fn start(server: SocketAddr) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program has a path"))
            .args([AS_CLIENTS, &server.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be run again");
        Self {
            orders: child.stdin.take().expect("it is piped"),
            answers: BufReader::new(child.stdout.take().expect("it is piped")),
            child,
            answer: String::with_capacity(64),
        }
    }

    /// Returns once it is done. Allocates nothing.
    fn tell(&mut self, order: &str) {
        self.answer.clear();
        let told = self.orders.write_all(order.as_bytes());
        told.and_then(|()| self.orders.write_all(b"\n"))
            .and_then(|()| self.answers.read_line(&mut self.answer))
            .expect("the clients listen");
        assert_eq!(self.answer.trim_end(), "done", "the clients could not {order}");
    }

    /// The end of its orders ends it.
    fn stop(self) {
        let Self { mut child, orders, .. } = self;
        drop(orders);
        child.wait().expect("the clients stop");
    }
}

/// The child process: clients that block, one after the other.
struct Clients {
    server: SocketAddr,
    streams: Vec<TcpStream>,
    buffer: Vec<u8>,
}

const BROWSER: &str = "Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en-US;q=0.9,en;q=0.8,de;q=0.7\r\n\
    Sec-Fetch-Dest: websocket\r\n\
    Sec-Fetch-Mode: websocket\r\n\
    Sec-Fetch-Site: same-site\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

impl Clients {
    fn new(server: SocketAddr) -> Self {
        Self {
            server,
            streams: Vec::new(),
            buffer: Vec::new(),
        }
    }

    fn obey(mut self) -> io::Result<()> {
        for order in io::stdin().lines() {
            let order = order?;
            match *order.split(' ').collect::<Vec<_>>() {
                ["connect", count, headers] => {
                    let headers = match headers {
                        "browser" => format!(
                            "{BROWSER}Origin: http://{}\r\nCookie: session={}; _ga={}\r\n",
                            self.server,
                            "s".repeat(320),
                            "g".repeat(64),
                        ),
                        _ => String::new(),
                    };
                    for _ in 0..number(count) {
                        self.connect(&headers)?;
                    }
                }
                ["echo", event, length, count, clients] => {
                    let packet = format!(r#"42["{event}","{}"]"#, "x".repeat(number(length)));
                    for client in (0..number(clients)).flat_map(|client| vec![client; number(count)]) {
                        send(&self.streams[client], packet.as_bytes())?;
                        self.receive(client)?;
                        assert_eq!(self.buffer, packet.as_bytes());
                    }
                }
                ["receive"] => {
                    for client in 0..self.streams.len() {
                        self.receive(client)?;
                    }
                }
                ["close"] => self.streams.clear(),
                _ => panic!("no order: {order}"),
            }
            println!("done");
        }
        Ok(())
    }

    fn connect(&mut self, headers: &str) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.server)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n",
            self.server,
        );
        stream.write_all(request.as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            (&mut stream).take(1).read_to_end(&mut head)?;
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "refused");
        self.streams.push(stream);
        let client = self.streams.len() - 1;
        self.receive(client)?;
        send(&self.streams[client], b"40")?;
        self.receive(client)?;
        assert!(self.buffer.starts_with(b"40{"), "not let in");
        Ok(())
    }

    /// Reads one message into the buffer.
    fn receive(&mut self, client: usize) -> io::Result<()> {
        let mut stream = &self.streams[client];
        let mut head = [0; 2];
        stream.read_exact(&mut head)?;
        let mut length = [0; 8];
        let short = match head[1] {
            126 => 2,
            127 => 8,
            short => {
                length[7] = short;
                0
            }
        };
        stream.read_exact(&mut length[8 - short..])?;
        let length = usize::try_from(u64::from_be_bytes(length)).expect("it is short");
        self.buffer.resize(length, 0);
        stream.read_exact(&mut self.buffer)
    }
}

/// Sends a text message, masked with zeros.
fn send(mut stream: &TcpStream, packet: &[u8]) -> io::Result<()> {
    let mut frame = vec![0x81];
    match packet.len() {
        short @ 0..126 => frame.push(0x80 | u8::try_from(short).expect("below 126")),
        long => {
            frame.push(0x80 | 127);
            frame.extend(u64::to_be_bytes(long as u64));
        }
    }
    frame.extend([0; 4]);
    frame.extend(packet);
    stream.write_all(&frame)
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}
