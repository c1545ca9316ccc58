#![doc = include_str!("../README.md")]

use http::Method;
use hyper::ext::Protocol;
pub use tower_socketio::*;
use warp::{Filter, filters::BoxedFilter, reply::Response};

mod convert;

/// The endpoint at its path, as a filter for `warp::serve`: to be combined with others by `or`,
/// put behind a prefix by `and`, and wrapped by `with`. `io` is a `&SocketIo`, or a
/// `&engine::Engine` for raw Engine.IO.
///
/// What is not at its path or beneath it is rejected as not found, so that other filters see it.
///
/// ```
/// use warp::Filter;
/// use warp_socketio::{SocketIo, Socket};
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_connect(async |socket: Socket| println!("{} connected", socket.id()));
///
/// let hello = warp::path::end().map(|| "hello");
/// let server = warp::serve(warp_socketio::filter(&io).or(hello));
/// # let _ = server;
/// ```
pub fn filter(io: impl Into<Service>) -> BoxedFilter<(Response,)> {
    let service = io.into();
    beneath(service.path())
        .and(convert::request())
        .then(move |request| convert::answer(service.clone(), request))
        .boxed()
}

/// As [`filter`], with what another filter extracts from every request that begins a connection: the
/// connection's handlers extract it as [`Extension<T>`](Extension). When that filter rejects the
/// request, so does this one.
///
/// ```
/// use warp::Filter;
/// use warp_socketio::{Extension, Socket, SocketIo};
///
/// #[derive(Clone)]
/// struct User(String);
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_connect(async |socket: Socket, Extension(User(name)): Extension<User>| socket.join(name));
///
/// let user = warp::cookie("user").map(|name: String| User(name)); // after a look at it
/// let server = warp::serve(warp_socketio::filter_with(&io, user));
/// # let _ = server;
/// ```
pub fn filter_with<F, T>(io: impl Into<Service>, extension: F) -> BoxedFilter<(Response,)>
where
    F: Filter<Extract = (T,), Error: Into<warp::Rejection>> + Clone + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    let service = io.into();
    let first = begins_connection(service.clone(), true)
        .and(extension.boxed())
        .and(convert::request())
        .map(|extension: T, mut request: http::Request<_>| {
            request.extensions_mut().insert(extension);
            request
        });
    let further = begins_connection(service.clone(), false).and(convert::request());
    beneath(service.path())
        .and(first.or(further).unify())
        .then(move |request| convert::answer(service.clone(), request))
        .boxed()
}

/// Matches the endpoint's path and what is beneath it, wherever it is mounted.
fn beneath(path: &str) -> BoxedFilter<()> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .fold(has_path().boxed(), |above, segment| {
            above.and(warp::path(segment.to_owned())).boxed()
        })
}

/// Matches all requests but a proxy's `CONNECT`, which has no path, and at which warp's filters for the whole path panic.
fn has_path() -> impl Filter<Extract = (), Error = warp::Rejection> + Clone {
    warp::method()
        .and(warp::ext::optional::<Protocol>())
        .and_then(|method, protocol: Option<_>| {
            let matches = method != Method::CONNECT || protocol.is_some();
            std::future::ready(matches.then_some(()).ok_or_else(warp::reject))
        })
        .untuple_one()
}

/// Matches the requests that begin a connection, or those that do not.
fn begins_connection(service: Service, begins: bool) -> impl Filter<Extract = (), Error = warp::Rejection> + Clone {
    warp::method()
        .and(convert::uri())
        .and_then(move |method, uri| {
            let matches = service.begins_connection(&method, &uri) == begins;
            std::future::ready(matches.then_some(()).ok_or_else(warp::reject))
        })
        .untuple_one()
}
