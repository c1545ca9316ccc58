//! A client as a whole: its sockets in several namespaces, and the session that they share.

mod kit;

use std::sync::Arc;

use kit::{Log, Ws, idle, sockets};
use tower_socketio::{Ack, Acl, Data, Generation, Socket, SocketIo, State};

#[derive(Clone, Debug, PartialEq)]
struct User(String);

#[tokio::test(start_paused = true)]
async fn namespaces_of_a_client_share_its_session_and_no_other_client_does() {
    let io = SocketIo::builder().build();
    io.of("/")
        .on("log in", async |socket: Socket, Data(name): Data<String>| {
            Ack(socket.session().insert(User(name)).map(|before| before.0))
        });
    io.of("/chat")
        .on("who", async |socket: Socket| {
            Ack(socket.session().get::<User>().map(|user| user.0))
        })
        .on("log out", async |socket: Socket| {
            Ack(socket.session().remove::<User>().is_some())
        });
    let (mut ada, mut ben) = (Ws::join(&io, "/").await, Ws::join(&io, "/").await);
    for ws in [&mut ada, &mut ben] {
        ws.connect("/chat").await;
    }
    ada.send(r#"421["log in","ada"]"#).await;
    assert_eq!(ada.text().await, "431[null]");
    ada.send(r#"422["log in","Ada"]"#).await;
    assert_eq!(ada.text().await, r#"432["ada"]"#);
    ada.send(r#"42/chat,3["who"]"#).await;
    assert_eq!(ada.text().await, r#"43/chat,3["Ada"]"#);
    ben.send(r#"42/chat,3["who"]"#).await;
    assert_eq!(ben.text().await, "43/chat,3[null]");
    for gone in [true, false] {
        ada.send(r#"42/chat,4["log out"]"#).await;
        assert_eq!(ada.text().await, format!("43/chat,4[{gone}]"));
    }
}

#[tokio::test(start_paused = true)]
async fn one_namespace_reaches_the_clients_socket_in_another() {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    let admin = io.of("/admin");
    admin
        .acl(|_| Acl::none())
        .on("kick", async |State(log): State<Log>| log.add("kicked"));
    io.of("/").on("promote", async |socket: Socket| {
        let admin = socket.client().of("/admin");
        if let Some(admin) = &admin {
            admin.acl().allow("kick");
            admin.emit("promoted", true).unwrap();
        }
        Ack(admin.is_some())
    });
    io.of("/").on("demote", async |socket: Socket| {
        socket.client().of("admin").unwrap().disconnect();
    });
    let mut ws = Ws::join(&io, "/").await;
    let mut bystander = Ws::join(&io, "/").await;
    bystander.connect("/admin").await;
    ws.send(r#"421["promote"]"#).await;
    assert_eq!(ws.text().await, "431[false]", "it is not there yet");
    ws.connect("/admin").await;
    ws.send_all(&[r#"422["promote"]"#, r#"42/admin,["kick"]"#]).await;
    assert_eq!(ws.text().await, r#"42/admin,["promoted",true]"#);
    assert_eq!(ws.text().await, "432[true]");
    bystander.send(r#"42/admin,["kick"]"#).await;
    idle().await;
    assert_eq!(log.take(), ["kicked"], "by one of them");
    ws.send(r#"42["demote"]"#).await;
    assert_eq!(ws.text().await, "41/admin,");
    ws.send(r#"423["promote"]"#).await;
    assert_eq!(ws.text().await, "433[false]", "it is not there any more");
}

#[tokio::test(start_paused = true)]
async fn its_sockets_are_those_that_are_connected() {
    let io = SocketIo::builder().build();
    let mut found = sockets(&io.of("/"));
    io.of("/a");
    io.of("/refusing")
        .on_connect(async || Err::<(), _>(tower_socketio::Refusal::new("no")));
    let (mut ws, _) = Ws::open_eio3(&io).await;
    let client = found.next().await.client();
    let paths = || {
        client
            .sockets()
            .iter()
            .map(|socket| socket.namespace().path().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(client.handshake().generation(), Generation::Eio3);
    ws.send_all(&["40/a", "40/refusing"]).await;
    idle().await;
    assert_eq!(paths(), ["/", "/a"]);
    ws.send("41/a").await;
    idle().await;
    assert_eq!(paths(), ["/"]);
    client.close();
    idle().await;
    assert_eq!(paths(), [""; 0]);
}

/// Notes when the last copy goes; holds the socket that it is kept by.
#[derive(Clone)]
struct Keepsake {
    _socket: Socket,
    _dropped: Arc<Dropped>,
}

struct Dropped(Log, &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add(self.1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_goes_with_the_socket_and_the_client_even_if_it_holds_them() {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    io.of("/")
        .on_connect(async |socket: Socket, State(log): State<Log>| {
            let keepsake = |name| Keepsake {
                _socket: socket.clone(),
                _dropped: Arc::new(Dropped(log.clone(), name)),
            };
            socket.insert(keepsake("the socket's"));
            socket.session().insert(keepsake("the client's"));
        })
        .on_disconnect(async |socket: Socket, State(log): State<Log>| {
            log.add(socket.get::<Keepsake>().is_some() && socket.session().get::<Keepsake>().is_some());
        });
    io.of("/other");
    let mut ws = Ws::join(&io, "/").await;
    ws.connect("/other").await;
    ws.send("41").await;
    idle().await;
    assert_eq!(log.take(), ["true", "the socket's"]);
    ws.vanish().await;
    idle().await;
    assert_eq!(log.take(), ["the client's"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_to_a_socket_that_has_ended_is_not_kept() {
    #[derive(Clone)]
    struct Me {
        _socket: Socket,
        _alive: Arc<()>,
    }
    let io = SocketIo::builder().build();
    let mut found = sockets(&io.of("/"));
    let ws = Ws::join(&io, "/").await;
    let socket = found.next().await;
    ws.vanish().await;
    idle().await;
    let alive = Arc::new(());
    let me = Me {
        _socket: socket.clone(),
        _alive: alive.clone(),
    };
    socket.insert(me.clone());
    let listened = me.clone();
    socket.on_any(move |_| drop(listened.clone()));
    drop((me, socket));
    assert_eq!(Arc::strong_count(&alive), 1);
}
