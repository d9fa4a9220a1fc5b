//! From the wire to the words inside. Past here a name is a name.

use std::sync::Arc;

use jiff::Timestamp;
use kapell_api as api;
use kapell_api::Problem;
use kapell_core::{
    AgentSpec, Change, Closed, Command, EdgeSource, EmergencyKind, Milestone, NewDecision, NewEmergency,
    NewForce, NewPolicy, NewProposal, Package, ProjectSpec, Require, TaskEdit, TaskRef, TaskSpec,
};
use kapell_model::{
    Ack, Adjust, AgentKind, AssignmentId, Balancing, Capabilities, Claims, ConflictId, Cycles,
    DependencyKind, Emergencies, Escalating, Flow, Forecasting, Gating, Handing, HealthWeights, Inference,
    MessageId, Messaging, Mode, Moment, Name, NameError, Need, NoticeId, OnFailedDependency, Policy,
    Position, Priority, Ratio, Redispatch, Reporting, Reserving, ResourceError, Span, Stalls, StartedWork,
    Strategy, TaskGate, TaskState, Text, Weights, limits,
};

use crate::past::Point;

pub(crate) type Parsed<T> = Result<T, Problem>;

/// Reads a name.
pub(crate) fn name(field: &str, text: &str) -> Parsed<Name> {
    Name::new(text).map_err(|error| {
        let given = match error.given.as_str() {
            "" => error.reason.to_owned(),
            given => format!("`{given}`"),
        };
        Problem::field(field, given, NameError::ALLOWED)
    })
}

fn optional_name(field: &str, text: Option<&str>) -> Parsed<Option<Name>> {
    text.map(|text| name(field, text)).transpose()
}

/// Reads a text of at most `bytes_max` bytes.
pub(crate) fn text(field: &str, text: &str, bytes_max: usize) -> Parsed<Text> {
    Text::new(text, bytes_max).map_err(|error| {
        let allowed =
            format!("at most {bytes_max} bytes without control characters but line breaks and tabs");
        Problem::field(field, error.to_string(), allowed)
    })
}

/// Reads a text that must say something, of at most `bytes_max` bytes.
pub(crate) fn filled(field: &str, text: &str, bytes_max: usize) -> Parsed<Text> {
    Text::filled(text, bytes_max).map_err(|error| {
        let allowed = format!("1 to {bytes_max} bytes without control characters but line breaks and tabs");
        Problem::field(field, error.to_string(), allowed)
    })
}

/// Reads a note that may be missing.
pub(crate) fn note(field: &str, note: Option<&str>) -> Parsed<Option<Text>> {
    note.map(|note| text(field, note, limits::NOTE_BYTES_MAX)).transpose()
}

pub(crate) fn ratio(field: &str, decimal: f64) -> Parsed<Ratio> {
    Ratio::from_decimal(decimal)
        .map_err(|error| Problem::field(field, error.given, "a finite number within 0..=1"))
}

