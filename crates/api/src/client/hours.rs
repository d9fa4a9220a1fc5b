//! When an agent works, and that it goes.

use super::{Client, Result, escaped};
use crate::{Ack, WorkingHours};

impl Client {
    /// Signs an agent off: nobody waits for it until its next call.
    pub fn leave(&self, agent: &str) -> Result<Ack> {
        self.post(&format!("/v1/agents/{}/leave", escaped(agent)), &serde_json::json!({}))
    }

    /// Sets when an agent works.
    pub fn set_hours(&self, agent: &str, hours: &WorkingHours) -> Result<Ack> {
        let path = format!("/v1/agents/{}/hours", escaped(agent));
        let body = self.send("PUT", &path, Some(hours), true)?;
        self.read(&path, &body)
    }

    /// Takes the working hours of an agent away: it works at any time.
    pub fn clear_hours(&self, agent: &str) -> Result<()> {
        self.delete(&format!("/v1/agents/{}/hours", escaped(agent))).map(|_| ())
    }
}
