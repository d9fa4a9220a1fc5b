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

use std::collections::BTreeMap;
use std::sync::Arc;

use kapell_core::{
    Address, AgentSpec, CapabilitySpec, Change, Command, EdgeSource, Engine, Event, GateWord, InLine,
    NewDecision, NewMessage, NewPolicy, NewProposal, Package, Record, Request, Require, ReservationRef,
    State, TaskEdit, TaskRef, TaskSpec,
};
use kapell_model::{
    Adjust, AgentKind, AssignmentId, BreakdownBy, Capabilities, Claims, CommandId, Cycles, DependencyKind,
    Inference, Mode, Moment, Name, Need, OnFailedDependency, Placer, Policy, Priority, Ratio, Span,
    StartedWork, Strategy, TaskGate, Text,
};
use kapell_plan::{Greedy, Optimal};

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

pub fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub fn reference(text: &str) -> TaskRef {
    text.parse().map_or_else(|_| TaskRef::Key(name(text)), TaskRef::Id)
}

/// Reads a text whose words are joined by `_`.
fn text(joined: &str) -> Text {
    Text::new(&joined.replace('_', " "), 1_000).expect("a text")
}

fn edge(words: &[&str], source: EdgeSource) -> Command {
    let (task, on) = (reference(words[0]), reference(words[1]));
    Command::AddDependency { task, on, kind: DependencyKind::Blocks, source }
}

/// Reads `approval`, `review`, `review:qa` or `cmd:make_test`.
fn gate(word: &str) -> TaskGate {
    match word.split_once(':').unwrap_or((word, "")) {
        ("approval", _) => TaskGate::Approval {},
        ("review", "") => TaskGate::Review { role: None },
        ("review", role) => TaskGate::Review { role: Some(name(role)) },
        ("cmd", line) => TaskGate::Command { line: text(line) },
        other => panic!("{other:?}"),
    }
}

/// Reads `by=A` at the end.
fn by(words: &[&str]) -> Option<Name> {
    words.last().and_then(|word| word.strip_prefix("by=")).map(name)
}

fn decision(words: &[&str], now: i64) -> Command {
    let mut new = NewDecision {
        title: Text::from("which way"),
        capability: name(words[0]),
        deadline: None,
        irreversible: false,
        architectural: false,
        options: Vec::new(),
        asked: Vec::new(),
        tasks: Vec::new(),
        agent: None,
    };
    for word in &words[1..] {
        match word.split_once('=').unwrap_or((word, "")) {
            ("final", _) => new.irreversible = true,
            ("shape", _) => new.architectural = true,
            ("for", time) => new.deadline = Some(Moment(now + duration(time))),
            ("options", options) => new.options = options.split(',').map(text).collect(),
            ("ask", agents) => new.asked = agents.split(',').map(name).collect(),
            ("tasks", tasks) => new.tasks = tasks.split(',').map(reference).collect(),
            ("by", agent) => new.agent = Some(name(agent)),
            other => panic!("{other:?}"),
        }
    }
    Command::OpenDecision(Box::new(new))
}

fn duration(text: &str) -> i64 {
    let text = text.trim_start_matches('+');
    let (number, unit) = text.split_at(text.len() - 1);
    let scale = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => panic!("{text}"),
    };
    number.parse::<i64>().expect("a number") * scale
}

fn ratio(text: &str) -> Ratio {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let padded = format!("{rest:0<6}");
    Ratio::micros(
        whole.parse::<u32>().expect("digits") * Ratio::UNIT + padded.parse::<u32>().expect("digits"),
    )
}

fn agent_spec(words: &[&str]) -> AgentSpec {
    let mut spec = AgentSpec {
        name: name(words[0]),
        role: name("developer"),
        kind: AgentKind::Agent,
        capabilities: Vec::new(),
        max_concurrent: 1,
        lease: None,
        standby: false,
    };
    for word in &words[1..] {
        match word.split_once('=').expect("a pair") {
            ("slots", count) => spec.max_concurrent = count.parse().expect("a number"),
            ("role", role) => spec.role = name(role),
            ("kind", kind) => spec.kind = AgentKind::parse(kind).expect("a kind"),
            ("standby", _) => spec.standby = true,
            (capability, score) => spec.capabilities.push((name(capability), ratio(score))),
        }
    }
    spec
}

