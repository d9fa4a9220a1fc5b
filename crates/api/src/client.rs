//! A typed client, blocking: what a command line, a runner or a scripted agent needs.
//!
//! A POST of a command carries an idempotency key, so that what was cut off can be sent again: nothing happens twice. What makes a
//! secret, and what is done about webhooks and tokens, is no command and not sent again: whoever gets no answer looks.

mod breakdown;
mod budgets;
mod emergencies;
mod hours;
mod inbox;
mod permissions;
mod webhooks;

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    Ack, Agent, AgentChoice, AgentRegistration, Alive, Assignment, Assignments, Bottleneck, BrokenEdge,
    BulkAnswer, BulkLine, Capability, CapabilityDefinition, Channel, ChannelMember, CheckReport, Conflict,
    Decision, DoneReport, EdgeName, Escalation, Event, Events, FailReport, Handoff, HandoffCancellation,
    HandoffConfirmation, HandoffPackage, HandoffRefusal, HandoffRequest, Health, MadeToken, Message,
    MessageAck, MessagesRead, MoveTo, NewAssertion, NewChannel, NewDecision, NewDependency, NewDispute,
    NewMessage, NewOrder, NewProject, NewProposal, NewReservation, NewRuling, NewToken, NewVerdict,
    NextRequest, Notice, NoticesRead, Offer, OpenGate, Order, OrderTakenBack, Page, Policy, Problem,
    ProgressReport, Project, Reason, ReleaseReport, ReleaseReservation, RenewReservation, Report,
    Reservation, Restoration, RotateToken, SavedReport, StartReport, Status, Task, TaskEdit, TaskSubmission,
    Token, Tree, Why, WhyNot, Withdrawal,
};

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server refused it.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The server could not be reached, or the connection broke.
    #[error("no answer from {url}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A name that the path needs is empty.
    #[error("a name is empty: {path}; allowed is one of at least one character")]
    EmptyName {
        /// The path, which would be another's.
        path: String,
    },
    /// What came back is not what the contract says.
    #[error("the answer of {url} is not what version 1 of the contract says")]
    Malformed {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ClientError {
    /// Returns the refusal, where it is one.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }
}

type Result<T> = std::result::Result<T, ClientError>;

/// How long a busy server is waited for in any case: twice as long as it sends anybody away.
const TOLD_MAX: Duration = Duration::from_secs(10);

/// A connection pool to one server, with a token.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    authorization: String,
    agent: ureq::Agent,
    patience: Duration,
}

impl Client {
    /// Returns a client of the server at `base`, such as `http://127.0.0.1:7117`.
    #[must_use]
    pub fn new(base: &str, token: &str) -> Self {
        let agent = connections(None);
        Self {
            base: base.trim_end_matches('/').to_owned(),
            authorization: format!("Bearer {token}"),
            agent,
            patience: Duration::from_secs(2),
        }
    }

    /// Sets how long a request is tried again where the server cannot be reached, or is busy (then 10 s at least, but for zero).
    /// Default 2 s.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Sets how long an answer may be awaited; without it for ever. It must be longer than any `next` waits.
    #[must_use]
    pub fn with_answer_within(self, time: Duration) -> Self {
        Self { agent: connections(Some(time)), ..self }
    }

    /// Asks whether the server serves.
    pub fn health(&self) -> Result<Health> {
        self.get("/v1/health")
    }

    /// Returns the fleet in numbers.
    pub fn status(&self) -> Result<Status> {
        self.status_at(None)
    }

    /// Returns the fleet in numbers as it was at a point of the log: a position, or a time by RFC 3339.
    pub fn status_at(&self, at: Option<&str>) -> Result<Status> {
        self.get(&format!("/v1/status{}", as_of(at)))
    }

    /// Registers an agent.
    pub fn register(&self, agent: &AgentRegistration) -> Result<Ack> {
        self.post("/v1/agents", agent)
    }

    /// Returns the agents; in one state, or all that are not removed.
    pub fn agents(&self, state: Option<&str>) -> Result<Vec<Agent>> {
        let query: Vec<_> = state.into_iter().map(|state| ("state", state)).collect();
        self.all(&format!("/v1/agents?limit=1000{}", queried(&query)))
    }

