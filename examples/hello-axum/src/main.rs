use axum::{Router, response::Html, routing::get};
use axum_socketio::{Ack, Data, EventError, Socket, SocketIo};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let io = SocketIo::builder().build();
    io.of("/").on("say", async |socket: Socket, Data(text): Data<String>| {
        socket.broadcast().emit("said", text)?; // to everybody but this one
        Ok::<_, EventError>(Ack(socket.namespace().sockets_count() - 1)) // answers `emitWithAck`
    });

    let app = Router::new()
        .route("/", get(async || Html(include_str!("../index.html"))))
        .merge(axum_socketio::mount(&io));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app)
        .with_graceful_shutdown(io.close_on_signal())
        .await
}
