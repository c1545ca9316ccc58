//! Load for servers of Socket.IO: raw frames over TCP, every message checked, servers side by side in interleaved rounds.

pub mod catalogue;
pub mod check;
pub mod client;
pub mod flame;
pub mod frame;
pub mod http;
pub mod machine;
pub mod options;
pub mod process;
pub mod report;
pub mod rounds;
pub mod scenario;
pub mod stats;

/// Fails with a sentence that says why.
pub type Fallible<T> = Result<T, String>;
