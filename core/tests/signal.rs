//! The signal that asks a process to stop closes its server.
#![cfg(unix)]

mod kit;

use std::process::Command;

use kit::Ws;
use tower_socketio::SocketIo;

#[tokio::test]
async fn the_server_closes_when_the_process_is_asked_to_stop() {
    for signal in ["TERM", "INT"] {
        let io = SocketIo::builder().build();
        let mut client = Ws::join(&io, "/").await;
        let closed = tokio::spawn(io.close_on_signal());
        // Until the handler stands, the signal would end this process.
        tokio::task::yield_now().await;
        let this = std::process::id().to_string();
        let kill = Command::new("kill").args(["-s", signal, &this]).status();
        assert!(kill.expect("there is kill").success());
        closed.await.expect("no panic");
        client.end().await;
        assert_eq!(io.clients_count(), 0);
    }
}
