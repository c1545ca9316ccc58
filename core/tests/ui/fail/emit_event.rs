//! Values that are no events.

use tower_socketio::{EmitEvent, SocketIo};

struct NotSerialize;

#[derive(EmitEvent)]
struct Said {
    text: String,
}

#[derive(EmitEvent)]
struct Argument(NotSerialize);

#[derive(EmitEvent)]
enum Reserved {
    Connect,
    #[event("newListener")]
    Listener,
}

#[derive(EmitEvent)]
enum None {}

#[derive(EmitEvent)]
union Bits {
    bits: u8,
}

#[derive(EmitEvent)]
#[event("name")]
enum Named {
    #[event(rename_all = "camelCase")]
    One,
    Two {
        #[serde(rename = "b")]
        a: u8,
    },
    Three(u8, u8, u8, u8, u8, u8, u8, u8, u8),
}

#[derive(EmitEvent)]
#[event(rename_all = "SHOUTING")]
struct Shouting;

#[derive(EmitEvent)]
#[event(rename = "name")]
struct Renamed;

fn main() {
    let io = SocketIo::builder().build();
    let _ = io.emit_event("text");
}