/// Reads how many times something is borne.
fn factor(field: &str, given: f64) -> Parsed<u32> {
    let millionths = (given * f64::from(Ratio::UNIT)).round();
    if !(0.1..=100.0).contains(&given) {
        return Err(Problem::field(field, given.to_string(), "a number from 0.1 to 100"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0.1 to 100 units in millionths"
    )]
    Ok(millionths as u32)
}

/// Reads a task's id or key.
pub(crate) fn task(field: &str, text: &str) -> Parsed<TaskRef> {
    match text.parse() {
        Ok(id) => Ok(TaskRef::Id(id)),
        Err(_) => name(field, text).map(TaskRef::Key),
    }
}

/// Reads a point of the log: a position, or a moment by RFC 3339.
pub(crate) fn point(field: &str, text: &str) -> Parsed<Point> {
    if text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(position @ 1..) = text.parse()
    {
        return Ok(Point::Position(Position(position)));
    }
    match moment(field, Some(text)) {
        Ok(Some(moment)) => Ok(Point::Time(moment)),
        _ => {
            let given = format!("`{}`", text.escape_default().take(100).collect::<String>());
            Err(Problem::field(field, given, "a position of the log from 1 on, or a time by RFC 3339"))
        }
    }
}

/// Reads a notice's id.
pub(crate) fn notice(field: &str, text: &str) -> Parsed<NoticeId> {
    text.parse().map_err(|_| {
        let given = format!("`{}`", text.escape_default().take(100).collect::<String>());
        Problem::field(field, given, "an id such as N-3")
    })
}

/// Reads a message's id.
pub(crate) fn message(field: &str, text: &str) -> Parsed<MessageId> {
    text.parse().map_err(|_| {
        let given = format!("`{}`", text.escape_default().take(100).collect::<String>());
        Problem::field(field, given, "an id such as M-3")
    })
}

/// Reads a fencing token.
pub(crate) fn assignment(text: &str) -> Parsed<AssignmentId> {
    text.parse().map_err(|_| {
        let given = format!("`{}`", text.escape_default().take(100).collect::<String>());
        Problem::field("assignment", given, "an id such as A-34")
    })
}

/// Reads one of a closed set of words.
pub(crate) fn word<T: Copy>(
    field: &str,
    text: &str,
    words: &[T],
    parse: impl Fn(&str) -> Option<T>,
    show: impl Fn(T) -> &'static str,
) -> Parsed<T> {
    parse(text).ok_or_else(|| {
        let allowed = words.iter().map(|&word| show(word)).collect::<Vec<_>>().join(", ");
        Problem::field(field, format!("`{}`", text.escape_default().take(100).collect::<String>()), allowed)
    })
}

/// Reads a priority.
pub(crate) fn priority(text: &str) -> Parsed<Priority> {
    word("priority", text, Priority::ALL, Priority::parse, Priority::as_str)
}

/// Reads a task state.
pub(crate) fn task_state(field: &str, text: &str) -> Parsed<TaskState> {
    word(field, text, TaskState::ALL, TaskState::parse, TaskState::as_str)
}

/// Reads a kind of dependency.
pub(crate) fn dependency_kind(field: &str, text: &str) -> Parsed<DependencyKind> {
    word(field, text, DependencyKind::ALL, DependencyKind::parse, DependencyKind::as_str)
}

/// Reads a time that must be there.
pub(crate) fn required_moment(field: &str, text: &str) -> Parsed<Moment> {
    let read = moment(field, Some(text))?;
    Ok(read.expect("what is there is read or refused"))
}

fn moment(field: &str, text: Option<&str>) -> Parsed<Option<Moment>> {
    let Some(text) = text else { return Ok(None) };
    let parsed: Result<Timestamp, _> = text.parse();
    parsed.map(|timestamp| Some(Moment(timestamp.as_millisecond()))).map_err(|_| {
        let given = format!("`{}`", text.escape_default().take(100).collect::<String>());
        Problem::field(field, given, "a time by RFC 3339, such as 2026-01-31T12:00:00Z")
    })
}

/// Reads hours as a span; they must be above 0 and at most 10,000.
pub(crate) fn hours(field: &str, hours: f64) -> Parsed<Span> {
    let millis = hours * 3_600_000.0;
    if !(millis.is_finite() && hours > 0.0 && hours <= 10_000.0) {
        return Err(Problem::field(field, hours.to_string(), "a number of hours above 0 and at most 10000"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked to be within bounds")]
    Ok(Span((millis.round() as i64).max(1)))
}

/// Reads a package. Parts that say nothing pass here: what is missing is told by the rules.
pub(crate) fn package(package: &api::HandoffPackage) -> Parsed<Package> {
    if package.files.len() > limits::PACKAGE_FILES_MAX {
        let given = format!("{} files", package.files.len());
        return Err(Problem::field("files", given, format!("at most {}", limits::PACKAGE_FILES_MAX)));
    }
    let part = |field: &str, given: &str| text(field, given, limits::PACKAGE_TEXT_BYTES_MAX);
    let file = |(index, file): (usize, &String)| {
        text(&format!("files[{index}]"), file, limits::PACKAGE_FILE_BYTES_MAX)
    };
    let reservation = |(index, id): (usize, &String)| {
        id.parse().map_err(|_| {
            let given = format!("`{}`", id.escape_default().take(100).collect::<String>());
            Problem::field(format!("reservations[{index}]"), given, "an id such as R-7")
        })
    };
    Ok(Package {
        completed: part("completed", &package.completed)?,
        state: part("state", &package.state)?,
        remaining: part("remaining", &package.remaining)?,
        context: part("context", &package.context)?,
        files: package.files.iter().enumerate().map(file).collect::<Parsed<_>>()?,
        reservations: package.reservations.iter().enumerate().map(reservation).collect::<Parsed<_>>()?,
    })
}

/// Reads an agent.
pub(crate) fn agent(agent: &api::AgentRegistration) -> Parsed<AgentSpec> {
    let capabilities = agent.capabilities.iter().map(|(capability, &score)| {
        let field = format!("capabilities.{}", capability.escape_default().take(100).collect::<String>());
        Ok((name(&field, capability)?, ratio(&field, score)?))
    });
    Ok(AgentSpec {
        name: name("name", &agent.name)?,
        role: name("role", &agent.role)?,
        kind: word("kind", &agent.kind, AgentKind::ALL, AgentKind::parse, AgentKind::as_str)?,
        capabilities: capabilities.collect::<Parsed<_>>()?,
        max_concurrent: agent.max_concurrent_tasks,
        lease: agent.lease_ms.map(Span),
        standby: agent.standby,
    })
}

/// Reads what is to be decided.
pub(crate) fn decision(decision: &api::NewDecision, agent: Option<Name>) -> Parsed<NewDecision> {
    let option = |(index, option): (usize, &String)| {
        filled(&format!("options[{index}]"), option, limits::OPTION_BYTES_MAX)
    };
    let asked = |(index, agent): (usize, &String)| name(&format!("ask[{index}]"), agent);
    let waits = |(index, waits): (usize, &String)| task(&format!("tasks[{index}]"), waits);
    Ok(NewDecision {
        title: filled("topic", &decision.topic, limits::TITLE_BYTES_MAX)?,
        capability: name("capability", &decision.capability)?,
        deadline: moment("deadline", decision.deadline.as_deref())?,
        irreversible: decision.irreversible,
        architectural: decision.architectural,
        options: decision.options.iter().enumerate().map(option).collect::<Parsed<_>>()?,
        asked: decision.ask.iter().enumerate().map(asked).collect::<Parsed<_>>()?,
        tasks: decision.tasks.iter().enumerate().map(waits).collect::<Parsed<_>>()?,
        agent,
    })
}

/// Reads a proposal.
pub(crate) fn proposal(conflict: ConflictId, proposal: &api::NewProposal) -> Parsed<NewProposal> {
    Ok(NewProposal {
        conflict,
        agent: name("agent", &proposal.agent)?,
        option: filled("option", &proposal.option, limits::OPTION_BYTES_MAX)?,
        reasons: filled("reasons", &proposal.reasons, limits::NOTE_BYTES_MAX)?,
        confidence: ratio("confidence", proposal.confidence)?,
    })
}

/// Reads an emergency that is declared.
pub(crate) fn emergency(new: &api::NewEmergency) -> Parsed<NewEmergency> {
    Ok(NewEmergency {
        kind: word("kind", &new.kind, EmergencyKind::ALL, EmergencyKind::parse, EmergencyKind::as_str)?,
        task: new.task.as_deref().map(|it| task("task", it)).transpose()?,
        project: new.project.as_deref().map(|it| name("project", it)).transpose()?,
        reason: filled("reason", &new.reason, limits::NOTE_BYTES_MAX)?,
    })
}

/// Reads a task force that is to be made.
pub(crate) fn force(new: &api::NewTaskForce) -> Parsed<NewForce> {
    Ok(NewForce {
        task: new.task.as_deref().map(|it| task("task", it)).transpose()?,
        project: new.project.as_deref().map(|it| name("project", it)).transpose()?,
        requires: new.requires.iter().enumerate().map(requirement).collect::<Parsed<_>>()?,
    })
}

/// Reads a project.
pub(crate) fn project(project: &api::NewProject) -> Parsed<ProjectSpec> {
    Ok(ProjectSpec {
        name: name("name", &project.name)?,
        title: text("title", &project.title, limits::TITLE_BYTES_MAX)?,
        deadline: moment("deadline", project.deadline.as_deref())?,
        milestones: milestones(&project.milestones)?,
    })
}

fn milestones(milestones: &[api::Milestone]) -> Parsed<Vec<Milestone>> {
    if milestones.len() > limits::MILESTONES_MAX {
        let allowed = format!("at most {}", limits::MILESTONES_MAX);
        return Err(Problem::field("milestones", milestones.len().to_string(), allowed));
    }
    let milestone = |(index, it): (usize, &api::Milestone)| {
        let field = |member: &str| format!("milestones[{index}].{member}");
        let at = moment(&field("at"), Some(&it.at))?.unwrap_or_default();
        Ok(Milestone { title: filled(&field("title"), &it.title, limits::TITLE_BYTES_MAX)?, at })
    };
    milestones.iter().enumerate().map(milestone).collect()
}

/// Reads a task's submission.
pub(crate) fn submission(task: &api::TaskSubmission) -> Parsed<Command> {
    let spec = TaskSpec {
        title: filled("title", &task.title, limits::TITLE_BYTES_MAX)?,
        description: text("description", &task.description, limits::DESCRIPTION_BYTES_MAX)?,
        kind: name("type", &task.kind)?,
        priority: priority(&task.priority)?,
        key: optional_name("key", task.key.as_deref())?,
        project: optional_name("project", task.project.as_deref())?,
        requires: task.requires.iter().enumerate().map(requirement).collect::<Parsed<_>>()?,
        role: optional_name("role", task.role.as_deref())?,
        agent: optional_name("agent", task.agent.as_deref())?,
        exclude: task.exclude.iter().map(|agent| name("exclude", agent)).collect::<Parsed<_>>()?,
        estimate: task.estimate_hours.map(|estimate| hours("estimate_hours", estimate)).transpose()?,
        complexity: task.complexity,
        deadline: moment("deadline", task.deadline.as_deref())?,
        not_before: moment("not_before", task.not_before.as_deref())?,
        labels: task
            .labels
            .iter()
            .map(|label| text("labels", label, limits::LABEL_BYTES_MAX))
            .collect::<Parsed<_>>()?,
        attempts_max: task.max_attempts,
        source: task.source.as_ref().map(source).transpose()?,
        closed: task.closed.as_ref().map(closed).transpose()?,
        resources: needs(&task.resources)?,
        gates: gates("gates", &task.gates)?,
        components: super::breakdown::components("components", &task.components)?,
    };
    let submit = Command::Submit { spec: Arc::new(spec), edges: task_edges(task)? };
    Ok(with_budget(task.budget.as_ref().map(Some), submit))
}

/// Adds what a task may cost, where anything is said of that.
pub(crate) fn with_budget(said: Option<Option<&api::Limits>>, command: Command) -> Command {
    match said {
        Some(limits) => {
            Command::WithBudget { limits: limits.map(super::budgets::limits_in), command: Box::new(command) }
        }
        None => command,
    }
}

/// Reads resources with their modes.
pub(crate) fn needs(needs: &[api::ResourceNeed]) -> Parsed<Vec<Need>> {
    if needs.len() > limits::RESOURCES_MAX {
        let given = format!("{} resources", needs.len());
        return Err(Problem::field("resources", given, format!("at most {}", limits::RESOURCES_MAX)));
    }
    let need = |(index, need): (usize, &api::ResourceNeed)| {
        let field = |member: &str| format!("resources[{index}].{member}");
        let refused = |error: ResourceError| {
            let given = format!("`{}`: {}", error.given, error.reason);
            Problem::field(field("resource"), given, ResourceError::ALLOWED)
        };
        Ok(Need {
            resource: need.resource.parse().map_err(refused)?,
            mode: word(&field("mode"), &need.mode, Mode::ALL, Mode::parse, Mode::as_str)?,
        })
    };
    needs.iter().enumerate().map(need).collect()
}

/// Reads the changes of a task.
pub(crate) fn edit(edit: &api::TaskEdit) -> Parsed<TaskEdit> {
    let labels = |labels: &Vec<String>| {
        labels.iter().map(|label| text("labels", label, limits::LABEL_BYTES_MAX)).collect::<Parsed<Vec<_>>>()
    };
    let requires = |requires: &Vec<api::Requirement>| {
        requires.iter().enumerate().map(requirement).collect::<Parsed<Vec<_>>>()
    };
    let exclude =
        |agents: &Vec<String>| agents.iter().map(|agent| name("exclude", agent)).collect::<Parsed<Vec<_>>>();
    let time = |given: &String| moment("deadline", Some(given)).map(Option::unwrap_or_default);
    Ok(TaskEdit {
        title: edit.title.as_ref().map(|it| filled("title", it, limits::TITLE_BYTES_MAX)).transpose()?,
        description: edit
            .description
            .as_ref()
            .map(|it| text("description", it, limits::DESCRIPTION_BYTES_MAX))
            .transpose()?,
        priority: edit.priority.as_deref().map(priority).transpose()?,
        labels: edit.labels.as_ref().map(labels).transpose()?,
        requires: edit.requires.as_ref().map(requires).transpose()?,
        role: change(edit.role.as_ref(), |role| name("role", role))?,
        agent: change(edit.agent.as_ref(), |agent| name("agent", agent))?,
        exclude: edit.exclude.as_ref().map(exclude).transpose()?,
        estimate: change(edit.estimate_hours.as_ref(), |&it| hours("estimate_hours", it))?,
        complexity: change(edit.complexity.as_ref(), |&it| Ok(it))?,
        deadline: change(edit.deadline.as_ref(), time)?,
        attempts_max: change(edit.max_attempts.as_ref(), |&it| Ok(it))?,
    })
}

fn change<T, U>(given: Option<&Option<T>>, read: impl Fn(&T) -> Parsed<U>) -> Parsed<Option<Change<U>>> {
    match given {
        None => Ok(None),
        Some(None) => Ok(Some(Change::Clear)),
        Some(Some(value)) => read(value).map(|value| Some(Change::To(value))),
    }
}

pub(crate) fn requirement((index, requirement): (usize, &api::Requirement)) -> Parsed<Require> {
    let field = |member: &str| format!("requires[{index}].{member}");
    let weight = requirement.weight * f64::from(Ratio::UNIT);
    if !(weight.is_finite() && weight >= 1.0 && requirement.weight <= f64::from(limits::WEIGHT_MAX)) {
        let given = requirement.weight.to_string();
        return Err(Problem::field(field("weight"), given, "a number above 0 and at most 1000"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be within bounds"
    )]
    Ok(Require {
        capability: name(&field("capability"), &requirement.capability)?,
        weight: weight.round() as u32,
        minimum: ratio(&field("minimum"), requirement.minimum)?,
    })
}

fn task_edges(submission: &api::TaskSubmission) -> Parsed<Vec<(TaskRef, DependencyKind)>> {
    let mut edges = Vec::with_capacity(submission.depends_on.len());
    for on in &submission.depends_on {
        edges.push((task("depends_on", on)?, DependencyKind::Blocks));
    }
    if let Some(parent) = &submission.parent {
        edges.push((task("parent", parent)?, DependencyKind::ParentChild));
    }
    for related in &submission.related {
        edges.push((task("related", &related.task)?, dependency_kind("related", &related.kind)?));
    }
    Ok(edges)
}

fn source(source: &serde_json::Map<String, serde_json::Value>) -> Parsed<Arc<str>> {
    let text = serde_json::to_string(source).unwrap_or_default();
    if text.len() > limits::SOURCE_BYTES_MAX {
        let allowed = format!("at most {} bytes of JSON", limits::SOURCE_BYTES_MAX);
        return Err(Problem::field("source", format!("{} bytes", text.len()), allowed));
    }
    Ok(Arc::from(text))
}

fn closed(closed: &api::ClosedWork) -> Parsed<Closed> {
    Ok(Closed {
        state: task_state("closed.state", &closed.state)?,
        at: moment("closed.at", closed.at.as_deref())?,
        reason: text("closed.reason", &closed.reason, limits::NOTE_BYTES_MAX)?,
    })
}

fn reporting(reporting: &api::Reporting) -> Parsed<Reporting> {
    let weights = &reporting.health_weights;
    let weight = |part: &str, weight| ratio(&format!("reporting.health_weights.{part}"), weight);
    Ok(Reporting {
        weights: HealthWeights {
            online: weight("online", weights.online)?,
            success: weight("success", weights.success)?,
            running: weight("running", weights.running)?,
            queued: weight("queued", weights.queued)?,
            escalations: weight("escalations", weights.escalations)?,
        },
        health_min: ratio("reporting.health_min", reporting.health_min)?,
        health_margin: ratio("reporting.health_margin", reporting.health_margin)?,
        period: Span(reporting.period_ms),
        expected_wait: Span(reporting.expected_wait_ms),
        daily_at: time_of_day("reporting.daily_at", &reporting.daily_at)?,
        course: Span(reporting.course_ms),
    })
}

/// Reads a time of day, `HH:MM`.
fn time_of_day(field: &str, text: &str) -> Parsed<Span> {
    let two = |digits: &str| {
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<i64>().ok().filter(|_| plain)
    };
    let parts = text.split_once(':').and_then(|(hour, minute)| Some((two(hour)?, two(minute)?)));
    match parts.filter(|&(hour, minute)| hour < 24 && minute < 60) {
        Some((hour, minute)) => Ok(Span::minutes(hour * 60 + minute)),
        None => {
            let given = format!("`{}`", text.escape_default().take(100).collect::<String>());
            Err(Problem::field(field, given, "HH:MM, 00:00 to 23:59, UTC"))
        }
    }
}

/// Reads a policy. Ranges are the core's business; here only what has no place inside is refused.
pub(crate) fn policy(policy: &api::Policy) -> Parsed<NewPolicy> {
    let strategy = word("strategy", &policy.strategy, Strategy::ALL, Strategy::parse, Strategy::as_str)?;
    let claims = match policy.claims.as_str() {
        "scored" => Claims::Scored,
        "first" => Claims::First,
        "off" => Claims::Off,
        other => return Err(Problem::field("claims", format!("`{other}`"), "scored, first, off")),
    };
    let on_failed_dependency = match policy.on_failed_dependency.as_str() {
        "block" => OnFailedDependency::Block,
        "cancel" => OnFailedDependency::Cancel,
        other => return Err(Problem::field("on_failed_dependency", format!("`{other}`"), "block, cancel")),
    };
    let inference = match policy.inference.as_str() {
        "on" => Inference::On,
        "off" => Inference::Off,
        other => return Err(Problem::field("inference", format!("`{other}`"), "on, off")),
    };
    let capabilities = match policy.capabilities.as_str() {
        "declared" => Capabilities::Declared,
        "measured" => Capabilities::Measured,
        other => return Err(Problem::field("capabilities", format!("`{other}`"), "declared, measured")),
    };
    let cycles = match policy.cycles.as_str() {
        "break" => Cycles::Break,
        "escalate" => Cycles::Escalate,
        other => return Err(Problem::field("cycles", format!("`{other}`"), "break, escalate")),
    };
    let estimates: Vec<Span> = policy
        .estimate_hours_by_complexity
        .iter()
        .map(|&estimate| hours("estimate_hours_by_complexity", estimate))
        .collect::<Parsed<_>>()?;
    let estimate_by_complexity = estimates.try_into().map_err(|estimates: Vec<Span>| {
        let given = format!("{} numbers", estimates.len());
        Problem::field("estimate_hours_by_complexity", given, "five numbers of hours")
    })?;
    let inside = Policy {
        threshold: ratio("threshold", policy.threshold)?,
        weights: Weights {
            capability: ratio("weights.capability", policy.weights.capability)?,
            workload: ratio("weights.workload", policy.weights.workload)?,
            performance: ratio("weights.performance", policy.weights.performance)?,
            cohesion: ratio("weights.cohesion", policy.weights.cohesion)?,
        },
        performance_default: ratio("performance_default", policy.performance_default)?,
        cohesion_default: ratio("cohesion_default", policy.cohesion_default)?,
        strategy,
        claims,
        lease_heartbeat: Span(policy.heartbeat_lease_ms),
        lease_call: Span(policy.call_lease_ms),
        lease_person: Span(policy.person_lease_ms),
        lease_grace: Span(policy.grace_ms),
        ack: Ack {
            critical: Span(policy.ack_ms.critical),
            high: Span(policy.ack_ms.high),
            medium: Span(policy.ack_ms.medium),
            low: Span(policy.ack_ms.low),
        },
        attempts_max: policy.max_attempts,
        losses_max: policy.max_losses,
        retry_backoff: Span(policy.retry_backoff_ms),
        retry_backoff_max: Span(policy.retry_backoff_max_ms),
        on_failed_dependency,
        estimate_by_complexity,
        inference,
        capabilities,
        reporting: policy.reporting.as_ref().map(reporting).transpose()?.unwrap_or_default(),
        reservations: policy.reservations.map_or_else(Reserving::default, |it| Reserving {
            ttl: Span(it.ttl_ms),
            ttl_min: Span(it.ttl_min_ms),
            ttl_max: Span(it.ttl_max_ms),
            wait: Span(it.wait_ms),
        }),
        stalls: Stalls {
            quiet_min: Span(policy.stalls.quiet_min_ms),
            quiet_share: ratio("stalls.quiet_share", policy.stalls.quiet_share)?,
            overdue_factor: factor("stalls.overdue_factor", policy.stalls.overdue_factor)?,
            aside_min: policy.stalls.aside_min_ms.map(Span),
        },
        redispatch: Redispatch {
            turns_max: policy.redispatch.max_turns,
            window: Span(policy.redispatch.window_ms),
            pause: Span(policy.redispatch.pause_ms),
            pause_max: Span(policy.redispatch.pause_max_ms),
        },
        cycles,
        balancing: balancing(&policy.balancing)?,
        handoffs: handing(&policy.handoffs)?,
        messages: Messaging { inbox_max: policy.messages.inbox_max, digest: Span(policy.messages.digest_ms) },
        forecasts: Forecasting { period: Span(policy.forecasts.period_ms) },
        gates: gating(&policy.gates)?,
        escalations: escalating(&policy.escalations)?,
        emergencies: emergencies(&policy.emergencies)?,
        bottlenecks: flow(&policy.bottlenecks)?,
        breakdown: super::breakdown::breaking(&policy.breakdown)?,
        budgets: super::budgets::policy_in(&policy.budgets)?,
    };
    Ok(NewPolicy { policy: Box::new(inside), seen: policy.version })
}

fn escalating(escalating: &api::Escalating) -> Parsed<Escalating> {
    let ladder = escalating.ladder.iter().enumerate();
    let ladder = ladder.map(|(index, role)| name(&format!("escalations.ladder[{index}]"), role));
    Ok(Escalating { ladder: ladder.collect::<Parsed<_>>()?, reraises_max: escalating.reraises_max })
}

fn gating(gating: &api::Gating) -> Parsed<Gating> {
    let of_type = |(kind, all): (&String, &Vec<api::Gate>)| {
        Ok((name("gates.by_type", kind)?, gates(&format!("gates.by_type.{kind}"), all)?))
    };
    Ok(Gating {
        by_type: gating.by_type.iter().map(of_type).collect::<Parsed<_>>()?,
        review: Span(gating.review_ms),
        rejections_max: gating.rejections_max,
    })
}

/// Reads gates.
pub(crate) fn gates(field: &str, gates: &[api::Gate]) -> Parsed<Vec<TaskGate>> {
    if gates.len() > limits::GATES_PER_TASK_MAX {
        let allowed = format!("at most {}", limits::GATES_PER_TASK_MAX);
        return Err(Problem::field(field, format!("{} gates", gates.len()), allowed));
    }
    gates.iter().enumerate().map(|(index, it)| gate(&format!("{field}[{index}]"), it)).collect()
}

fn gate(field: &str, gate: &api::Gate) -> Parsed<TaskGate> {
    let (role, command) = (format!("{field}.role"), format!("{field}.command"));
    let kind = gate.kind.as_str();
    if !["command", "review", "approval"].contains(&kind) {
        let given = format!("`{}`", kind.escape_default().take(100).collect::<String>());
        return Err(Problem::field(format!("{field}.kind"), given, "command, review, approval"));
    }
    for (member, given, of) in [(&role, &gate.role, "review"), (&command, &gate.command, "command")] {
        if given.is_some() && kind != of {
            return Err(Problem::field(
                member.as_str(),
                format!("there, with a {kind}"),
                format!("absent but with a {of}"),
            ));
        }
    }
    Ok(match kind {
        "command" => {
            let line = gate.command.as_deref().unwrap_or_default();
            TaskGate::Command { line: filled(&command, line, limits::GATE_COMMAND_BYTES_MAX)? }
        }
        "review" => TaskGate::Review { role: optional_name(&role, gate.role.as_deref())? },
        _ => TaskGate::Approval {},
    })
}

fn emergencies(emergencies: &api::Emergencies) -> Parsed<Emergencies> {
    Ok(Emergencies {
        detect: emergencies.detect,
        window: Span(emergencies.window_ms),
        agents_min: emergencies.agents_min,
        share_min: ratio("emergencies.share_min", emergencies.share_min)?,
        recovered_share: ratio("emergencies.recovered_share", emergencies.recovered_share)?,
        recovered_for: Span(emergencies.recovered_for_ms),
        resume_every: Span(emergencies.resume_every_ms),
    })
}

fn flow(flow: &api::Flow) -> Parsed<Flow> {
    let words = [Adjust::On, Adjust::Off];
    let read = |text: &str| words.into_iter().find(|word| word.as_str() == text);
    Ok(Flow {
        period: Span(flow.period_ms),
        kept: Span(flow.kept_ms),
        act: word("bottlenecks.act", &flow.act, &words, read, Adjust::as_str)?,
    })
}

fn handing(handing: &api::Handing) -> Parsed<Handing> {
    let (field, given) = ("handoffs.started", &handing.started);
    let started = word(field, given, StartedWork::ALL, StartedWork::parse, StartedWork::as_str)?;
    Ok(Handing { package: Span(handing.package_ms), started })
}

fn balancing(balancing: &api::Balancing) -> Parsed<Balancing> {
    let overload = balancing.overload;
    if !(1.0..=10.0).contains(&overload) {
        return Err(Problem::field("balancing.overload", overload.to_string(), "1 to 10"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be within bounds"
    )]
    let overload = (overload * f64::from(Ratio::UNIT)).round() as u32;
    Ok(Balancing {
        period: Span(balancing.period_ms),
        overload,
        overload_min: ratio("balancing.overload_min", balancing.overload_min)?,
        underload: ratio("balancing.underload", balancing.underload)?,
        progress_max: balancing.progress_max_percent,
        cooling: Span(balancing.cooling_ms),
        moves_max: balancing.max_moves,
        match_min: ratio("balancing.match_min", balancing.match_min)?,
    })
}

/// Reads where an edge comes from.
pub(crate) fn edge_source(field: &str, text: &str) -> Parsed<EdgeSource> {
    match text {
        "declared" => Ok(EdgeSource::Declared),
        "imported" => Ok(EdgeSource::Imported),
        "inferred" => Ok(EdgeSource::Inferred),
        other => {
            let given: String = other.escape_default().take(100).collect();
            Err(Problem::field(field, format!("`{given}`"), "declared, imported, inferred"))
        }
    }
}
