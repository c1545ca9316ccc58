//! News emitted from an ordinary handler of requests and from a background task, beneath the usual
//! middleware, on actix-web.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin news-actix-web
//! ```
//!
//! and open <http://127.0.0.1:3000> in two tabs, or publish by
//! `curl --json '{"text":"hello"}' http://127.0.0.1:3000/news`. `PORT` and `HOST` in the environment
//! change the address; port 0 takes a free one. `DRAIN_SECONDS` is how long readers have to go when it is
//! asked to stop.
//!
//! The readers, the background task and the page are in `examples/news`.

use actix_cors::Cors;
use actix_files::Files;
use actix_socketio::SocketIo;
use actix_web::{
    App, HttpResponse, HttpServer,
    http::header::CONTENT_TYPE,
    middleware::{Compress, Logger, NormalizePath},
    post,
    web::{Data, Json},
};
use news::News;

#[actix_web::main]
async fn main() -> start::Outcome {
    start::log();
    let io = news::socket_io()?;
    actix_web::rt::spawn(news::tick(io.clone()));

    // New readers are refused at once, so that a load balancer takes them elsewhere; the others are sent there
    // one after the other.
    let stopped = io.drain(start::drain_time()?).spread().on_signal();
    let app = move || {
        let cors = Cors::default()
            .allowed_origin(news::FRONT_END)
            .allowed_methods(["GET", "POST"])
            .allowed_header(CONTENT_TYPE);
        App::new()
            .app_data(Data::new(io.clone()))
            .service(publish)
            .service(actix_socketio::scope(&io))
            .service(Files::new("/", news::PAGE).index_file("index.html"))
            .wrap(Compress::default())
            .wrap(cors)
            .wrap(NormalizePath::trim())
            .wrap(Logger::default())
    };

    HttpServer::new(app)
        .h1_allow_half_closed(false) // So that who leaves during a poll has left at once, not at its end.
        .listen(start::listen()?)?
        .shutdown_signal(stopped)
        .run()
        .await?;
    Ok(())
}

/// The server is application data here; it is cheap to clone.
#[post("/news")]
async fn publish(io: Data<SocketIo>, Json(news): Json<News>) -> HttpResponse {
    io.emit("news", news).expect("text can be sent");
    HttpResponse::NoContent().finish()
}
