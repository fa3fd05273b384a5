//! The network side of the server, door by door, over real sockets.

mod connections;
mod deadlines;
mod fixture;
mod http2;
mod requests;
mod shut_down;
mod signatures;
mod sizes;
