//! People as members (SEMANTICS 15): working hours, and what runs only in them.

mod scenario;

use kapell_core::{Command, Event, Liveness, TaskRef};
use kapell_model::{Hours, Moment, Shift, Span, ZoneOffset, limits};
use proptest::prelude::*;
use scenario::Scenario;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Monday 2026-03-23, 00:00 UTC.
const MONDAY: i64 = 20_535 * DAY;
/// On the Sunday after, Berlin goes from one hour ahead of UTC to two.
const SPRING: i64 = MONDAY + 6 * DAY + HOUR;

/// Returns nine to five, Monday to Friday, in Berlin.
fn hours(quiet: &[(i64, i64)]) -> Hours {
    let offset = |from, seconds| ZoneOffset { from: Moment(from), seconds };
    Hours {
        zone: scenario::name("Europe/Berlin"),
        offsets: vec![offset(0, 3_600), offset(SPRING, 7_200)],
        known_until: Moment(MONDAY + 700 * DAY),
        week: (0..5).map(|day| Shift { day, from: 9 * 60, to: 17 * 60 }).collect(),
        quiet: quiet.iter().map(|&(from, to)| (Moment(from), Moment(to))).collect(),
    }
}

/// Returns a moment by the day after that Monday and the hour by UTC.
const fn at(day: i64, hour: i64) -> i64 {
    MONDAY + day * DAY + hour * HOUR
}

fn work_by(scenario: &mut Scenario, agent: &str, hours: Hours) {
    let agent = scenario::name(agent);
    scenario.execute(Command::SetHours { agent, hours: Some(Box::new(hours)) }, None).expect("hours");
}

/// A fleet with the person P, at `start`.
fn begin(start: i64, more: &str) -> Scenario {
    let mut scenario = Scenario::play("");
    scenario.now = start;
    scenario.also(&format!("agent P kind=person\n {more}"));
    work_by(&mut scenario, "P", hours(&[]));
    scenario
}

/// Tells the leases what has just happened, as the server does.
fn heed(scenario: &Scenario, liveness: &mut Liveness) {
    liveness.note(&scenario.log.last().expect("an event").event, Moment(scenario.now));
}

/// Lets the clock look every half a minute until `until`, and does what follows. P says nothing.
fn serve(scenario: &mut Scenario, until: i64) {
    let mut liveness = Liveness::new(scenario.engine.state(), Moment(scenario.now));
    go_on(scenario, &mut liveness, until);
}

/// Does so without a start before it.
fn go_on(scenario: &mut Scenario, liveness: &mut Liveness, until: i64) {
    while scenario.now < until {
        scenario.now += limits::CLOCK_JUMP.0 / 2;
        for command in liveness.lapsed(scenario.engine.state(), Moment(scenario.now)) {
            let _ = scenario.execute(command, None);
        }
    }
}

/// P finishes T-1.
fn finish(scenario: &mut Scenario) {
    let task = scenario.engine.state().tasks().iter().next().expect("a task");
    let assignment = task.owner.as_ref().expect("an owner").assignment;
    let (task, agent) = (TaskRef::Id(task.id), scenario::name("P"));
    let finish = Command::Finish { task, agent, assignment, result: None };
    scenario.execute(finish, None).expect("finished");
}

/// Returns what the completed attempts took.
fn actual(scenario: &Scenario) -> Span {
    let mut all = scenario.engine.state().metrics().completions();
    all.next().and_then(|(_, it)| it.mean()).expect("a completed attempt")
}

/// Returns when the first event of a kind happened, in minutes by UTC: `Some((day, hour, minute))`.
fn first(scenario: &Scenario, kind: &str) -> Option<(i64, i64, i64)> {
    let found = scenario.log.iter().find(|record| record.event.kind() == kind)?;
    let since = found.at.0 - MONDAY;
    Some((since / DAY, since % DAY / HOUR, since % HOUR / 60_000))
}

