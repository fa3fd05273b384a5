//! The ports: connections are accepted here, counted, and refused where there are too many.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::budget::network_of;
use crate::connection::Connection;
use crate::route::Router;
use crate::shutdown::Stage;
use crate::tls::Tls;
use crate::transport;

/// How long to wait when no connection can be accepted, as when the process has no descriptor
/// left: without it the loop would spin until there is one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the stage says otherwise.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    /// `None`: the port speaks no TLS.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Shared by all ports: a client has no more places for calling at two.
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) router: Arc<Router>,
    pub(crate) stage: watch::Receiver<Stage>,
    /// Every connection holds a clone: when all are gone, the connections are.
    pub(crate) open: mpsc::Sender<()>,
}

impl Listener {
    pub(crate) async fn run(self) {
        let mut stage = self.stage.clone();
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = stage.wait_for(|stage| *stage != Stage::Running) => return,
            };
            match accepted {
                Ok((stream, peer)) => self.accepted(stream, peer),
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn accepted(&self, stream: TcpStream, peer: SocketAddr) {
        let Some(place) = self.place(peer.ip()) else {
            self.router.telemetry().connection_refused();
            tracing::debug!(%peer, "a connection over the limit was closed");
            return;
        };
        if let Err(error) = transport::set_up(&stream) {
            tracing::debug!(%error, %peer, "a connection broke at once");
            return;
        }
        let connection = Connection::new(Arc::clone(&self.router), peer.ip(), self.stage.clone());
        let (open, tls) = (self.open.clone(), self.tls.clone());
        tokio::spawn(async move {
            connection.serve(stream, tls.as_deref()).await;
            drop((place, open));
        });
    }

    fn place(&self, address: IpAddr) -> Option<CountedConnection> {
        let limits = self.router.limits();
        let count = self.router.telemetry().connection_opened();
        let mut place = CountedConnection {
            router: Arc::clone(&self.router),
            counted: None,
        };
        if count > limits.connections_max {
            return None;
        }
        if address.to_canonical().is_loopback() {
            return Some(place);
        }
        let network = network_of(address);
        if !self
            .addresses
            .add(network, limits.connections_per_address_max)
        {
            return None;
        }
        place.counted = Some((Arc::clone(&self.addresses), network));
        Some(place)
    }
}

/// A failed accept that says something about one client only.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Connections by address, of those that have any.
#[derive(Default)]
pub(crate) struct Addresses(Mutex<HashMap<IpAddr, usize>>);

impl Addresses {
    /// Counts one more, unless that is over `max`.
    fn add(&self, address: IpAddr, max: usize) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        let fits = *count < max;
        if fits {
            *count += 1;
        }
        fits
    }

    fn remove(&self, address: IpAddr) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

/// A connection's place among those that there may be, given back when this is dropped.
struct CountedConnection {
    router: Arc<Router>,
    counted: Option<(Arc<Addresses>, IpAddr)>,
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.router.telemetry().connection_closed();
        if let Some((addresses, address)) = &self.counted {
            addresses.remove(*address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let addresses = Addresses::default();
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert!(addresses.add(one, 2) && addresses.add(one, 2));
        assert!(!addresses.add(one, 2));
        assert!(addresses.add(other, 2));
        addresses.remove(one);
        assert!(addresses.add(one, 2));
        for address in [one, one, other] {
            addresses.remove(address);
        }
        assert!(addresses.0.lock().unwrap().is_empty());
    }
}