    /// Returns one agent.
    pub fn agent(&self, name: &str) -> Result<Agent> {
        self.get(&format!("/v1/agents/{}", escaped(name)))
    }

    /// Takes an agent out of the fleet.
    pub fn remove_agent(&self, name: &str) -> Result<()> {
        self.delete(&format!("/v1/agents/{}", escaped(name))).map(|_| ())
    }

    /// Returns every capability that agents declare or the fleet defines.
    pub fn capabilities(&self) -> Result<Vec<Capability>> {
        self.all("/v1/capabilities?limit=1000")
    }

    /// Defines a capability, or defines it anew.
    pub fn define_capability(&self, name: &str, definition: &CapabilityDefinition) -> Result<Ack> {
        let path = format!("/v1/capabilities/{}", escaped(name));
        let body = self.send("PUT", &path, Some(definition), true)?;
        self.read(&path, &body)
    }

    /// Takes the definition of a capability back.
    pub fn remove_capability(&self, name: &str) -> Result<()> {
        self.delete(&format!("/v1/capabilities/{}", escaped(name))).map(|_| ())
    }

    /// Lets the text of a task that nobody owns be read again.
    pub fn analyse(&self, task: &str) -> Result<Ack> {
        self.post(&task_path(task, "/analyse"), &serde_json::json!({}))
    }

    /// Drains an agent, or gives it work again.
    pub fn drain_agent(&self, name: &str, draining: bool) -> Result<Ack> {
        let verb = if draining { "drain" } else { "resume" };
        self.post(&format!("/v1/agents/{}/{verb}", escaped(name)), &serde_json::json!({}))
    }

    /// Renews an agent's lease.
    pub fn heartbeat(&self, name: &str) -> Result<Alive> {
        self.post(&format!("/v1/agents/{}/heartbeat", escaped(name)), &serde_json::json!({}))
    }

    /// Returns what an agent was told, oldest first.
    pub fn notices(&self, name: &str) -> Result<Vec<Notice>> {
        let path = format!("/v1/agents/{}/notices", escaped(name));
        self.get::<Page<Notice>>(&path).map(|page| page.items)
    }

    /// Tells that an agent has read its notices up to one.
    pub fn read_notices(&self, name: &str, up_to: &str) -> Result<Ack> {
        let path = format!("/v1/agents/{}/notices/read", escaped(name));
        self.post(&path, &NoticesRead { up_to: up_to.to_owned() })
    }

    /// Returns the agent's assignments that it has not started, at most `max`, and the notices that it has not read; waits
    /// for an assignment or a new notice up to `wait`.
    pub fn next(&self, name: &str, max: usize, wait: Duration) -> Result<Assignments> {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let path = format!("/v1/agents/{}/next", escaped(name));
        self.post(&path, &NextRequest { wait_ms, max })
    }

    /// Returns everything that an agent owns.
    pub fn assignments(&self, name: &str) -> Result<Vec<Assignment>> {
        let path = format!("/v1/agents/{}/assignments", escaped(name));
        self.get::<Assignments>(&path).map(|answer| answer.assignments)
    }

    /// Submits a task.
    pub fn submit(&self, task: &TaskSubmission) -> Result<Ack> {
        self.post("/v1/tasks", task)
    }

    /// Returns the tasks that `query` asks for, such as `[("state", "ready")]`; all pages.
    pub fn tasks(&self, query: &[(&str, &str)]) -> Result<Vec<Task>> {
        self.all(&format!("/v1/tasks?limit=1000{}", queried(query)))
    }

    /// Hands over every task in the order of submission, a page at a time.
    pub fn each_task(&self, mut take: impl FnMut(Task)) -> Result<()> {
        self.pages("/v1/tasks?limit=1000", |page: Vec<Task>| page.into_iter().for_each(&mut take))
    }

    /// Returns one task.
    pub fn task(&self, task: &str) -> Result<Task> {
        self.task_at(task, None)
    }

    /// Returns a task as it was at a point of the log: a position, or a time by RFC 3339.
    pub fn task_at(&self, task: &str, at: Option<&str>) -> Result<Task> {
        self.get(&task_path(task, &as_of(at)))
    }

