//! Requests and responses between warp's filters, which show a part of a request each, and the core,
//! which takes it whole.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Buf;
use futures_util::TryStreamExt;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header::HOST, uri::Authority};
use http_body::{Body, Frame};
use http_body_util::{BodyDataStream, StreamBody};
use hyper::{ext::Protocol, upgrade::OnUpgrade};
use tower_service::Service as _;
use tower_socketio::{PeerAddr, Service};
use warp::{Filter, Rejection, Reply as _, path::FullPath, reply::Response};

/// The whole request.
pub(crate) fn request()
-> impl Filter<Extract = (Request<impl Body<Data: Buf + Send> + Send + 'static>,), Error = Rejection> + Clone {
    warp::method()
        .and(uri())
        .and(headers())
        .and(warp::ext::optional::<OnUpgrade>())
        .and(warp::ext::optional::<Protocol>())
        .and(warp::addr::remote())
        .and(warp::body::stream())
        .map(
            |method: Method, uri, headers, upgrade: Option<_>, protocol, peer: Option<SocketAddr>, body| {
                let mut request = Request::new(StreamBody::new(TryStreamExt::map_ok(body, Frame::data)));
                *request.method_mut() = method;
                *request.uri_mut() = uri;
                *request.headers_mut() = headers;
                // warp does not tell the version. A request that hyper will not upgrade must not be taken for one of
                // HTTP/1.1, which can become a WebSocket.
                if upgrade.is_none() {
                    *request.version_mut() = Version::HTTP_10;
                }
                put::<OnUpgrade, _>(&mut request, upgrade);
                put::<Protocol, _>(&mut request, protocol);
                put(&mut request, peer.map(PeerAddr));
                request
            },
        )
}

fn put<T: Clone + Send + Sync + 'static, B>(request: &mut Request<B>, extension: Option<T>) {
    extension.map(|extension| request.extensions_mut().insert(extension));
}

/// Its path and query.
pub(crate) fn uri() -> impl Filter<Extract = (Uri,), Error = Infallible> + Clone {
    let query = warp::query::raw().map(|query| format!("?{query}"));
    let query = query.or(warp::any().map(String::new)).unify();
    warp::path::full().and(query).map(|path: FullPath, query: String| {
        let uri = format!("{}{query}", path.as_str());
        uri.parse().expect("it was the request's")
    })
}

/// With the host, which requests by HTTP/2 name elsewhere: it tells which pages are the server's own.
fn headers() -> impl Filter<Extract = (HeaderMap,), Error = Infallible> + Clone {
    let host = warp::host::optional().or(warp::any().map(|| None)).unify();
    warp::header::headers_cloned()
        .and(host)
        .map(|mut headers: HeaderMap, host: Option<Authority>| {
            if let Some(host) = host
                && let Ok(host) = HeaderValue::from_str(host.as_str())
            {
                headers.entry(HOST).or_insert(host);
            }
            headers
        })
}

pub(crate) async fn answer<B>(mut service: Service, request: Request<B>) -> Response
where
    B: Body<Data: Buf + Send> + Send + 'static,
{
    let Ok(response) = service.call(request).await;
    let (head, body) = response.into_parts();
    let mut response = warp::reply::stream(BodyDataStream::new(body)).into_response();
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    response
}
