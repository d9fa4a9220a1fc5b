//! Silence about running work: who is asked when, what an answer does, and what follows from none.

mod scenario;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kapell_core::{Command, Event, Liveness};
use kapell_model::{AgentId, ClassId, Considered, Moment, Placement, Placer, Situation, Span, limits};
use kapell_plan::Greedy;
use scenario::Scenario;

fn events(scenario: &Scenario, kind: &str) -> usize {
    scenario.log.iter().filter(|record| record.event.kind() == kind).count()
}

#[test]
fn a_quiet_owner_is_asked_and_its_answer_begins_the_clock_again() {
    let scenario = Scenario::play(
        "agent A
         submit t1 priority=high
         start t1 A
         check +29m
         show t1               -> in_progress high A
         check +1m
         show t1               -> in_progress high A stalled
         notices A             -> status_requested T-1
         check +29m            # an hour from the start; the answer is wanted 30 min after the question
         show t1               -> in_progress high A stalled
         progress t1 A 10      -> in_progress A
         show t1               -> in_progress high A
         check +29m
         show t1               -> in_progress high A
         check +1m
         show t1               -> in_progress high A stalled",
    );
    assert_eq!((events(&scenario, "task.stalled"), events(&scenario, "escalation.raised")), (2, 0));
}

#[test]
fn what_has_not_begun_is_asked_about_sooner_once_something_urgent_waits_for_it() {
    Scenario::play(
        "agent A
         submit t1 priority=low     # a day to fetch it
         check +10m
         submit t2 priority=critical after=t1
         check +19m
         show t1                    -> assigned critical A
         check +1m
         show t1                    -> assigned critical A stalled",
    );
}

#[test]
fn a_quarter_of_the_estimate_is_borne_where_that_is_longer() {
    Scenario::play(
        "agent A slots=2
         submit t1 effort=16h
         start t1 A
         check +239m
         show t1   -> in_progress medium A
         check +1m
         show t1   -> in_progress medium A stalled",
    );
}

