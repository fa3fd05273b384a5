//! How the name of a host becomes addresses.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;

use tokio::net::lookup_host;

/// What a name leads to, later.
pub(crate) type Found<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Finds addresses of hosts.
pub(crate) trait Resolve: Send + Sync {
    /// The addresses of a host at this moment, in the order in which they should be tried.
    fn resolve<'a>(&'a self, host: &'a str) -> Found<'a>;
}

/// What the operating system says.
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Found<'a> {
        Box::pin(async move {
            // A port belongs to the question, and is none of the answer's business.
            let found = lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
