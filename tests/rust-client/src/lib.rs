//! What the tests need: the server under test, and a client that can be waited on.

mod member;
mod server;

pub use member::{Member, Refused};
pub use server::Server;
