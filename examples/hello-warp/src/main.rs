use warp::Filter;
use warp_socketio::{Ack, Data, EventError, Socket, SocketIo};

#[tokio::main]
async fn main() {
    let io = SocketIo::builder().build();
    io.of("/").on("say", async |socket: Socket, Data(text): Data<String>| {
        socket.broadcast().emit("said", text)?; // to everybody but this one
        Ok::<_, EventError>(Ack(socket.namespace().sockets_count() - 1)) // answers `emitWithAck`
    });

    let page = warp::path::end().map(|| warp::reply::html(include_str!("../index.html")));
    let app = warp_socketio::filter(&io).or(page);

    let server = warp::serve(app).bind(([127, 0, 0, 1], 3000)).await;
    server.graceful(io.close_on_signal()).run().await;
}
