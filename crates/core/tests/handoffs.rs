//! Supervised handoffs (SEMANTICS 10): every branch by rule tables, and one owner at each moment whatever happens.

mod fixed;
mod scenario;

use std::collections::BTreeSet;
use std::sync::Arc;

use kapell_core::{Command, Event, Record, State, invariant};
use kapell_model::{AgentId, AssignmentId, Moment, Span, TaskId, Text};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use scenario::{Scenario, name, package, reference};

/// Two agents that can do the task, of which one has begun it.
const BEGUN: &str = "agent A rust=0.9 slots=2
    submit t1 needs=rust        -> assigned A
    start t1 A
    agent B rust=0.9 slots=2
    ";

fn play(text: &str) -> Scenario {
    Scenario::play(&format!("{BEGUN}{text}"))
}

fn kinds(log: &[Record]) -> Vec<&'static str> {
    let kinds = log.iter().map(|record| record.event.kind());
    kinds.filter(|kind| kind.starts_with("handoff.") || *kind == "notice.sent").collect()
}

#[test]
fn a_task_goes_over_with_its_package_and_the_donor_is_released_when_it_is_confirmed() {
    let mut scenario = play("");
    let before = scenario.log.len();
    scenario.also(
        "handoff t1 to=B by=A    -> in_progress A
         notices B               -> handoff_offered T-1
         notices A               -> package_wanted T-1
         handoffs                -> H-1 T-1 A>B package_due
         progress t1 A 60        -> in_progress A
         package t1 A            -> assigned B
         show t1                 -> assigned medium B
         progress t1 A 70        -> refused: assignment A-1 of task T-1 is outdated; the current one is A-2, held by `B`
         handoffs                -> H-1 T-1 A>B transferred
         confirm t1 B            -> assigned B
         handoffs                -> H-1 T-1 A>B released
         notices A               -> package_wanted T-1, moved T-1, handoff_released T-1
         start t1 B              -> in_progress B
         done t1 B               -> completed",
    );
    assert_eq!(
        kinds(&scenario.log[before..]),
        [
            "handoff.requested",
            "notice.sent",
            "handoff.package_due",
            "notice.sent",
            "handoff.package_received",
            "handoff.validated",
            "handoff.transferred",
            "notice.sent",
            "notice.sent",
            "handoff.confirmed",
            "handoff.released",
            "notice.sent",
        ],
        "the recipient is notified before the package is asked for"
    );
    let note = scenario.engine.state().task(TaskId(1)).note.clone().expect("what the donor left");
    for word in ["handed over by `A` (H-1)", "done: half of it", "left: the other half"] {
        assert!(note.as_str().contains(word), "{note}");
    }
}

#[test]
fn a_request_is_refused_with_the_reason() {
    play(
        "agent C slots=1 role=architect
         submit t2 after=t1
         handoff t2 to=B         -> refused: task T-2 is blocked; handing over is possible from assigned, in_progress
         handoff t1 to=A         -> refused: field `to` is `A`, its owner; allowed is another agent
         handoff t1 to=Z         -> refused: there is no agent `Z`
         handoff t1 to=B by=B    -> refused: there is no assignment A-9999, of task T-1 or any other
         package t1 A            -> refused: there is no open handoff of task `T-1`
         handoff t1 to=B
         handoff t1 to=C         -> refused: task T-1 is being handed over already, by H-1, which is package_due
         confirm t1 A            -> refused: handoff H-1 goes to `B`, not to `A`
         confirm t1 B            -> refused: handoff H-1 of task T-1 is package_due; a confirmation is possible only once the task has changed hands
         package t1 B            -> refused: there is no assignment A-9999, of task T-1 or any other
         calloff t1 B            -> refused: task T-1 is owned by `A`, not by `B`
         package t1 A            -> assigned B
         package t1 B            -> refused: handoff H-1 of task T-1 is transferred and the task has changed hands; a package is possible only before that
         calloff t1              -> refused: handoff H-1 of task T-1 is transferred and the task has changed hands; calling it off is possible only before that",
    );
    Scenario::play(
        "agent A rust=0.9
         submit t1 needs=rust    -> assigned A
         handoff t1              -> refused: no other agent with a free slot scores high enough for task T-1 now; name one to go below the threshold
         agent D rust=0.1
         handoff t1              -> refused: no other agent with a free slot scores high enough for task T-1 now; name one to go below the threshold
         handoff t1 to=D         -> assigned A",
    );
}

