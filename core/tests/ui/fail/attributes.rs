use tower_socketio::{namespace, namespace_methods};

struct UnknownArgument;

#[namespace(rename_all = "kebab-case")]
impl UnknownArgument {
    #[connect]
    async fn connect() -> Self {
        Self
    }
}

#[derive(Default)]
struct Chat;

#[namespace]
impl Chat {
    #[event(name = "say")]
    async fn say(&self) {}

    #[event]
    #[event]
    async fn twice(&self) {}

    #[event]
    #[disconnect]
    async fn two_at_once(&self) {}

    #[disconnect("gone")]
    async fn left(&self) {}

    #[message]
    #[cfg(unix)]
    async fn message(&self) {}
}

#[derive(Default)]
struct TwoOfAKind;

#[namespace]
impl TwoOfAKind {
    #[connect]
    async fn connect() -> Self {
        Self
    }

    #[connect]
    async fn connect_again() -> Self {
        Self
    }

    #[json]
    async fn json(&self) {}

    #[json]
    async fn more_json(&self) {}
}

#[namespace_methods(Chat)]
trait Presence {
    #[event]
    async fn people(&self) {}

    #[any]
    async fn other(&self) {}
}

fn main() {
    let chat = ChatEvent::Say;
    tower_socketio::SocketIo::builder()
        .build()
        .of(chat.as_ref())
        .serve::<Chat>();
}
