//! The server under test on actix-web: `cargo run -p server-actix-web -- --contract app --port 3000`. `WORKERS` in the
//! environment says on how many threads it runs, 2 unless told.

use std::{env, io, process::ExitCode};

use actix_web::{App, HttpServer, web};
use contracts::Command;

#[actix_web::main]
async fn main() -> ExitCode {
    contracts::run(serve).await
}

async fn serve(Command { service, port, prefix }: Command) -> io::Result<()> {
    let listener = contracts::listen(&service, port)?;
    let workers = env::var("WORKERS").ok().and_then(|workers| workers.parse().ok());
    let app = move || {
        let endpoint = actix_socketio::scope(service.clone());
        App::new().service(web::scope(&prefix).service(endpoint))
    };
    HttpServer::new(app)
        .workers(workers.unwrap_or(2))
        .tcp_nodelay(true)
        .listen(listener)?
        .run()
        .await
}
