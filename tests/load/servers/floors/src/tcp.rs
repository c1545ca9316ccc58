//! Bare TCP. A client's first byte says what it is: `e` gets back what it sends, `s` gets what each `p` sends.

use std::{
    io,
    sync::{Arc, Mutex},
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What is read at once: more than a message.
const BUFFER: usize = 64 * 1024;

type Subscribers = Arc<Mutex<Vec<Arc<TcpStream>>>>;

pub(crate) async fn serve(listener: &mut impl Listener<Io = TcpStream>) -> io::Result<()> {
    let subscribers = Subscribers::default();
    loop {
        let (stream, _) = listener.accept().await;
        tokio::spawn(carry(stream, subscribers.clone()));
    }
}

async fn carry(mut stream: TcpStream, subscribers: Subscribers) -> io::Result<()> {
    match stream.read_u8().await? {
        b's' => {
            stream.write_u8(b's').await?;
            subscribers.lock().expect("nobody panicked").push(stream.into());
        }
        b'p' => {
            let all = subscribers.lock().expect("nobody panicked").clone();
            let mut buffer = vec![0; BUFFER];
            loop {
                let read = stream.read(&mut buffer).await?;
                if read == 0 {
                    break;
                }
                for subscriber in &all {
                    send(subscriber, &buffer[..read]).await?;
                }
            }
        }
        _ => {
            let mut buffer = vec![0; BUFFER];
            loop {
                let read = stream.read(&mut buffer).await?;
                if read == 0 {
                    break;
                }
                stream.write_all(&buffer[..read]).await?;
            }
        }
    }
    Ok(())
}

async fn send(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
