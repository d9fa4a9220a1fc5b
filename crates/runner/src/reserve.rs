//! Agents of the file that stand in reserve: one is started where an emergency wants a replacement for a lost agent that it can
//! stand in for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use kapell_api::{Agent, ClientError, Emergency};

use crate::config::AgentSettings;
use crate::crew::Crew;
use crate::runner::{Shared, enrol};

/// How often the server is asked whether a replacement is wanted.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// From this score on an agent is able in a capability.
const ABLE_FROM: f64 = 0.6;

/// Those who are not started yet.
pub(crate) struct Reserve {
    shared: Arc<Shared>,
    waiting: Vec<AgentSettings>,
    /// Who was replaced, by emergency.
    replaced: BTreeSet<(String, String)>,
    crews: Vec<(String, JoinHandle<()>)>,
    told: bool,
}

impl Reserve {
    pub(crate) fn new(shared: Arc<Shared>, waiting: Vec<AgentSettings>) -> Self {
        Self { shared, waiting, replaced: BTreeSet::new(), crews: Vec::new(), told: false }
    }

    /// Starts who is wanted until the runner is to stop and those have ended; returns their names.
    pub(crate) fn watch(mut self) -> Vec<String> {
        while !self.waiting.is_empty() && !self.shared.stop.asked() {
            if let Err(error) = self.look()
                && !std::mem::replace(&mut self.told, true)
            {
                self.shared.tell(&format!("in reserve: {error}; looked for again"));
            }
            self.shared.wait(LOOK_EVERY);
        }
        let ended = self.crews.into_iter().map(|(name, crew)| {
            let _ = crew.join();
            name
        });
        ended.collect()
    }

    fn look(&mut self) -> Result<(), ClientError> {
        let query = [("state", "open"), ("kind", "agent_cascade_failure")];
        let wanted = wanted(&self.shared.client.emergencies(&query)?);
        let wanted: Vec<_> = wanted.into_iter().filter(|it| !self.replaced.contains(it)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let known = self.shared.client.agents(None)?;
        let known: BTreeMap<&str, &Agent> = known.iter().map(|it| (it.name.as_str(), it)).collect();
        for (emergency, lost) in wanted {
            let Some(agent) = known.get(lost.as_str()).filter(|it| it.state != "online") else { continue };
            let fits = |it: &AgentSettings| fits(it, &agent.role, &agent.capabilities);
            let Some(at) = self.waiting.iter().position(fits) else { continue };
            let lease_ms = enrol(&self.shared, &self.waiting[at], false)?;
            let fresh = self.waiting.remove(at);
            let name = fresh.name.clone();
            self.shared.tell(&format!("{name} is started in the place of {lost}, as {emergency} wants"));
            let crew = Crew::new(Arc::clone(&self.shared), fresh, lease_ms);
            self.crews.push((name, std::thread::spawn(move || crew.work(Vec::new()))));
            self.replaced.insert((emergency, lost));
        }
        Ok(())
    }
}

/// Returns for whom which emergency wants replacements.
fn wanted(emergencies: &[Emergency]) -> BTreeSet<(String, String)> {
    let asked = |it: &Emergency| {
        let actions = it.actions.iter().filter(|action| action.action == "replacements_asked");
        actions
            .flat_map(|action| &action.agents)
            .map(|lost| (it.id.clone(), lost.clone()))
            .collect::<Vec<_>>()
    };
    emergencies.iter().flat_map(asked).collect()
}

/// Tells whether one can stand in for a lost agent: it has the role, and is able in whatever that one is able in.
fn fits(reserve: &AgentSettings, role: &str, capabilities: &BTreeMap<String, f64>) -> bool {
    let able = |name: &String| reserve.capabilities.get(name).is_some_and(|&score| score >= ABLE_FROM);
    reserve.role == role
        && capabilities.iter().filter(|&(_, &score)| score >= ABLE_FROM).all(|(name, _)| able(name))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use kapell_api::EmergencyAction;

    use super::*;
    use crate::config::Config;

    #[test]
    fn who_has_the_role_and_the_capabilities_of_the_lost_one_fits() {
        let text = "[[agent]]\nname = \"a\"\nreserve = true\ncapabilities = { rust = 0.7, sql = 0.5 }\ncommand = [\"true\"]\n";
        let config = Config::parse("run.toml", Path::new("/team/run.toml"), text).expect("it is read");
        let reserve = &config.agents[0];
        let fits = |role: &str, has: &[(&str, f64)]| {
            fits(reserve, role, &has.iter().map(|&(name, score)| (name.to_owned(), score)).collect())
        };
        assert!(reserve.reserve && fits("developer", &[("rust", 0.9), ("sql", 0.3)]));
        assert!(fits("developer", &[]));
        assert!(!fits("architect", &[("rust", 0.9)]));
        assert!(!fits("developer", &[("rust", 0.9), ("sql", 0.6)]), "it is not able in sql");
        assert!(!fits("developer", &[("go", 0.6)]));
    }

    #[test]
    fn only_what_asks_for_replacements_names_the_lost() {
        let action = |word: &str, agents: &[&str]| EmergencyAction {
            number: 1,
            action: word.to_owned(),
            says: String::new(),
            task: None,
            agents: agents.iter().map(|&it| it.to_owned()).collect(),
            force: None,
            at: String::new(),
            settled: None,
            settled_at: None,
        };
        let emergency = Emergency {
            id: "X-1".to_owned(),
            actions: vec![action("checkpoints_asked", &["c"]), action("replacements_asked", &["b", "a"])],
            ..Emergency::default()
        };
        let pair = |lost: &str| ("X-1".to_owned(), lost.to_owned());
        assert_eq!(wanted(&[emergency]), [pair("a"), pair("b")].into());
    }
}
