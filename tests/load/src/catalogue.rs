//! The servers: ours, the rivals, the floors.

use std::path::{Path, PathBuf};

use crate::client::Dialect;

/// How a server is started, and what it speaks.
#[derive(Debug)]
pub struct Server {
    pub name: &'static str,
    pub dialect: Dialect,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// How many times fewer operations it does, so as not to take much longer than the others.
    pub slowness: usize,
    /// Without that file it cannot run.
    needs: PathBuf,
}

/// Whom the others are compared with.
pub const REFERENCE: &str = "socketioxide";
/// The WebSocket that ours are compared with: axum's, which reads less at once than by default.
pub const FLOOR: &str = "floor-websocket-lean";
/// Ours that the targets are for.
pub const OURS: &str = "axum";

impl Server {
    /// Why it cannot run here.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let needs = self.needs.strip_prefix(folder()).unwrap_or(&self.needs);
        (!self.needs.exists()).then(|| format!("{} is left out: {} is not there", self.name, needs.display()))
    }
}

/// `tests/load`.
#[must_use]
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The repository.
#[must_use]
pub fn root() -> PathBuf {
    folder().join("../..")
}

/// All of them, ours first.
#[must_use]
pub fn servers() -> Vec<Server> {
    let root = root();
    let (ours, others) = (root.join("target/release"), root.join("target/load/release"));
    let node = folder().join("servers/node");
    let python = folder().join("servers/python");
    let contract = ["--contract", "load"];
    let binary = |name, dialect, program: PathBuf, arguments: &[&str]| Server {
        name,
        dialect,
        needs: program.clone(),
        program,
        slowness: 1,
        arguments: arguments.iter().map(|&argument| argument.into()).collect(),
    };
    let script = |name, slowness, program: PathBuf, script: PathBuf, argument: Option<&str>, needs: PathBuf| Server {
        name,
        slowness,
        dialect: Dialect::SocketIo,
        program,
        arguments: [script.display().to_string()]
            .into_iter()
            .chain(argument.map(Into::into))
            .collect(),
        needs,
    };
    let modules = node.join("node_modules");
    let (bun, interpreter) = (modules.join("bun/bin/bun.exe"), python.join(".venv/bin/python"));
    vec![
        binary(OURS, Dialect::SocketIo, ours.join("server-axum"), &contract),
        binary("actix-web", Dialect::SocketIo, ours.join("server-actix-web"), &contract),
        binary("warp", Dialect::SocketIo, ours.join("server-warp"), &contract),
        binary(REFERENCE, Dialect::SocketIo, others.join("load-socketioxide"), &[]),
        script(
            "node-ws",
            4,
            "node".into(),
            node.join("node.mjs"),
            Some("ws"),
            modules.join("socket.io/package.json"),
        ),
        script(
            "node-eiows",
            4,
            "node".into(),
            node.join("node.mjs"),
            Some("eiows"),
            modules.join("eiows/package.json"),
        ),
        script("bun", 4, bun.clone(), node.join("bun.mjs"), None, bun),
        script(
            "python",
            20,
            interpreter.clone(),
            python.join("server.py"),
            None,
            interpreter,
        ),
        binary(
            "floor-websocket",
            Dialect::WebSocket,
            others.join("load-floors"),
            &["websocket"],
        ),
        binary(
            FLOOR,
            Dialect::WebSocket,
            others.join("load-floors"),
            &["websocket-lean"],
        ),
        binary("floor-tcp", Dialect::Tcp, others.join("load-floors"), &["tcp"]),
        binary("floor-http", Dialect::Http, others.join("load-floors"), &["http"]),
    ]
}

/// What has clients and server in one process.
#[must_use]
pub fn in_memory() -> PathBuf {
    root().join("target/load/release/load-in-memory")
}
