use std::rc::Rc;

use tower_socketio::{SocketIo, namespace, namespace_methods};

/// Nothing makes one.
struct NotDefault;

#[namespace]
impl NotDefault {}

#[derive(Default)]
struct NotSend;

#[namespace]
impl NotSend {
    #[event]
    async fn wait(&self) {
        let count = Rc::new(1);
        std::future::ready(()).await;
        drop(count);
    }
}

#[namespace_methods]
trait Presence {}

trait Plain {}

#[derive(Default)]
struct Traits;

impl Plain for Traits {}

#[namespace(Presence, Plain)]
impl Traits {}

struct NoNamespace;

fn main() {
    SocketIo::builder().build().of("/").serve::<NoNamespace>();
}
