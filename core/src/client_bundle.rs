//! The official browser client, served from the server's own path (`/socket.io/socket.io.min.js`).
//!
//! Owns the files, read once at start-up from a `dist` directory of the npm package, and the
//! answers to requests for them: types, entity tags, `304`, compression. Only the eight names that the package
//! ships are ever looked up, so no request names a path on the disk.
//!
//! Never touches the disk after start-up, and never decides about origins: see `cors`.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::compression::{self, Coding};

/// Why the browser client cannot be served from a directory.
///
/// ```
/// use tower_socketio::ClientBundleError;
///
/// let error = ClientBundleError::NoBundle { dir: "dist".into() };
/// assert!(error.to_string().contains("run `npm install socket.io-client`"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientBundleError {
    /// The directory does not exist, or holds none of the client's files.
    NoBundle {
        /// The directory as configured.
        dir: PathBuf,
    },
    /// One of the files is there and cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl fmt::Display for ClientBundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBundle { dir } => write!(
                f,
                "no socket.io client bundle in `{}`: run `npm install socket.io-client` and \
                 point at node_modules/socket.io-client/dist",
                dir.display()
            ),
            Self::Unreadable { path, source } => {
                write!(
                    f,
                    "cannot read `{}` of the socket.io client bundle: {source}",
                    path.display()
                )
            }
        }
    }
}

impl Error for ClientBundleError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoBundle { .. } => None,
            Self::Unreadable { source, .. } => Some(source),
        }
    }
}

/// The client's files in memory: about 1.2 MB for version 4.8 with its source maps, and 400 KB for each
/// coding that was asked for.
pub(crate) struct ClientBundle {
    files: Vec<File>,
}

struct File {
    name: &'static str,
    content_type: HeaderValue,
    etag: HeaderValue,
    content: Bytes,
    /// By coding, made when first asked for.
    packed: [OnceLock<Bytes>; 2],
}

impl File {
    fn content(&self, coding: Option<Coding>) -> Bytes {
        let Some(coding) = coding else {
            return self.content.clone();
        };
        let packed = &self.packed[coding as usize];
        let pack = || coding.compress(&self.content, Compression::default()).into();
        packed.get_or_init(pack).clone()
    }
}

impl ClientBundle {
    /// Reads those of the client's files that `dir` holds. Blocks: call it at start-up.
    pub(crate) fn load(dir: &Path) -> Result<Self, ClientBundleError> {
        let version = package_version(dir);
        let mut files = Vec::new();
        for name in NAMES {
            let path = dir.join(name);
            match fs::read(&path) {
                Ok(content) => files.push(File {
                    name,
                    content_type: content_type(name),
                    etag: etag(version.as_deref(), &content),
                    content: content.into(),
                    packed: Default::default(),
                }),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(source) => return Err(ClientBundleError::Unreadable { path, source }),
            }
        }
        if files.is_empty() {
            Err(ClientBundleError::NoBundle { dir: dir.to_owned() })
        } else {
            Ok(Self { files })
        }
    }

    /// The answer for the file called `tail`: the path after the endpoint, with or without its
    /// leading slash. `None` if it is not one of the bundle's files.
    pub(crate) fn respond(&self, tail: &str, method: &Method, headers: &HeaderMap) -> Option<Response<Bytes>> {
        let name = tail.strip_prefix('/').unwrap_or(tail);
        let file = self.files.iter().find(|file| file.name == name)?;
        let mut response = Response::new(Bytes::new());
        let answer = response.headers_mut();
        if method != Method::GET && method != Method::HEAD {
            answer.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            answer.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            return Some(response);
        }
        // Kept by browsers, asked about each time: a deployment's new client is seen at once.
        answer.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=0"));
        answer.insert(ETAG, file.etag.clone());
        if names_etag(headers, &file.etag) {
            compression::write_headers(None, answer);
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Some(response);
        }
        let coding = Coding::accepted(headers);
        let content = file.content(coding);
        compression::write_headers(coding, answer);
        answer.insert(CONTENT_TYPE, file.content_type.clone());
        answer.insert(CONTENT_LENGTH, content.len().into());
        if method == Method::GET {
            *response.body_mut() = content;
        }
        Some(response)
    }
}

