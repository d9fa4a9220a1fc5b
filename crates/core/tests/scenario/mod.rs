//! Scenarios as text: each line is a command, and behind `->` what must come of it.
//!
//! ```text
//! agent  A rust=0.9 slots=1          registers, online
//! submit t1 needs=rust after=t0 priority=high at=+5s
//! assign t1 A | claim t1 A | start t1 A | progress t1 A 50 | done t1 A | fail t1 A | release t1 A
//! offline A | back A | tick +31s | dep t2 t1 | waive t2 t1 | cancel t1 | reopen t1
//! move t1 B | notices A -> moved T-1 | read A N-1
//! submit t1 title=Tune_postgres label=sql import=blocked_by_t0   words of a text are joined by `_`
//! define sql postgres .sql | undefine sql | analyse t1
//! imported t1 t2 | guessed t1 t2 | restore t1 t2 instead=t2,t1 | cycles   an edge of a file, of a text; what was taken out
//! balance                            -> the moves of a plan, which is applied
//! decide dba ask=A,B for=1h tasks=t1 options=x,y by=A final shape     opens a decision -> C-1
//! propose C-1 A x 0.9 | rule C-1 x by=A | withdraw C-1 by=A
//! conflict C-1                       -> its state, what was decided
//! say t1 high by=A | order t1 t2 by=A | disorder t1 t2 by=A   what is more urgent; without `by` by a manager
//! look +5m | bottlenecks              -> B-1 rust low 200/150 D-1 kept R, ...
//! queue t1,t2                        -> the tasks in the order in which they stand in the queue
//! dispute t1 A [against=B]           -> C-1: an agent says that a task is its own
//! settle E-1 | accept O-1 | decline O-1 | unfetched t1 | policy on_failed=cancel
//! reserve A path:src/**,env:one shared ttl=60s task=t1 wait=5m    -> R-1, or waits as W-1
//! renew A R-1 | free A R-1 | force R-1
//! handoff t1 to=B by=A               -> in progress A; without `by` by a manager, without `to` to the best other
//! package t1 A [without=state] [names=R-1]   -> in progress B, or what is missing
//! submit t1 gates=cmd:make_test,review:qa,approval | pass t1 by=B [gate=2] | reject t1 by=B | ran t1 A 0
//! breakdown t1 into=a,b | breakdown t1 | plan T-2 C into=a,b | broken t1 into=a | keepwhole t1   `broken` where the policy wants it
//! confirm t1 B | refuse t1 B | calloff t1 [A]
//! send A B words high ack re=M-1 task=t1 | send A @web words -> M-2
//! inbox B                            -> M-1 high ack read resent escalated
//! readmail B M-1 | ack B M-1 | channel web A,B | join web C | leave web C
//! handoffs                           -> H-1 T-1 A>B transferred
//! held                               -> R-1 A env:one, W-1 B env:one
//! check +31m | away 2h               time passes and running work is looked at; nobody served for a while
//! show t1                            -> state owner [stalled]
//! checks off                         the invariants are not checked after each line: for large fleets
//! restart                            -> as live, where the next steps after a restart bring what they bring without one
//! ```
//! A report uses the agent's own last assignment of the task, outdated or not.

pub mod breakdown;
mod budget;
mod emergency;
mod escalation;
pub mod permission;
mod shown;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use kapell_core::{
    CapabilitySpec, Command, EdgeSource, Engine, Event, GateWord, NewPolicy, NewProposal, Record, Request,
    State,
};
use kapell_model::{AssignmentId, CommandId, Moment, Need, Placer, Priority, Span, Text};
use kapell_plan::{Greedy, Optimal};
use words::{
    agent_spec, by, decision, duration, edge, edit_of, policy, ratio, reserve, reserved, send, task_spec,
    text,
};
pub use words::{name, package, reference};

pub struct Scenario<P = Greedy> {
    pub engine: Engine<P>,
    pub log: Vec<Record>,
    pub now: i64,
    /// Whether the invariants are checked after each line.
    checks: bool,
    commands: u128,
    tokens: BTreeMap<(String, String), AssignmentId>,
}

impl Scenario {
    /// Plays `text` and compares each line that has an `->`.
    pub fn play(text: &str) -> Self {
        Self::play_with(Greedy::default(), text)
    }
}

