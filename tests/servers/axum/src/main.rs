//! The server under test on axum: `cargo run -p server-axum -- --contract app --port 3000`.

use std::{io, net::SocketAddr, process::ExitCode};

use axum::Router;
use contracts::Command;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    contracts::run(serve).await
}

async fn serve(Command { service, port, prefix }: Command) -> io::Result<()> {
    let listener = TcpListener::from_std(contracts::listen(&service, port)?)?;
    let mut app: Router = axum_socketio::mount(service);
    if !prefix.is_empty() {
        app = Router::new().nest(&prefix, app);
    }
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
}
