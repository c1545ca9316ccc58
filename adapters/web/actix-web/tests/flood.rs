//! What the server keeps of a client's flood. Alone in its process, whose allocator counts.

#[macro_use]
mod kit;

use std::time::Duration;

use actix_socketio::{SocketIo, scope};
use actix_web::App;
use kit::{PATIENCE, text_frame, with_echo};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::{io::AsyncWriteExt as _, time::timeout};

#[global_allocator]
static HEAP: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const FLOOD: usize = 64_000_000;
const LIMIT: usize = 8_000_000;

fn heap() -> usize {
    let stats = HEAP.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// It asks for answers that it never reads: it is heard no further, or cut off, but not kept.
#[tokio::test]
async fn a_client_that_floods_without_reading_costs_little_memory_and_disturbs_nobody() {
    let io = with_echo(SocketIo::builder());
    let server = serve!(App::new().service(scope(&io)));
    let mut other = server.websocket("/socket.io/").await;
    let mut client = server.websocket("/socket.io/").await;
    let message = text_frame(&format!(r#"420["echo","{}"]"#, "x".repeat(10_000)));
    let before = heap();
    let mut most = 0;
    for _ in 0..FLOOD / message.len() {
        let written = client.inner.get_mut().write_all(&message);
        // Nobody takes more of it: as good an end as any.
        if !matches!(timeout(Duration::from_secs(1), written).await, Ok(Ok(()))) {
            break;
        }
        most = most.max(heap().saturating_sub(before));
    }
    assert!(most < LIMIT, "{most} bytes");
    let answer = timeout(PATIENCE, other.echo("undisturbed")).await;
    assert_eq!(answer.unwrap(), "undisturbed");
}
