//! Emergencies: seen, acted upon, and undone. Task forces: chosen, looked at, disbanded.

mod fixed;
mod scenario;

use std::collections::BTreeSet;

use kapell_core::{Command, EmergencyState, Event};
use kapell_model::{Forecast, Moment, Position, Span, TaskId};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use scenario::{Scenario, name};

/// Plays a line, whatever comes of it, and checks the invariants.
fn attempt(play: &mut Scenario, line: &str) {
    play.line(line);
    kapell_core::invariant::check(play.engine.state()).expect("every invariant");
}

/// Five agents with a task each, and one that stands by.
const TEAM: &str = "agent A rust=0.9
    agent B rust=0.9
    agent C rust=0.9
    agent D rust=0.9
    agent E rust=0.9
    agent S rust=0.9 slots=2 standby=yes
    submit t1 needs=rust
    submit t2 needs=rust
    submit t3 needs=rust
    submit t4 needs=rust
    submit t5 needs=rust
    submit t6 needs=rust        -> ready
    start t4 D";

#[test]
fn agents_that_fail_one_after_the_other_are_an_emergency_and_its_actions_are_undone() {
    let mut play = Scenario::play(TEAM);
    play.also(
        "unreachable A
         unreachable B
         emergencies             -> none
         unreachable C
         emergencies             -> X-1 agent_cascade_failure open: assignments_paused, leases_extended, checkpoints_asked, standby_raised, replacements_asked
         notices D               -> checkpoint_wanted T-4
         show t6                 -> ready medium
         claim t6 S              -> refused: assignments are held back by emergency X-1
         assign t6 S             -> assigned S
         submit t7 needs=rust    -> ready
         submit t8 needs=rust    -> ready
         submit t9 needs=rust    -> ready
         offline A
         show t1                 -> ready high
         back A
         back B
         tick 4m
         emergencies             -> X-1 agent_cascade_failure open: assignments_paused, leases_extended, checkpoints_asked, standby_raised, replacements_asked
         show t7                 -> ready medium",
    );
    let escalations = play.engine.state().escalations_to_settle().len();
    assert_eq!(escalations, 1, "the alert");
    // Five of six are online for five minutes: one assignment at once, then twice as many in each round.
    play.also(
        "tick 1m
         emergencies             -> X-1 agent_cascade_failure ending: assignments_paused, leases_extended undone, checkpoints_asked confirmed, standby_raised undone, replacements_asked confirmed
         show t1                 -> assigned high A
         done t4 D
         show t7                 -> ready medium
         tick 30s
         show t7                 -> assigned medium D
         tick 30s
         tick 30s
         tick 30s
         emergencies             -> X-1 agent_cascade_failure ended: assignments_paused undone, leases_extended undone, checkpoints_asked confirmed, standby_raised undone, replacements_asked confirmed
         submit t10 needs=rust   -> ready     # whoever stands by gets nothing more
         back C",
    );
    assert_eq!(play.engine.state().open_escalations(), 0);
    play.also("restart -> as live");
}

#[test]
fn whoever_has_nothing_to_do_or_says_that_it_goes_is_missed_by_nobody() {
    let mut play = Scenario::play("");
    for agent in 0..4 {
        play.also(&format!("agent N{agent} rust=0.9"));
    }
    play.also("unreachable N0\nunreachable N1\nunreachable N2\nunreachable N3\nemergencies -> none");
    let mut play = Scenario::play(TEAM);
    play.also(
        "signoff A
         show t1                 -> ready medium          # given back, not lost
         signoff A
         signoff B
         signoff C
         emergencies             -> none
         back A
         show t1                 -> assigned medium A",
    );
    let gone = play.log.iter().filter(|record| record.event.kind() == "agent.offline");
    assert_eq!(gone.count(), 3, "once more changes nothing");
    // Who signs off is not waited for: the others are enough.
    let mut play = Scenario::play(TEAM);
    play.also(
        "unreachable A
         unreachable B
         unreachable C
         signoff B
         signoff C
         tick 5m
         emergencies             -> X-1 agent_cascade_failure open: assignments_paused, leases_extended, checkpoints_asked, standby_raised, replacements_asked
         signoff A
         tick 5m
         emergencies             -> X-1 agent_cascade_failure ending: assignments_paused, leases_extended undone, checkpoints_asked confirmed, standby_raised undone, replacements_asked confirmed
         restart -> as live",
    );
}

