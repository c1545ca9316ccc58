//! A list of what is to be done, shared by all who look at it: the page is TypeScript, and knows the types of the
//! server's events. On axum.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run -p typescript
//! ```
//!
//! and open <http://127.0.0.1:3000> in two tabs. `PORT` and `HOST` in the environment change the address; port 0 takes a
//! free one.
//!
//! After a change of the namespace (`todo.rs`) or the page (`public/page.ts`):
//!
//! ```sh
//! cargo test -p typescript                           # writes public/events.d.ts, and fails if that has changed
//! npx -p typescript tsc -p examples/typescript       # checks the page, and writes public/page.js
//! ```

mod todo;

use axum::Router;
use axum_socketio::SocketIo;
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

use crate::todo::{SharedList, Visitor};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public");

#[tokio::main]
async fn main() -> start::Outcome {
    start::log();
    let io = start::with_client(SocketIo::builder().state(SharedList::default()))?.build();
    io.of("/").serve::<Visitor>();

    let app = Router::new()
        .fallback_service(ServeDir::new(PAGE))
        .merge(axum_socketio::mount(&io));
    let listener = TcpListener::from_std(start::listen()?)?;
    axum::serve(listener, app)
        .with_graceful_shutdown(io.close_on_signal())
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum_socketio::typescript::{Error, Events};

    use crate::todo::{ServerToClient, Visitor};

    #[test]
    fn the_types_of_the_page_are_up_to_date() -> Result<(), Error> {
        let is_changed = Events::new()
            .receives::<Visitor>()
            .emits::<ServerToClient>()
            .write(concat!(env!("CARGO_MANIFEST_DIR"), "/public/events.d.ts"))?;
        assert!(
            !is_changed,
            "the events have changed: check the page, and commit it with them"
        );
        Ok(())
    }
}
