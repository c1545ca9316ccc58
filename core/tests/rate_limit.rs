//! Clients that send faster than they may: what passes, what they and the application are told, and how they are
//! slowed down, by WebSocket and by polling.

mod kit;

use kit::{Log, Packet, Polling, Ws, idle, millis, secs};
use tokio::time::{Instant, sleep};
use tower_socketio::{Ack, Data, DisconnectReason, Excess, RateLimit, RawArgs, SocketIo, State};

fn server(limit: RateLimit) -> (SocketIo, Log) {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).rate_limit(limit).build();
    for path in ["/", "/other"] {
        io.of(path)
            .on("say", async |State(log): State<Log>, args: RawArgs| {
                log.add(format!("say {}", args.json()));
                Ack(args)
            })
            .on_error(log.failures());
    }
    io.on_error(log.failures());
    (io, log)
}

const NEWS: &str = r#"Some("say") the client sends faster than it may"#;

#[tokio::test(start_paused = true)]
async fn what_is_too_much_is_dropped_and_its_ack_says_so_and_the_hook_is_told_once() {
    // A token goes for the request to connect.
    let (io, log) = server(RateLimit::events_per_second(10).burst(3));
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[
        r#"421["say",1]"#,
        r#"422["say",2]"#,
        r#"423["say",3]"#,
        r#"42["say",4]"#,
    ])
    .await;
    let dropped = r#"433[{"error":{"name":"rate_limited","message":"the client sends faster than it may"}}]"#;
    assert_eq!(ws.texts().await, ["431[1]", "432[2]", dropped]);
    assert_eq!(log.take(), ["say 1", "say 2", NEWS]);
    sleep(millis(100)).await;
    ws.send_all(&[r#"42["say",5]"#, r#"42["say",6]"#]).await;
    idle().await;
    assert_eq!(log.take(), ["say 5"], "the overrun goes on");
    sleep(secs(1)).await;
    ws.send_all(&[r#"42["say",7]"#; 5]).await;
    idle().await;
    assert_eq!(log.take(), ["say 7", "say 7", "say 7", NEWS], "and this is another");
}

#[tokio::test(start_paused = true)]
async fn all_namespaces_of_a_client_share_its_limit_and_others_have_their_own() {
    let (io, log) = server(RateLimit::events_per_second(1).burst(4));
    let mut ws = Ws::join(&io, "/").await;
    ws.connect("/other").await;
    ws.send_all(&[r#"42["say",1]"#, r#"42/other,["say",2]"#, r#"42/other,["say",3]"#])
        .await;
    idle().await;
    assert_eq!(log.take(), ["say 1", "say 2", NEWS]);
    let mut other = Ws::join(&io, "/").await;
    other.send(r#"42["say",4]"#).await;
    idle().await;
    assert_eq!(log.take(), ["say 4"]);
}

#[tokio::test(start_paused = true)]
async fn bytes_are_limited_with_those_of_attachments() {
    let (io, log) = server(RateLimit::events_per_second(100).bytes_per_second(1_000));
    let mut ws = Ws::join(&io, "/").await;
    let text = |length| format!(r#"42["say","{}"]"#, "x".repeat(length));
    // A name of three, the text and its quotes.
    ws.send_all(&[&text(495), &text(495), &text(1)]).await;
    idle().await;
    assert_eq!(log.take().len(), 3);
    sleep(secs(1)).await;
    ws.send(r#"451-["say",{"_placeholder":true,"num":0}]"#).await;
    ws.send_binary(&[0; 1_000]).await;
    idle().await;
    assert_eq!(log.take(), [NEWS], "more than a burst never gets through");
    ws.send(&text(995)).await;
    idle().await;
    assert_eq!(log.take().len(), 1, "and takes nothing");
}

#[tokio::test(start_paused = true)]
async fn requests_to_connect_are_limited_too() {
    let (io, log) = server(RateLimit::events_per_second(10).burst(2));
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&["41", "40/other,", "41/other,", "40/other,"]).await;
    let texts = ws.texts().await;
    assert!(texts[0].starts_with("40/other,{"), "{texts:?}");
    assert_eq!(
        texts[1..],
        [r#"44/other,{"message":"the client sends faster than it may"}"#]
    );
    assert_eq!(log.take(), ["None the client sends faster than it may"]);
}

#[tokio::test(start_paused = true)]
async fn who_sends_too_fast_may_be_disconnected() {
    let (io, log) = server(RateLimit::events_per_second(10).burst(2).on_excess(Excess::Disconnect));
    io.of("/")
        .on_disconnect(async |why: DisconnectReason, State(log): State<Log>| log.add(why));
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"42["say",1]"#, r#"42["say",2]"#, r#"42["say",3]"#])
        .await;
    assert_eq!(ws.end().await, Vec::<Packet>::new());
    idle().await;
    assert_eq!(log.take(), ["say 1", NEWS, "forced server close"]);
}

#[tokio::test(start_paused = true)]
async fn who_is_slowed_down_loses_nothing_and_keeps_its_connection() {
    let limit = RateLimit::events_per_second(10).burst(5).on_excess(Excess::SlowDown);
    let (io, log) = server(limit);
    let mut ws = Ws::join(&io, "/").await;
    let (begin, times) = (Instant::now(), Log::default());
    let noted = times.clone();
    io.of("/").on("at", move |Data(number): Data<u32>| {
        noted.add(format!("{number} {}", begin.elapsed().as_millis()));
        std::future::ready(())
    });
    let events: Vec<_> = (0..1_004).map(|number| format!(r#"42["at",{number}]"#)).collect();
    ws.send_all(&events.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    // Longer than a heartbeat's two deadlines: pongs are among what is not read.
    sleep(secs(101)).await;
    let times = times.take();
    assert_eq!(times.len(), 1_004);
    assert_eq!(times[3], "3 0");
    // The timer's milliseconds are rounded up.
    let (number, at) = times[1_003].split_once(' ').unwrap();
    assert_eq!(number, "1003");
    assert!((100_000..=101_000).contains(&at.parse().unwrap()), "{at}");
    assert_eq!(log.take(), [r#"Some("at") the client sends faster than it may"#]);
    assert_eq!(io.clients_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn by_polling_a_post_is_not_answered_until_it_may_go_on() {
    let limit = RateLimit::events_per_second(1).burst(2).on_excess(Excess::SlowDown);
    let (io, log) = server(limit);
    let client = Polling::join(&io, "/").await;
    let post = client
        .open_post("42[\"say\",1]\u{1e}42[\"say\",2]\u{1e}42[\"say\",3]")
        .await;
    assert_eq!(log.take(), [NEWS, "say 1"]);
    sleep(millis(1_500)).await;
    assert!(!post.is_finished());
    assert_eq!(log.take(), ["say 2"]);
    sleep(millis(1_000)).await;
    assert_eq!(log.take(), ["say 3"]);
    assert!(!post.is_finished(), "another event would have to wait");
    sleep(millis(1_000)).await;
    assert!(post.is_finished());
}

#[tokio::test(start_paused = true)]
async fn attachments_on_their_way_are_not_given_up_while_the_client_is_slowed_down() {
    let limit = RateLimit::events_per_second(100)
        .bytes_per_second(10)
        .on_excess(Excess::SlowDown);
    let (io, log) = server(limit);
    let mut ws = Ws::join(&io, "/").await;
    for _ in 0..2 {
        ws.send(r#"451-["say",{"_placeholder":true,"num":0}]"#).await;
        ws.send_binary(&[0; 1_000]).await;
    }
    sleep(secs(90)).await;
    assert_eq!(log.take().len(), 2, "one event, and the news");
    sleep(secs(20)).await;
    assert_eq!(log.take().len(), 1);
    assert_eq!(io.clients_count(), 1);
}
