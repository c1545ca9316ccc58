use tower_socketio::{namespace, namespace_methods};

#[namespace]
struct Chat;

#[namespace]
impl Default for Chat {
    fn default() -> Self {
        Self
    }
}

#[namespace]
impl (Chat, Chat) {}

#[namespace_methods]
impl Chat {}

#[namespace]
impl Chat {
    #[evnt]
    async fn say(&self) {}
}

fn main() {}
