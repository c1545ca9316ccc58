use std::{
    convert::Infallible,
    io,
    net::TcpListener,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{
    App, HttpResponse, HttpServer,
    body::{BodySize, MessageBody},
    dev::Payload,
    web::{self, Bytes},
};
use futures_util::StreamExt as _;
use tower_socketio::Service;

use super::{Framework, Limits, bare::Held};

pub(super) const FRAMEWORK: Framework = Framework {
    name: "actix-web",
    serve,
    serve_bare,
    limits: Limits {
        idle_heap: 22_500.0,
        idle_resident: 15_000.0,
        browser_heap: 23_500.0,
        echo_allocations: 3.4,
        recipient_allocations: 0.05,
        recipient_bytes: 1.0,
        // actix-web keeps a connection's two buffers as large as they have grown.
        growth: 1_000.0,
    },
};

#[actix_web::main]
async fn serve(listener: TcpListener, service: Service) -> io::Result<()> {
    HttpServer::new(move || App::new().service(actix_socketio::scope(service.clone())))
        .workers(2)
        .listen(listener)?
        .run()
        .await
}

#[actix_web::main]
async fn serve_bare(listener: TcpListener) -> io::Result<()> {
    HttpServer::new(|| App::new().default_service(web::to(accept)))
        .workers(2)
        .listen(listener)?
        .run()
        .await
}

async fn accept(payload: web::Payload) -> HttpResponse {
    let body = Bare {
        payload: payload.into_inner(),
        _held: Held::new(),
    };
    HttpResponse::SwitchingProtocols().upgrade("websocket").body(body)
}

/// Yields nothing, and reads until the client is gone.
struct Bare {
    payload: Payload,
    _held: Held,
}

impl MessageBody for Bare {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        while let Some(Ok(_)) = ready!(self.payload.poll_next_unpin(cx)) {}
        Poll::Ready(None)
    }
}
