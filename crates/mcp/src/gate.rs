//! How this room reaches the fleet.

use std::future::Future;
use std::pin::Pin;

use kapell_api::Problem;
use serde_json::Value;

/// A future that owns or borrows what it needs.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<Value, Problem>> + Send + 'a>>;

/// The way to one fleet, with one token.
pub trait Gate: Send + Sync + 'static {
    /// Sends a request of the published contract and returns what it is answered with; null where the answer has no body.
    fn ask<'a>(&'a self, method: &'static str, path: String, body: Option<Value>) -> Asked<'a>;

    /// Returns the token that requests carry; handles are bound to it.
    fn token(&self) -> &str;
}

/// Escapes a path segment or query value (RFC 3986): what is not unreserved becomes `%XX`.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