#[test]
fn a_person_gets_work_only_in_its_hours_and_the_reason_is_told() {
    let mut scenario = begin(at(0, 7), "");
    scenario.also("submit t1 -> ready");
    let state = scenario.engine.state();
    let refusal = kapell_model::fit(
        state.situation().class(state.tasks().iter().next().expect("a task").class),
        state.agent_id("P").expect("P"),
        state.situation().agent(state.agent_id("P").expect("P")),
    );
    let text = state.unfit_text(state.agent_id("P").expect("P"), refusal.expect_err("away"));
    assert_eq!(text, "outside working hours until 2026-03-23 08:00 UTC");
    serve(&mut scenario, at(0, 9));
    scenario.also("show t1 -> assigned medium P\n restart -> as live");
    finish(&mut scenario);
    // Its last hour is over: what comes then waits for the next day, and after the clocks went forward an hour less by UTC.
    serve(&mut scenario, at(4, 17));
    scenario.also("back P\n submit t2 -> ready\n restart -> as live");
    serve(&mut scenario, at(7, 6));
    scenario.also("back P\n show t2 -> ready medium");
    serve(&mut scenario, at(7, 8));
    scenario.also("show t2 -> assigned medium P");
}

#[test]
fn who_asks_by_itself_or_is_given_work_by_hand_gets_it_at_night() {
    let mut scenario = begin(at(0, 3), "");
    scenario.also(
        "submit t1 -> ready
         claim t1 P -> assigned P
         done t1 P -> completed
         submit t2 -> ready
         assign t2 P -> assigned P",
    );
}

#[test]
fn a_lease_of_three_days_is_three_working_days_and_nobody_is_disowned_at_night() {
    // Last heard of on Friday at 15:00 by the clock on the wall.
    let mut scenario = begin(at(4, 14), "submit t1 agent=P\n start t1 P");
    serve(&mut scenario, at(12, 0));
    assert_eq!(first(&scenario, "agent.unreachable"), Some((9, 13, 0)), "Wednesday at 15:00, in summer");
    assert_eq!(first(&scenario, "agent.offline"), Some((9, 13, 1)));
    assert_eq!(first(&scenario, "task.returned"), Some((9, 13, 1)));
}

#[test]
fn what_is_not_fetched_is_taken_back_after_its_ack_time_of_working_hours() {
    // Two hours for what is medium: one of Monday's, one of Tuesday's.
    let mut scenario = begin(at(0, 15), "submit t1 agent=P");
    serve(&mut scenario, at(1, 12));
    assert_eq!(first(&scenario, "task.returned"), Some((1, 9, 0)));
}

#[test]
fn stall_clocks_stand_still_outside_working_hours() {
    let mut scenario = begin(at(0, 15), "agent Q\n submit t1 agent=P\n start t1 P");
    // Three working days of silence are borne, and the answer is wanted within two hours of work.
    let mut liveness = Liveness::new(scenario.engine.state(), Moment(scenario.now));
    for day in 1..4 {
        // It looks in, and says nothing of its work.
        go_on(&mut scenario, &mut liveness, at(day, 14));
        liveness.renew(scenario.engine.state().agent_id("P").expect("P"), Moment(scenario.now));
    }
    go_on(&mut scenario, &mut liveness, at(3, 15));
    assert_eq!(first(&scenario, "task.stalled"), Some((3, 15, 0)), "Thursday at 16:00");
    let due = scenario.log.iter().find_map(|record| match &record.event {
        Event::TaskStalled { due, silent, .. } => Some((*due, *silent)),
        _ => None,
    });
    let (due, silent) = due.expect("it was asked");
    assert_eq!(due, Moment(at(4, 9)), "one hour of Thursday, one of Friday");
    assert_eq!(silent, Span::hours(24), "of worked time");
    go_on(&mut scenario, &mut liveness, at(4, 10));
    assert_eq!(first(&scenario, "task.stall_unanswered"), Some((4, 9, 0)));
}

