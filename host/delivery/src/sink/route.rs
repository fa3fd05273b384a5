//! What keeps the requests of one exchange with the same server, where a name stands for several:
//! its address, and the cookies of a load balancer. Pure.

use std::net::IpAddr;

use crate::endpoints::Reply;

/// Cookies that are sent back, and bytes of one with its name. More of them are left out: no load
/// balancer needs more.
const COOKIES_MAX: usize = 16;
const COOKIE_BYTES_MAX: usize = 4_096;

/// Which server the next request goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The address that answered last.
    pub address: Option<IpAddr>,
    /// Names and values.
    cookies: Vec<(String, String)>,
}

impl Route {
    /// Goes on where an answer came from.
    pub fn follow(&mut self, reply: &Reply) {
        self.address = reply.address.or(self.address);
        for cookie in &reply.cookies {
            let pair = cookie.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            self.cookies.retain(|(known, _)| known != name);
            let fits = pair.len() <= COOKIE_BYTES_MAX && self.cookies.len() < COOKIES_MAX;
            if fits && !name.is_empty() && !pair.contains(char::is_control) {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// The header of all cookies, if there are any.
    pub fn cookie_header(&self) -> Option<String> {
        let pairs = self.cookies.iter();
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_stays_with_the_server_that_answered() {
        let mut route = Route::default();
        assert_eq!((route.address, route.cookie_header()), (None, None));
        let first = Reply {
            address: Some("10.0.0.1".parse().unwrap()),
            cookies: vec![
                "AWSELB=one; PATH=/; MAX-AGE=60".to_owned(),
                "b = 2".to_owned(),
                "none".to_owned(),
                "=none".to_owned(),
            ],
            ..Reply::default()
        };
        route.follow(&first);
        assert_eq!(route.address, first.address);
        assert_eq!(route.cookie_header().unwrap(), "AWSELB=one; b=2");
        let second = Reply {
            cookies: vec!["AWSELB=two".to_owned()],
            ..Reply::default()
        };
        route.follow(&second);
        assert_eq!(route.address, first.address);
        assert_eq!(route.cookie_header().unwrap(), "b=2; AWSELB=two");
    }

    #[test]
    fn what_is_sent_back_is_bounded() {
        let mut route = Route::default();
        let cookies = (0..100).map(|number| format!("{number}={}", "x".repeat(9)));
        let many = Reply {
            cookies: cookies
                .chain([format!("x={}", "x".repeat(5_000))])
                .collect(),
            ..Reply::default()
        };
        route.follow(&many);
        assert_eq!(route.cookies.len(), COOKIES_MAX);
    }
}
