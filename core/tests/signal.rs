//! The signal that asks a process to stop closes its server.
#![cfg(unix)]

mod kit;

use std::{process::Command, time::Duration};

use kit::Ws;
use tokio::sync::Mutex;
use tower_socketio::SocketIo;

/// A signal is every test's.
static ALONE: Mutex<()> = Mutex::const_new(());

fn ask_this_process_to_stop(signal: &str) {
    let this = std::process::id().to_string();
    let kill = Command::new("kill").args(["-s", signal, &this]).status();
    assert!(kill.expect("there is kill").success());
}

#[tokio::test]
async fn the_server_drains_when_the_process_is_asked_to_stop_and_closes_when_it_is_asked_again() {
    let _alone = ALONE.lock().await;
    let io = SocketIo::builder().build();
    io.of("/chat");
    let mut client = Ws::join(&io, "/").await;
    let drained = tokio::spawn(io.drain(Duration::from_secs(600)).on_signal());
    // Until the handler stands, the signal would end this process.
    tokio::task::yield_now().await;
    ask_this_process_to_stop("TERM");
    while !io.is_closing() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    client.connect("/chat").await;
    assert!(!drained.is_finished());
    ask_this_process_to_stop("TERM");
    client.end().await;
    drop(client);
    drained.await.expect("no panic");
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test]
async fn the_server_closes_when_the_process_is_asked_to_stop() {
    let _alone = ALONE.lock().await;
    for signal in ["TERM", "INT"] {
        let io = SocketIo::builder().build();
        let mut client = Ws::join(&io, "/").await;
        let closed = tokio::spawn(io.close_on_signal());
        // Until the handler stands, the signal would end this process.
        tokio::task::yield_now().await;
        ask_this_process_to_stop(signal);
        closed.await.expect("no panic");
        client.end().await;
        assert_eq!(io.clients_count(), 0);
    }
}