#[test]
fn a_silence_before_the_hours_were_set_is_none_by_these() {
    // Two weeks away, last heard of the day before; then the shift is moved, and the time away is gone.
    let mut scenario = begin(at(0, 9), "submit t1 agent=P\n start t1 P");
    work_by(&mut scenario, "P", hours(&[(at(1, 0), at(14, 0))]));
    let mut liveness = Liveness::new(scenario.engine.state(), Moment(scenario.now));
    go_on(&mut scenario, &mut liveness, at(9, 10));
    work_by(&mut scenario, "P", Hours { week: vec![Shift { day: 2, from: 0, to: 1_440 }], ..hours(&[]) });
    heed(&scenario, &mut liveness);
    go_on(&mut scenario, &mut liveness, at(9, 12));
    assert_eq!(first(&scenario, "agent.unreachable"), None, "not for what was before");
    scenario.also("restart -> as live");
    // And what comes after it is silence: three days of a shift of a day.
    go_on(&mut scenario, &mut liveness, at(37, 0));
    assert_eq!(
        first(&scenario, "agent.unreachable"),
        Some((30, 10, 0)),
        "a day, a day and what the first one had left"
    );

    // A service with a lease of two minutes, in the evening.
    let mut scenario = Scenario::play("");
    scenario.now = at(0, 15);
    scenario.also("agent A kind=service\n submit t1 agent=A\n start t1 A");
    work_by(&mut scenario, "A", hours(&[]));
    let mut liveness = Liveness::new(scenario.engine.state(), Moment(scenario.now));
    for _ in 0..120 {
        let next = scenario.now + 30_000;
        go_on(&mut scenario, &mut liveness, next);
        liveness.renew(scenario.engine.state().agent_id("A").expect("A"), Moment(scenario.now));
    }
    go_on(&mut scenario, &mut liveness, at(0, 19));
    let always = Command::SetHours { agent: scenario::name("A"), hours: None };
    scenario.execute(always, None).expect("always at work");
    heed(&scenario, &mut liveness);
    go_on(&mut scenario, &mut liveness, at(0, 19) + 120_000);
    assert_eq!(first(&scenario, "agent.unreachable"), None);
    go_on(&mut scenario, &mut liveness, at(0, 19) + 180_000);
    assert_eq!(first(&scenario, "agent.unreachable"), Some((0, 19, 2)));
}

#[test]
fn what_an_attempt_took_is_what_was_worked_of_it() {
    // From Friday at 15:00 to Monday at 15:00: a working day, and no three days of the clock.
    let mut scenario = begin(at(4, 14), "");
    scenario.also("submit t1 type=code effort=8h agent=P\n start t1 P");
    scenario.now = at(7, 13);
    finish(&mut scenario);
    assert_eq!(actual(&scenario), Span::hours(8));
    // In the evening, outside of all hours, it is what the clock says.
    let mut scenario = begin(at(0, 18), "");
    scenario.also("submit t1 type=code effort=8h\n claim t1 P\n start t1 P");
    scenario.now = at(0, 20);
    finish(&mut scenario);
    assert_eq!(actual(&scenario), Span::hours(2));
    // Who waits for leave does not work.
    let mut scenario = begin(at(0, 9), "agent A");
    scenario.also("submit t1 type=code effort=1h agent=A\n start t1 A\n tick +10m\n ask t1 A run\n tick +50m\n allow t1 run by=P\n tick +5m\n ask t1 A walk\n tick +2h\n done t1 A");
    assert_eq!(actual(&scenario), Span(15 * 60_000));
    // Nor outside of its hours: what it has waited for then was no work that could be taken off.
    let mut scenario = begin(at(0, 14), "agent Q kind=person");
    scenario.also("submit t1 type=code effort=8h agent=P\n start t1 P");
    scenario.now = at(0, 18);
    scenario.also("ask t1 P run");
    scenario.now = at(1, 9);
    scenario.also("allow t1 run by=Q");
    scenario.now = at(1, 12);
    finish(&mut scenario);
    // Two hours on the first day, four on the second, of which it waited one.
    assert_eq!(actual(&scenario), Span::hours(5));
}

#[test]
fn what_was_asked_about_in_the_evening_is_claimed_by_nobody_at_night() {
    let mut scenario = begin(at(0, 15), "agent Q\n agent R\n submit t1 agent=P\n start t1 P");
    let mut liveness = Liveness::new(scenario.engine.state(), Moment(scenario.now));
    for day in 1..4 {
        go_on(&mut scenario, &mut liveness, at(day, 14));
        liveness.renew(scenario.engine.state().agent_id("P").expect("P"), Moment(scenario.now));
    }
    // Asked on Thursday at 16:00; an answer is wanted on Friday at 10:00.
    go_on(&mut scenario, &mut liveness, at(3, 15));
    scenario.also("show t1 -> in_progress medium P stalled");
    // Its shift is over, and no look of the clock has seen that yet.
    go_on(&mut scenario, &mut liveness, at(3, 16) - 30_000);
    scenario.now = at(3, 16) + 10_000;
    scenario.also("claim t1 Q -> refused: task T-1 is owned by `P`, not by `Q`");
    go_on(&mut scenario, &mut liveness, at(3, 20));
    scenario.also(
        "claim t1 Q -> refused: task T-1 is owned by `P`, not by `Q`
         dispute t1 R
         show t1 -> in_progress medium P stalled",
    );
    // In the morning it can speak for itself.
    go_on(&mut scenario, &mut liveness, at(4, 8) + 60_000);
    scenario.also("claim t1 Q");
    let opened = scenario.log.iter().filter_map(|record| match record.event {
        Event::DisputeOpened { stalled, .. } => Some(stalled),
        _ => None,
    });
    assert_eq!(opened.collect::<Vec<_>>(), [false, true]);
}