#[test]
fn the_recipient_keeps_a_slot_until_it_has_the_task_and_that_counts_in_its_load() {
    let mut scenario = Scenario::play(
        "agent A rust=0.9
         submit t1 needs=rust    -> assigned A
         agent B rust=0.9
         handoff t1 to=B         -> assigned A
         submit t2 needs=rust    -> ready           # B keeps its only slot free
         assign t2 B             -> refused: `B` is no candidate for task T-2: it is at its limit, 1 of 1 tasks",
    );
    assert_eq!(scenario.engine.state().load(AgentId(1)).active, 1);
    scenario.also(
        "package t1 A            -> assigned B
         show t2                 -> assigned medium A       # whose slot is free by then
         calloff t2              -> refused: there is no open handoff of task `T-2`",
    );
    assert_eq!(scenario.engine.state().load(AgentId(1)).active, 1, "it counts once");
    let mut scenario = Scenario::play(
        "agent A rust=0.9
         submit t1 needs=rust    -> assigned A
         agent B rust=0.9
         handoff t1 to=B         -> assigned A
         submit t2 needs=rust    -> ready
         calloff t1 A            -> assigned A
         show t2                 -> assigned medium B       # the slot is free again
         handoffs                -> H-1 T-1 A>B cancelled
         notices B               -> handoff_offered T-1, handoff_ended T-1",
    );
    scenario.also("done t1 A -> completed");
}