impl fmt::Debug for ClientBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.files.iter().map(|file| file.name)).finish()
    }
}

/// All that `dist` of socket.io-client 4.8 holds.
const NAMES: [&str; 8] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
];

fn content_type(name: &str) -> HeaderValue {
    HeaderValue::from_static(if name.strip_suffix(".map").is_some() {
        "application/json; charset=utf-8"
    } else {
        "application/javascript; charset=utf-8"
    })
}

/// `W/"<version>-<hash>"`: weak, since it stands for the compressed file too. The hash is there even when the version is known: a patched or rebuilt
/// client, or another file of the same version, must never be taken for the one that a browser
/// holds.
fn etag(version: Option<&str>, content: &[u8]) -> HeaderValue {
    // FNV-1a, 64 bits: the same on every machine and in every build, as a fleet behind one name
    // needs.
    let hash = content.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let tag = match version {
        Some(version) => format!("W/\"{version}-{hash:016x}\""),
        None => format!("W/\"{hash:016x}\""),
    };
    HeaderValue::try_from(tag).unwrap_or_else(|_| unreachable!("a tag is made of letters, digits and a few marks"))
}

/// The version in the `package.json` beside `dist`, if that is the client's or the Node server's,
/// and not, say, the application's own.
fn package_version(dir: &Path) -> Option<String> {
    let package = fs::read_to_string(dir.join("../package.json")).ok()?;
    if !matches!(first_string(&package, "name")?, "socket.io-client" | "socket.io") {
        return None;
    }
    let version = first_string(&package, "version")?;
    let plain = version
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte));
    (plain && version.len() <= 64).then(|| version.to_owned())
}

/// The first string under `key`, without undoing escapes: enough for a name and a version, which
/// npm puts on top.
fn first_string<'a>(json: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = json.split_once(&format!("\"{key}\""))?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    Some(rest.split_once('"')?.0)
}

