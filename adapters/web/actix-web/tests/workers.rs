//! Workers, each with a thread and a runtime of its own, and the runtimes below them.

#[macro_use]
mod kit;

use actix_socketio::{Ack, Extension, Socket, SocketIo, scope};
use actix_web::{
    App,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::{Next, from_fn},
};
use kit::{Server, WebSocket, echo, within, worker};

/// The worker that a connection began on.
#[derive(Debug, Clone)]
struct Worker(String);

fn room() -> SocketIo {
    let io = SocketIo::builder().build();
    io.of("/")
        .on_connect(async |socket: Socket| socket.join("room"))
        .on("worker", async |Extension(Worker(name)): Extension<Worker>| Ack(name))
        .on("echo", echo)
        .on("say", async |socket: Socket| {
            socket.to("room").emit("said", socket.id().to_string())
        });
    io
}

/// Tells in the answer which worker has made it.
async fn name_worker(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> actix_web::Result<ServiceResponse<impl MessageBody>> {
    let mut response = next.call(request).await?;
    let name = HeaderValue::from_str(&worker()).unwrap();
    response.headers_mut().insert(HeaderName::from_static("x-worker"), name);
    Ok(response)
}

fn serve(io: &SocketIo) -> Server {
    let io = io.clone();
    serve!(
        App::new()
            .wrap(from_fn(name_worker))
            .service(scope(&io).extension(async || Worker(worker()))),
        workers(2)
    )
}

/// Opens clients until each worker has one.
async fn clients_on_both_workers(server: &Server) -> Vec<WebSocket> {
    let mut clients: Vec<(String, WebSocket)> = Vec::new();
    let opening = async {
        while clients.len() < 2 {
            let mut client = server.websocket("/socket.io/").await;
            let worker = client.ask("worker").await.as_str().unwrap().to_owned();
            assert_eq!(client.handshake["x-worker"], worker);
            if clients.iter().all(|(known, _)| *known != worker) {
                clients.push((worker, client));
            }
        }
    };
    within(opening).await;
    clients.into_iter().map(|(_, client)| client).collect()
}

async fn clients_of_all_workers_share_rooms() {
    let server = serve(&room());
    let mut clients = clients_on_both_workers(&server).await;
    for speaker in 0..clients.len() {
        clients[speaker].say(r#"42["say"]"#).await;
        for (listener, client) in clients.iter_mut().enumerate() {
            if listener != speaker {
                assert!(client.hear().await.starts_with(r#"42["said","#));
            }
        }
        assert_eq!(clients[speaker].echo("heard nothing").await, "heard nothing");
    }
}

async fn a_polling_client_upgrades_on_another_worker() {
    let server = serve(&room());
    let one_on_each = async {
        loop {
            let polling = server.polling("/socket.io/").await;
            let websocket = server.raw_websocket(&polling.upgrade_url(), &[]).await.unwrap();
            if polling.handshake["x-worker"] != websocket.handshake["x-worker"] {
                return (polling, websocket);
            }
        }
    };
    let (mut polling, mut websocket) = within(one_on_each).await;
    websocket.take_over(&mut polling).await;
    assert_eq!(websocket.echo("upgraded").await, "upgraded");
    let begun_on = polling.handshake["x-worker"].to_str().unwrap();
    assert_eq!(websocket.ask("worker").await, begun_on);

    let mut other = server.websocket("/socket.io/").await;
    other.say(r#"42["say"]"#).await;
    assert!(websocket.hear().await.starts_with(r#"42["said","#));
}

macro_rules! under_both_runtimes {
    ($($test:ident),+) => {
        mod under_actix_web_main {
            $(#[actix_web::test]
            async fn $test() {
                super::$test().await;
            })+
        }

        mod under_tokio_main {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test().await;
            })+
        }
    };
}

under_both_runtimes!(
    clients_of_all_workers_share_rooms,
    a_polling_client_upgrades_on_another_worker
);

#[test]
fn polling_clients_live_on_in_the_runtime_that_the_server_is_given() {
    let background = tokio::runtime::Runtime::new().unwrap();
    let io = SocketIo::builder().runtime(background.handle().clone()).build();
    io.of("/").on("echo", echo);
    let workers = [(); 2].map(|()| {
        let io = io.clone();
        let runtime = actix_web::rt::Runtime::new().unwrap();
        let server = runtime.block_on(async { serve!(App::new().service(scope(&io))) });
        (runtime, server)
    });
    let [(runtime, server), (other_runtime, other_server)] = workers;
    let polling = runtime.block_on(async { server.polling("/socket.io/").await });
    runtime.block_on(async {
        server.handle.stop(false).await;
        within(server.serving).await.unwrap().unwrap();
    });
    drop(runtime);

    let mut polling = polling.at(&other_server);
    assert_eq!(
        other_runtime.block_on(async { polling.echo("still here").await }),
        "still here"
    );
}
