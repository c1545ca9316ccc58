//! The rules of ARCHITECTURE.md that can be read off the source.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every Rust file below a path of the core's source, with its text up to its tests.
fn sources(below: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths: Vec<PathBuf> = vec![root.join(below)];
    let mut files = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            let is_test = name.ends_with("tests.rs") || name.contains("against_");
            if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
                files.push((name, code));
            }
        }
    }
    assert!(!files.is_empty(), "there is no source below {below}");
    files
}

/// Fails for every line of code that holds one of the words.
fn assert_free_of(files: &[(String, String)], words: &[&str]) {
    let mut found = Vec::new();
    for (name, code) in files {
        for (number, line) in code.lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            if !is_comment && words.iter().any(|word| line.contains(word)) {
                found.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{words:?} must not be here:\n{}", found.join("\n"));
}

#[test]
fn pure_rooms_know_no_runtime_no_clock_and_no_locks() {
    for pure in [
        "engine/conn",
        "engine/codec",
        "engine/transport/websocket/codec.rs",
        "engine/transport/websocket/codec",
        "engine/transport/websocket/deflate",
        "engine/transport/websocket/utf8.rs",
        "engine/transport/webtransport/codec.rs",
        "socketio/codec",
        "socketio/packet.rs",
        "socketio/args.rs",
        "socketio/pattern.rs",
        "socketio/rate_limit.rs",
        "parser/msgpack",
    ] {
        let words = ["tokio", "http::", "Mutex", "RwLock", "Instant::now", "async ", ".await"];
        assert_free_of(&sources(pure), &words);
    }
}

#[test]
fn only_generation_route_and_codecs_name_a_generation() {
    let elsewhere: Vec<_> = sources("")
        .into_iter()
        .filter(|(name, _)| {
            !name.contains("codec") && !matches!(&**name, "engine/generation.rs" | "engine/route.rs" | "fuzzing.rs")
        })
        .collect();
    assert_free_of(
        &elsewhere,
        &[
            "Generation::V0_9",
            "Generation::Eio3",
            "Generation::Eio4",
            "v0_9",
            "eio3",
            "eio4",
        ],
    );
}

#[test]
fn the_engine_never_sees_a_namespace() {
    assert_free_of(&sources("engine"), &["socketio::", "amespace"]);
}

#[test]
fn socket_io_never_sees_a_transports_bytes() {
    assert_free_of(&sources("socketio"), &["websocket", "polling", "http::"]);
}

#[test]
fn the_core_names_no_web_framework() {
    assert_free_of(&sources(""), &["axum", "actix", "warp"]);
}
