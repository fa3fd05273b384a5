//! A server that does nothing: it waits for as many bytes as a request has and sends the same
//! bytes back each time. Shows how much the load generator itself can do.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

const READ_BYTES: usize = 64 * 1024;

/// A socket on a free port of this machine.
pub fn bind() -> std::io::Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0")
}

/// Answers every `request_bytes` bytes of a connection with `answer`. Takes so many connections;
/// each has a thread that ends with it.
pub fn start(listener: TcpListener, request_bytes: usize, answer: Vec<u8>, connections: usize) {
    let answer: Arc<[u8]> = answer.into();
    std::thread::spawn(move || {
        for socket in listener.incoming().take(connections).flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || serve(socket, request_bytes, &answer));
        }
    });
}

/// Until the client closes: an error then is the end as well.
fn serve(mut socket: TcpStream, request_bytes: usize, answer: &[u8]) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut missing = request_bytes;
    loop {
        let room = buffer.len().min(missing);
        let count = socket.read(&mut buffer[..room])?;
        if count == 0 {
            return Ok(());
        }
        missing -= count;
        if missing == 0 {
            socket.write_all(answer)?;
            missing = request_bytes;
        }
    }
}