#[test]
fn three_of_twenty_are_no_emergency_nor_are_three_within_an_hour() {
    let mut play = Scenario::play("");
    for agent in 0..20 {
        play.also(&format!("agent N{agent} rust=0.9\nsubmit n{agent} agent=N{agent}"));
    }
    play.also(
        "unreachable N0
         unreachable N1
         unreachable N2
         emergencies             -> none
         unreachable N3
         emergencies             -> X-1 agent_cascade_failure open: assignments_paused, leases_extended, replacements_asked
         end X-1",
    );
    let mut play = Scenario::play(TEAM);
    play.also(
        "unreachable A
         unreachable B
         tick 5m
         tick 1s
         unreachable C
         emergencies             -> none",
    );
}

#[test]
fn an_agent_that_fails_three_times_in_a_row_counts_as_lost() {
    let mut play = Scenario::play("agent A rust=0.9\nagent B rust=0.9\nagent C rust=0.9");
    for (agent, tasks) in [("A", ["a1", "a2", "a3"]), ("B", ["b1", "b2", "b3"]), ("C", ["c1", "c2", "c3"])] {
        for task in tasks {
            play.also(&format!(
                "emergencies -> none\nsubmit {task} needs=rust agent={agent} attempts=1\nfail {task} {agent}"
            ));
        }
    }
    play.also("emergencies -> X-1 agent_cascade_failure open: assignments_paused, leases_extended");
}

#[test]
fn work_of_others_is_not_taken_while_leases_are_extended() {
    let play = Scenario::play(&format!("{TEAM}\ndeclare agent_cascade_failure"));
    let state = play.engine.state();
    let lease = |name: &str| state.lease_of(state.agent_id(name).expect("an agent"));
    assert_eq!((lease("A"), lease("S")), (Span::minutes(60), Span::minutes(30)), "S has nothing to keep");
}

#[test]
fn a_critical_task_that_fails_twice_gathers_the_best_and_frees_them_until_it_ends() {
    let mut play = Scenario::play(
        "agent A rust=0.3 lisp=0.2 slots=2
         agent B rust=0.7 lisp=0.9 slots=4
         submit c needs=rust,lisp priority=critical attempts=5  -> assigned B
         submit x needs=lisp     -> assigned B
         start c B
         fail c B
         tick 1m
         assign c B
         start c B
         fail c B",
    );
    // After two failures B's record is worth nothing, so A leads; B covers both. What B has not begun is set aside, nobody else
    // being able to take it.
    play.also(
        "emergencies             -> X-1 critical_task_failure open: force_formed, overtime_raised, overtime_raised, work_deferred
         forces                  -> F-1 T-1 A [A B] rust:B lisp:B
         show x                  -> deferred medium
         tick 10m
         assign c B              -> assigned B",
    );
    let state = play.engine.state();
    assert_eq!(state.limit_of(state.agent_id("B").expect("an agent")), 5);
    play.also(
        "start c B
         done c B
         emergencies             -> X-1 critical_task_failure ended: force_formed undone, overtime_raised undone, overtime_raised undone, work_deferred undone
         forces                  -> F-1 T-1 disbanded
         show x                  -> assigned medium B
         restart                 -> as live",
    );
    let state = play.engine.state();
    assert_eq!(state.limit_of(state.agent_id("B").expect("an agent")), 4);
    assert_eq!(state.open_escalations(), 0);
}

