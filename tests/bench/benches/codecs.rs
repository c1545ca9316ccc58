//! What the codecs take, by the clock: bytes a second, or messages where there are several.
//!
//! ```sh
//! cargo bench -p bench --bench codecs              # all of them
//! cargo bench -p bench --bench codecs -- event     # those with that in their name
//! cargo bench -p bench --bench codecs -- --test    # once each: whether they work
//! ```
//!
//! A second run says what has changed since the first.

use std::{hint::black_box, time::Duration};

use bytes::Bytes;
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use serde::Serialize;
use tower_socketio::{
    Args, EmitArgs,
    Generation::{Eio3, Eio4, V0_9},
    RawArgs,
    bench::{
        Message, WebSocket, read_binary_payload, read_message, read_packet, read_text_payload, write_ack, write_event,
        write_payload,
    },
    engine,
    parser::{MsgPack, Packet, PacketKind, Parser},
};

const LONG: usize = 64 * 1024;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// 64 bytes, as `tests/load` echoes.
const ECHO: &str = r#"2["echo","0123456789abcdef0123456789abcdef0123456789abcdef01234567"]"#;
/// What arguments are read from and written to.
const JSON: &str = r#"{"id":12345678,"name":"bench","tags":["a","b"],"text":"it's 21 °C outside"}"#;