#[test]
fn work_that_takes_twice_its_p90_is_asked_about_however_much_is_said() {
    // An estimate of 10 min: p90 20 min, so 40 min are borne.
    let scenario = Scenario::play(
        "agent A
         submit t1 effort=10m
         start t1 A
         check +20m
         progress t1 A 10
         check +19m
         show t1        -> in_progress medium A
         check +1m
         show t1        -> in_progress medium A stalled
         progress t1 A 20
         check +29m
         progress t1 A 30
         check +10m     # the answer has begun that clock again too
         show t1        -> in_progress medium A
         check +1m
         show t1        -> in_progress medium A stalled",
    );
    let causes: Vec<_> = scenario
        .log
        .iter()
        .filter_map(|record| match &record.event {
            Event::TaskStalled { cause, .. } => Some(cause.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(causes, ["overdue", "overdue"]);
}

#[test]
fn what_nobody_has_fetched_yet_has_its_ack_time_first() {
    Scenario::play(
        "agent A
         submit t1           -> assigned A
         check +119m
         show t1             -> assigned medium A
         check +1m
         show t1             -> assigned medium A stalled
         start t1 A
         show t1             -> in_progress medium A",
    );
}

#[test]
fn without_an_answer_the_best_other_agent_gets_it_and_the_old_owner_is_fenced() {
    let scenario = Scenario::play(
        "agent A rust=1
         submit t1 needs=rust priority=critical
         start t1 A
         progress t1 A 40
         agent B rust=0.8
         agent C rust=0.9
         check +30m
         show t1            -> in_progress critical A stalled
         check +4m
         show t1            -> in_progress critical A stalled
         check +1m
         show t1            -> assigned critical C
         notices A          -> status_requested T-1, moved T-1
         done t1 A          -> stale, kept as O-1
         show t1            -> assigned critical C",
    );
    // Called once, and settled by the move.
    assert_eq!((events(&scenario, "escalation.raised"), events(&scenario, "escalation.settled")), (1, 1));
    let raised = scenario.engine.state().escalations().get(0).expect("one");
    assert_eq!(
        raised.detail.as_str(),
        "`A` has not answered about T-1, asked 5m 0s ago; before that no report for 30m 0s, 30m 0s is borne; it goes to `C`"
    );
    let task = scenario.engine.state().tasks().iter().next().expect("a task");
    let note = task.note.as_ref().expect("a note").as_str();
    assert!(note.starts_with("`A` had done 40 %; `A` has not answered about T-1"), "{note}");
}

#[test]
fn where_nobody_else_can_the_owner_keeps_it_until_somebody_gains_room() {
    let scenario = Scenario::play(
        "policy emergencies=off    # the call alone is looked at
         agent A
         agent B
         submit t1 priority=critical
         start t1 A
         submit t2
         start t2 B
         check +30m
         progress t2 B 10
         check +5m
         show t1            -> in_progress critical A unanswered
         check +10m         # called once
         submit t3          -> ready
         done t2 B
         show t1            -> assigned critical B
         show t3            -> assigned medium A",
    );
    assert_eq!((events(&scenario, "escalation.raised"), events(&scenario, "escalation.settled")), (1, 1));
    let detail = scenario.engine.state().escalations().get(0).expect("one").detail.as_str();
    assert!(detail.ends_with("nobody else can take it now, so it stays where it is"), "{detail}");
}

#[test]
fn a_late_answer_of_an_owner_that_still_has_it_ends_the_matter() {
    let scenario = Scenario::play(
        "policy emergencies=off    # the call alone is looked at
         agent A
         submit t1 priority=critical
         start t1 A
         check +30m
         check +5m
         show t1            -> in_progress critical A unanswered
         progress t1 A 50
         show t1            -> in_progress critical A
         agent B
         show t1            -> in_progress critical A
         check +30m
         check +5m
         show t1            -> assigned critical B
         remove B
         show t1            -> assigned critical A",
    );
    assert_eq!((events(&scenario, "escalation.raised"), events(&scenario, "escalation.settled")), (2, 2));
}

#[test]
fn work_put_aside_is_asked_about_sooner_where_the_policy_says_so() {
    Scenario::play(
        "policy aside=5m
         agent A slots=3
         submit t1
         submit t2
         start t1 A
         check +6m
         show t1      -> in_progress medium A
         start t2 A
         check +0s
         show t1      -> in_progress medium A stalled
         progress t1 A 10
         check +6m
         show t1      -> in_progress medium A
         show t2      -> in_progress medium A",
    );
}

#[test]
fn another_policy_holds_for_clocks_that_run() {
    Scenario::play(
        "agent A
         submit t1
         start t1 A
         check +6m
         show t1      -> in_progress medium A
         policy quiet=5m
         check +0s
         show t1      -> in_progress medium A",
    );
    Scenario::play(
        "agent A
         submit t1 effort=10m
         start t1 A
         check +6m
         policy quiet=5m
         check +0s
         show t1      -> in_progress medium A stalled",
    );
}

#[test]
fn nobody_is_accused_of_the_time_in_which_nobody_served() {
    let scenario = Scenario::play(
        "agent A
         submit t1
         start t1 A
         check +20m
         away 10h
         check +0s
         show t1      -> in_progress medium A
         check +9m
         show t1      -> in_progress medium A
         check +1m
         show t1      -> in_progress medium A stalled
         away 10h     # an answer is wanted that much later too
         check +119m
         show t1      -> in_progress medium A stalled
         check +1m
         show t1      -> in_progress medium A unanswered",
    );
    assert_eq!(events(&scenario, "fleet.resumed"), 2);
    let idle = Scenario::play("agent A\n away 10h");
    assert_eq!(events(&idle, "fleet.resumed"), 0, "nothing runs, so nothing is said");
}

#[test]
fn a_start_and_a_jump_of_the_clock_are_noticed_and_a_quiet_fleet_is_left_alone() {
    let played = Scenario::play("agent A\n submit t1\n start t1 A");
    let state = played.engine.state();
    let (hour, start) = (3_600_000, state.at().0);
    let commands = |liveness: &mut Liveness, at: i64| {
        let found = liveness.lapsed(state, Moment(at));
        found
            .into_iter()
            .filter(|command| !matches!(command, Command::AgentUnreachable { .. } | Command::NoteCourse))
            .collect::<Vec<_>>()
    };
    let mut liveness = Liveness::new(state, Moment(start + hour));
    let first = commands(&mut liveness, start + hour + 1_000);
    assert!(matches!(first[..], [Command::ResumeServing { away: Span(3_600_000) }]), "{first:?}");
    let mut liveness = Liveness::new(state, Moment(start));
    let jumped = commands(&mut liveness, start + 3 * hour);
    assert!(matches!(jumped[..], [Command::ResumeServing { away: Span(10_800_000) }]), "{jumped:?}");

    // No jump: nothing is said until the moment has come, which is known without a look at the fleet.
    let mut liveness = Liveness::new(state, Moment(start));
    let due = state.next_check().expect("it is watched").0;
    assert_eq!(due, start + 30 * 60_000);
    let step = limits::CLOCK_JUMP.0 / 2;
    let mut at = start + step;
    while at < due {
        assert!(commands(&mut liveness, at).is_empty());
        at += step;
    }
    assert!(matches!(commands(&mut liveness, at)[..], [Command::CheckProgress]));
}

/// A placer that counts for how many stalled tasks somebody is looked for.
struct Counting(Greedy, Arc<AtomicUsize>);

impl Placer for Counting {
    fn begin(&mut self, situation: &Situation) {
        self.0.begin(situation);
    }

    fn next(&mut self, situation: &Situation) -> Option<Placement> {
        self.0.next(situation)
    }

    fn consider(&mut self, situation: &Situation, class: ClassId, agent: AgentId) -> Considered {
        self.0.consider(situation, class, agent)
    }

    fn better_idle(
        &mut self,
        situation: &Situation,
        class: ClassId,
        than: &Considered,
    ) -> Option<Considered> {
        self.0.better_idle(situation, class, than)
    }

    fn best_of(&mut self, situation: &Situation, class: ClassId, agents: &[AgentId]) -> Option<Considered> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.best_of(situation, class, agents)
    }
}

#[test]
fn a_step_tries_a_bounded_number_of_stalled_tasks_and_the_next_ones_go_on() {
    const STALLED: usize = 600;
    let tried = Arc::new(AtomicUsize::new(0));
    let take = || tried.swap(0, Ordering::Relaxed);
    let mut scenario =
        Scenario::play_with(Counting(Greedy::default(), Arc::clone(&tried)), "agent A rust=0.9 slots=1000");
    let mut lines = "checks off\n".to_owned();
    for task in 1..=STALLED {
        lines += &format!("submit t{task} needs=rust at=+90h\n assign t{task} A\n");
    }
    // The least urgent one is the only one that B can take.
    lines += "submit last priority=low at=+90h\n assign last A\n";
    lines += "check +24h\n check +24h\n show last -> assigned low A unanswered";
    scenario.also(&lines);
    take();

    let steps = |scenario: &mut Scenario<Counting>, joins: &str| {
        scenario.also(joins);
        let mut steps = vec![take()];
        while scenario.engine.is_unsettled() {
            scenario.also("tick +0s");
            steps.push(take());
        }
        steps
    };
    assert_eq!(steps(&mut scenario, "agent B"), [256, 256, STALLED + 1 - 512], "each is tried once");
    scenario.also("show last -> assigned low B");
    assert_eq!(steps(&mut scenario, "agent C slots=2"), [256, 256, STALLED - 512]);
    assert_eq!(steps(&mut scenario, "tick +1s"), [0], "nobody is looked for before somebody gains room");
    scenario.also("checks on\n tick +1s");
}
