//! Servers that lose, double, swap or change one message are found out.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use load::{
    Fallible,
    client::{Dialect, Target},
    frame,
    process::Running,
    scenario::{Kind, Message, Run, Scenario},
};
use tokio::{runtime, task::LocalSet};

/// What a server does wrong, once.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    Lost,
    Doubled,
    Swapped,
    Changed,
    /// Doubled, and nothing comes after it.
    LastDoubled,
    /// It ends connections without a goodbye.
    Rude,
}

const MESSAGES: usize = 110;
const FAULTY: usize = 50;

/// One side of a connection: what is sent to it, with the fault.
struct Answers {
    stream: TcpStream,
    fault: Fault,
    count: usize,
    held: Option<Vec<u8>>,
}

impl Answers {
    fn send(&mut self, message: &[u8]) {
        let mut frames = Vec::new();
        frame::bare(&mut frames, frame::TEXT, message);
        match (self.fault, self.count) {
            (Fault::Lost, FAULTY) => frames.clear(),
            (Fault::Doubled, FAULTY) | (Fault::LastDoubled, 109) => frames.extend_from_within(..),
            (Fault::Changed, FAULTY) => *frames.iter_mut().rfind(|byte| **byte == b'x').expect("it is padded") = b'y',
            (Fault::Swapped, FAULTY) => self.held = Some(std::mem::take(&mut frames)),
            _ => frames.extend(self.held.take().unwrap_or_default()),
        }
        self.count += 1;
        // A client that has found the fault is gone.
        let _ = self.stream.write_all(&frames);
    }
}

type Room = Arc<Mutex<Vec<Arc<Mutex<Answers>>>>>;

fn serve(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it is bound");
    let room = Room::default();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let room = room.clone();
            thread::spawn(move || carry(stream, fault, &room));
        }
    });
    address
}

fn carry(mut stream: TcpStream, fault: Fault, room: &Room) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").ok()?;
    let answers = Answers {
        stream: stream.try_clone().ok()?,
        fault,
        count: 0,
        held: None,
    };
    let answers = Arc::new(Mutex::new(answers));
    say(&mut stream, r#"0{"sid":"A"}"#)?;
    loop {
        let (opcode, message) = read(&mut stream)?;
        if opcode == frame::CLOSE {
            if fault != Fault::Rude {
                stream.write_all(&[0x88, 0]).ok()?;
            }
            return stream.shutdown(std::net::Shutdown::Both).ok();
        }
        let message = String::from_utf8(message).ok()?;
        if message == "40" {
            say(&mut stream, r#"40{"sid":"B"}"#)?;
        } else if message.starts_with(r#"420["join""#) {
            say(&mut stream, r#"430["ok"]"#)?;
            room.lock().ok()?.push(answers.clone());
        } else if let Some((_, payload)) = message.split_once(r#"["publish","everybody","#) {
            let members = room.lock().ok()?.clone();
            for member in members {
                member.lock().ok()?.send(format!(r#"42["msg",{payload}"#).as_bytes());
            }
        } else if let Some((id, payload)) = message.strip_prefix("42")?.split_once(r#"["ack","#) {
            answers.lock().ok()?.send(format!("43{id}[{payload}").as_bytes());
        } else {
            answers.lock().ok()?.send(message.as_bytes());
        }
    }
}

fn say(stream: &mut TcpStream, packet: &str) -> Option<()> {
    let mut frames = Vec::new();
    frame::bare(&mut frames, frame::TEXT, packet.as_bytes());
    stream.write_all(&frames).ok()
}

/// A short frame of a client.
fn read(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 6];
    stream.read_exact(&mut head).ok()?;
    let mut payload = vec![0; usize::from(head[1] & 0x7f)];
    stream.read_exact(&mut payload).ok()?;
    let unmasked = payload
        .iter()
        .zip(head[2..].iter().cycle())
        .map(|(byte, mask)| byte ^ mask);
    Some((head[0] & 0x0f, unmasked.collect()))
}

fn run(kind: Kind, fault: Fault) -> Fallible<()> {
    let scenario = Scenario {
        name: "faulty",
        what: "",
        kind,
        operations: 100,
        workers: 1,
    };
    let run = Run {
        quick: false,
        artifacts: PathBuf::new(),
        limit: Duration::from_secs(2),
    };
    let server = Running::here(Target {
        address: serve(fault),
        dialect: Dialect::SocketIo,
    });
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    LocalSet::new()
        .block_on(&runtime, scenario.measure(&server, &run))
        .map(drop)
}

fn is_found_out(kind: Kind) {
    assert_eq!(run(kind, Fault::None), Ok(()));
    for (fault, found) in [
        (Fault::Lost, "message 51 came instead of 50"),
        (Fault::Doubled, "message 50 came again, or late, instead of 51"),
        (Fault::Swapped, "message 51 came instead of 50"),
        (Fault::Changed, "message 50 was changed"),
        (Fault::LastDoubled, "a message too many"),
        (Fault::Rude, "the server ended the connection"),
    ] {
        let error = run(kind, fault).expect_err("a fault is found");
        assert!(error.starts_with(found), "{fault:?}: {error}");
    }
}

#[test]
fn a_fault_in_echoes_is_found_out() {
    is_found_out(Kind::Echo {
        message: Message::Echo,
        clients: 1,
        depth: 8,
        beside: 0,
    });
}

#[test]
fn a_fault_in_acks_is_found_out() {
    is_found_out(Kind::Echo {
        message: Message::Ack,
        clients: 1,
        depth: 8,
        beside: 0,
    });
}

#[test]
fn a_fault_in_broadcasts_is_found_out() {
    is_found_out(Kind::Broadcast {
        subscribers: 1,
        size: 32,
        burst: MESSAGES / 11,
    });
}

#[test]
fn a_message_that_never_comes_is_waited_for_no_longer_than_the_limit() {
    let kind = Kind::Echo {
        message: Message::Echo,
        clients: 1,
        depth: 1,
        beside: 0,
    };
    assert_eq!(run(kind, Fault::Lost), Err("not everything came within 2 s".into()));
}
