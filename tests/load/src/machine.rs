//! On what, and with which versions, was measured.

use std::{fs, path::Path, process::Command};

use crate::catalogue::{folder, root};

/// A line each.
#[must_use]
pub fn description(core: usize) -> Vec<String> {
    let root = root();
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or_default();
    let cpu = cpu.trim_start_matches([' ', '\t', ':']);
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let node = folder().join("servers/node");
    let package = |name: &str| {
        let json = fs::read_to_string(node.join("node_modules").join(name).join("package.json")).ok()?;
        let version = json.split_once(r#""version": ""#)?.1.split('"').next()?;
        Some(format!("{name} {version}"))
    };
    let packages = ["socket.io", "ws", "eiows", "bun", "@socket.io/bun-engine"];
    let node = output("node", &["--version"], &node);
    let packages: Vec<_> = packages.into_iter().filter_map(package).collect();
    let python = folder().join("servers/python/.venv/bin/python");
    let python = output(&python.display().to_string(), &["--version"], folder());
    let requirements = fs::read_to_string(folder().join("servers/python/requirements.txt")).unwrap_or_default();
    let lock = fs::read_to_string(folder().join("Cargo.lock")).unwrap_or_default();
    let crates: Vec<_> = ["socketioxide", "axum", "hyper", "tokio"]
        .map(|name| locked(&lock, name))
        .into();
    vec![
        format!("{cpu}, {cores} cores: the generator on core {core}, servers on the first; load {load} at the end"),
        format!("Linux {}, {}", kernel.trim(), output("rustc", &["--version"], &root)),
        format!(
            "tower-socketio {}",
            output("git", &["describe", "--always", "--dirty"], &root)
        ),
        crates.join(", "),
        format!("Node {node}: {}", packages.join(", ")),
        format!(
            "{python}: {}",
            requirements.split_whitespace().collect::<Vec<_>>().join(", ")
        ),
    ]
}

fn output(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().ok();
    let text = output
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .unwrap_or_default();
    text.trim().to_owned()
}

/// A crate and its version in a lock file.
fn locked(lock: &str, name: &str) -> String {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let version = lock
        .split_once(&entry)
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or("?");
    format!("{name} {version}")
}
