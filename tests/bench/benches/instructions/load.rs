//! What clients do while instructions are counted.

use std::{io, net::SocketAddr};

use bench::{Client, PollingClient, frame};

/// A message as it is sent and comes back.
fn message() -> String {
    format!(r#"42["echo","{}"]"#, "x".repeat(64))
}

/// One client sends `DEPTH` messages at once, and again when they have all come back.
pub(crate) fn echo<const DEPTH: u16>(server: SocketAddr, echoes: u16) -> io::Result<()> {
    let mut client = Client::connect(server, "")?;
    let packet = message();
    let frames = frame(&packet).repeat(DEPTH.into());
    for _ in 0..echoes / DEPTH {
        client.send(&frames)?;
        for _ in 0..DEPTH {
            assert_eq!(client.receive()?, packet.as_bytes());
        }
    }
    Ok(())
}

/// Clients connect by WebSocket, one after the other, and close.
pub(crate) fn connect(server: SocketAddr, clients: u16) -> io::Result<()> {
    (0..clients).try_for_each(|_| Client::connect(server, "")?.close())
}

/// One client polls for the message that it posts.
pub(crate) fn poll(server: SocketAddr, echoes: u16) -> io::Result<()> {
    let mut client = PollingClient::connect(server)?;
    let packet = message();
    for _ in 0..echoes {
        client.poll()?;
        client.post(&packet)?;
        assert_eq!(client.answer()?, packet);
    }
    Ok(())
}

/// Clients connect by polling, one after the other, upgrade to a WebSocket, and close.
pub(crate) fn upgrade(server: SocketAddr, clients: u16) -> io::Result<()> {
    (0..clients).try_for_each(|_| {
        let mut polling = PollingClient::connect(server)?;
        Client::upgrade(server, &mut polling)?.close()
    })
}