    /// Changes what a task is.
    pub fn edit(&self, task: &str, edit: &TaskEdit) -> Result<Ack> {
        let path = task_path(task, "");
        let body = self.send("PATCH", &path, Some(edit), true)?;
        self.read(&path, &body)
    }

    /// Calls a task off.
    pub fn cancel(&self, task: &str, reason: &str) -> Result<Ack> {
        self.post(&task_path(task, "/cancel"), &Reason { reason: reason.to_owned() })
    }

    /// Gives a failed or cancelled task a new series of attempts.
    pub fn reopen(&self, task: &str, reason: &str) -> Result<Ack> {
        self.post(&task_path(task, "/reopen"), &Reason { reason: reason.to_owned() })
    }

    /// Places a task by hand.
    pub fn assign(&self, task: &str, agent: &str) -> Result<Ack> {
        self.post(&task_path(task, "/assign"), &AgentChoice { agent: agent.to_owned() })
    }

    /// Gives an owned task to another agent.
    pub fn move_to(&self, task: &str, agent: &str, note: &str) -> Result<Ack> {
        let to = MoveTo { agent: agent.to_owned(), note: note.to_owned() };
        self.post(&task_path(task, "/move"), &to)
    }

    /// Asks for a named task.
    pub fn claim(&self, task: &str, agent: &str) -> Result<Ack> {
        self.post(&task_path(task, "/claim"), &AgentChoice { agent: agent.to_owned() })
    }

    /// Reports a start.
    pub fn start(&self, task: &str, report: &StartReport) -> Result<Ack> {
        self.post(&task_path(task, "/start"), report)
    }

    /// Reports progress.
    pub fn progress(&self, task: &str, report: &ProgressReport) -> Result<Ack> {
        self.post(&task_path(task, "/progress"), report)
    }

    /// Reports a result.
    pub fn done(&self, task: &str, report: &DoneReport) -> Result<Ack> {
        self.post(&task_path(task, "/done"), report)
    }

    /// Reports a failed attempt.
    pub fn fail(&self, task: &str, report: &FailReport) -> Result<Ack> {
        self.post(&task_path(task, "/fail"), report)
    }

    /// Gives a task back.
    pub fn release(&self, task: &str, report: &ReleaseReport) -> Result<Ack> {
        self.post(&task_path(task, "/release"), report)
    }

    /// Reserves resources.
    pub fn reserve(&self, request: &NewReservation) -> Result<Ack> {
        self.post("/v1/reservations", request)
    }

    /// Returns what is held and who waits, as `query` asks for, such as `[("state", "held")]`; all pages.
    pub fn reservations(&self, query: &[(&str, &str)]) -> Result<Vec<Reservation>> {
        self.all(&format!("/v1/reservations?limit=1000{}", queried(query)))
    }

    /// Returns a reservation or a place in line.
    pub fn reservation(&self, reservation: &str) -> Result<Reservation> {
        self.get(&format!("/v1/reservations/{}", escaped(reservation)))
    }

    /// Begins the lease of a reservation anew.
    pub fn renew_reservation(&self, reservation: &str, body: &RenewReservation) -> Result<Ack> {
        self.post(&format!("/v1/reservations/{}/renew", escaped(reservation)), body)
    }

    /// Releases a reservation, or leaves the line.
    pub fn release_reservation(&self, reservation: &str, body: &ReleaseReservation) -> Result<Ack> {
        self.post(&format!("/v1/reservations/{}/release", escaped(reservation)), body)
    }

    /// Returns the conflicts, as `query` asks for, such as `[("state", "open")]`; all pages.
    pub fn conflicts(&self, query: &[(&str, &str)]) -> Result<Vec<Conflict>> {
        self.all(&format!("/v1/conflicts?limit=1000{}", queried(query)))
    }

    /// Returns a conflict.
    pub fn conflict(&self, conflict: &str) -> Result<Conflict> {
        self.get(&format!("/v1/conflicts/{}", escaped(conflict)))
    }

    /// Opens a decision.
    pub fn open_decision(&self, decision: &NewDecision) -> Result<Ack> {
        self.post("/v1/decisions", decision)
    }

    /// Proposes an option.
    pub fn propose(&self, conflict: &str, proposal: &NewProposal) -> Result<Ack> {
        self.post(&format!("/v1/conflicts/{}/proposals", escaped(conflict)), proposal)
    }

