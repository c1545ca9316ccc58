//! What the server counts, for Prometheus to scrape and Grafana to draw. On axum.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin metrics
//! ```
//!
//! and open <http://127.0.0.1:3000>, whose buttons make something to count. The metrics are at
//! <http://127.0.0.1:3000/metrics>, on a real server best on a port that its users do not reach. How to draw them is
//! in this example's README. `PORT` and `HOST` in the environment change the address; port 0 takes a free one.

use std::time::Duration;

use axum::{Router, http::header::CONTENT_TYPE, response::Html, routing::get};
use axum_socketio::{Ack, Args, Data, EventError, RawArgs, Socket, SocketIo};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{net::TcpListener, time::sleep};

/// Of how long handlers take, in seconds.
const BUCKETS: [f64; 9] = [0.0001, 0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];

/// As Prometheus asks for it.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[tokio::main]
async fn main() -> start::Outcome {
    start::log();
    // First: a server counts for what is there when it is made.
    let prometheus = PrometheusBuilder::new().set_buckets(&BUCKETS)?.install_recorder()?;
    tokio::spawn(keep_up(prometheus.clone()));

    let io = start::with_client(SocketIo::builder())?.build();
    handle(&io);

    let app = Router::new()
        .route("/", get(async || Html(include_str!("../index.html"))))
        .route(
            "/metrics",
            get(async move || ([(CONTENT_TYPE, TEXT)], prometheus.render())),
        )
        .merge(axum_socketio::mount(&io));
    let listener = TcpListener::from_std(start::listen()?)?;
    axum::serve(listener, app)
        .with_graceful_shutdown(io.close_on_signal())
        .await?;
    Ok(())
}

/// Histograms keep what they measured until this, or until they are scraped.
async fn keep_up(prometheus: PrometheusHandle) {
    loop {
        sleep(Duration::from_secs(5)).await;
        prometheus.run_upkeep();
    }
}

/// Handlers of all kinds of things to count.
fn handle(io: &SocketIo) {
    io.of("/")
        .on("echo", async |args: RawArgs| Ack(args))
        .on("join", async |socket: Socket, Data(room): Data<String>| {
            socket.join(room);
            Ack(())
        })
        .on(
            "say",
            async |socket: Socket, Data(Args((room, text))): Data<Args<(String, String)>>| {
                socket.to(room).emit("said", text)?;
                Ok::<_, EventError>(Ack(()))
            },
        )
        .on("point", async |socket: Socket, args: RawArgs| {
            socket.broadcast().volatile().emit("point", args)
        })
        .on("wait", async |Data(seconds): Data<f64>| {
            let time = Duration::try_from_secs_f64(seconds.min(60.0))?;
            sleep(time).await;
            Ok::<_, EventError>(Ack(()))
        })
        .on("fail", async || Err::<(), _>(EventError::new("as you wish")))
        .on_disconnect(async || {});
    io.of("/chat");
}
