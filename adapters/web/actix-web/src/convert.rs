//! Requests and responses between actix-web, whose types are those of http 0.2, and the core, whose
//! types are those of http 1.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    error::{ErrorBadRequest, PayloadError},
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    web,
};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http::{Version, header::CONTENT_LENGTH, request::Parts};
use http_body::{Body, Frame};
use http_body_util::StreamBody;
use tower_socketio::{PeerAddr, ResponseBody};

pub(crate) fn request(request: &HttpRequest) -> actix_web::Result<Parts> {
    let head = request.head();
    let mut converted = http::Request::builder()
        .method(head.method.as_str())
        .uri(head.uri.to_string())
        .version(match head.version {
            actix_web::http::Version::HTTP_10 => Version::HTTP_10,
            actix_web::http::Version::HTTP_2 => Version::HTTP_2,
            _ => Version::HTTP_11,
        });
    for (name, value) in head.headers() {
        converted = converted.header(name.as_str(), value.as_bytes());
    }
    if let Some(addr) = request.peer_addr() {
        converted = converted.extension(PeerAddr(addr));
    }
    let (parts, ()) = converted.body(()).map_err(ErrorBadRequest)?.into_parts();
    Ok(parts)
}

pub(crate) fn request_body(payload: web::Payload) -> impl Body<Data = Bytes, Error = PayloadError> {
    StreamBody::new(payload.into_inner().map_ok(Frame::data))
}

/// The same with that body, and all headers but the length, which actix-web knows from it.
pub(crate) fn response(response: http::Response<ResponseBody>) -> HttpResponse {
    let (parts, body) = response.into_parts();
    head(parts, PolledBody(body))
}

pub(crate) fn head(parts: http::response::Parts, body: impl MessageBody + 'static) -> HttpResponse {
    let status = StatusCode::from_u16(parts.status.as_u16()).expect("it is a status there, too");
    let mut response = HttpResponse::with_body(status, body);
    for (name, value) in parts.headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH) {
        response.headers_mut().append(
            HeaderName::from_bytes(name.as_ref()).expect("it is a name there, too"),
            HeaderValue::from_bytes(value.as_ref()).expect("it is a value there, too"),
        );
    }
    response.map_into_boxed_body()
}

struct PolledBody(ResponseBody);

impl MessageBody for PolledBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        let length = self.0.size_hint().exact();
        length.map_or(BodySize::Stream, BodySize::Sized)
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let frame = Pin::new(&mut self.0).poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default())))
    }
}
