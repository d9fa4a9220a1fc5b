//! The Model Context Protocol door: the verbs of the published contract as tools, for any agent that speaks MCP.
//!
//! This room knows the contract alone. It asks through a [`Gate`]: the server's own router, or a server far away. It keeps
//! nothing between calls: joining returns a handle that every later call carries, a connection is not an agent, and its end
//! is not an agent's end. All types of the protocol's library stay in here.

mod answer;
mod fixtures;
mod gate;
mod handle;
mod house;
mod http;
mod prompts;
mod remote;
mod resources;
mod schema;
mod stdio;
mod tool;
mod tools;

pub use gate::{Asked, Gate};
pub use http::{Opener, mount, mount_fixtures};
pub use remote::Remote;
pub use stdio::{StdioError, serve_stdio};
pub use tool::{Tier, definitions};
