//! The server under test on axum: `cargo run -p server-axum -- --contract app --port 3000`.

use std::process::ExitCode;

use axum::Router;
use contracts::Command;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let Command { service, path, port } = Command::from_args()?;
    let app = Router::new().nest_service(path, service);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
