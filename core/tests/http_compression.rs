//! Answers to polls are compressed for clients that accept it, and are the same messages.

mod kit;

use std::io::Read;

use bytes::Bytes;
use flate2::read::{GzDecoder, ZlibDecoder};
use http::{HeaderMap, Method, Response};
use http_body_util::{BodyExt as _, Full};
use tower_socketio::{ResponseBody, SocketIo, SocketIoBuilder};

use kit::{idle, request, soon};

/// A message of that many bytes, with what stands around it in a payload.
const AROUND: usize = r#"42["x",""]"#.len();

fn server(builder: SocketIoBuilder) -> SocketIo {
    builder.jsonp(true).build()
}

async fn call(io: &SocketIo, method: Method, uri: &str, accepts: &[&str], body: &str) -> Response<ResponseBody> {
    let headers: Vec<_> = accepts.iter().map(|coding| ("accept-encoding", *coding)).collect();
    let body = Full::<Bytes>::from(body.to_owned());
    soon("a response", io.service().handle(request(method, uri, &headers), body)).await
}

async fn read(response: Response<ResponseBody>) -> (HeaderMap, Bytes) {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    assert_eq!(parts.headers["content-length"], body.len().to_string());
    (parts.headers, body)
}

fn gunzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).expect("gzip");
    text
}

/// A client in `/` of that transport's URL, to be polled.
async fn join(io: &SocketIo, uri: &str) -> String {
    let (_, open) = read(call(io, Method::GET, uri, &[], "").await).await;
    let open = String::from_utf8(open.to_vec()).expect("text").replace('\\', "");
    let sid = open.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let session = format!("{uri}&sid={}", sid.expect("a sid"));
    let connect = if uri.contains("&j=") { "d=40" } else { "40" };
    call(io, Method::POST, &session, &[], connect).await;
    read(call(io, Method::GET, &session, &[], "").await).await;
    session
}

const URI: &str = "/socket.io/?EIO=4&transport=polling";

#[tokio::test(start_paused = true)]
async fn long_answers_are_compressed_as_the_client_likes_it() {
    let io = server(SocketIo::builder());
    let session = join(&io, URI).await;
    let text = "é".repeat(1000);
    let payload = format!(r#"42["x","{text}"]"#);
    for (accepts, coding) in [
        (&["gzip, deflate, br"][..], Some("gzip")),
        (&["br", "deflate"], Some("deflate")),
        (&["br"], None),
        (&["gzip;q=0"], None),
        (&[], None),
    ] {
        io.emit("x", &text).unwrap();
        let (headers, body) = read(call(&io, Method::GET, &session, accepts, "").await).await;
        let told = headers.get("content-encoding").map(|coding| coding.to_str().unwrap());
        assert_eq!(told, coding, "{accepts:?}");
        assert_eq!(headers["vary"], "Accept-Encoding");
        assert_eq!(headers["content-type"], "text/plain; charset=UTF-8");
        let read = match coding {
            Some("gzip") => gunzip(&body),
            Some(_) => {
                let mut text = String::new();
                ZlibDecoder::new(&*body).read_to_string(&mut text).expect("zlib");
                text
            }
            None => String::from_utf8(body.to_vec()).unwrap(),
        };
        assert_eq!(read, payload);
        assert!(coding.is_none() || body.len() < 100, "{} bytes", body.len());
    }
}

#[tokio::test(start_paused = true)]
async fn answers_are_compressed_from_the_threshold_on() {
    for (threshold, length, coding) in [
        (None, 1023, false),
        (None, 1024, true),
        (Some(Some(20)), 19, false),
        (Some(Some(20)), 20, true),
        (Some(None), 100_000, false),
    ] {
        let builder = SocketIo::builder();
        let io = server(match threshold {
            None => builder,
            Some(from_bytes) => builder.http_compression(from_bytes),
        });
        let session = join(&io, URI).await;
        io.emit("x", "a".repeat(length - AROUND)).unwrap();
        let (headers, body) = read(call(&io, Method::GET, &session, &["gzip"], "").await).await;
        assert_eq!(
            headers.contains_key("content-encoding"),
            coding,
            "{threshold:?} {length}"
        );
        assert_eq!(headers.contains_key("vary"), coding, "{threshold:?} {length}");
        let text = if coding {
            gunzip(&body)
        } else {
            String::from_utf8(body.to_vec()).unwrap()
        };
        assert_eq!(text.len(), length);
    }
}

#[tokio::test(start_paused = true)]
async fn scripts_and_payloads_of_bytes_are_compressed_and_posts_answers_and_errors_not() {
    let io = server(SocketIo::builder().http_compression(1));
    let session = join(&io, &format!("{URI}&j=0")).await;
    io.emit("x", "y").unwrap();
    let (headers, body) = read(call(&io, Method::GET, &session, &["gzip"], "").await).await;
    assert_eq!(headers["content-type"], "text/javascript; charset=UTF-8");
    assert_eq!(gunzip(&body), r#"___eio[0]("42[\"x\",\"y\"]");"#);
    let (headers, body) = read(call(&io, Method::POST, &session, &["gzip"], "d=3").await).await;
    assert_eq!((headers.contains_key("content-encoding"), &*body), (false, &b"ok"[..]));

    let eio3 = call(&io, Method::GET, "/socket.io/?EIO=3&transport=polling", &["gzip"], "").await;
    let (headers, body) = read(eio3).await;
    assert_eq!(headers["content-type"], "application/octet-stream");
    let mut bytes = Vec::new();
    GzDecoder::new(&*body).read_to_end(&mut bytes).expect("gzip");
    assert!(bytes.starts_with(&[0]), "a length in decimal digits");

    let unknown = format!("{URI}&sid=abc");
    let (headers, body) = read(call(&io, Method::GET, &unknown, &["gzip"], "").await).await;
    assert!(!headers.contains_key("content-encoding"));
    assert!(body.starts_with(b"{\"code\":1"));
}

#[tokio::test(start_paused = true)]
async fn clients_before_1_0_have_their_polls_compressed_and_their_streams_not() {
    let io = server(SocketIo::builder().http_compression(1));
    let (_, line) = read(call(&io, Method::GET, "/socket.io/1/", &["gzip"], "").await).await;
    let line = String::from_utf8(line.to_vec()).expect("text");
    let sid = line.split(':').next().unwrap();
    let uri = format!("/socket.io/1/xhr-polling/{sid}");
    let (headers, body) = read(call(&io, Method::GET, &uri, &["gzip"], "").await).await;
    assert_eq!(
        (&headers["content-encoding"], &*gunzip(&body)),
        (&"gzip".parse().unwrap(), "1::")
    );
    let uri = format!("/socket.io/1/htmlfile/{sid}");
    let response = call(&io, Method::GET, &uri, &["gzip"], "").await;
    assert!(!response.headers().contains_key("content-encoding"));
}

#[tokio::test(start_paused = true)]
async fn a_compressed_answer_that_is_dropped_unread_ends_the_session() {
    let io = server(SocketIo::builder().http_compression(1));
    let session = join(&io, URI).await;
    io.emit("x", "lost").unwrap();
    let response = call(&io, Method::GET, &session, &["gzip"], "").await;
    assert!(response.headers().contains_key("content-encoding"));
    assert_eq!(io.clients_count(), 1);
    drop(response);
    idle().await;
    assert_eq!(io.clients_count(), 0);
}