#[derive(Serialize)]
struct Typed {
    id: u64,
    name: &'static str,
    tags: [&'static str; 2],
    text: &'static str,
}

const TYPED: Typed = Typed {
    id: 12_345_678,
    name: "bench",
    tags: ["a", "b"],
    text: "it's 21 °C outside",
};

fn engine_io(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine");
    let text = format!("4{ECHO}");
    let base64 = format!("b{}", "AQIDBAUG".repeat(128));
    for (name, packet) in [("text", text), ("base64, 1 KB", base64)] {
        group.throughput(Throughput::Bytes(packet.len() as u64));
        group.bench_function(format!("read {name}"), |bencher| {
            bencher.iter(|| read_message(Eio4, black_box(&packet)));
        });
    }

    let messages = [
        (0..15).map(|_| Message::text(ECHO)).collect::<Vec<_>>(),
        vec![Message::bytes(&vec![7; 1024].into())],
    ];
    let messages: Vec<_> = messages.into_iter().flatten().collect();
    group.throughput(Throughput::Elements(messages.len() as u64));
    for (name, generation) in [("4", Eio4), ("3, bytes", Eio3)] {
        group.bench_function(format!("write payload of 16, Engine.IO {name}"), |bencher| {
            bencher.iter(|| write_payload(generation, black_box(&messages)));
        });
    }
    // It has one packet in 1 KB of base64, too.
    let body = String::from_utf8(write_payload(Eio4, &messages)).expect("text");
    let text = format!("{}:4{ECHO}", ECHO.len() + 1).repeat(16);
    for (name, generation, body) in [("4", Eio4, body), ("3, text", Eio3, text)] {
        group.bench_function(format!("read payload of 16, Engine.IO {name}"), |bencher| {
            let read = |body| read_text_payload(generation, body);
            bencher.iter_batched(|| body.clone(), read, BatchSize::SmallInput);
        });
    }
    let bytes = write_payload(Eio3, &messages[..15]);
    group.throughput(Throughput::Elements(15));
    group.bench_function("read payload of 15, Engine.IO 3, bytes", |bencher| {
        let read = |body| read_binary_payload(Eio3, body);
        bencher.iter_batched(|| bytes.clone(), read, BatchSize::SmallInput);
    });
}

/// A frame of a client.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | u8::try_from(len).expect("small")),
        len => {
            frame.push(0xff);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    let mask = MASK.iter().cycle();
    frame.extend(payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
    frame
}

fn websocket(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("websocket");
    let small = masked(0x81, format!("4{ECHO}").as_bytes());
    let long = masked(0x82, &vec![7; LONG]);
    for (name, wire, messages) in [
        ("a small frame", small.clone(), 1),
        ("16 small frames at once", small.repeat(16), 16),
        ("64 KB", long, 1),
    ] {
        let read = |wire: &mut Vec<u8>| assert_eq!(WebSocket::new(LONG).read(wire), messages);
        group.throughput(Throughput::Bytes(wire.len() as u64));
        group.bench_function(format!("read {name}"), |bencher| {
            bencher.iter_batched_ref(|| wire.clone(), read, BatchSize::SmallInput);
        });
    }

    let (small, long) = (Bytes::from_static(&[7; 64]), Bytes::from(vec![7; LONG]));
    group.throughput(Throughput::Bytes(ECHO.len() as u64));
    group.bench_function("write text", |bencher| {
        bencher.iter(|| Message::text(black_box(ECHO)));
    });
    for (name, bytes) in [("64 bytes", small), ("64 KB", long)] {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("write {name}"), |bencher| {
            bencher.iter(|| Message::bytes(black_box(&bytes)));
        });
    }
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    let attachment = [Bytes::from_static(&[7; 64])];
    let with_1_kb = format!(r#"2["message",{{"text":"{}"}}]"#, "a word ".repeat(146));
    let escaped = format!(r#"2["message",{{"text":"{}"}}]"#, r#"a \"word\" "#.repeat(93));
    let with_json = format!(r#"2["message",{JSON}]"#);
    let with_numbers = format!(r#"2["numbers",[{}1]]"#, "1.5,".repeat(255));
    let of_v0_9 = format!(r#"5:::{{"name":"message","args":[{JSON}]}}"#);
    for (name, generation, packet, attachments) in [
        ("event without arguments", Eio4, r#"2["ping"]"#, &[][..]),
        ("event of a small array", Eio4, r#"2["move",[1,2,3]]"#, &[]),
        ("event of 64 bytes", Eio4, ECHO, &[]),
        ("event of an object", Eio4, &with_json, &[]),
        ("event of 1 KB of text", Eio4, &with_1_kb, &[]),
        ("event of 1 KB of text with escapes", Eio4, &escaped, &[]),
        ("event of 1 KB of numbers", Eio4, &with_numbers, &[]),
        (
            "event with an attachment",
            Eio4,
            r#"51-["bin",{"_placeholder":true,"num":0}]"#,
            &attachment,
        ),
        ("ack", Eio4, r#"312["done",1]"#, &[]),
        ("event of an object, 0.9", V0_9, &of_v0_9, &[]),
    ] {
        group.throughput(Throughput::Bytes(packet.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| read_packet(generation, black_box(packet), attachments));
        });
    }
}

fn write(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("write");
    let text = "a word ".repeat(146);
    let raw = RawArgs::encode(&TYPED).expect("arguments");
    event(&mut group, "event without arguments", 4, &Args(()));
    event(&mut group, "event of 64 bytes", ECHO.len(), &ECHO[9..66]);
    event(&mut group, "event of 1 KB of text", text.len(), &*text);
    event(&mut group, "event of an object", JSON.len(), &TYPED);
    event(&mut group, "event of arguments passed through", JSON.len(), &raw);
    event(
        &mut group,
        "event with an attachment",
        64,
        &Bytes::from_static(&[7; 64]),
    );
    group.throughput(Throughput::Bytes(JSON.len() as u64));
    group.bench_function("ack of an object", |bencher| {
        bencher.iter(|| write_ack(12, black_box(&TYPED)));
    });
    let written = Message::text(&format!(r#"2["message",{JSON}]"#));
    group.bench_function("event of an object, for 0.9", |bencher| {
        bencher.iter(|| written.recode(V0_9));
    });
}

fn event(group: &mut BenchmarkGroup<'_, WallTime>, name: &'static str, len: usize, args: &(impl EmitArgs + ?Sized)) {
    group.throughput(Throughput::Bytes(len as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| write_event("message", black_box(args)));
    });
}

fn msgpack(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("msgpack");
    let attachment = vec![Bytes::from_static(&[7; 1024])];
    let bytes = r#"["bin",{"_placeholder":true,"num":0}]"#.to_owned();
    for (name, data, attachments) in [
        ("event of an object", format!(r#"["message",{JSON}]"#), Vec::new()),
        (
            "event of 1 KB of text",
            format!(r#"["message","{}"]"#, "a word ".repeat(146)),
            Vec::new(),
        ),
        (
            "event of 1 KB of numbers",
            format!(r#"["numbers",[{}1]]"#, "1.5,".repeat(255)),
            Vec::new(),
        ),
        ("event with 1 KB of bytes", bytes, attachment),
    ] {
        let packet = Packet::new(PacketKind::Event, "/")
            .with_data(data)
            .with_attachments(attachments);
        let mut written = Vec::new();
        let encode = |send: &mut dyn FnMut(engine::Message<'_>)| MsgPack.encode(&packet, send).expect("a packet");
        encode(&mut |message| {
            if let engine::Message::Binary(bytes) = message {
                written = bytes.to_vec();
            }
        });
        group.throughput(Throughput::Bytes(written.len() as u64));
        group.bench_function(format!("write {name}"), |bencher| {
            bencher.iter(|| encode(&mut |message| _ = black_box(message)));
        });
        group.bench_function(format!("read {name}"), |bencher| {
            let mut decoder = MsgPack.decoder(1);
            bencher.iter(|| {
                let packet = decoder.decode(engine::Message::Binary(black_box(&written)));
                black_box(packet.expect("a packet")).is_some()
            });
        });
    }
}

fn short() -> Criterion {
    Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
}

criterion_group!(name = codecs; config = short(); targets = engine_io, websocket, read, write, msgpack);
criterion_main!(codecs);
