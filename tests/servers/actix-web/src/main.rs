//! The server under test on actix-web: `cargo run -p server-actix-web -- --contract app --port 3000`.

use std::{io, process::ExitCode};

use actix_web::{App, HttpServer};
use contracts::Command;

#[actix_web::main]
async fn main() -> ExitCode {
    contracts::run(serve).await
}

async fn serve(Command { service, port }: Command) -> io::Result<()> {
    let listener = contracts::listen(&service, port)?;
    let app = move || App::new().service(actix_socketio::scope(service.clone()));
    HttpServer::new(app).workers(2).listen(listener)?.run().await
}
