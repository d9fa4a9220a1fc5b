//! Working hours.

use super::{Client, Result, escaped};
use crate::{Ack, WorkingHours};

impl Client {
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
