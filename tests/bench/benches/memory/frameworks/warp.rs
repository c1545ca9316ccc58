use std::{io, net::TcpListener};

use tower_socketio::Service;
use warp::{Filter, Reply, filters::BoxedFilter};

use super::{Framework, Limits, bare};

pub(super) const FRAMEWORK: Framework = Framework {
    name: "warp",
    serve,
    serve_bare,
    limits: Limits {
        idle_heap: 2_200.0,
        idle_resident: 2_600.0,
        browser_heap: 3_200.0,
        echo_allocations: 3.4,
        recipient_allocations: 0.05,
        recipient_bytes: 1.0,
        growth: 5.0,
    },
};

fn serve(listener: TcpListener, service: Service) -> io::Result<()> {
    run(listener, warp_socketio::filter(service))
}

fn serve_bare(listener: TcpListener) -> io::Result<()> {
    run(listener, warp::ext::get().map(bare::accept).boxed())
}

#[tokio::main]
async fn run<R: Reply + 'static>(listener: TcpListener, filter: BoxedFilter<(R,)>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    warp::serve(filter).incoming(listener).run().await;
    Ok(())
}
