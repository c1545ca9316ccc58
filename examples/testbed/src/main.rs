//! Every feature of the server on one page: each has a button that tries it, says whether it does what it
//! should, and what came. Beside it is the server's log of the page's own calls, live.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin testbed
//! ```
//!
//! and open <http://127.0.0.1:3000>. `PORT` and `HOST` in the environment change the address; port 0
//! takes a free one.
//!
//! | namespace | it is for |
//! |---|---|
//! | `/testbed`, in `testbed.rs` | events, acks, rooms, broadcasts, jobs, errors |
//! | `/locked`, in `locked.rs` | who may call what |
//! | `/second`, in `second.rs` | what two namespaces of one client share |
//! | `/closed` and `/members`, in `doors.rs` | connecting, and being refused |
//! | `/log`, in `log.rs` | the log |
//!
//! `public/features.js` has the other half: what each button does and expects.

mod doors;
mod locked;
mod log;
mod second;
mod testbed;
#[cfg(test)]
mod tests;

use axum::Router;
use axum_socketio::{Generation, SocketIo, SocketIoBuilder};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

use crate::{doors::Closed, locked::Locked, second::Second, testbed::Testbed};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public");

#[tokio::main]
async fn main() -> start::Outcome {
    let io = serve(start::with_client(builder())?);
    let app = Router::new()
        .fallback_service(ServeDir::new(PAGE))
        .merge(axum_socketio::mount(&io));
    let listener = TcpListener::from_std(start::listen()?)?;
    axum::serve(listener, app)
        .with_graceful_shutdown(io.close_on_signal())
        .await?;
    Ok(())
}

fn builder() -> SocketIoBuilder {
    // Ids are told to others here, which older generations would have to keep secret.
    SocketIo::builder().generations([Generation::Eio4]).max_payload(100_000)
}

fn serve(builder: SocketIoBuilder) -> SocketIo {
    let io = builder.build();
    io.of("/log");
    io.of("/testbed").serve::<Testbed>();
    io.of("/locked").serve::<Locked>();
    io.of("/second").serve::<Second>();
    io.of("/closed").serve::<Closed>();
    io.of("/members").with(doors::members_only);
    for path in ["/testbed", "/locked", "/second", "/closed", "/members"] {
        log::watch(&io.of(path));
    }
    io.on_error(log::failed);
    io
}
