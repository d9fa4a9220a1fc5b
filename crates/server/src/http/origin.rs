//! Who may be behind a request of a browser: `Host` and `Origin` are checked before anything is read.
//!
//! A hostile page can make a browser on this machine ask a server that listens on loopback: across origins, or under a
//! name of its own that it lets point here (DNS rebinding). Programs that are no browser send no `Origin` and name the
//! server by its address, so they notice nothing.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use kapell_api::{ErrorCode, Problem};

use super::Refusal;

/// Refuses a request that comes from a foreign page or to a foreign name.
pub(super) async fn check(State(hosts): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    match admitted(request.headers(), request.uri(), &hosts) {
        Ok(()) => next.run(request).await,
        Err(problem) => Refusal(problem).into_response(),
    }
}

/// Tells whether `Host` names this server, and `Origin`, where there is one, the same. `hosts` are names by which it is
/// known besides its addresses and `localhost`.
fn admitted(headers: &HeaderMap, uri: &Uri, hosts: &[String]) -> Result<(), Problem> {
    let foreign = |what: &str, given: &str| {
        let given: String = given.escape_default().take(200).collect();
        let detail = format!("the request's {what} `{given}` is not this server");
        let hint = "use its address or localhost, or start it with `--host NAME`";
        Err(Problem::new(ErrorCode::Forbidden, detail).hint(hint))
    };
    let text =
        |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?")).collect::<Vec<_>>();
    let (host, origin) = (text(header::HOST), text(header::ORIGIN));
    let named = match host.as_slice() {
        [host] => *host,
        // HTTP/1.0 knows no `Host`; then a target in full names the server, and no browser is there.
        [] => uri.authority().map_or("localhost", |authority| authority.as_str()),
        _ => return foreign("Host", "given twice"),
    };
    let ours = |authority: &str| name_of(authority).is_some_and(|name| is_ours(name, hosts));
    if !ours(named) {
        return foreign("Host", named);
    }
    match origin.as_slice() {
        [] => Ok(()),
        [origin] => {
            let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            match authority {
                Some(authority) if authority.eq_ignore_ascii_case(named) => Ok(()),
                _ => foreign("Origin", origin),
            }
        }
        _ => foreign("Origin", "given twice"),
    }
}

/// Returns the name of `name:port`.
fn name_of(authority: &str) -> Option<&str> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return (port && address.parse::<Ipv6Addr>().is_ok()).then_some(address);
    }
    match authority.split_once(':') {
        Some((name, port)) => is_port(port).then_some(name),
        None => Some(authority),
    }
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// A page cannot choose what an address points to, so every address is ours; a name only where it is known.
fn is_ours(name: &str, hosts: &[String]) -> bool {
    name.parse::<Ipv4Addr>().is_ok()
        || name.parse::<Ipv6Addr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_and_pages_are_refused() {
        let hosts = ["kapell.lan".to_owned()];
        // Host, Origin, whether it is let in.
        let table: &[(&[&str], &[&str], bool)] = &[
            (&["127.0.0.1:7117"], &[], true),
            (&["[::1]:7117"], &[], true),
            (&["LocalHost"], &[], true),
            (&["10.1.2.3:80"], &[], true),
            (&["kapell.lan:7117"], &[], true),
            (&[], &[], true),
            (&["127.0.0.1:7117"], &["http://127.0.0.1:7117"], true),
            (&["kapell.lan"], &["https://kapell.lan"], true),
            (&["evil.example:7117"], &[], false),
            (&["evil.example:7117"], &["http://evil.example:7117"], false),
            (&["localhost.evil.example"], &[], false),
            (&["127.0.0.1.evil.example"], &[], false),
            (&["evil.example@127.0.0.1"], &[], false),
            (&["127.0.0.1:7117@evil.example"], &[], false),
            (&["127.0.0.1:http"], &[], false),
            (&["[evil.example]"], &[], false),
            (&[""], &[], false),
            (&["127.0.0.1", "evil.example"], &[], false),
            (&["127.0.0.1:7117"], &["http://evil.example"], false),
            (&["127.0.0.1:7117"], &["http://127.0.0.1:8080"], false),
            (&["127.0.0.1:7117"], &["http://localhost:7117"], false),
            (&["127.0.0.1:7117"], &["null"], false),
            (&["127.0.0.1:7117"], &["file://127.0.0.1:7117"], false),
            (&["127.0.0.1:7117"], &["http://127.0.0.1:7117", "http://evil.example"], false),
        ];
        for (host, origin, wanted) in table {
            let mut headers = HeaderMap::new();
            for value in *host {
                headers.append(header::HOST, value.parse().expect("a value"));
            }
            for value in *origin {
                headers.append(header::ORIGIN, value.parse().expect("a value"));
            }
            let admitted = admitted(&headers, &Uri::from_static("/v1/status"), &hosts);
            assert_eq!(admitted.is_ok(), *wanted, "{host:?} {origin:?}: {admitted:?}");
        }
    }
}