/// Reads `priority=high estimate=2h needs=rust deadline=none title=x role=dev`.
fn edit_of(words: &[&str], now: i64) -> TaskEdit {
    let mut edit = TaskEdit::default();
    for word in words {
        match word.split_once('=').expect("a pair") {
            ("priority", word) => edit.priority = Priority::parse(word),
            ("estimate", time) => edit.estimate = Some(Change::To(Span(duration(time)))),
            ("needs", needs) => {
                let require =
                    |it| Require { capability: name(it), weight: Ratio::UNIT, minimum: Ratio::ZERO };
                edit.requires = Some(needs.split(',').map(require).collect());
            }
            ("deadline", "none") => edit.deadline = Some(Change::Clear),
            ("deadline", time) => edit.deadline = Some(Change::To(Moment(now + duration(time)))),
            ("title", title) => edit.title = Some(text(title)),
            ("role", role) => edit.role = Some(Change::To(name(role))),
            ("complexity", number) => edit.complexity = Some(Change::To(number.parse().expect("a number"))),
            other => panic!("{other:?}"),
        }
    }
    edit
}

fn task_spec(words: &[&str], now: i64) -> (TaskSpec, Vec<(TaskRef, DependencyKind)>) {
    let mut edges = Vec::new();
    let mut spec = TaskSpec::titled(Text::from("a task"));
    spec.key = Some(name(words[0]));
    spec.estimate = Some(Span::hours(1));
    for word in &words[1..] {
        match word.split_once('=').expect("a pair") {
            ("needs", needs) => {
                let require = |need: &str| {
                    let (capability, minimum) = need.split_once(':').unwrap_or((need, "0"));
                    Require { capability: name(capability), weight: Ratio::UNIT, minimum: ratio(minimum) }
                };
                spec.requires = needs.split(',').map(require).collect();
            }
            ("after", after) => {
                edges = after.split(',').map(|on| (reference(on), DependencyKind::Blocks)).collect();
            }
            ("priority", priority) => spec.priority = Priority::parse(priority).expect("a priority"),
            ("at", at) => spec.not_before = Some(Moment(now + duration(at))),
            ("deadline", at) => spec.deadline = Some(Moment(now + duration(at))),
            ("agent", agent) => spec.agent = Some(name(agent)),
            ("takes", texts) => spec.resources.extend(needs(texts, Mode::Exclusive)),
            ("looks", texts) => spec.resources.extend(needs(texts, Mode::Reads)),
            ("reads", texts) => spec.resources.extend(needs(texts, Mode::Shared)),
            ("not", agent) => spec.exclude = vec![name(agent)],
            ("role", role) => spec.role = Some(name(role)),
            ("effort", "learned") => spec.estimate = None,
            ("effort", effort) => spec.estimate = Some(Span(duration(effort))),
            ("title", title) => spec.title = text(title),
            ("label", label) => spec.labels.push(text(label)),
            ("import", description) => {
                spec.description = text(description);
                spec.source = Some(Arc::from("{}"));
            }
            ("gates", list) => spec.gates = list.split(',').map(gate).collect(),
            ("project", project) => spec.project = Some(name(project)),
            ("type", kind) => spec.kind = name(kind),
            ("attempts", count) => spec.attempts_max = Some(count.parse().expect("a number")),
            other => panic!("{other:?}"),
        }
    }
    (spec, edges)
}

/// Reads `A B words high ack re=M-1 task=t1`, with `@web` for a channel.
fn send(words: &[&str]) -> Command {
    let to = match words[1].strip_prefix('@') {
        Some(channel) => Address::Channel(name(channel)),
        None => Address::Agent(name(words[1])),
    };
    let mut new = NewMessage {
        from: Some(name(words[0])),
        to,
        text: text(words[2]),
        priority: Priority::Medium,
        task: None,
        reply_to: None,
        ack: false,
    };
    for word in &words[3..] {
        match word.split_once('=').unwrap_or((word, "")) {
            ("ack", _) => new.ack = true,
            ("re", id) => new.reply_to = Some(id.parse().expect("a message")),
            ("task", key) => new.task = Some(reference(key)),
            (priority, _) => new.priority = Priority::parse(priority).expect("a priority"),
        }
    }
    Command::SendMessage(Box::new(new))
}

