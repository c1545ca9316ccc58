//! News emitted from an ordinary handler of requests and from a background task, beneath the usual
//! middleware, on axum.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin news-axum
//! ```
//!
//! and open <http://127.0.0.1:3000> in two tabs, or publish by
//! `curl --json '{"text":"hello"}' http://127.0.0.1:3000/news`. `PORT` and `HOST` in the environment
//! change the address; port 0 takes a free one. `DRAIN_SECONDS` is how long readers have to go when it is
//! asked to stop.
//!
//! The readers, the background task and the page are in `examples/news`.

use axum::{
    Json, Router,
    extract::State,
    http::{Method, StatusCode, header::CONTENT_TYPE},
    routing::post,
};
use axum_socketio::SocketIo;
use news::News;
use tokio::net::TcpListener;
use tower_http::{
    compression::CompressionLayer,
    cors::{AllowOrigin, CorsLayer},
    services::ServeDir,
    trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer},
};
use tracing::Level;

#[tokio::main]
async fn main() -> start::Outcome {
    start::log();
    let io = news::socket_io()?;
    tokio::spawn(news::tick(io.clone()));

    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::exact(news::FRONT_END.parse()?))
        .allow_methods([Method::POST])
        .allow_headers([CONTENT_TYPE]);
    let trace = TraceLayer::new_for_http()
        .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
        .on_response(DefaultOnResponse::new().level(Level::INFO));
    let app = Router::new()
        .route("/news", post(publish))
        .fallback_service(ServeDir::new(news::PAGE))
        .merge(axum_socketio::mount(&io))
        .layer(CompressionLayer::new())
        .layer(cors)
        .layer(trace)
        .with_state(io.clone());

    let listener = TcpListener::from_std(start::listen()?)?;
    axum::serve(listener, app)
        // New readers are refused at once, so that a load balancer takes them elsewhere; the others are sent there
        // one after the other.
        .with_graceful_shutdown(io.drain(start::drain_time()?).spread().on_signal())
        .await?;
    Ok(())
}

/// The server is axum's state here; it is cheap to clone.
async fn publish(State(io): State<SocketIo>, Json(news): Json<News>) -> StatusCode {
    io.emit("news", news).expect("text can be sent");
    StatusCode::NO_CONTENT
}
