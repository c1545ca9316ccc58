use tower_socketio::{EventError, namespace};

#[derive(Default)]
struct Chat;

#[namespace]
impl Chat {
    #[event]
    async fn number(&self) -> u32 {
        1
    }

    #[event]
    async fn number_or_error(&self) -> Result<u32, EventError> {
        Ok(1)
    }

    #[disconnect]
    async fn text(&self) -> &'static str {
        "bye"
    }
}

struct Connecting;

#[namespace]
impl Connecting {
    #[connect]
    async fn connect() -> Option<Self> {
        Some(Self)
    }
}

fn main() {}