#[test]
fn what_is_reserved_goes_along_in_the_same_event_under_larger_numbers() {
    let mut scenario = Scenario::play(
        "agent A rust=0.9 slots=2
         submit t1 needs=rust takes=path:src/**     -> assigned A
         agent B rust=0.9 slots=2
         agent C rust=0.9 slots=2
         reserve A env:one task=t1 ttl=600s         -> R-2
         reserve C env:two                          -> R-3
         reserve A env:two task=t1 wait             -> waits as W-1
         handoff t1 to=B by=A
         package t1 A                   -> `reservations` does not name R-1; `reservations` does not name R-2
         package t1 A names=R-1,R-2,R-3 -> R-3 is not reserved for T-1
         package t1 A names=R-1,R-2     -> assigned B
         held                           -> R-3 C env:two, R-4 B path:src/**, R-5 B env:one, W-1 B env:two
         free C R-3                     -> R-3
         held                           -> R-4 B path:src/**, R-5 B env:one, R-6 B env:two
         free A R-2                     -> refused: reservation R-2 has ended",
    );
    let events = scenario.log.iter().filter(|record| match &record.event {
        Event::HandoffTransferred { reservations, .. } => reservations.len() == 2,
        _ => false,
    });
    assert_eq!(events.count(), 1, "one event moves all of it");
    scenario.also("done t1 B\nheld -> nothing");
}

#[test]
fn an_incomplete_package_is_wanted_once_more_with_what_is_missing() {
    let scenario = play(
        "handoff t1 to=B
         package t1 A without=state     -> `state` is empty
         handoffs                       -> H-1 T-1 A>B package_due
         notices A                      -> package_wanted T-1, package_wanted T-1
         package t1 A without=files     -> `files` must name them, or be `none`
         handoffs                       -> H-1 T-1 A>B mediation
         show t1                        -> in_progress medium A
         package t1 A                   -> assigned B           # a whole one is taken whenever it comes
         confirm t1 B",
    );
    let reminded = scenario.log.iter().filter_map(|record| match &record.event {
        Event::HandoffPackageDue { missing, .. } => Some(missing.iter().map(ToString::to_string).collect()),
        _ => None,
    });
    let reminded: Vec<Vec<String>> = reminded.collect();
    assert_eq!(reminded, [Vec::<String>::new(), vec!["`state` is empty".to_owned()]], "reminded once");
    assert_eq!(escalations(&scenario), ["handoff_stuck: went to `B`"]);
}

/// Returns the escalations with how they were settled.
fn escalations(scenario: &Scenario) -> Vec<String> {
    let shown = scenario.engine.state().escalations().iter().map(|it| match &it.settled {
        Some((_, note)) => format!("{}: {note}", it.kind.as_str()),
        None => it.kind.as_str().to_owned(),
    });
    shown.collect()
}

#[test]
fn a_late_package_is_wanted_once_more_and_then_somebody_is_called() {
    let mut scenario = play(
        "handoff t1 to=B
         tick +59m
         handoffs                -> H-1 T-1 A>B package_due
         tick +2m
         notices A               -> package_wanted T-1, package_wanted T-1
         tick +61m
         handoffs                -> H-1 T-1 A>B mediation
         tick +61m
         handoffs                -> H-1 T-1 A>B mediation
         restart                 -> as live",
    );
    assert_eq!(escalations(&scenario), ["handoff_stuck"], "called once");
    scenario.also(
        "settle E-1
         handoffs                -> H-1 T-1 A>B cancelled
         show t1                 -> in_progress medium A stalled",
    );
}

#[test]
fn a_donor_that_is_gone_is_not_waited_for() {
    play(
        "progress t1 A 40
         handoff t1 to=B
         unreachable A
         offline A
         show t1                 -> assigned medium B
         handoffs                -> H-1 T-1 A>B transferred
         start t1 B              -> in_progress B
         handoffs                -> H-1 T-1 A>B released",
    );
    // Silent past the deadline, though its grace has not passed.
    play(
        "handoff t1 to=B
         unreachable A
         tick +61m
         show t1                 -> assigned medium B",
    );
    // The one that was named cannot take it any more: the next best does.
    play(
        "agent C rust=0.9
         handoff t1 to=B
         unreachable B
         unreachable A
         offline A
         show t1                 -> assigned medium C",
    );
    // Nobody is left: back to the queue, as ever.
    play(
        "handoff t1 to=B
         unreachable B
         unreachable A
         offline A
         show t1                 -> ready high
         handoffs                -> H-1 T-1 A>B overtaken",
    );
    let scenario = play("handoff t1 to=B\nprogress t1 A 40\nremove A\nshow t1 -> assigned medium B");
    let note = scenario.engine.state().task(TaskId(1)).note.clone().expect("a note");
    assert!(note.as_str().contains("40 % were reported done"), "{note}");
}

#[test]
fn another_takes_the_place_of_a_recipient_that_is_gone_or_declines() {
    let scenario = play(
        "agent C rust=0.8
         handoff t1 to=B
         refuse t1 B             -> in_progress A
         handoffs                -> H-1 T-1 A>C package_due
         notices C               -> handoff_offered T-1
         unreachable C
         offline C
         handoffs                -> H-1 T-1 A>? mediation
         show t1                 -> in_progress medium A
         back C
         package t1 A            -> in_progress A        # C is out, and nobody else is there
         handoffs                -> H-1 T-1 A>? mediation
         agent D rust=0.8
         package t1 A            -> assigned D
         confirm t1 D
         handoffs                -> H-1 T-1 A>D released",
    );
    assert_eq!(escalations(&scenario), ["handoff_stuck: went to `D`"]);
}

#[test]
fn who_declines_after_the_transfer_passes_it_on_or_sends_it_back_each_time_under_a_new_token() {
    let mut scenario = play(
        "agent C rust=0.8
         handoff t1 to=B by=A
         package t1 A            -> assigned B
         refuse t1 B             -> assigned C
         progress t1 B 1         -> refused: assignment A-2 of task T-1 is outdated; the current one is A-3, held by `C`
         tick +2h                                        # C does not confirm
         show t1                 -> assigned medium A
         handoffs                -> H-1 T-1 A>A sent_back
         start t1 A              -> in_progress A",
    );
    assert_eq!(escalations(&scenario), ["handoff_stuck"]);
    scenario.also("done t1 A -> completed");
    assert_eq!(escalations(&scenario), ["handoff_stuck: completed"]);
    // Where the donor has no room any more, the recipient keeps it until somebody decides.
    let scenario = Scenario::play(
        "agent A rust=0.9
         submit t1 needs=rust
         agent B rust=0.9
         handoff t1 to=B
         package t1 A            -> assigned B
         submit t2 needs=rust    -> assigned A
         refuse t1 B             -> assigned B
         handoffs                -> H-1 T-1 A>B mediation
         start t1 B              -> in_progress B
         handoffs                -> H-1 T-1 A>B released",
    );
    assert_eq!(escalations(&scenario), ["handoff_stuck: confirmed by `B`"]);
    // A recipient that goes offline before it has confirmed.
    play(
        "handoff t1 to=B
         package t1 A
         unreachable B
         offline B
         show t1                 -> assigned medium A
         handoffs                -> H-1 T-1 A>A sent_back",
    );
}

#[test]
fn whatever_else_takes_the_task_ends_the_handoff_first() {
    for (line, ends) in [
        ("done t1 A", "overtaken"),
        ("fail t1 A", "overtaken"),
        ("release t1 A", "overtaken"),
        ("move t1 B", "overtaken"),
        ("cancel t1", "overtaken"),
        ("calloff t1", "cancelled"),
    ] {
        play(&format!("handoff t1 to=B\n{line}\nhandoffs -> H-1 T-1 A>B {ends}"));
    }
    play("handoff t1 to=B\npackage t1 A\nprogress t1 B 10\nhandoffs -> H-1 T-1 A>B released");
    play("handoff t1 to=B\npackage t1 A\ndone t1 B -> completed\nhandoffs -> H-1 T-1 A>B released");
    play("handoff t1 to=B\npackage t1 A\nfail t1 B\nhandoffs -> H-1 T-1 A>B overtaken");
}

#[test]
fn nobody_is_held_to_a_deadline_that_passed_while_nobody_served() {
    play(
        "handoff t1 to=B
         away 2h
         tick +59m
         handoffs                -> H-1 T-1 A>B package_due
         tick +1h
         tick +2m
         notices A               -> package_wanted T-1, package_wanted T-1",
    );
}

#[test]
fn balancing_hands_over_what_has_been_begun_and_counts_it_where_it_goes_to() {
    let begun = "agent A rust=0.9 slots=4
         submit t1 needs=rust at=+900h
         submit t2 needs=rust at=+900h
         submit t3 needs=rust at=+900h
         submit t4 needs=rust at=+900h
         assign t1 A
         assign t2 A
         assign t3 A
         assign t4 A
         start t1 A
         start t2 A
         start t3 A
         start t4 A
         agent B rust=0.9 slots=4
         ";
    Scenario::play(&format!(
        "{begun}balance          -> T-1 A=>B
         balance                 -> even                 # 3 of 4 and 1 of 4 to be
         tick +11m
         balance                 -> even
         package t1 A            -> assigned B
         confirm t1 B
         tick +11m
         balance                 -> even"
    ));
    Scenario::play(&format!("{begun}policy started=move\nbalance -> T-1 A>B"));
}

/// One thing that may happen to a small fleet with handoffs under way.
fn commands() -> impl Strategy<Value = Draw> {
    (0..30_u8, 0..4_usize, 1..6_u32, any::<bool>(), prop_oneof![4 => 0..60_i64, 1 => 60..300_i64])
}

const NAMES: [&str; 4] = ["A", "B", "C", "D"];

fn command(state: &State, (kind, who, task, flag, _): (u8, usize, u32, bool, i64)) -> Command {
    let (agent, id) = (name(NAMES[who]), TaskId(task));
    let reference = kapell_core::TaskRef::Id(id);
    let owner = state.tasks().get(id).and_then(|task| task.owner.as_ref());
    let token = owner.map_or(AssignmentId(0), |owner| owner.assignment);
    let owned_by = owner.map_or_else(|| agent.clone(), |owner| state.agent(owner.agent).spec.name.clone());
    let to = state.handoffs().of(id).and_then(|handoff| handoff.to);
    let to = to.map_or_else(|| agent.clone(), |to| state.agent(to).spec.name.clone());
    let reason = || Text::from("because");
    match kind {
        0..=5 => Command::RequestHandoff {
            task: reference,
            owner: flag.then_some((owned_by, token)),
            to: (kind > 1).then_some(agent),
            note: None,
        },
        6..=9 => {
            let mut package = package(if flag { &[] } else { &["without=context"] });
            package.reservations = state.reservations().of_task(id).map(|held| held.id).collect();
            Command::SubmitPackage {
                task: reference,
                agent: owned_by,
                assignment: token,
                package: Arc::new(package),
            }
        }
        10 | 11 => Command::ConfirmHandoff { task: reference, agent: to },
        12..=14 => Command::DeclineHandoff { task: reference, agent: to, reason: reason() },
        15 => Command::CancelHandoff { task: reference, agent: flag.then_some(owned_by), reason: reason() },
        16 => Command::AgentUnreachable { agent, last_seen: Moment(0) },
        17 => Command::AgentOffline { agent, last_seen: Moment(0) },
        18 | 19 => Command::AgentBack { agent },
        20 => Command::DrainAgent { agent, draining: flag },
        21 => Command::Start { task: reference, agent: owned_by, assignment: token },
        22 => Command::Release { task: reference, agent: owned_by, assignment: token, note: None },
        23 => Command::Assign { task: reference, agent },
        24 => Command::ResumeServing { away: Span::minutes(90) },
        25 => Command::CheckProgress,
        26 => Command::ReturnUnfetched { assignments: vec![token] },
        27 => Command::Move { task: reference, agent, note: None },
        _ => Command::Tick,
    }
}

type Draw = (u8, usize, u32, bool, i64);

/// Plays what was drawn: one agent owns a task through every branch of its handoffs, and in the end nothing waits but for a person.
fn owned_by_one(steps: Vec<Draw>, reached: &mut BTreeSet<String>) -> TestCaseResult {
    let mut scenario = Scenario::play(
        "agent A rust=0.9 slots=2\nagent B rust=0.9\nagent C rust=0.8 slots=2\nagent D rust=0.9
         submit t1 needs=rust takes=env:one\nsubmit t2 needs=rust\nsubmit t3 needs=rust priority=critical
         submit t4 needs=rust takes=path:a/**\nsubmit t5 needs=rust",
    );
    let mut checked = State::default();
    let mut seen = 0;
    for step in steps {
        let minutes = step.4;
        let command = command(scenario.engine.state(), step);
        scenario.pass(minutes * 60_000);
        let _ = scenario.execute(command, None);
        // After every single event, not only after the step: the owner of a task changes in one of them.
        for record in &scenario.log[seen..] {
            reached.extend(branch(&record.event));
            let owned = owner_of_handed(&checked, &record.event);
            checked.apply(record);
            prop_assert!(
                invariant::check(&checked).is_ok(),
                "{:?}: {:?}",
                record,
                invariant::check(&checked)
            );
            if let Some((task, from)) = owned {
                let owner = checked.task(task).owner.as_ref().map(|owner| owner.agent);
                prop_assert!(owner.is_some() && owner != Some(from), "{:?}", record);
            }
        }
        seen = scenario.log.len();
    }
    // When everybody is back and time passes, nothing is left waiting but for a person.
    for agent in NAMES {
        scenario.line(&format!("back {agent}"));
        scenario.line(&format!("resume {agent}"));
    }
    scenario.also("tick +48h\ntick +48h\ntick +48h\ntick +48h");
    let state = scenario.engine.state();
    for handoff in state.handoffs().iter().filter(|handoff| handoff.is_open()) {
        let called = state.open().any(|it| it.task() == Some(handoff.task));
        prop_assert!(called, "{} is {} and nobody is called", handoff.id, handoff.stage.as_str());
    }
    Ok(())
}

/// Returns the branch of a handoff that an event is.
fn branch(event: &Event) -> Option<String> {
    let kind = event.kind();
    match event {
        Event::HandoffMediation { trouble, .. } => Some(format!("{kind} {}", trouble.as_str())),
        Event::HandoffEnded { outcome, .. } => Some(format!("{kind} {}", outcome.as_str())),
        _ => kind.starts_with("handoff.").then(|| kind.to_owned()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn exactly_one_agent_owns_a_task_through_every_branch(steps in prop::collection::vec(commands(), 1..150)) {
        owned_by_one(steps, &mut BTreeSet::new())?;
    }
}

#[test]
fn the_draws_reach_every_branch() {
    let reached = fixed::reached(80, &prop::collection::vec(commands(), 1..150), owned_by_one);
    let all = [
        "handoff.confirmed",
        "handoff.ended cancelled",
        "handoff.ended overtaken",
        "handoff.ended sent_back",
        "handoff.mediation declined",
        "handoff.mediation donor_gone",
        "handoff.mediation not_confirmed",
        "handoff.mediation package_incomplete",
        "handoff.mediation package_late",
        "handoff.mediation recipient_gone",
        "handoff.package_due",
        "handoff.package_received",
        "handoff.redirected",
        "handoff.released",
        "handoff.requested",
        "handoff.transferred",
        "handoff.validated",
    ];
    assert_eq!(reached.iter().map(String::as_str).collect::<Vec<_>>(), all);
}

/// Returns the owner before a transfer, which must be another's right after it.
fn owner_of_handed(state: &State, event: &Event) -> Option<(TaskId, AgentId)> {
    let Event::HandoffTransferred { task, from, ended, .. } = event else { return None };
    let owner = state.task(*task).owner.as_ref().expect("who hands over owns it");
    assert_eq!((owner.agent, owner.assignment), (*from, *ended), "the fence goes on from where it stood");
    Some((*task, *from))
}

#[test]
fn the_token_changes_once_a_transfer() {
    let scenario = play("handoff t1 to=B\npackage t1 A\nconfirm t1 B");
    let state = scenario.engine.state();
    let task = state.task(state.task_id(&reference("t1")).expect("a task"));
    assert_eq!(task.owner.as_ref().map(|owner| owner.assignment), Some(AssignmentId(2)));
    assert_eq!(task.past, [(AssignmentId(1), AgentId(0))]);
}