    /// Returns the finished work that stands before a gate, as `query` asks for, such as `[("kind", "approval")]`; all pages.
    pub fn gates(&self, query: &[(&str, &str)]) -> Result<Vec<OpenGate>> {
        self.all(&format!("/v1/gates?limit=1000{}", queried(query)))
    }

    /// Says whether finished work is right.
    pub fn verdict(&self, task: &str, body: &NewVerdict) -> Result<Ack> {
        self.post(&format!("/v1/tasks/{}/verdict", escaped(task)), body)
    }

    /// Reports how a command ended that finished work must pass.
    pub fn check(&self, task: &str, body: &CheckReport) -> Result<Ack> {
        self.post(&format!("/v1/tasks/{}/check", escaped(task)), body)
    }

    /// Rules on a conflict.
    pub fn rule(&self, conflict: &str, ruling: &NewRuling) -> Result<Ack> {
        self.post(&format!("/v1/conflicts/{}/rule", escaped(conflict)), ruling)
    }

    /// Returns what holds the work up: `open`, `gone` or `all`.
    pub fn bottlenecks(&self, state: &str) -> Result<Vec<Bottleneck>> {
        self.all(&format!("/v1/bottlenecks?limit=1000&state={}", escaped(state)))
    }

    /// Says that an owned task is an agent's own.
    pub fn dispute(&self, task: &str, dispute: &NewDispute) -> Result<Ack> {
        self.post(&format!("/v1/tasks/{}/dispute", escaped(task)), dispute)
    }

    /// Says how urgent a task is.
    pub fn assert_priority(&self, task: &str, assertion: &NewAssertion) -> Result<Ack> {
        self.post(&format!("/v1/tasks/{}/priority", escaped(task)), assertion)
    }

    /// Returns the orders of two open tasks that stand.
    pub fn orders(&self) -> Result<Vec<Order>> {
        self.all("/v1/orders?limit=1000")
    }

    /// Says that one task is to come before another.
    pub fn assert_order(&self, order: &NewOrder) -> Result<Ack> {
        self.post("/v1/orders", order)
    }

    /// Takes an order back.
    pub fn drop_order(&self, order: &OrderTakenBack) -> Result<Ack> {
        self.post("/v1/orders/drop", order)
    }

    /// Takes a decision back that nobody has made.
    pub fn withdraw(&self, conflict: &str, body: &Withdrawal) -> Result<Ack> {
        self.post(&format!("/v1/conflicts/{}/withdraw", escaped(conflict)), body)
    }

    /// Sends a message.
    pub fn send_message(&self, message: &NewMessage) -> Result<Ack> {
        self.post("/v1/messages", message)
    }

    /// Returns a message that is still known.
    pub fn message(&self, message: &str) -> Result<Message> {
        self.get(&format!("/v1/messages/{}", escaped(message)))
    }

    /// Returns the newest messages that `query` asks for, such as `[("channel", "web")]`.
    pub fn messages(&self, query: &[(&str, &str)]) -> Result<Vec<Message>> {
        self.get::<Page<Message>>(&format!("/v1/messages?limit=1000{}", queried(query)))
            .map(|page| page.items)
    }

    /// Acknowledges a message.
    pub fn acknowledge(&self, message: &str, agent: &str) -> Result<Ack> {
        let path = format!("/v1/messages/{}/ack", escaped(message));
        self.post(&path, &MessageAck { agent: agent.to_owned() })
    }

    /// Returns what an agent has to read or acknowledge, oldest first.
    pub fn inbox(&self, agent: &str) -> Result<Vec<Message>> {
        self.all(&format!("/v1/agents/{}/messages?limit=1000", escaped(agent)))
    }

    /// Tells that an agent has read its messages up to one.
    pub fn read_messages(&self, agent: &str, up_to: &str) -> Result<Ack> {
        let path = format!("/v1/agents/{}/messages/read", escaped(agent));
        self.post(&path, &MessagesRead { up_to: up_to.to_owned() })
    }

    /// Returns the channels.
    pub fn channels(&self) -> Result<Vec<Channel>> {
        self.all("/v1/channels?limit=1000")
    }

