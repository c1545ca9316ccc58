//! A live graph of the CPU: each socket has a job of its own, which ends with it. On axum.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run -p cpu-graph
//! ```
//!
//! and open <http://127.0.0.1:3000> in two tabs, each with its own pace. `GET /jobs` tells how many jobs run.
//! `PORT` and `HOST` in the environment change the address; port 0 takes a free one. `STAT` names a file that
//! is read instead of `/proc/stat`.
//!
//! The namespace is in `cpu.rs`; how the CPU is read, in `meter.rs`.

mod cpu;
mod meter;

use std::{env, path::PathBuf};

use axum::{Json, Router, extract::State, routing::get};
use axum_socketio::SocketIo;
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

use crate::{
    cpu::{Cpu, Jobs},
    meter::Stat,
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public");

#[tokio::main]
async fn main() -> start::Outcome {
    start::log();
    let jobs = Jobs::default();
    let stat = Stat(env::var_os("STAT").map_or_else(|| "/proc/stat".into(), PathBuf::from));
    let io = start::with_client(SocketIo::builder().state(jobs.clone()).state(stat))?.build();
    io.of("/cpu").serve::<Cpu>();

    let app = Router::new()
        .route("/jobs", get(running))
        .with_state(jobs)
        .fallback_service(ServeDir::new(PAGE))
        .merge(axum_socketio::mount(&io));
    let listener = TcpListener::from_std(start::listen()?)?;
    axum::serve(listener, app)
        .with_graceful_shutdown(io.close_on_signal())
        .await?;
    Ok(())
}

async fn running(State(jobs): State<Jobs>) -> Json<usize> {
    Json(jobs.running())
}
