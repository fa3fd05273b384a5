//! The S3 server of these tests as a program of its own, for clients that are not Rust:
//! `s3-server <folder> <key id> <secret>`. It listens on a port of loopback that the system
//! chooses, prints its address once it is ready, and ends when its standard input does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "the test that started it sees what it prints and why it ended"
)]

mod buckets;

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3Service;
use tokio::net::TcpListener;

use crate::buckets::service;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, key_id, secret] = &arguments[..] else {
        panic!("usage: s3-server <folder> <key id> <secret>");
    };
    let keys = SimpleAuth::from_single(key_id.as_str(), secret.as_str());
    let service = service(Path::new(folder), keys);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = (Ipv4Addr::LOCALHOST, 0);
    let listener = runtime.block_on(TcpListener::bind(address)).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(listen(listener, service));
    println!("ready http://{address}");
    io::copy(&mut io::stdin(), &mut io::sink()).unwrap();
}

async fn listen(listener: TcpListener, service: S3Service) {
    while let Ok((socket, _)) = listener.accept().await {
        let connection = hyper::server::conn::http1::Builder::new();
        let connection = connection.serve_connection(TokioIo::new(socket), service.clone());
        tokio::spawn(async move {
            // A client may be killed in the middle of a request: its test is about that.
            let _ = connection.await;
        });
    }
}
