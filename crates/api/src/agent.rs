//! Agents and what they are handed.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::hours::WorkingHours;
use crate::message::Message;

/// An agent to be registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentRegistration {
    /// Its name, unique in the fleet.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = "^[A-Za-z0-9][A-Za-z0-9._/@:+#-]*$",
        example = "backend-1"
    )]
    pub name: String,
    /// A word of the team: `developer`, `architect`, ... Default `developer`.
    #[serde(default = "developer")]
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9._/@:+#-]*$")]
    pub role: String,
    /// `agent` (calls in), `service` (heartbeats) or `person`. Default `agent`.
    #[serde(default = "agent")]
    #[schema(pattern = "^(agent|service|person)$")]
    pub kind: String,
    /// Declared scores within 0..=1, by capability. At most 256.
    #[serde(default, deserialize_with = "each_once")]
    pub capabilities: BTreeMap<String, f64>,
    /// Tasks that it may own at once. Default 1.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 1000)]
    pub max_concurrent_tasks: u32,
    /// Its lease in ms, where it differs from its kind's in the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 10, maximum = 31622400000_i64)]
    pub lease_ms: Option<i64>,
    /// It gets work only in an emergency.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
}

fn developer() -> String {
    "developer".to_owned()
}

fn agent() -> String {
    "agent".to_owned()
}

const fn one() -> u32 {
    1
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: String,
    /// `agent`, `service` or `person`.
    pub kind: String,
    /// `online`, `unreachable`, `offline` or `removed`.
    pub state: String,
    /// Whether it gets no new work, by a manager's word.
    pub draining: bool,
    /// Whether it gets work only in an emergency.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
    /// Since when.
    pub state_since: String,
    /// What makes it so, in words.
    pub because: Vec<String>,
    /// When it was last heard of by this server, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// How long it may be silent, in ms.
    pub lease_ms: i64,
    /// Declared scores.
    pub capabilities: BTreeMap<String, f64>,
    /// When it works, where that is not always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<WorkingHours>,
    /// Until when it is away, where it is: outside its working hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away_until: Option<String>,
    /// How it stands in each capability that it has declared or shown: declared, measured, used.
    #[serde(default)]
    pub scores: Vec<CapabilityScore>,
    /// Tasks that it may own at once.
    pub max_concurrent_tasks: u32,
    /// Tasks that it owns by tasks that it may own.
    pub utilization: f64,
    /// What is left of the estimates of its tasks, by the progress that was reported.
    pub remaining_hours: f64,
    /// The sum of the complexity of its tasks, each 1 to 5.
    pub complexity: u32,
    /// The tasks that it owns, oldest first.
    pub tasks: Vec<String>,
    /// Tasks that it completed.
    pub completed: u32,
    /// Attempts that it failed.
    pub failed: u32,
    /// Tasks that it lost by going offline.
    pub lost: u32,
}

/// How an agent stands in one capability. Scores are within 0..=1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CapabilityScore {
    /// The capability.
    pub capability: String,
    /// Its declared score, where it has declared one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<f64>,
    /// What the outcomes of its work have made of that; nothing on fewer than three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<f64>,
    /// Outcomes that it was measured by.
    pub outcomes: u32,
    /// By which it is chosen: the one or the other, as the policy says; 0 where it has neither.
    pub used: f64,
}

/// Asks for assignments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NextRequest {
    /// How long to wait until there is one, in ms. Default 0.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 30000)]
    pub wait_ms: u64,
    /// At most so many. Default 1.
    #[serde(default = "one_assignment")]
    #[schema(minimum = 1, maximum = 100)]
    pub max: usize,
}

const fn one_assignment() -> usize {
    1
}

/// A task in an agent's hands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Assignment {
    /// The fencing token: every report on the task must carry it.
    pub assignment: String,
    /// The task.
    pub task: String,
    /// The agent.
    pub agent: String,
    /// The submitter's own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The task's title.
    pub title: String,
    /// All of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The task's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The task's own priority.
    pub priority: String,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Whether it has been started.
    pub started: bool,
    /// Since when it is owned.
    pub since: String,
    /// When it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// What is to be known from the attempt before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Declared effort in hours, where it was declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_hours: Option<f64>,
}

/// Assignments of one agent, oldest first, and what it has been told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Assignments {
    /// The assignments.
    pub assignments: Vec<Assignment>,
    /// What it has not read yet, oldest first. It says so by `/v1/agents/{agent}/notices/read`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// The most urgent messages that it has to read or acknowledge, at most 10. It says so by
    /// `/v1/agents/{agent}/messages/read`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// How many there are in all.
    #[serde(default, skip_serializing_if = "is_none")]
    pub messages_unread: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_none(count: &u32) -> bool {
    *count == 0
}

/// A word to an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    /// Its id, `N-3`; later ones are larger.
    pub id: String,
    /// What it asks or tells: `moved` (the task went to somebody else: stop).
    pub kind: String,
    /// The task that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Why, in words.
    pub text: String,
    /// When it was sent.
    pub at: String,
    /// Until when an answer is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Whether the agent has read it.
    pub read: bool,
}

/// Tells that an agent has read its notices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticesRead {
    /// The last one that it has read.
    #[schema(pattern = "^N-[0-9]{1,10}$", example = "N-3")]
    pub up_to: String,
}

/// What a heartbeat is answered with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alive {
    /// How many notices the agent has not read.
    pub notices: u32,
}

/// Reads an object in which no member comes twice.
fn each_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = BTreeMap<String, f64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of numbers")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut once = BTreeMap::new();
            while let Some((name, value)) = members.next_entry::<String, f64>()? {
                if once.contains_key(&name) {
                    let shown: String = name.escape_default().take(100).collect();
                    return Err(A::Error::custom(format_args!("member `{shown}` comes twice")));
                }
                once.insert(name, value);
            }
            Ok(once)
        }
    }

    deserializer.deserialize_map(Members)
}