impl<P: Placer> Scenario<P> {
    fn with(placer: P) -> Self {
        Self {
            engine: Engine::new(State::default(), placer),
            log: Vec::new(),
            now: 1_000_000,
            checks: true,
            commands: 0,
            tokens: BTreeMap::new(),
        }
    }

    /// Plays `text` with another placer.
    pub fn play_with(placer: P, text: &str) -> Self {
        let mut scenario = Self::with(placer);
        scenario.also(text);
        scenario
    }

    /// Plays `text` where the last one ended.
    pub fn also(&mut self, text: &str) {
        let scenario = self;
        for (number, line) in text.lines().enumerate() {
            let line = line.split(" #").next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let (command, wanted) = match line.split_once("->") {
                Some((command, wanted)) => (command.trim(), Some(wanted.trim())),
                None => (line, None),
            };
            let found = scenario.line(command);
            if let Some(wanted) = wanted {
                assert_eq!(found, wanted, "line {}: {line}", number + 1);
            } else {
                assert!(!found.starts_with("refused"), "line {}: {line}: {found}", number + 1);
            }
            if scenario.checks {
                kapell_core::invariant::check(scenario.engine.state()).expect("every invariant");
            }
        }
    }

    /// Plays one line, and says what came of it.
    pub fn line(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (verb, rest) = (words[0], &words[1..]);
        if verb == "checks" {
            self.checks = rest[0] == "on";
            return "done".to_owned();
        }
        if verb == "rounds" {
            return self.rounds();
        }
        if verb == "notices" {
            return self.notices(rest[0]);
        }
        if verb == "inbox" {
            return self.inbox(rest[0]);
        }
        if verb == "handoffs" {
            return self.handoffs();
        }
        if verb == "cycles" {
            return self.cycles();
        }
        if verb == "balance" {
            return self.balance();
        }
        if verb == "show" {
            return self.show(rest[0]);
        }
        if verb == "restart" {
            return self.restart();
        }
        if verb == "said" {
            return self.said(rest[0]);
        }
        if verb == "conflict" {
            return self.conflict(rest[0]);
        }
        if verb == "bottlenecks" {
            return self.bottlenecks();
        }
        if verb == "queue" {
            return self.queue();
        }
        match verb {
            "spent" => return self.spent(rest[0]),
            "costs" => return self.costs(rest[0]),
            "calls" => return self.calls(),
            _ => {}
        }
        if verb == "emergencies" {
            return self.emergencies();
        }
        if verb == "escalations" {
            return self.escalations();
        }
        if verb == "forces" {
            return self.forces();
        }
        if verb == "checkpoints" {
            return self.checkpoints(rest[0]);
        }
        if verb == "held" {
            return self.held();
        }
        if ["away", "check", "look", "tick"].contains(&verb) {
            self.pass(duration(rest[0]));
        }
        let command = self.command(verb, rest);
        let before = self.log.len();
        let outcome = self.execute(command, None);
        self.note_tokens(before);
        match outcome {
            Err(rejection) => format!("refused: {rejection}"),
            Ok(reply) => {
                let mut text =
                    reply.state.map(|state| state.to_string()).unwrap_or_else(|| "done".to_owned());
                if let Some(agent) = reply.agent.filter(|_| reply.assignment.is_some()) {
                    text += &format!(" {agent}");
                }
                if let Some(id) = reply.conflict {
                    text = id.to_string();
                } else if let Some(id) = reply.reservation {
                    text = id.to_string();
                } else if let Some(id) = reply.wait {
                    text = format!("waits as {id}");
                }
                if let Some(id) = reply.emergency.filter(|_| verb == "declare") {
                    text = id.to_string();
                }
                if let Some(id) = reply.force.filter(|_| verb == "gather") {
                    text = id.to_string();
                }
                if let Some(message) = reply.message {
                    text = message.to_string();
                }
                if !reply.missing.is_empty() {
                    let missing: Vec<&str> = reply.missing.iter().map(|text| text.as_str()).collect();
                    text = missing.join("; ");
                }
                if reply.stale {
                    let kept = |offer| format!("stale, kept as {offer}");
                    text = reply.offer.map_or_else(|| "counted, the token is outdated".to_owned(), kept);
                }
                text
            }
        }
    }

