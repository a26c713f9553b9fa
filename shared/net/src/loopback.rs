//! Whether a URL means this machine: said once, because it is what lets plain http pass.

use reqwest::Url;
use std::net::IpAddr;

/// The address that a URL names, when it names one and not a host.
pub fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

/// Whether a URL is of this machine: a loopback address, or `localhost` by its name.
pub fn is_loopback(url: &Url) -> bool {
    url.host_str() == Some("localhost") || literal(url).is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;
    use reqwest::Url;

    #[test]
    fn only_loopback_addresses_and_localhost_are_this_machine() {
        let is = |url: &str| is_loopback(&Url::parse(url).expect("a URL"));
        for url in
            ["http://127.0.0.1/", "http://127.9.9.9:1/", "http://[::1]:80/", "http://localhost:3/", "http://LOCALHOST/"]
        {
            assert!(is(url), "{url}");
        }
        for url in ["http://localhost.example/", "http://127.0.0.1.example/", "http://10.0.0.1/", "http://[::2]/"] {
            assert!(!is(url), "{url}");
        }
    }
}
