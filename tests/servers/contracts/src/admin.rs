//! An application with an admin UI, whose user is `admin` and whose password `changeit`. `ADMIN=read-only` in the
//! environment lets the page look only, `ADMIN=production` tells it numbers only.

use std::env;

use serde_json::Value;
use tower_socketio::{
    Ack, Cors, Data, RawArgs, Socket, SocketIo, SocketIoBuilder, Transport,
    admin::{Admin, InvalidHash, Mode},
};

/// Of the password, with the least cost there is.
const HASH: &str = "$2a$04$d00c26BESNeKcscteDS1y.hl5AMD40dyK0BNzSGwODcgIEHOZ7Qoa";

/// The server.
///
/// # Errors
/// Never: the hash is one.
pub fn server(builder: SocketIoBuilder) -> Result<SocketIo, InvalidHash> {
    let transports = [Transport::Polling, Transport::WebSocket, Transport::XhrPolling];
    let cors = Cors::any().credentials(true);
    let io = builder.transports(transports).cors(cors).build();
    for path in ["/", "/chat"] {
        io.of(path)
            .on("echo", async |args: RawArgs| Ack(args))
            .on("join", async |socket: Socket, Data(room): Data<String>| {
                socket.join(room);
                Ack(())
            })
            .on("leave", async |socket: Socket, Data(room): Data<String>| {
                socket.leave(room);
                Ack(())
            })
            .on("back", async |socket: Socket, args: RawArgs| socket.emit("back", args))
            .on("set-data", async |socket: Socket, Data(data): Data<Value>| {
                socket.set_data(data).map(Ack)
            });
    }
    let admin = Admin::with_login("admin", HASH)?.server_id("under test");
    let asked = env::var("ADMIN").unwrap_or_default();
    let admin = match &*asked {
        "read-only" => admin.read_only(),
        "production" => admin.mode(Mode::Production),
        _ => admin,
    };
    admin.mount(&io);
    Ok(io)
}