/// Whether `If-None-Match` names `etag`, weakly or not, in a list, or by `*`.
fn names_etag(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    fn strong(tag: &[u8]) -> &[u8] {
        tag.strip_prefix(b"W/").unwrap_or(tag)
    }
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .any(|tag| {
            let tag = tag.trim_ascii();
            tag == b"*" || strong(tag) == strong(etag.as_bytes())
        })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use proptest::prelude::*;

    use super::*;

    /// A package with a `dist` of its own, gone when dropped.
    struct Package(PathBuf);

    impl Package {
        fn new(files: &[(&str, &str)]) -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let root = std::env::temp_dir().join(format!("tower-socketio-bundle-{}-{number}", std::process::id()));
            fs::create_dir_all(root.join("dist")).unwrap();
            for (name, content) in files {
                fs::write(root.join(name), content).unwrap();
            }
            Self(root)
        }

        fn load(&self) -> Result<ClientBundle, ClientBundleError> {
            ClientBundle::load(&self.0.join("dist"))
        }
    }

    impl Drop for Package {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const PACKAGE: (&str, &str) = (
        "package.json",
        r#"{ "name": "socket.io-client", "version": "4.8.4", "type": "commonjs" }"#,
    );
    const SCRIPT: (&str, &str) = ("dist/socket.io.min.js", "let io;");

    fn get(bundle: &ClientBundle, tail: &str) -> Option<Response<Bytes>> {
        bundle.respond(tail, &Method::GET, &HeaderMap::new())
    }

    fn etag_of(bundle: &ClientBundle, tail: &str) -> String {
        get(bundle, tail).unwrap().headers()[ETAG].to_str().unwrap().to_owned()
    }

    #[test]
    fn every_file_of_the_package_is_served_with_its_type() {
        let named: Vec<_> = NAMES.iter().map(|name| format!("dist/{name}")).collect();
        let package = Package::new(
            &named
                .iter()
                .map(|name| (name.as_str(), name.as_str()))
                .collect::<Vec<_>>(),
        );
        let bundle = package.load().unwrap();
        for name in NAMES {
            let response = get(&bundle, name).unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.body(), format!("dist/{name}").as_bytes());
            let kind = if name.ends_with("map") { "json" } else { "javascript" };
            assert_eq!(
                response.headers()[CONTENT_TYPE],
                format!("application/{kind}; charset=utf-8")
            );
            assert_eq!(response.headers()[CONTENT_LENGTH], response.body().len().to_string());
            assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=0");
        }
    }

    #[test]
    fn only_files_that_exist_under_listed_names_are_served() {
        let bundle = Package::new(&[SCRIPT, PACKAGE, ("dist/secret.js", "no")])
            .load()
            .unwrap();
        assert!(get(&bundle, "socket.io.min.js").is_some());
        assert!(get(&bundle, "/socket.io.min.js").is_some());
        for tail in [
            "",
            "/",
            "socket.io.js",
            "secret.js",
            "../package.json",
            "../dist/socket.io.min.js",
            "//socket.io.min.js",
            "SOCKET.IO.MIN.JS",
            "socket.io.min.js/",
            "socket.io.min.js\0",
            "%2e%2e/package.json",
            "socket.io%2emin.js",
        ] {
            assert!(get(&bundle, tail).is_none(), "{tail:?}");
        }
    }

    #[test]
    fn head_has_the_length_and_no_body() {
        let bundle = Package::new(&[SCRIPT]).load().unwrap();
        let response = bundle
            .respond("socket.io.min.js", &Method::HEAD, &HeaderMap::new())
            .unwrap();
        assert_eq!((response.status(), response.body().len()), (StatusCode::OK, 0));
        assert_eq!(response.headers()[CONTENT_LENGTH], "7");
    }

    #[test]
    fn files_are_compressed_for_those_who_accept_it() {
        let script = "let io = 1;\n".repeat(1000);
        let bundle = Package::new(&[("dist/socket.io.js", &script)]).load().unwrap();
        let tag = etag_of(&bundle, "socket.io.js");
        for (accepts, coding) in [
            ("gzip, deflate, br", Some(Coding::Gzip)),
            ("deflate", Some(Coding::Zlib)),
            ("br", None),
        ] {
            let headers = HeaderMap::from_iter([(http::header::ACCEPT_ENCODING, accepts.parse().unwrap())]);
            let response = bundle.respond("socket.io.js", &Method::GET, &headers).unwrap();
            let expected = match coding {
                Some(coding) => coding.compress(script.as_bytes(), Compression::default()),
                None => script.clone().into_bytes(),
            };
            assert_eq!(response.body(), &expected, "{accepts}");
            let told = response.headers();
            assert_eq!(told.get("content-encoding").is_some(), coding.is_some(), "{accepts}");
            assert_eq!(told["vary"], "Accept-Encoding");
            assert_eq!(told[CONTENT_LENGTH], expected.len().to_string());
            assert_eq!(told[ETAG], tag);
        }
    }

    #[test]
    fn other_methods_are_told_which_ones_work() {
        let bundle = Package::new(&[SCRIPT]).load().unwrap();
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let response = bundle.respond("socket.io.min.js", &method, &HeaderMap::new()).unwrap();
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(response.headers()[ALLOW], "GET, HEAD");
            assert!(bundle.respond("other.js", &method, &HeaderMap::new()).is_none());
        }
    }

    #[test]
    fn a_browser_that_holds_the_file_is_answered_304() {
        let bundle = Package::new(&[SCRIPT, PACKAGE]).load().unwrap();
        let tag = etag_of(&bundle, "socket.io.min.js");
        let strong = tag.strip_prefix("W/").expect("a weak tag").to_owned();
        let list = format!("\"a\", {tag},\"b\"");
        #[rustfmt::skip]
        let cases: &[(&[&[u8]], bool)] = &[
            (&[tag.as_bytes()], true),
            (&[strong.as_bytes()], true),
            (&[b"*"], true),
            (&[list.as_bytes()], true),
            (&[b"\"a\"", tag.as_bytes()], true),
            (&[b"\"4.8.4\""], false),
            (&[&strong.as_bytes()[1..strong.len() - 1]], false),
            (&[b"\xff\xfe,,"], false),
            (&[b""], false),
            (&[], false),
        ];
        for (lines, fresh) in cases {
            let mut headers = HeaderMap::new();
            for line in *lines {
                headers.append(IF_NONE_MATCH, HeaderValue::from_bytes(line).unwrap());
            }
            let response = bundle.respond("socket.io.min.js", &Method::GET, &headers).unwrap();
            assert_eq!(response.status() == StatusCode::NOT_MODIFIED, *fresh, "{headers:?}");
            assert_eq!(response.body().is_empty(), *fresh);
            assert_eq!(response.headers()[ETAG], tag);
        }
    }

    #[test]
    fn entity_tags_name_the_version_and_differ_with_the_content() {
        let one = etag_of(&Package::new(&[SCRIPT, PACKAGE]).load().unwrap(), "socket.io.min.js");
        let same = etag_of(&Package::new(&[SCRIPT, PACKAGE]).load().unwrap(), "socket.io.min.js");
        let patched = etag_of(
            &Package::new(&[(SCRIPT.0, "let io2;"), PACKAGE]).load().unwrap(),
            "socket.io.min.js",
        );
        assert!(one.starts_with("W/\"4.8.4-") && one.ends_with('"'), "{one}");
        assert_eq!(one, same);
        assert_ne!(one, patched);
    }

    #[test]
    fn a_package_file_that_is_not_the_clients_gives_no_version() {
        for package in [
            r#"{"name":"my-app","version":"1.0.0"}"#,
            r#"{"name":"socket.io-client"}"#,
            r#"{"name":"socket.io-client","version":4}"#,
            "{\"name\":\"socket.io-client\",\"version\":\"1\r\nx: y\"}",
            "{",
            "",
        ] {
            let tag = etag_of(
                &Package::new(&[SCRIPT, ("package.json", package)]).load().unwrap(),
                "socket.io.min.js",
            );
            // `W/`, two quotes and 64 bits in hexadecimal.
            assert_eq!(tag.len(), 20, "{tag} for {package}");
        }
    }

    #[test]
    fn a_directory_without_a_bundle_says_what_to_do() {
        let empty = Package::new(&[PACKAGE]);
        for dir in [
            empty.0.join("dist"),
            empty.0.join("nowhere"),
            empty.0.join("package.json"),
        ] {
            let error = ClientBundle::load(&dir).unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, ClientBundleError::NoBundle { .. }), "{text}");
            assert!(
                text.contains(&dir.display().to_string()) && text.contains("npm install socket.io-client"),
                "{text}"
            );
        }
    }

    #[test]
    fn an_unreadable_file_is_an_error_that_names_it() {
        let package = Package::new(&[SCRIPT]);
        fs::create_dir(package.0.join("dist/socket.io.js")).unwrap();
        let error = package.load().unwrap_err();
        assert!(error.to_string().contains("socket.io.js"), "{error}");
        assert!(error.source().is_some());
    }

    proptest! {
        #[test]
        fn any_tail_and_condition_are_answered_without_panic(tail: String, condition: Vec<u8>) {
            let bundle = ClientBundle {
                files: vec![File {
                    name: NAMES[0],
                    content_type: content_type(NAMES[0]),
                    etag: etag(None, b""),
                    content: Bytes::new(),
                    packed: Default::default(),
                }],
            };
            let mut headers = HeaderMap::new();
            if let Ok(condition) = HeaderValue::from_bytes(&condition) {
                headers.insert(IF_NONE_MATCH, condition);
            }
            let listed = tail.trim_start_matches('/') == NAMES[0];
            prop_assert_eq!(get(&bundle, &tail).is_some(), listed);
            prop_assert!(bundle.respond(NAMES[0], &Method::GET, &headers).is_some());
        }
    }
}
