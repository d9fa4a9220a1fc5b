//! Where a webhook may go. The name is looked up for every attempt, what comes of it is judged, and the connection is made to just
//! those addresses: so a name that points elsewhere by then is no way in.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Bytes of an address.
const URL_BYTES_MAX: usize = 2_000;
/// What an address may be.
pub(crate) const ALLOWED: &str =
    "an http or https URL of at most 2000 bytes, without a user or a password in it";

/// Checks an address as it is written.
pub(super) fn checked(url: &str, private: bool) -> Result<String, String> {
    let refused = || ALLOWED.to_owned();
    let uri: Uri = url.parse().map_err(|_| refused())?;
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.host().unwrap_or_default();
    let user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if url.len() > URL_BYTES_MAX || !scheme || host.is_empty() || user || uri.port_u16() == Some(0) {
        return Err(refused());
    }
    let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let local = host.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| !is_public(address));
    if local && !private {
        return Err(
            "an address outside of this machine and of private networks: start the server with `--private-webhooks` to allow others".to_owned()
        );
    }
    Ok(url.to_owned())
}

/// Tells whether an address is one of the open network.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        // This network, shared by carriers, protocols, benchmarks, what is reserved and the broadcast.
        || a == 0
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && b & 0xfe == 18)
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [first, second, ..] = segments;
    let within = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    // Addresses that carry one of version 4 go where that goes.
    if segments[..5] == [0; 5] && matches!(segments[5], 0 | 0xffff) {
        return segments[5] == 0xffff && is_public_v4(within(segments[6], segments[7]));
    }
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return is_public_v4(within(segments[6], segments[7]));
    }
    if first == 0x2002 {
        return is_public_v4(within(second, segments[2]));
    }
    // Of what is left only global unicast is, less tunnels, benchmarks, and what stands in books.
    first & 0xe000 == 0x2000 && !(first == 0x2001 && (second < 0x200 || second == 0xdb8)) && first != 0x3fff
}

/// Looks names up and lets only addresses through that may be reached.
#[derive(Debug)]
pub(super) struct Screened<R = DefaultResolver> {
    resolver: R,
    private: bool,
}

impl Screened {
    pub(super) fn new(private: bool) -> Self {
        Self { resolver: DefaultResolver::default(), private }
    }
}

impl<R: Resolver> Resolver for Screened<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.resolver.resolve(uri, config, timeout)?;
        if self.private {
            return Ok(found);
        }
        let mut allowed = self.empty();
        for address in found.iter().filter(|address| is_public(address.ip())) {
            allowed.push(*address);
        }
        if allowed.is_empty() {
            let text = "it points to this machine or a private network, which is not allowed";
            return Err(ureq::Error::Io(io::Error::new(io::ErrorKind::PermissionDenied, text)));
        }
        Ok(allowed)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};

    use ureq::unversioned::transport::DefaultConnector;

    use super::*;

    #[test]
    fn only_addresses_of_the_open_network_are_public() {
        for public in ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().expect("an address")), "{private}");
        }
    }

    #[test]
    fn an_address_is_judged_as_it_is_written() {
        for good in ["https://example.org/hook?x=1", "http://example.org:8080", "https://1.1.1.1/"] {
            assert_eq!(checked(good, false).as_deref(), Ok(good));
        }
        let long = format!("https://example.org/{}", "x".repeat(2_000));
        for bad in [
            "",
            "example.org",
            "/hook",
            "ftp://example.org",
            "file:///etc/passwd",
            "https://",
            "https://a:b@example.org",
            "http://x@y",
            "https://example.org:0/",
            &long,
            "gopher://example.org",
            "https://exa mple.org",
        ] {
            assert_eq!(checked(bad, true).expect_err(bad), ALLOWED);
        }
        for local in [
            "http://localhost:1/",
            "http://LocalHost",
            "http://127.0.0.1:9/",
            "http://[::1]/",
            "http://10.1.2.3",
            "http://169.254.169.254/latest",
        ] {
            assert!(checked(local, false).expect_err(local).contains("--private-webhooks"));
            assert_eq!(checked(local, true).as_deref(), Ok(local));
        }
    }

    /// A name that leads where it is told.
    #[derive(Debug)]
    struct Leads(Vec<SocketAddr>);

    impl Resolver for Leads {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut found = self.empty();
            self.0.iter().for_each(|address| found.push(*address));
            Ok(found)
        }
    }

    #[test]
    fn what_a_name_points_to_is_judged_when_it_is_used() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let inside = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("it does not wait");
        let send = |private| {
            let config = ureq::Agent::config_builder()
                .proxy(None)
                .timeout_global(Some(std::time::Duration::from_millis(500)))
                .build();
            let resolver = Screened { resolver: Leads(vec![inside]), private };
            let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), resolver);
            agent.post("http://example.org/").send("x").expect_err("nobody answers").to_string()
        };
        assert!(send(false).contains("private network"));
        assert!(listener.accept().is_err(), "nobody came");
        assert!(!send(true).contains("private network"));
        assert!(listener.accept().is_ok(), "where it is allowed the connection is made");
        // Of several addresses only those outside are left.
        let outside: SocketAddr = "1.1.1.1:80".parse().expect("an address");
        let resolver = Screened { resolver: Leads(vec![inside, outside]), private: false };
        let now = NextTimeout {
            after: ureq::unversioned::transport::time::Duration::NotHappening,
            reason: ureq::Timeout::Global,
            per_read: None,
            per_write: None,
        };
        let found = resolver.resolve(&Uri::from_static("http://example.org"), &Config::default(), now);
        assert_eq!(found.expect("one is left").to_vec(), [outside]);
    }
}