#[test]
fn unstarted_work_goes_to_others_who_can_take_it() {
    let mut play = Scenario::play(
        "agent A rust=0.9 lisp=0.9 slots=4
         submit c needs=rust,lisp priority=critical
         submit x needs=rust     -> assigned A
         agent B rust=0.9 slots=2
         declare critical_task_failure task=c
         emergencies             -> X-1 critical_task_failure open: force_formed, overtime_raised, work_moved
         show x                  -> assigned medium B
         end X-1
         emergencies             -> X-1 critical_task_failure ended: force_formed undone, overtime_raised undone, work_moved confirmed
         show x                  -> assigned medium B",
    );
    play.also("restart -> as live");
}

#[test]
fn a_slot_more_ends_only_when_it_is_free() {
    Scenario::play(
        "agent A rust=1
         submit c needs=rust priority=critical
         start c A
         declare critical_task_failure task=c
         submit d needs=rust priority=critical   -> assigned A
         start d A
         end X-1
         emergencies             -> X-1 critical_task_failure ending: force_formed undone, overtime_raised
         done d A
         emergencies             -> X-1 critical_task_failure ended: force_formed undone, overtime_raised undone",
    );
}

#[test]
fn silence_about_a_critical_task_that_nobody_can_take_over_is_an_emergency_until_somebody_works_on_it() {
    let mut play = Scenario::play(
        "agent A rust=0.9
         submit c needs=rust priority=critical
         start c A
         agent B rust=1
         submit m needs=rust
         start m B
         check 31m
         progress m B 10
         emergencies             -> none
         check 5m
         emergencies             -> X-1 critical_task_failure open: force_formed, overtime_raised
         forces                  -> F-1 T-1 B [B] rust:B
         show c                  -> assigned critical B     # with the slot more",
    );
    let raised: Vec<&str> = play
        .log
        .iter()
        .filter_map(|record| match &record.event {
            Event::EscalationRaised { kind, .. } => Some(kind.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(raised, ["stalled", "emergency"], "the owner is called for first");
    play.also(
        "start c B
         progress c B 40
         emergencies             -> X-1 critical_task_failure ending: force_formed undone, overtime_raised
         done m B
         emergencies             -> X-1 critical_task_failure ended: force_formed undone, overtime_raised undone",
    );
}

/// A forecast of the project whose p80 and p90 are so many hours from now.
fn forecast(play: &mut Scenario, p80: i64, p90: i64, path: &[u32]) {
    let hours = |hours: i64| Moment(play.now).after(Span::hours(hours));
    let forecast = Forecast {
        project: name("web"),
        seen: Position(play.engine.state().position().0),
        at: Moment(play.now),
        seed: 1,
        trials: 100,
        open: 3,
        left_out: 0,
        unstaffed: 0,
        stuck: 0,
        p50: hours(1),
        p80: hours(p80),
        p90: hours(p90),
        path: path.iter().map(|&task| (TaskId(task), Span::hours(9))).collect(),
        length: Span::hours(9),
        gains: vec![(name("rust"), Span::hours(4))],
        watched: Vec::new(),
    };
    play.execute(Command::RecordForecast(Box::new(forecast)), None).expect("it fits");
}

#[test]
fn a_project_that_will_be_late_sets_aside_what_it_can_do_without() {
    let mut play = Scenario::play(
        "project web deadline=10h
         submit t1 needs=rust project=web effort=9h
         submit t2 needs=rust project=web effort=9h
         submit t3 needs=rust project=web label=optional
         submit t4 needs=rust label=optional
         guessed t2 t1",
    );
    forecast(&mut play, 10, 11, &[1, 2]);
    play.also("emergencies -> none");
    forecast(&mut play, 11, 12, &[1, 2]);
    play.also(
        "emergencies             -> X-1 deadline_risk open: work_deferred, edge_offered, breakdown_offered, breakdown_offered, capability_asked
         show t3                 -> deferred medium
         show t4                 -> ready medium",
    );
    // It is better by what was set aside, so it goes on until a person says so, or the rest is done.
    forecast(&mut play, 5, 6, &[1, 2]);
    play.also(
        "emergencies             -> X-1 deadline_risk open: work_deferred, edge_offered, breakdown_offered, breakdown_offered, capability_asked
         end X-1
         emergencies             -> X-1 deadline_risk ended: work_deferred undone, edge_offered confirmed, breakdown_offered confirmed, breakdown_offered confirmed, capability_asked confirmed
         show t3                 -> ready medium",
    );
    // Who has ended it is not asked again until it was within the deadline once.
    forecast(&mut play, 12, 13, &[1]);
    let count = |play: &Scenario| play.engine.state().emergencies().all.len();
    assert_eq!(count(&play), 1);
    forecast(&mut play, 9, 9, &[1]);
    forecast(&mut play, 12, 13, &[1]);
    assert_eq!(count(&play), 2);
    play.also("cancel t1\ncancel t2");
    let last = play.engine.state().emergencies().all.iter().next_back().map(|it| it.state);
    assert_eq!(last, Some(EmergencyState::Ended), "only what it can do without is left");
    play.also("show t3 -> ready medium\nrestart -> as live");
}

#[test]
fn what_is_not_begun_on_the_longest_path_goes_to_a_faster_agent() {
    let mut play = Scenario::play(
        "agent A rust=0.9 slots=3
         agent B rust=0.9
         project web deadline=10h
         submit t1 needs=rust agent=A
         start t1 A
         fail t1 A
         cancel t1
         submit t2 needs=rust agent=B            # B is taken while t3 to t6 are given out
         start t2 B
         submit t3 needs=rust project=web effort=9h           -> assigned A
         submit t4 needs=rust project=web effort=9h           -> ready
         submit t5 needs=rust project=web effort=9h agent=A   -> ready
         assign t4 A             -> assigned A
         assign t5 A             -> assigned A
         start t3 A
         tick 10m
         done t2 B",
    );
    // What was begun stays, and so does what is asked of A by name; B has a slot for one.
    forecast(&mut play, 11, 12, &[3, 4, 5]);
    play.also(
        "emergencies             -> X-1 deadline_risk open: work_moved, breakdown_offered, capability_asked
         show t3                 -> in_progress medium A
         show t4                 -> assigned medium B
         show t5                 -> assigned medium A
         notices A               -> moved T-4
         end X-1
         emergencies             -> X-1 deadline_risk ended: work_moved confirmed, breakdown_offered confirmed, capability_asked confirmed
         show t4                 -> assigned medium B",
    );
    // Nobody is faster than B, so nothing is moved again.
    forecast(&mut play, 9, 9, &[4]);
    forecast(&mut play, 11, 12, &[4]);
    play.also("show t4 -> assigned medium B");
    let moved = play.log.iter().filter(|record| record.event.kind() == "task.moved").count();
    assert_eq!(moved, 1);
}

#[test]
fn an_emergency_about_a_task_that_is_broken_down_goes_on_with_what_it_becomes() {
    Scenario::play(
        "agent A rust=0.9 slots=3
         agent P role=architect
         agent Q role=qa_engineer
         submit t0 role=nobody
         submit t1 after=t0 needs=rust priority=critical effort=20h
         declare critical_task_failure task=t1
         emergencies             -> X-1 critical_task_failure open: force_formed, overtime_raised
         breakdown t1 into=a     -> archived
         emergencies             -> X-1 critical_task_failure open: force_formed, overtime_raised
         forces                  -> F-1 T-2 A [A] rust:A
         escalations             -> E-1 emergency for agent_manager +0
         restart                 -> as live
         cancel t0
         waive T-3 t0
         done T-3 P
         done T-4 A
         tick +5h
         checkpoints F-1         -> 25%:on_track 50% 75% 100%
         done T-5 A
         emergencies             -> X-1 critical_task_failure open: force_formed, overtime_raised
         done T-6 Q
         emergencies             -> X-1 critical_task_failure ended: force_formed undone, overtime_raised undone
         forces                  -> F-1 T-2 disbanded
         escalations             -> none
         restart                 -> as live",
    );
    // With what takes its place it ends, whatever becomes of that.
    Scenario::play(
        "agent A rust=0.9
         submit t0 role=nobody
         submit t1 after=t0 needs=rust priority=critical
         declare critical_task_failure task=t1
         breakdown t1 into=a
         cancel T-6
         emergencies             -> X-1 critical_task_failure ended: force_formed undone, overtime_raised undone",
    );
}

#[test]
fn where_nothing_is_set_aside_a_better_forecast_ends_it() {
    let mut play = Scenario::play("project web deadline=10h\nsubmit t1 needs=rust project=web");
    forecast(&mut play, 11, 12, &[1]);
    forecast(&mut play, 9, 11, &[1]);
    play.also("emergencies -> X-1 deadline_risk open: breakdown_offered, capability_asked");
    forecast(&mut play, 9, 10, &[1]);
    play.also(
        "emergencies -> X-1 deadline_risk ended: breakdown_offered confirmed, capability_asked confirmed",
    );
}

#[test]
fn a_person_declares_and_ends_and_what_does_not_fit_is_refused() {
    Scenario::play(
        "agent A rust=0.9
         project web
         project idle
         submit c needs=rust project=web
         submit d needs=rust
         cancel d
         declare agent_cascade_failure task=c    -> refused: field `kind` is `agent_cascade_failure`, with something else; allowed is neither a task nor a project
         declare critical_task_failure           -> refused: field `kind` is `critical_task_failure`, with something else; allowed is a task and no project
         declare deadline_risk task=c            -> refused: field `kind` is `deadline_risk`, with something else; allowed is a project and no task
         declare deadline_risk project=none      -> refused: there is no project `none`
         declare deadline_risk project=idle      -> refused: field `project` is `idle`, without open tasks; allowed is one with open tasks
         declare critical_task_failure task=none -> refused: there is no task `none`
         declare critical_task_failure task=d    -> refused: task T-2 is cancelled; an emergency about it is possible from blocked, ready, deferred, assigned, in_progress, in_review, waiting
         declare deadline_risk project=web       -> X-1
         declare deadline_risk project=web       -> refused: there is already an emergency `deadline_risk`, it is X-1
         end X-9                                 -> refused: there is no emergency `X-9`
         end X-1
         end X-1                                 -> refused: X-1 is already ended
         emergencies                             -> X-1 deadline_risk ended: nothing",
    );
}

#[test]
fn the_policy_turns_detection_off_but_nobody_s_word() {
    Scenario::play(&format!(
        "{TEAM}
         policy emergencies=off
         unreachable A
         unreachable B
         unreachable C
         emergencies             -> none
         declare agent_cascade_failure -> X-1
         end X-1"
    ));
}

#[test]
fn a_task_force_is_the_smallest_greedy_set_around_the_best_lead() {
    let mut play = Scenario::play(
        "agent A rust=0.9 lisp=0.1
         agent B lisp=0.9 sql=0.7 web=0.1
         agent C lisp=0.95
         agent D sql=0.9 web=0.8
         project big
         submit t1 project=big needs=rust effort=8h
         submit t2 project=big needs=rust effort=8h after=t1
         gather project=big needs=rust,lisp,sql,web,cobol -> F-1
         forces                  -> F-1 big B [B A D] rust:A lisp:B sql:D web:D cobol:B
         gather project=big needs=rust -> refused: there is already a task force for `project `big``, it is F-1
         notices A               -> force_formed
         disband F-1
         disband F-1             -> refused: F-1 is already disbanded
         gather project=none needs=rust -> refused: there is no project `none`
         gather project=big       -> refused: field `requires` is nothing; allowed is the capabilities that the project needs
         gather task=t1 project=big -> refused: field `task, project` is both or neither; allowed is a task, or a project",
    );
    let channel = play
        .engine
        .state()
        .messages()
        .channels()
        .next()
        .map(|(name, it)| (name.to_string(), it.members.len()));
    assert_eq!(channel, Some(("force-1".to_owned(), 0)), "they have left the channel");
    play.also("restart -> as live");
}

#[test]
fn checkpoints_are_looked_at_when_they_are_due_and_the_force_ends_with_its_work() {
    let mut play = Scenario::play(
        "agent A rust=0.9
         submit t1 needs=rust effort=8h
         start t1 A
         gather task=t1           -> F-1
         checkpoints F-1         -> 25% 50% 75% 100%
         tick 1h
         progress t1 A 30
         tick 1h
         checkpoints F-1         -> 25%:on_track 50% 75% 100%
         tick 2h
         checkpoints F-1         -> 25%:on_track 50%:missed 75% 100%
         progress t1 A 60
         tick 2h
         checkpoints F-1         -> 25%:on_track 50%:missed 75%:at_risk 100%
         done t1 A
         forces                  -> F-1 T-1 disbanded",
    );
    play.also("tick 9h\nrestart -> as live");
}

#[test]
fn the_milestones_of_a_project_are_its_checkpoints() {
    Scenario::play(
        "project big milestones=2h,8h
         agent A rust=0.9 slots=2
         submit t1 project=big needs=rust effort=4h
         submit t2 project=big needs=rust effort=4h
         gather project=big needs=rust
         done t1 A
         tick 2h
         checkpoints F-1         -> 50%:on_track 100%
         tick 6h
         checkpoints F-1         -> 50%:on_track 100%:missed
         done t2 A
         forces                  -> F-1 big disbanded",
    );
}

#[test]
fn members_of_a_task_force_who_differ_come_to_a_ruling() {
    let mut play = Scenario::play(
        "agent A rust=0.9 slots=2
         agent B rust=0.4 sql=0.9 slots=2
         project big
         submit t1 project=big needs=rust,sql
         gather project=big needs=rust,sql -> F-1
         forces                  -> F-1 big B [B A] rust:A sql:B
         send A @force-1 which_way
         decide rust ask=A,B for=1h by=B -> C-1
         propose C-1 A one       -> C-1
         conflict C-1            -> open of A,B
         propose C-1 B other     -> C-1
         conflict C-1            -> resolved of A,B for one    # 0.9 of 1.3 is behind it
         reserve A env:staging ttl=60s -> R-1
         reserve B env:staging ttl=60s wait=5m -> waits as W-1
         conflict C-2            -> open of B,A
         free A R-1
         conflict C-2            -> resolved of B,A",
    );
    for agent in ["A", "B"] {
        let told = play.line(&format!("notices {agent}"));
        assert!(told.contains("decision_made"), "{agent}: {told}");
    }
}

fn draws() -> impl Strategy<Value = Vec<(u8, usize, u32)>> {
    prop::collection::vec((0..27_u8, 0..4_usize, 1..7_u32), 1..80)
}

/// Plays what was drawn, ends every emergency, lets the work go on, and looks for what is left of what was done about any.
fn undone(draws: Vec<(u8, usize, u32)>, reached: &mut BTreeSet<String>) -> TestCaseResult {
    let mut play = Scenario::play(
        "agent A rust=0.9 lisp=0.7 slots=2
         agent B rust=0.7 lisp=0.9 slots=2
         agent C rust=0.9 standby=yes
         agent D lisp=0.9
         project web deadline=10h",
    );
    for (kind, who, task) in draws {
        let agent = ["A", "B", "C", "D"][who];
        let line = match kind {
            0..=3 => format!(
                "submit t{task} needs={} priority={} project=web label={} attempts=9",
                ["rust", "lisp", "rust,lisp", "rust"][who],
                ["critical", "medium", "critical", "low"][who],
                ["optional", "x"][task as usize % 2]
            ),
            4 | 5 => format!("start t{task} {agent}"),
            6 | 7 => format!("fail t{task} {agent}"),
            8 => format!("done t{task} {agent}"),
            9 => format!("unreachable {agent}"),
            10 => format!("offline {agent}"),
            11 => format!("back {agent}"),
            12 => format!("check {}h", who + 1),
            13 | 14 => format!("tick {}m", who * 3 + 1),
            15 => "declare agent_cascade_failure".to_owned(),
            16 => format!("declare critical_task_failure task=t{task}"),
            17 => "declare deadline_risk project=web".to_owned(),
            18 => format!("end X-{task}"),
            19 => format!("assign t{task} {agent}"),
            20 => format!("progress t{task} {agent} 50"),
            21 => format!("guessed t{task} t{}", who + 1),
            22 => format!("breakdown t{task} into=a"),
            23 => format!("move t{task} {agent}"),
            _ => {
                let tasks = u32::try_from(play.engine.state().tasks().len()).expect("few");
                let path: Vec<u32> = (1..=tasks.min(task)).collect();
                forecast(&mut play, [3, 11][who % 2], 12, &path);
                continue;
            }
        };
        attempt(&mut play, &line);
    }
    for agent in ["A", "B", "C", "D"] {
        attempt(&mut play, &format!("back {agent}"));
    }
    for id in 1..=play.engine.state().emergencies().all.len() {
        attempt(&mut play, &format!("end X-{id}"));
    }
    for _ in 0..6 {
        attempt(&mut play, "policy emergencies=off");
        for task in 1..7 {
            for agent in ["A", "B", "C", "D"] {
                attempt(&mut play, &format!("done t{task} {agent}"));
            }
        }
        attempt(&mut play, "tick 1m");
    }
    let state = play.engine.state();
    for emergency in state.emergencies().all.iter() {
        prop_assert_eq!(emergency.state, EmergencyState::Ended, "{:?}", emergency);
        prop_assert!(emergency.actions.iter().all(|taken| taken.settled.is_some()));
    }
    prop_assert!(state.tasks().iter().all(|task| task.aside.is_none()));
    prop_assert!(state.emergencies().pause().is_none());
    prop_assert!(state.agents().iter().all(|agent| state.limit_of(agent.id) == agent.spec.max_concurrent));
    prop_assert!(state.forces().all.open().all(|force| force.formation.emergency.is_none()));
    for agent in state.agents().iter() {
        prop_assert_eq!(state.lease_of(agent.id), agent.lease(state.policy()), "{}", agent.spec.name);
    }
    for record in &play.log {
        if let Event::EmergencyActed { emergency, what, .. } = &record.event {
            let kind = state.emergencies().all.get(*emergency).map_or("", |it| it.kind.as_str());
            reached.insert(format!("{kind} {}", what.as_str()));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever happens meanwhile, once every emergency is ended and work goes on, nothing of what was done about any is left.
    #[test]
    fn every_action_of_every_emergency_is_undone_or_confirmed(draws in draws()) {
        undone(draws, &mut BTreeSet::new())?;
    }
}

#[test]
fn the_draws_reach_every_action_of_all_three_kinds() {
    let reached = fixed::reached(96, &draws(), undone);
    let all = [
        "agent_cascade_failure assignments_paused",
        "agent_cascade_failure checkpoints_asked",
        "agent_cascade_failure leases_extended",
        "agent_cascade_failure replacements_asked",
        "agent_cascade_failure standby_raised",
        "critical_task_failure force_formed",
        "critical_task_failure overtime_raised",
        "critical_task_failure work_deferred",
        "critical_task_failure work_moved",
        "deadline_risk breakdown_offered",
        "deadline_risk capability_asked",
        "deadline_risk edge_offered",
        "deadline_risk work_deferred",
        "deadline_risk work_moved",
    ];
    assert_eq!(reached.iter().map(String::as_str).collect::<Vec<_>>(), all);
}