    pub fn execute(
        &mut self,
        command: Command,
        key: Option<(u128, u64)>,
    ) -> Result<kapell_core::Reply, kapell_core::Rejection> {
        self.commands += 1;
        let id = CommandId(key.map_or(self.commands, |(id, _)| id));
        let request = Request {
            id,
            fingerprint: key.map(|(_, fingerprint)| fingerprint),
            actor: Arc::from("test"),
            at: Moment(self.now),
            command,
        };
        self.engine.execute(&request, &mut self.log)
    }

    /// Lets time pass.
    pub fn pass(&mut self, millis: i64) {
        self.now += millis;
    }

    fn show(&self, key: &str) -> String {
        let state = self.engine.state();
        let task = state.task(state.task_id(&reference(key)).expect("a task"));
        let owner = task.owner.as_ref().map(|owner| format!(" {}", state.agent(owner.agent).spec.name));
        let stall = task.owner.as_ref().and_then(|owner| owner.stall());
        let stall = stall.map_or("", |stall| if stall.unanswered { " unanswered" } else { " stalled" });
        format!("{} {}{}{stall}", task.state(), task.effective, owner.unwrap_or_default())
    }

    /// Remembers the tokens that were given out since `before`.
    fn note_tokens(&mut self, before: usize) {
        for record in &self.log[before..] {
            if let Event::TaskAssigned { task, agent, assignment, .. }
            | Event::HandoffTransferred { task, agent, assignment, .. }
            | Event::TaskMoved { task, agent, assignment, .. } = &record.event
            {
                let state = self.engine.state();
                let key = state.task(*task).spec.key.as_ref().map(ToString::to_string).unwrap_or_default();
                let name = state.agent(*agent).spec.name.to_string();
                self.tokens.insert((key, name.clone()), *assignment);
                self.tokens.insert((task.to_string(), name), *assignment);
            }
        }
    }

    /// Plays optimal rounds until nothing is left to plan, as the planner beside the writer does.
    pub fn rounds(&mut self) -> String {
        let (mut optimal, before) = (Optimal::new(), self.log.len());
        while let Some((excerpt, seen)) = self.engine.take_round() {
            let plan = optimal.propose(&excerpt, seen);
            if self.engine.is_worth_applying(&plan) {
                self.execute(Command::ApplyPlan(Box::new(plan)), None)
                    .expect("a plan is never refused whole");
            }
        }
        let placed = self.log[before..].iter().filter(|it| it.event.kind() == "task.assigned").count();
        self.note_tokens(before);
        format!("{placed} placed")
    }

    /// Balances once, and says what has moved.
    pub fn balance(&mut self) -> String {
        let Some(view) = self.engine.state().balance_view(Moment(self.now)) else { return "even".to_owned() };
        let before = self.log.len();
        self.execute(Command::ApplyPlan(Box::new(kapell_plan::balance(&view))), None).expect("a plan");
        let name = |agent| self.engine.state().agent(agent).spec.name.clone();
        let moved = self.log[before..].iter().filter_map(|record| match &record.event {
            Event::TaskMoved { task, from, agent, .. } => {
                Some(format!("{task} {}>{}", name(*from), name(*agent)))
            }
            Event::HandoffRequested { task, agent, to, .. } => {
                Some(format!("{task} {}=>{}", name(*agent), name(*to)))
            }
            Event::PlanApplied { dropped, .. } if !dropped.is_empty() => Some(format!("{dropped:?}")),
            _ => None,
        });
        let moved: Vec<String> = moved.collect();
        if moved.is_empty() { "nothing".to_owned() } else { moved.join(", ") }
    }

    /// Shows what a task's text was taken to say: needs, edges, and what was passed over.
    fn said(&self, key: &str) -> String {
        let state = self.engine.state();
        let task = state.task(state.task_id(&reference(key)).expect("a task"));
        let mut words: Vec<String> = Vec::new();
        if let Some(analysis) = &task.analysis {
            words.extend(analysis.requires.iter().map(|require| {
                let set_aside = state.is_set_aside(task.class, &require.capability);
                format!("{}{}", require.capability, if set_aside { ":set-aside" } else { "" })
            }));
            words.extend(
                analysis
                    .passed_over
                    .iter()
                    .map(|it| format!("{}?{}", it.because.as_str(), it.evidence.words)),
            );
        }
        let inferred = task.edges.iter().filter(|edge| edge.inferred);
        words.extend(inferred.map(|edge| format!("{}{}", if edge.waived { "-" } else { "+" }, edge.on)));
        words.join(" ")
    }

