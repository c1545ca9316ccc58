use actix_socketio::{Ack, Data, EventError, Socket, SocketIo};
use actix_web::{
    App, HttpServer,
    web::{self, Html},
};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let io = SocketIo::builder().build();
    io.of("/").on("say", async |socket: Socket, Data(text): Data<String>| {
        socket.broadcast().emit("said", text)?; // to everybody but this one
        Ok::<_, EventError>(Ack(socket.namespace().sockets_count() - 1)) // answers `emitWithAck`
    });

    let shutdown = io.close_on_signal();
    HttpServer::new(move || {
        App::new()
            .route("/", web::get().to(async || Html::new(include_str!("../index.html"))))
            .service(actix_socketio::scope(&io))
    })
    .shutdown_signal(shutdown)
    .bind("127.0.0.1:3000")?
    .run()
    .await
}
