//! The process of the clients: they block, one after the other.

use std::{
    io::{self, BufRead as _},
    net::SocketAddr,
};

use bench::{Client, frame};

const BROWSER: &str = "Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en-US;q=0.9,en;q=0.8,de;q=0.7\r\n\
    Sec-Fetch-Dest: websocket\r\n\
    Sec-Fetch-Mode: websocket\r\n\
    Sec-Fetch-Site: same-site\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

/// Does what it is told, until it is told no more.
pub(crate) fn obey(server: &str) -> Result<(), String> {
    let server = server.parse().map_err(|_| format!("{server} is no address"))?;
    orders(server).map_err(|error| format!("the server does not answer: {error}"))
}

fn orders(server: SocketAddr) -> io::Result<()> {
    let browser = format!(
        "{BROWSER}Origin: http://{server}\r\nCookie: session={}; _ga={}\r\n",
        "s".repeat(320),
        "g".repeat(64),
    );
    let mut clients = Vec::new();
    for order in io::stdin().lock().lines() {
        let order = order?;
        match *order.split(' ').collect::<Vec<_>>() {
            ["open", count] => {
                for _ in 0..number(count) {
                    clients.push(Client::open(server, "")?);
                }
            }
            ["connect", count, headers] => {
                let headers = if headers == "browser" { &browser } else { "" };
                for _ in 0..number(count) {
                    clients.push(Client::connect(server, headers)?);
                }
            }
            ["echo", event, length, count, some] => {
                let packet = format!(r#"42["{event}","{}"]"#, "x".repeat(number(length)));
                let frame = frame(&packet);
                for client in &mut clients[..number(some)] {
                    for _ in 0..number(count) {
                        client.send(&frame)?;
                        assert_eq!(client.receive()?, packet.as_bytes());
                    }
                }
            }
            ["receive"] => {
                for client in &mut clients {
                    client.receive()?;
                }
            }
            ["close"] => clients.clear(),
            _ => panic!("no order: {order}"),
        }
        println!("done");
    }
    Ok(())
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}
