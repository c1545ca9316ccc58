//! The server under test on warp: `cargo run -p server-warp -- --contract app --port 3000`.

use std::{io, process::ExitCode};

use contracts::Command;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    contracts::run(serve).await
}

async fn serve(Command { service, port }: Command) -> io::Result<()> {
    let listener = TcpListener::from_std(contracts::listen(&service, port)?)?;
    warp::serve(warp_socketio::filter(service))
        .incoming(listener)
        .run()
        .await;
    Ok(())
}