#[test]
fn what_somebody_has_to_confirm_review_or_hand_over_waits_until_it_is_back() {
    // Transferred on Monday at 16:00, to be confirmed on Tuesday at 10:00; half an hour later it says that it is away on Tuesday.
    let mut scenario = begin(at(0, 15), "drain P\n agent Q\n submit t1\n start t1 Q\n resume P\n agent R");
    scenario.also("handoff t1 by=Q to=P\n package t1 Q -> assigned P");
    work_by(&mut scenario, "P", hours(&[(at(1, 0), at(2, 0))]));
    let mut liveness = Liveness::new(scenario.engine.state(), Moment(scenario.now));
    go_on(&mut scenario, &mut liveness, at(2, 7));
    assert_eq!(first(&scenario, "handoff.mediation"), None);
    scenario.also("show t1 -> assigned medium P\n restart -> as live");
    go_on(&mut scenario, &mut liveness, at(2, 9));
    assert_eq!(
        first(&scenario, "handoff.mediation"),
        Some((2, 8, 0)),
        "when it is back, and has said nothing"
    );

    let mut scenario = begin(at(0, 9), "agent A");
    scenario.also("submit t1 agent=A gates=review\n done t1 A -> in_review A");
    work_by(&mut scenario, "P", hours(&[(at(0, 9), at(2, 0))]));
    scenario.also("agent B");
    let mut liveness = Liveness::new(scenario.engine.state(), Moment(scenario.now));
    go_on(&mut scenario, &mut liveness, at(2, 7));
    let withdrawn = |scenario: &Scenario| {
        let found = scenario
            .log
            .iter()
            .find(|record| matches!(record.event, Event::ReviewPlaced { agent: None, .. }));
        found.map(|record| record.at)
    };
    assert_eq!(withdrawn(&scenario), None);
    scenario.also("restart -> as live");
    go_on(&mut scenario, &mut liveness, at(2, 9));
    assert_eq!(withdrawn(&scenario), Some(Moment(at(2, 8))));
}

#[test]
fn times_away_and_other_hours_move_what_is_due() {
    let mut scenario = begin(at(0, 9), "submit t1 agent=P\n start t1 P");
    work_by(&mut scenario, "P", hours(&[(at(0, 10), at(7, 0))]));
    scenario.also("submit t2 -> ready");
    serve(&mut scenario, at(7, 6));
    assert_eq!(first(&scenario, "agent.unreachable"), None, "a week away is no silence");
    assert_eq!(first(&scenario, "task.stalled"), None);
    scenario.also("restart -> as live");
    let clear = Command::SetHours { agent: scenario::name("P"), hours: None };
    scenario.execute(clear, None).expect("always at work");
    assert!(!scenario.engine.state().agents()[0].is_away());
    scenario.also("restart -> as live");
}

#[test]
fn who_is_away_reviews_only_where_nobody_else_can_and_has_its_own_hours_for_it() {
    let mut scenario = begin(at(0, 17), "agent A\n agent B");
    let asked = |scenario: &Scenario| {
        scenario.log.iter().rev().find_map(|record| match &record.event {
            Event::ReviewPlaced { agent, due, .. } => Some((*agent, *due)),
            _ => None,
        })
    };
    scenario.also("submit t1 agent=A gates=review\n done t1 A -> in_review A");
    let state = scenario.engine.state();
    assert_eq!(asked(&scenario).map(|(agent, _)| agent), Some(state.agent_id("B")));
    scenario.also("drain B\n submit t2 agent=A gates=review\n pass t1 by=B\n done t2 A -> in_review A");
    let state = scenario.engine.state();
    let (person, due) = (state.agent_id("P"), Some(Moment(at(1, 9))));
    assert_eq!(asked(&scenario), Some((person, due)), "an hour of Tuesday");
}

