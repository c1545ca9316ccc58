//! The policy that Adobe Flash asks for before it opens a socket, on a port of its own.
//!
//! Source: Adobe's "Policy file changes in Flash Player 9 and 10": the client sends
//! `<policy-file-request/>` and a NUL, and is answered with XML and a NUL.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

const REQUEST: &[u8] = b"<policy-file-request/>\0";

/// How long a client may take to ask and to read.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clients that are answered at the same time; others wait.
const AT_ONCE: usize = 100;

/// Answers Adobe Flash's question for a policy, for as long as it is polled: pages of those domains may
/// open sockets to any port of this host. Domains are host names, with `*` for all or for a first label
/// (`*.example.com`).
///
/// Only clients before 1.0 on [`Transport::FlashSocket`](crate::Transport::FlashSocket) ask; they do on
/// port 10843, unless their `flash policy port` says otherwise.
///
/// # Panics
/// When a domain is no host name.
///
/// ```no_run
/// use tower_socketio::{SocketIo, Transport, serve_flash_policy};
///
/// # async fn run() -> std::io::Result<()> {
/// let transports = [Transport::WebSocket, Transport::FlashSocket, Transport::XhrPolling];
/// let io = SocketIo::builder().transports(transports).build();
/// let listener = tokio::net::TcpListener::bind("0.0.0.0:10843").await?;
/// tokio::spawn(serve_flash_policy(listener, ["app.example.com"]));
/// # Ok(())
/// # }
/// ```
pub async fn serve_flash_policy<I>(listener: TcpListener, domains: I)
where
    I: IntoIterator<Item: AsRef<str>>,
{
    let policy: Arc<[u8]> = policy(domains).into();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Ok(place) = places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let policy = policy.clone();
                tokio::spawn(async move {
                    // Whoever does not ask, or does not read, is let go.
                    let _ = timeout(PATIENCE, answer(stream, &policy)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("no client of the flash policy can be accepted: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream, policy: &[u8]) -> std::io::Result<()> {
    let mut request = [0; REQUEST.len()];
    stream.read_exact(&mut request).await?;
    if request == REQUEST {
        stream.write_all(policy).await?;
    }
    stream.shutdown().await
}

fn policy<I>(domains: I) -> Vec<u8>
where
    I: IntoIterator<Item: AsRef<str>>,
{
    let mut xml = "<?xml version=\"1.0\"?><cross-domain-policy>".to_owned();
    for domain in domains {
        let domain = domain.as_ref();
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'*' | b':');
        assert!(
            !domain.is_empty() && domain.bytes().all(is_host),
            "the domain {domain:?} is no host name"
        );
        let _ = write!(xml, "<allow-access-from domain=\"{domain}\" to-ports=\"*\"/>");
    }
    xml.push_str("</cross-domain-policy>\0");
    xml.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_policy_is_given_to_who_asks_for_it_and_to_nobody_else() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve_flash_policy(listener, ["app.example.com", "*"]));
        let ask = async |request: &[u8]| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let policy = "<?xml version=\"1.0\"?><cross-domain-policy>\
            <allow-access-from domain=\"app.example.com\" to-ports=\"*\"/>\
            <allow-access-from domain=\"*\" to-ports=\"*\"/></cross-domain-policy>\0";
        assert_eq!(ask(REQUEST).await, policy);
        assert_eq!(ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await, "");
        assert_eq!(ask(REQUEST).await, policy);
    }

    #[test]
    #[should_panic(expected = "is no host name")]
    fn domains_are_host_names() {
        policy(["\"/><allow-access-from domain=\"*"]);
    }
}
