//! Requests and responses between actix-web, whose types are those of http 0.2, and the core, whose
//! types are those of http 1.

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodyStream, MessageBody, SizedStream},
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
use http_body_util::{BodyExt as _, StreamBody};
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

pub(crate) fn response(response: http::Response<ResponseBody>) -> HttpResponse {
    let (parts, body) = response.into_parts();
    // The answer to a HEAD has the length of the body that it leaves out.
    let told = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let length = told.or(body.size_hint().exact());
    let pieces = body.into_data_stream();
    match length {
        Some(length) => head(parts, SizedStream::new(length, pieces)),
        None => head(parts, BodyStream::new(pieces)),
    }
}

/// The same with that body, and all headers but the length: actix-web has it from the body, and
/// `Compress` changes it.
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