    fn held(&self) -> String {
        let state = self.engine.state();
        let line = |id: String, agent: kapell_model::AgentId, needs: &[Need]| {
            let needs: Vec<String> = needs.iter().map(|need| need.resource.to_string()).collect();
            format!("{id} {} {}", state.agent(agent).spec.name, needs.join(" "))
        };
        let held = state.reservations().held().map(|it| line(it.id.to_string(), it.agent, &it.needs));
        let waiting = state.reservations().waiting().map(|it| line(it.id.to_string(), it.agent, &it.needs));
        let all: Vec<String> = held.chain(waiting).collect();
        if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
    }

    /// Starts anew from the log, and compares what the next steps bring there with what they bring here.
    pub fn restart(&mut self) -> String {
        let mut state = State::default();
        self.log.iter().for_each(|record| state.apply(record));
        state.settle_replayed();
        let mut restarted = Engine::new(state, Greedy::default());
        for command in [Command::Tick, Command::CheckProgress] {
            let (before, mut there) = (self.log.len(), Vec::new());
            self.execute(command.clone(), None).expect("a step of the clock");
            let request = Request {
                id: CommandId(self.commands),
                fingerprint: None,
                actor: Arc::from("test"),
                at: Moment(self.now),
                command,
            };
            restarted.execute(&request, &mut there).expect("a step of the clock");
            self.note_tokens(before);
            let here = &self.log[before..];
            if there != here {
                let kinds =
                    |log: &[Record]| log.iter().map(|it| it.event.kind()).collect::<Vec<_>>().join(" ");
                return format!("[{}], and live [{}]", kinds(&there), kinds(here));
            }
        }
        assert_eq!(restarted.state().to_snapshot(), self.engine.state().to_snapshot());
        "as live".to_owned()
    }

    /// Shows how a conflict stands, and what its tasks wait for.
    fn conflict(&self, id: &str) -> String {
        let state = self.engine.state();
        let conflict = state.conflict(id.parse().expect("a conflict")).expect("it is there");
        let names: Vec<&str> =
            conflict.parties.iter().map(|&agent| state.agent(agent).spec.name.as_str()).collect();
        let outcome = conflict.deliberation().and_then(|it| it.outcome.as_ref());
        let outcome = outcome.map(|it| format!(" for {}", it.option)).unwrap_or_default();
        let award = conflict.dispute().and_then(|it| it.award.as_ref());
        let award = award
            .map(|it| format!(" to {} by {}", state.agent(it.agent).spec.name, it.rule.as_str()))
            .unwrap_or_default();
        let level = conflict.precedence().and_then(|it| it.ruling.as_ref());
        let level = level
            .map(|it| {
                let order: Vec<String> = it.order.iter().map(|impact| impact.task.to_string()).collect();
                let level = it.priority.map(|level| format!(" {level}")).unwrap_or_default();
                format!(" as {}{level}", order.join(","))
            })
            .unwrap_or_default();
        let outcome = outcome + &award + &level;
        format!("{} of {}{outcome}", conflict.state.as_str(), names.join(",")).trim_end().to_owned()
    }

    fn token(&self, task: &str, agent: &str) -> AssignmentId {
        self.tokens.get(&(task.to_owned(), agent.to_owned())).copied().unwrap_or(AssignmentId(9_999))
    }