    /// Makes a channel.
    pub fn open_channel(&self, channel: &NewChannel) -> Result<Ack> {
        self.post("/v1/channels", channel)
    }

    /// Brings an agent into a channel, or takes it out.
    pub fn channel_member(&self, channel: &str, agent: &str, joins: bool) -> Result<Ack> {
        let verb = if joins { "join" } else { "leave" };
        let path = format!("/v1/channels/{}/{verb}", escaped(channel));
        self.post(&path, &ChannelMember { agent: agent.to_owned() })
    }

    /// Begins a handoff.
    pub fn request_handoff(&self, task: &str, request: &HandoffRequest) -> Result<Ack> {
        self.post(&task_path(task, "/handoff"), request)
    }

    /// Sends the package of a handoff.
    pub fn send_package(&self, task: &str, package: &HandoffPackage) -> Result<Ack> {
        self.post(&task_path(task, "/handoff/package"), package)
    }

    /// Confirms that the recipient of a handoff has what it needs.
    pub fn confirm_handoff(&self, task: &str, agent: &str) -> Result<Ack> {
        self.post(&task_path(task, "/handoff/confirm"), &HandoffConfirmation { agent: agent.to_owned() })
    }

    /// Declines for the recipient of a handoff.
    pub fn decline_handoff(&self, task: &str, refusal: &HandoffRefusal) -> Result<Ack> {
        self.post(&task_path(task, "/handoff/decline"), refusal)
    }

    /// Calls a handoff off.
    pub fn cancel_handoff(&self, task: &str, cancellation: &HandoffCancellation) -> Result<Ack> {
        self.post(&task_path(task, "/handoff/cancel"), cancellation)
    }

    /// Returns the handoffs that `query` asks for, such as `[("state", "open")]`; all pages.
    pub fn handoffs(&self, query: &[(&str, &str)]) -> Result<Vec<Handoff>> {
        self.all(&format!("/v1/handoffs?limit=1000{}", queried(query)))
    }

    /// Returns a handoff with its package.
    pub fn handoff(&self, handoff: &str) -> Result<Handoff> {
        self.get(&format!("/v1/handoffs/{}", escaped(handoff)))
    }

    /// Returns why a task is where it is.
    pub fn why(&self, task: &str) -> Result<Why> {
        self.why_at(task, None)
    }

    /// Returns why a task was where it was at a point of the log: a position, or a time by RFC 3339.
    pub fn why_at(&self, task: &str, at: Option<&str>) -> Result<Why> {
        self.get(&task_path(task, &format!("/why{}", as_of(at))))
    }

    /// Returns why an agent does not have a task.
    pub fn why_not(&self, agent: &str, task: &str, at: Option<&str>) -> Result<WhyNot> {
        self.get(&task_path(task, &format!("/why-not/{}{}", escaped(agent), as_of(at))))
    }

    /// Returns what a task waits for, or with `down` what waits for it, at most `depth` levels.
    pub fn tree(&self, task: &str, down: bool, depth: u32) -> Result<Tree> {
        let direction = if down { "down" } else { "up" };
        self.get(&task_path(task, &format!("/dependencies?direction={direction}&depth={depth}")))
    }

    /// Adds an edge.
    pub fn add_dependency(&self, task: &str, on: &str, kind: &str) -> Result<Ack> {
        self.add_edge(task, on, kind, "declared")
    }

    /// Adds an edge that comes from a file; where it closes a cycle, that is broken.
    pub fn import_dependency(&self, task: &str, on: &str, kind: &str) -> Result<Ack> {
        self.add_edge(task, on, kind, "imported")
    }

    fn add_edge(&self, task: &str, on: &str, kind: &str, source: &str) -> Result<Ack> {
        let edge = NewDependency { on: on.to_owned(), kind: kind.to_owned(), source: source.to_owned() };
        self.post(&task_path(task, "/dependencies"), &edge)
    }

    /// Puts an edge back that was taken out of a cycle; `instead` names the edge of the cycle that goes for it.
    pub fn restore_dependency(&self, task: &str, on: &str, instead: Option<EdgeName>) -> Result<Ack> {
        let path = task_path(task, &format!("/dependencies/{}/restore", escaped(on)));
        self.post(&path, &Restoration { instead })
    }

