//! What the words of a line say.

use std::sync::Arc;

use kapell_core::{
    Address, AgentSpec, Change, Command, EdgeSource, InLine, NewDecision, NewMessage, Package, Require,
    ReservationRef, TaskEdit, TaskRef, TaskSpec,
};
use kapell_model::{
    Adjust, AgentKind, BreakdownBy, Capabilities, Claims, Cycles, DependencyKind, Inference, Mode, Moment,
    Name, Need, OnFailedDependency, Policy, Priority, Ratio, Span, StartedWork, Strategy, TaskGate, Text,
};

pub fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub fn reference(text: &str) -> TaskRef {
    text.parse().map_or_else(|_| TaskRef::Key(name(text)), TaskRef::Id)
}

/// Reads a text whose words are joined by `_`.
pub(super) fn text(joined: &str) -> Text {
    Text::new(&joined.replace('_', " "), 1_000).expect("a text")
}

pub(super) fn edge(words: &[&str], source: EdgeSource) -> Command {
    let (task, on) = (reference(words[0]), reference(words[1]));
    Command::AddDependency { task, on, kind: DependencyKind::Blocks, source }
}

/// Reads `approval`, `review`, `review:qa` or `cmd:make_test`.
pub(super) fn gate(word: &str) -> TaskGate {
    match word.split_once(':').unwrap_or((word, "")) {
        ("approval", _) => TaskGate::Approval {},
        ("review", "") => TaskGate::Review { role: None },
        ("review", role) => TaskGate::Review { role: Some(name(role)) },
        ("cmd", line) => TaskGate::Command { line: text(line) },
        other => panic!("{other:?}"),
    }
}

/// Reads `by=A` at the end.
pub(super) fn by(words: &[&str]) -> Option<Name> {
    words.last().and_then(|word| word.strip_prefix("by=")).map(name)
}

pub(super) fn decision(words: &[&str], now: i64) -> Command {
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

pub(super) fn duration(text: &str) -> i64 {
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

pub(super) fn ratio(text: &str) -> Ratio {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let padded = format!("{rest:0<6}");
    Ratio::micros(
        whole.parse::<u32>().expect("digits") * Ratio::UNIT + padded.parse::<u32>().expect("digits"),
    )
}

pub(super) fn agent_spec(words: &[&str]) -> AgentSpec {
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
pub(super) fn edit_of(words: &[&str], now: i64) -> TaskEdit {
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

pub(super) fn task_spec(words: &[&str], now: i64) -> (TaskSpec, Vec<(TaskRef, DependencyKind)>) {
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
pub(super) fn send(words: &[&str]) -> Command {
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

pub(super) fn reserved(text: &str) -> ReservationRef {
    text.parse()
        .map_or_else(|_| ReservationRef::Waiting(text.parse().expect("R-1 or W-1")), ReservationRef::Held)
}

pub(super) fn needs(texts: &str, mode: Mode) -> Vec<Need> {
    texts.split(',').map(|text| Need { resource: text.parse().expect("a resource"), mode }).collect()
}

pub(super) fn reserve(words: &[&str]) -> Command {
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

pub(super) fn policy(word: &str) -> Policy {
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
        other => policy.budgets = super::budget::policy(other),
    }
    policy
}