pub fn package(words: &[&str]) -> Package {
    let mut package = Package {
        completed: Text::from("half of it"),
        state: Text::from("it builds"),
        remaining: Text::from("the other half"),
        context: Text::from("see the issue"),
        files: vec![Text::from("none")],
        reservations: Vec::new(),
    };
    for word in words {
        match word.split_once('=').expect("a pair") {
            ("without", "completed") => package.completed = Text::default(),
            ("without", "state") => package.state = Text::default(),
            ("without", "remaining") => package.remaining = Text::default(),
            ("without", "context") => package.context = Text::default(),
            ("without", "files") => package.files = Vec::new(),
            ("names", ids) => {
                package.reservations = ids.split(',').map(|id| id.parse().expect("R-1")).collect();
            }
            other => panic!("{other:?}"),
        }
    }
    package
}

fn reserved(text: &str) -> ReservationRef {
    text.parse()
        .map_or_else(|_| ReservationRef::Waiting(text.parse().expect("R-1 or W-1")), ReservationRef::Held)
}

pub fn needs(texts: &str, mode: Mode) -> Vec<Need> {
    texts.split(',').map(|text| Need { resource: text.parse().expect("a resource"), mode }).collect()
}

fn reserve(words: &[&str]) -> Command {
    let (mut mode, mut ttl, mut task, mut line) = (Mode::Exclusive, None, None, InLine::Refused);
    for word in &words[2..] {
        match word.split_once('=').unwrap_or((word, "")) {
            ("shared", _) => mode = Mode::Shared,
            ("looks", _) => mode = Mode::Reads,
            ("ttl", span) => ttl = Some(Span(duration(span))),
            ("task", key) => task = Some(reference(key)),
            ("wait", "") => line = InLine::For(None),
            ("wait", span) => line = InLine::For(Some(Span(duration(span)))),
            other => panic!("{other:?}"),
        }
    }
    Command::Reserve { agent: name(words[0]), task, needs: needs(words[1], mode).into(), ttl, line }
}

fn policy(word: &str) -> Policy {
    let mut policy = Policy::default();
    match word {
        "default" => {}
        "on_failed=cancel" => policy.on_failed_dependency = OnFailedDependency::Cancel,
        "claims=scored" => policy.claims = Claims::Scored,
        "strategy=optimal" => policy.strategy = Strategy::Optimal,
        "claims=off" => policy.claims = Claims::Off,
        "inference=off" => policy.inference = Inference::Off,
        "capabilities=measured" => policy.capabilities = Capabilities::Measured,
        "cycles=escalate" => policy.cycles = Cycles::Escalate,
        "emergencies=off" => policy.emergencies.detect = false,
        "losses=2" => policy.losses_max = 2,
        "match=0.9" => policy.balancing.match_min = Ratio::micros(900_000),
        "aside=5m" => policy.stalls.aside_min = Some(Span::minutes(5)),
        "quiet=5m" => policy.stalls.quiet_min = Span::minutes(5),
        "turns=2" => policy.redispatch.turns_max = 2,
        "inbox=2" => policy.messages.inbox_max = 2,
        "inbox=3" => policy.messages.inbox_max = 3,
        "inbox=4" => policy.messages.inbox_max = 4,
        "breakdown=policy" => policy.breakdown.by = BreakdownBy::Policy,
        "gates=review" => {
            policy.gates.by_type = [(name("bug"), vec![TaskGate::Review { role: None }])].into();
        }
        "sent_back=2" => policy.gates.rejections_max = 2,
        "adjust=off" => policy.bottlenecks.act = Adjust::Off,
        "started=move" => policy.handoffs.started = StartedWork::Move,
        "turns=3" => policy.redispatch.turns_max = 3,
        "reraises=1" => policy.escalations.reraises_max = 1,
        "reraises=0" => policy.escalations.reraises_max = 0,
        other => policy.budgets = budget::policy(other),
    }
    policy
}