    /// Returns the edges that were taken out of cycles; those in one state, or all.
    pub fn cycles(&self, state: Option<&str>) -> Result<Vec<BrokenEdge>> {
        let state = state.map(|state| format!("&state={state}")).unwrap_or_default();
        self.all(&format!("/v1/cycles?limit=1000{state}"))
    }

    /// Takes an edge away.
    pub fn waive_dependency(&self, task: &str, on: &str) -> Result<Ack> {
        let path = task_path(task, &format!("/dependencies/{}", escaped(on)));
        let body = self.delete(&path)?;
        self.read(&path, &body)
    }

    /// Returns the late results; of one task, or of all.
    pub fn offers(&self, task: Option<&str>) -> Result<Vec<Offer>> {
        match task {
            Some(task) => self.get::<Page<Offer>>(&task_path(task, "/offers")).map(|page| page.items),
            None => self.all("/v1/offers?limit=1000"),
        }
    }

    /// Makes a late result the task's result.
    pub fn accept_offer(&self, offer: &str) -> Result<Ack> {
        self.post(&format!("/v1/offers/{}/accept", escaped(offer)), &Decision::default())
    }

    /// Puts a late result away.
    pub fn decline_offer(&self, offer: &str, note: &str) -> Result<Ack> {
        self.post(&format!("/v1/offers/{}/decline", escaped(offer)), &Decision { note: note.to_owned() })
    }

    /// Returns every escalation.
    ///
    /// `filters` are pairs of `state`, `role`, `severity` or `about` with what it must be.
    pub fn escalations(&self, filters: &[(&str, &str)]) -> Result<Vec<Escalation>> {
        self.all(&format!("/v1/escalations?limit=1000{}", queried(filters)))
    }

    /// Returns the report on the fleet.
    pub fn report(&self) -> Result<Report> {
        self.get("/v1/report")
    }

