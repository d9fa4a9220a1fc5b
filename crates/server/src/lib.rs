//! Sockets, clock and the writer loop of Kapell. No rule about tasks is decided here.

mod admission;
mod appender;
mod components;
mod fleet;
mod hearing;
mod http;
mod in_process;
mod listen;
mod llm;
#[cfg(test)]
mod long_day;
mod open;
mod outline;
mod past;
mod planner;
mod replace;
mod saved;
mod serve;
mod token;
mod verify;
mod webhooks;
mod writer;
mod zones;

pub use admission::RETRY_AFTER;
pub use fleet::{Answer, Ask, Fleet, Handed, Handout, Line, LineAnswers, Offered, Refused, View};
pub use http::openapi;
pub use in_process::InProcess;
pub use llm::{LlmError, LlmOptions, Secret};
pub use open::{Found, Loaded, OpenError, Running, load, open, record_of};
pub use serve::{DEFAULT_FLEET, ServeError, ServeOptions, Started, running_on, serve};
pub use token::{ADMIN_TOKEN_FILE, Access, Caller, Kept, TokenError, Tokens};
pub use verify::{Folded, Verified, verify, verify_watched};
pub use webhooks::{WebhookError, WebhookOptions};
