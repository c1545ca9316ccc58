use tower_socketio::namespace;

#[derive(Default)]
struct Chat;

#[namespace]
impl Chat {
    #[event]
    async fn user_message(&self) {}

    #[event("user message")]
    async fn said(&self) {}

    #[event("user_message")]
    async fn spoken(&self) {}

    #[message]
    async fn text(&self) {}

    #[event("message")]
    async fn post(&self) {}

    #[event("one")]
    async fn say_it(&self) {}

    #[event("other")]
    async fn say__it(&self) {}

    #[event]
    async fn _1(&self) {}
}

#[derive(Default)]
struct Reserved;

#[namespace]
impl Reserved {
    #[event]
    async fn connect(&self) {}

    #[event]
    async fn connect_error(&self) {}

    #[event("disconnect")]
    async fn left(&self) {}

    #[event]
    async fn disconnecting(&self) {}

    #[event("newListener")]
    async fn listener(&self) {}

    #[event("removeListener")]
    async fn no_listener(&self) {}
}

fn main() {}