    /// Returns the report on the fleet as Markdown.
    pub fn report_markdown(&self) -> Result<String> {
        let body = self.send::<()>("GET", "/v1/report?format=markdown", None, true)?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Returns the report on the fleet as one HTML file.
    pub fn report_html(&self) -> Result<Vec<u8>> {
        self.send::<()>("GET", "/v1/report?format=html", None, true)
    }

    /// Has the report of today saved in the server's data directory.
    pub fn save_report(&self) -> Result<SavedReport> {
        self.post("/v1/report", &serde_json::json!({}))
    }

    /// Returns every project.
    pub fn projects(&self) -> Result<Vec<Project>> {
        self.all("/v1/projects?limit=1000")
    }

    /// Makes a project.
    pub fn create_project(&self, project: &NewProject) -> Result<Ack> {
        self.post("/v1/projects", project)
    }

    /// Returns the policy.
    pub fn policy(&self) -> Result<Policy> {
        self.get("/v1/policy")
    }

    /// Sets the policy.
    pub fn set_policy(&self, policy: &Policy) -> Result<Ack> {
        let body = self.send("PUT", "/v1/policy", Some(policy), true)?;
        self.read("/v1/policy", &body)
    }

    /// Makes a token.
    pub fn make_token(&self, token: &NewToken) -> Result<MadeToken> {
        self.post_once("/v1/tokens", token)
    }

    /// Returns every token's description.
    pub fn tokens(&self) -> Result<Vec<Token>> {
        self.get("/v1/tokens")
    }

    /// Puts a new token in the place of one.
    pub fn rotate_token(&self, id: u32, rotate: &RotateToken) -> Result<MadeToken> {
        self.post_once(&format!("/v1/tokens/{id}/rotate"), rotate)
    }

    /// Takes a token back.
    pub fn revoke_token(&self, id: u32) -> Result<()> {
        self.delete(&format!("/v1/tokens/{id}")).map(|_| ())
    }

    /// Returns a page of events behind `after` that `query` asks for, such as `[("task", "T-1")]`.
    pub fn events(&self, after: u64, limit: usize, query: &[(&str, &str)]) -> Result<Events> {
        self.get(&format!("/v1/events?after={after}&limit={limit}{}", queried(query)))
    }

    /// Sends many commands at once. The answers come in the order of the lines.
    pub fn bulk(&self, lines: &[BulkLine]) -> Result<Vec<BulkAnswer>> {
        let mut body = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut body, line).map_err(|error| self.malformed("/v1/bulk", error))?;
            body.push(b'\n');
        }
        let answers = self.send_bytes("POST", "/v1/bulk", Some((&body, "application/x-ndjson")), true)?;
        let lines = answers.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| self.read("/v1/bulk", line)).collect()
    }

    /// Follows the events behind `after` as they become durable, until the connection ends.
    pub fn follow(&self, after: u64) -> Result<impl Iterator<Item = Result<Event>> + use<>> {
        let url = format!("{}/v1/events/stream?after={after}", self.base);
        let request = self.agent.get(&url).header("authorization", &self.authorization);
        let unreachable =
            |source: ureq::Error| ClientError::Unreachable { url: url.clone(), source: source.into() };
        let mut answer = request.call().map_err(unreachable)?;
        if answer.status() != 200 {
            let body = answer.body_mut().read_to_vec().map_err(unreachable)?;
            return Err(self.refusal("/v1/events/stream", &body));
        }
        Ok(EventStream { reader: BufReader::new(answer.into_body().into_reader()), url })
    }

    /// Sends any request of the contract and returns what it is answered with; null where the answer has no body.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<serde_json::Value> {
        let body = self.send(method, path, body, true)?;
        if body.is_empty() { Ok(serde_json::Value::Null) } else { self.read(path, &body) }
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let body = self.send::<()>("GET", path, None, true)?;
        self.read(path, &body)
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let body = self.send("POST", path, Some(body), true)?;
        self.read(path, &body)
    }

    /// For what the server does not know again by the key.
    fn post_once<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let body = self.send("POST", path, Some(body), false)?;
        self.read(path, &body)
    }

    fn delete(&self, path: &str) -> Result<Vec<u8>> {
        self.send::<()>("DELETE", path, None, false)
    }

    fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>> {
        let mut items = Vec::new();
        self.pages(path, |page| items.extend(page))?;
        Ok(items)
    }

    fn pages<T: DeserializeOwned>(&self, path: &str, mut take: impl FnMut(Vec<T>)) -> Result<()> {
        let mut cursor: Option<String> = None;
        loop {
            let at = cursor
                .map_or_else(|| path.to_owned(), |cursor| format!("{path}&cursor={}", escaped(&cursor)));
            let page: Page<T> = self.get(&at)?;
            take(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    fn send<T: Serialize>(&self, method: &str, path: &str, body: Option<&T>, again: bool) -> Result<Vec<u8>> {
        let body = body.map(serde_json::to_vec).transpose().map_err(|error| self.malformed(path, error))?;
        let body = body.as_deref().map(|bytes| (bytes, "application/json"));
        self.send_bytes(method, path, body, again)
    }

    /// Sends a request, and sends it again with the same key while the server is busy or does not answer.
    fn send_bytes(
        &self,
        method: &str,
        path: &str,
        body: Option<(&[u8], &str)>,
        again: bool,
    ) -> Result<Vec<u8>> {
        if path.split('?').next().is_some_and(|path| path[1..].split('/').any(str::is_empty)) {
            return Err(ClientError::EmptyName { path: path.to_owned() });
        }
        // What is not sent again needs no key, and where the answer is a secret none is taken.
        let key = again.then(fresh_key);
        let started = Instant::now();
        let mut pause = Duration::from_millis(20);
        loop {
            let tried = self.send_once(method, path, body, key.as_deref());
            let wait = match &tried {
                Err(ClientError::Unreachable { .. }) => again.then_some(pause),
                Err(ClientError::Problem(problem)) => {
                    problem.retry_after_ms.map(|told| pause.max(Duration::from_millis(told)))
                }
                _ => None,
            };
            // A server that says when it has time is waited for, as long as anybody is told to be.
            let patience = if matches!(tried, Err(ClientError::Problem(_))) && !self.patience.is_zero() {
                self.patience.max(TOLD_MAX)
            } else {
                self.patience
            };
            let Some(wait) = wait.filter(|wait| started.elapsed() + *wait <= patience) else {
                return tried;
            };
            std::thread::sleep(wait);
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }

    fn send_once(
        &self,
        method: &str,
        path: &str,
        body: Option<(&[u8], &str)>,
        key: Option<&str>,
    ) -> Result<Vec<u8>> {
        let url = format!("{}{path}", self.base);
        let unreachable =
            |source: ureq::Error| ClientError::Unreachable { url: url.clone(), source: source.into() };
        let builder = ureq::http::Request::builder()
            .method(method)
            .uri(&url)
            // The Model Context Protocol wants both named; everything else answers JSON to anybody.
            .header("accept", "application/json, text/event-stream")
            .header("authorization", &self.authorization);
        let answer = match body {
            Some((bytes, kind)) => {
                let builder = builder.header("content-type", kind);
                let request = match key {
                    Some(key) => builder.header("idempotency-key", key).body(bytes),
                    None => builder.body(bytes),
                };
                self.agent.run(request.map_err(|error| self.malformed(path, error))?)
            }
            None => self.agent.run(builder.body(()).map_err(|error| self.malformed(path, error))?),
        };
        let mut answer = answer.map_err(unreachable)?;
        let body =
            answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().map_err(unreachable)?;
        if answer.status().is_success() { Ok(body) } else { Err(self.refusal(path, &body)) }
    }

    fn refusal(&self, path: &str, body: &[u8]) -> ClientError {
        match self.read::<Problem>(path, body) {
            Ok(problem) => ClientError::Problem(Box::new(problem)),
            Err(error) => error,
        }
    }

    fn read<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T> {
        serde_json::from_slice(body).map_err(|error| self.malformed(path, error))
    }

    fn malformed(
        &self,
        path: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ClientError {
        ClientError::Malformed { url: format!("{}{path}", self.base), source: source.into() }
    }
}

/// Returns a pool of connections whose answers begin within a time, if one is named.
fn connections(answer: Option<Duration>) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_connect(Some(Duration::from_secs(5)))
        .timeout_recv_response(answer)
        .max_idle_connections_per_host(4)
        .user_agent(concat!("kapell/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// The largest answer that is read: a bulk of a hundred thousand lines fits well.
const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Writes parameters behind others.
fn queried(query: &[(&str, &str)]) -> String {
    query.iter().map(|(name, value)| format!("&{name}={}", escaped(value))).collect()
}

fn as_of(at: Option<&str>) -> String {
    at.map(|at| format!("?at={}", escaped(at))).unwrap_or_default()
}

fn task_path(task: &str, rest: &str) -> String {
    format!("/v1/tasks/{}{rest}", escaped(task))
}

/// Escapes a path segment or query value (RFC 3986): what is not unreserved becomes `%XX`.
fn escaped(text: &str) -> String {
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

/// Returns a key that nobody used before, with the moment in it: a UUID of version 7.
fn fresh_key() -> String {
    uuid::Uuid::now_v7().to_string()
}

struct EventStream<R> {
    reader: R,
    url: String,
}

impl<R: BufRead> Iterator for EventStream<R> {
    type Item = Result<Event>;

    /// Reads up to the next event; comments and other fields are passed over.
    fn next(&mut self) -> Option<Result<Event>> {
        let mut line = String::new();
        loop {
            line.clear();
            match self.reader.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    return Some(Err(ClientError::Unreachable {
                        url: self.url.clone(),
                        source: error.into(),
                    }));
                }
            }
            if let Some(data) = line.strip_prefix("data:") {
                let event = serde_json::from_str(data.trim());
                return Some(event.map_err(|error| ClientError::Malformed {
                    url: self.url.clone(),
                    source: error.into(),
                }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_escaped() {
        assert_eq!(escaped("gas/polecats/nux#1 ä"), "gas%2Fpolecats%2Fnux%231%20%C3%A4");
    }

    #[test]
    fn the_stream_passes_over_comments_and_reads_events() {
        let event = r#"{"position":3,"at":"2026-01-01T00:00:00Z","actor":"clock","command":"x","kind":"agent.back","data":{}}"#;
        let text = format!(": hello\n\nid: 3\nevent: agent.back\ndata: {event}\n\n");
        let stream = EventStream { reader: text.as_bytes(), url: String::new() };
        let positions: Vec<u64> = stream.map(|event| event.expect("an event").position).collect();
        assert_eq!(positions, [3]);
    }
}