#[test]
fn the_lease_of_an_agent_with_hours_is_worked_time() {
    // Half an hour of a call's lease, a quarter of it before the shift ends.
    let mut scenario = Scenario::play("");
    scenario.now = at(0, 15) + HOUR * 7 / 8;
    scenario.also("agent A kind=agent\n submit t1 agent=A\n start t1 A");
    work_by(&mut scenario, "A", hours(&[]));
    serve(&mut scenario, at(1, 12));
    assert_eq!(first(&scenario, "agent.unreachable"), Some((1, 8, 23)));
    assert_eq!(first(&scenario, "agent.offline"), Some((1, 8, 23)));
}

#[test]
fn hours_that_are_none_are_refused() {
    let mut scenario = begin(at(0, 9), "");
    let none = Hours { week: Vec::new(), ..hours(&[]) };
    let set = Command::SetHours { agent: scenario::name("P"), hours: Some(Box::new(none)) };
    let refused = scenario.execute(set, None).expect_err("refused").to_string();
    assert_eq!(refused, "field `week` is 0 shifts; allowed is 1 to 42 shifts");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever the hours: nobody is asked, found silent, or loses work outside of them.
    #[test]
    fn nothing_is_taken_from_anybody_outside_working_hours(
        week in prop::collection::btree_map(0_u8..7, (0_u16..1_200, 20_u16..240), 1..7),
        ahead in -24_i32..=28,
        start in 0..7 * 24_i64,
        away in 0..100_i64,
    ) {
        let shifts = week.iter().map(|(&day, &(from, long))| Shift { day, from, to: from + long });
        let hours = Hours {
            offsets: vec![ZoneOffset { from: Moment(0), seconds: ahead * 1_800 }],
            week: shifts.collect(),
            quiet: vec![(Moment(at(0, start + away)), Moment(at(0, start + away + 20)))],
            ..hours(&[])
        };
        let mut scenario = Scenario::play("");
        scenario.now = at(0, start);
        scenario.also("agent P kind=person slots=4\n agent Q slots=4\n submit t1 agent=P\n start t1 P\n submit t2 agent=P");
        scenario.also("drain P\n submit t3\n start t3 Q\n resume P\n handoff t3 by=Q to=P\n package t3 Q");
        work_by(&mut scenario, "P", hours.clone());
        let until = scenario.now + 12 * DAY;
        let mut liveness = Liveness::new(scenario.engine.state(), Moment(scenario.now));
        let mut unanswered = std::collections::BTreeSet::new();
        let mut seen = scenario.log.len();
        while scenario.now < until {
            let next = scenario.now + 5 * HOUR;
            go_on(&mut scenario, &mut liveness, next);
            // Q wants all of it for itself.
            for task in ["t1", "t2", "t3"] {
                scenario.line(&format!("claim {task} Q"));
            }
            for record in &scenario.log[seen..] {
                match &record.event {
                    Event::StallUnanswered { task, .. } => {
                        unanswered.insert(*task);
                    }
                    Event::TaskMoved { task, from, .. } if from.0 == 0 && !unanswered.contains(task) => {
                        prop_assert!(hours.contains(record.at), "{task} is moved at {}", record.at);
                    }
                    Event::HandoffMediation { .. } => {
                        prop_assert!(hours.contains(record.at), "not confirmed at {}", record.at);
                    }
                    _ => {}
                }
            }
            seen = scenario.log.len();
        }
        kapell_core::invariant::check(scenario.engine.state()).expect("every invariant");
        for record in &scenario.log {
            let of_p = match &record.event {
                Event::AgentUnreachable { agent, .. } | Event::AgentOffline { agent, .. } => agent.0 == 0,
                Event::TaskStalled { agent, .. }
                | Event::StallUnanswered { agent, .. }
                | Event::TaskReturned { agent, .. } => agent.0 == 0,
                _ => false,
            };
            let kind = record.event.kind();
            prop_assert!(!of_p || hours.contains(record.at), "{kind} at {} is outside the hours", record.at);
        }
        scenario.also("restart -> as live");
    }
}