    fn command(&self, verb: &str, rest: &[&str]) -> Command {
        let task = || reference(rest[0]);
        let agent = || name(rest[1]);
        let assignment = || self.token(rest[0], rest[1]);
        let reason = || Text::from("because");
        let last_seen = Moment(self.now);
        match verb {
            "agent" => Command::RegisterAgent { spec: agent_spec(rest), online: true },
            "remove" => Command::RemoveAgent { agent: name(rest[0]) },
            "drain" | "resume" => Command::DrainAgent { agent: name(rest[0]), draining: verb == "drain" },
            "unreachable" => Command::AgentUnreachable { agent: name(rest[0]), last_seen },
            "offline" => Command::AgentOffline { agent: name(rest[0]), last_seen },
            "back" => Command::AgentBack { agent: name(rest[0]) },
            "signoff" => Command::SignOff { agent: name(rest[0]) },
            "project" => Command::CreateProject(emergency::project(rest, self.now)),
            "submit" => {
                let (spec, edges) = task_spec(rest, self.now);
                Command::Submit { spec: Arc::new(spec), edges }
            }
            "assign" => Command::Assign { task: task(), agent: agent() },
            "move" => Command::Move { task: task(), agent: agent(), note: Some(reason()) },
            "handoff" => {
                let find = |key: &str| rest.iter().find_map(|word| word.strip_prefix(key));
                let owner = find("by=").map(|by| (name(by), self.token(rest[0], by)));
                Command::RequestHandoff { task: task(), owner, to: find("to=").map(name), note: None }
            }
            "package" => Command::SubmitPackage {
                task: task(),
                agent: agent(),
                assignment: assignment(),
                package: Arc::new(package(&rest[2..])),
            },
            "confirm" => Command::ConfirmHandoff { task: task(), agent: agent() },
            "refuse" => Command::DeclineHandoff { task: task(), agent: agent(), reason: reason() },
            "send" => send(rest),
            "readmail" => {
                Command::ReadMessages { agent: name(rest[0]), up_to: rest[1].parse().expect("a message") }
            }
            "ack" => {
                let message = rest[1].parse().expect("a message");
                Command::AcknowledgeMessage { agent: name(rest[0]), message }
            }
            "channel" => Command::OpenChannel {
                channel: name(rest[0]),
                members: rest[1].split(',').map(name).collect(),
            },
            "join" | "leave" => {
                Command::ChannelMember { channel: name(rest[0]), agent: agent(), joins: verb == "join" }
            }
            "calloff" => {
                let agent = rest.get(1).map(|agent| name(agent));
                Command::CancelHandoff { task: task(), agent, reason: reason() }
            }
            "read" => {
                Command::ReadNotices { agent: name(rest[0]), up_to: rest[1].parse().expect("a notice") }
            }
            "claim" => Command::Claim { task: task(), agent: agent() },
            "start" => Command::Start { task: task(), agent: agent(), assignment: assignment() },
            "progress" => Command::Progress {
                task: task(),
                agent: agent(),
                assignment: assignment(),
                percent: Some(rest[2].parse().expect("percent")),
                note: None,
            },
            "done" => Command::Finish {
                task: task(),
                agent: agent(),
                assignment: assignment(),
                result: Some(Text::from("a result")),
            },
            "fail" => Command::Fail {
                task: task(),
                agent: agent(),
                assignment: assignment(),
                reason: reason(),
                retry: true,
            },
            "release" => {
                Command::Release { task: task(), agent: agent(), assignment: assignment(), note: None }
            }
            "unfetched" => Command::ReturnUnfetched { assignments: vec![assignment()] },
            "tick" => Command::Tick,
            "refresh" => Command::RefreshEstimates { after: 0 },
            "age" => Command::AgeCapabilities { after: 0 },
            "reserve" => reserve(rest),
            "renew" => Command::RenewReservation {
                reservation: rest[1].parse().expect("a reservation"),
                agent: Some(name(rest[0])),
                ttl: None,
            },
            "free" => Command::ReleaseReservation {
                reservation: reserved(rest[1]),
                agent: Some(name(rest[0])),
                reason: None,
            },
            "force" => Command::ReleaseReservation {
                reservation: reserved(rest[0]),
                agent: None,
                reason: rest.get(1).map(|_| reason()),
            },
            "extend" => Command::ExtendReservations,
            "check" => Command::CheckProgress,
            "look" => Command::LookForBottlenecks,
            "away" => Command::ResumeServing { away: Span(duration(rest[0])) },
            "dep" => edge(rest, EdgeSource::Declared),
            "imported" => edge(rest, EdgeSource::Imported),
            "guessed" => edge(rest, EdgeSource::Inferred),
            "restore" => {
                let instead = rest.get(2).map(|word| {
                    let pair = word.strip_prefix("instead=").and_then(|pair| pair.split_once(','));
                    let (task, on) = pair.expect("instead=t1,t2");
                    (reference(task), reference(on))
                });
                Command::RestoreDependency { task: task(), on: reference(rest[1]), instead }
            }
            "waive" => Command::WaiveDependency { task: task(), on: reference(rest[1]) },
            "edit" => {
                Command::Edit { task: task(), edit: Box::new(edit_of(&rest[1..], self.now)), seen: None }
            }
            "cancel" => Command::Cancel { task: task(), reason: reason() },
            "reopen" => Command::Reopen { task: task(), reason: reason() },
            "decide" => decision(rest, self.now),
            "propose" => Command::Propose(Box::new(NewProposal {
                conflict: rest[0].parse().expect("a conflict"),
                agent: agent(),
                option: text(rest[2]),
                reasons: reason(),
                confidence: ratio(rest.get(3).unwrap_or(&"1")),
            })),
            "dispute" => Command::FileDispute {
                task: task(),
                agent: agent(),
                against: rest.get(2).and_then(|word| word.strip_prefix("against=")).map(name),
                reason: reason(),
            },
            "say" => Command::AssertPriority {
                task: task(),
                agent: by(rest),
                priority: Priority::parse(rest[1]).expect("a priority"),
                reason: reason(),
            },
            "order" => Command::AssertOrder {
                first: task(),
                then: reference(rest[1]),
                agent: by(rest),
                reason: reason(),
            },
            "disorder" => Command::DropOrder { first: task(), then: reference(rest[1]), agent: by(rest) },
            "rule" => Command::Rule {
                conflict: rest[0].parse().expect("a conflict"),
                agent: by(rest),
                option: rest.get(1).filter(|word| !word.starts_with("by=")).map(|word| text(word)),
                reason: reason(),
            },
            "withdraw" => Command::WithdrawConflict {
                conflict: rest[0].parse().expect("a conflict"),
                agent: by(rest),
                reason: reason(),
            },
            "usage" => Command::ReportUsage(self.usage(rest)),
            "with" => {
                let command = Box::new(self.command(rest[3], &rest[4..]));
                Command::WithUsage { report: self.usage(rest), command }
            }
            "budget" => budget::set(rest),
            "declare" => emergency::declared(rest),
            "end" => {
                Command::EndEmergency { emergency: rest[0].parse().expect("an emergency"), reason: reason() }
            }
            "gather" => emergency::gathered(rest),
            "disband" => {
                Command::DisbandForce { force: rest[0].parse().expect("a task force"), reason: reason() }
            }
            "settle" | "acknowledge" => escalation::said(verb, rest),
            "ask" | "unask" => permission::said(verb, task(), assignment, rest),
            "allow" | "deny" => permission::answer(verb, task(), permission::read(&self.log, rest), rest),
            "pass" | "reject" => {
                let given = rest.iter().find_map(|word| word.strip_prefix("score="));
                let (notes, score) = (Text::from("a word"), given.map(ratio));
                let gate = rest.iter().find_map(|word| word.strip_prefix("gate=")?.parse().ok());
                let word = match verb {
                    "pass" => GateWord::Passed { notes, score },
                    _ => GateWord::Rejected { notes, score },
                };
                Command::JudgeGate { task: task(), gate, agent: by(rest), word }
            }
            "ran" => Command::JudgeGate {
                task: task(),
                gate: None,
                agent: Some(name(rest[1])),
                word: GateWord::Ran {
                    notes: Text::from("the end of it"),
                    exit_code: rest[2].parse().expect("a code"),
                    digest: Text::from("sha256:0"),
                },
            },
            "breakdown" | "broken" | "keepwhole" => breakdown::asked(verb, task(), rest),
            "plan" => breakdown::proposed(task(), agent(), assignment(), rest[2]),
            "accept" => Command::AcceptOffer { offer: rest[0].parse().expect("an offer") },
            "decline" => {
                Command::DeclineOffer { offer: rest[0].parse().expect("an offer"), reason: reason() }
            }
            "define" => Command::DefineCapability(CapabilitySpec {
                name: name(rest[0]),
                aliases: rest[1..].iter().map(|alias| text(alias)).collect(),
                definition: Text::default(),
            }),
            "undefine" => Command::RemoveCapability { name: name(rest[0]) },
            "analyse" => Command::Analyse { task: task() },
            "policy" => Command::SetPolicy(NewPolicy { policy: Box::new(policy(rest[0])), seen: None }),
            other => panic!("no verb `{other}`"),
        }
    }
}
