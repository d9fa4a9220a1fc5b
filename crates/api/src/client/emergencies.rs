//! Forecasts, emergencies and task forces.

use super::{Client, Result, escaped, queried};
use crate::{Ack, Emergency, Ending, Forecast, NewEmergency, NewForecast, NewTaskForce, TaskForce};

impl Client {
    /// Returns the emergencies, as `query` asks for, such as `[("state", "open")]`; all pages.
    pub fn emergencies(&self, query: &[(&str, &str)]) -> Result<Vec<Emergency>> {
        self.all(&format!("/v1/emergencies?limit=1000{}", queried(query)))
    }

    /// Returns an emergency.
    pub fn emergency(&self, emergency: &str) -> Result<Emergency> {
        self.get(&format!("/v1/emergencies/{}", escaped(emergency)))
    }

    /// Declares an emergency.
    pub fn declare_emergency(&self, emergency: &NewEmergency) -> Result<Ack> {
        self.post("/v1/emergencies", emergency)
    }

    /// Ends an emergency.
    pub fn end_emergency(&self, emergency: &str, ending: &Ending) -> Result<Ack> {
        self.post(&format!("/v1/emergencies/{}/end", escaped(emergency)), ending)
    }

    /// Returns the task forces, as `query` asks for, such as `[("state", "at_work")]`; all pages.
    pub fn forces(&self, query: &[(&str, &str)]) -> Result<Vec<TaskForce>> {
        self.all(&format!("/v1/forces?limit=1000{}", queried(query)))
    }

    /// Returns a task force.
    pub fn force(&self, force: &str) -> Result<TaskForce> {
        self.get(&format!("/v1/forces/{}", escaped(force)))
    }

    /// Makes a task force.
    pub fn form_force(&self, force: &NewTaskForce) -> Result<Ack> {
        self.post("/v1/forces", force)
    }

    /// Disbands a task force.
    pub fn disband_force(&self, force: &str, ending: &Ending) -> Result<Ack> {
        self.post(&format!("/v1/forces/{}/disband", escaped(force)), ending)
    }

    /// Returns the last forecast of a project.
    pub fn forecast(&self, project: &str) -> Result<Forecast> {
        self.get(&format!("/v1/projects/{}/forecast", escaped(project)))
    }

    /// Forecasts when a project will be done; chance comes from `seed`, or from a fresh one.
    pub fn make_forecast(&self, project: &str, seed: Option<String>) -> Result<Forecast> {
        self.post(&format!("/v1/projects/{}/forecast", escaped(project)), &NewForecast { seed })
    }
}
