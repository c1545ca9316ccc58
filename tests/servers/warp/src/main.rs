//! The server under test on warp: `cargo run -p server-warp -- --contract app --port 3000`.

use std::{io, process::ExitCode};

use contracts::Command;
use tokio::net::TcpListener;
use warp::Filter as _;

#[tokio::main]
async fn main() -> ExitCode {
    contracts::run(serve).await
}

async fn serve(Command { service, port, prefix }: Command) -> io::Result<()> {
    let listener = TcpListener::from_std(contracts::listen(&service, port)?)?;
    let prefix = prefix.split('/').filter(|segment| !segment.is_empty());
    let endpoint = prefix.rev().fold(warp_socketio::filter(service), |endpoint, segment| {
        warp::path(segment.to_owned()).and(endpoint).boxed()
    });
    warp::serve(endpoint).incoming(listener).run().await;
    Ok(())
}
