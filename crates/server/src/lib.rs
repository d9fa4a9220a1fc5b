//! Sockets, clock and the writer loop of Kapell. No rule about tasks is decided here.

mod appender;
mod fleet;
mod open;
mod writer;

pub use fleet::{Answer, Ask, Fleet, Handed, Line, RETRY_AFTER, Refused, View};
pub use open::{Found, Loaded, OpenError, Running, load, open, record_of};
