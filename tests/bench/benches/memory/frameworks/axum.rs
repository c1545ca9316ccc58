use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use axum::{Router, extract::Request};
use tower_socketio::Service;

use super::{Framework, Limits, bare};

pub(super) const FRAMEWORK: Framework = Framework {
    name: "axum",
    serve,
    serve_bare,
    limits: Limits {
        idle_heap: 2_560.0,
        idle_resident: 4_096.0,
        browser_heap: 6_144.0,
        echo_allocations: 4.0,
        recipient_allocations: 0.05,
        recipient_bytes: 1.0,
        growth: 5.0,
    },
};

fn serve(listener: TcpListener, service: Service) -> io::Result<()> {
    run(listener, axum_socketio::mount(service))
}

fn serve_bare(listener: TcpListener) -> io::Result<()> {
    let accept = async |mut request: Request| bare::accept(hyper::upgrade::on(&mut request));
    run(listener, Router::new().fallback(accept))
}

#[tokio::main]
async fn run(listener: TcpListener, app: Router) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
}
