//! Silence and the clock: who is silent loses its lease, and nobody loses it for a clock that jumped or a server that
//! was away.

mod scenario;

use kapell_core::{Command, Liveness, State};
use kapell_model::{Moment, Span, limits};
use scenario::Scenario;

const START: i64 = 1_000_000;

fn kinds(commands: &[Command]) -> Vec<&'static str> {
    let kind = |command: &Command| match command {
        Command::AgentUnreachable { .. } => Some("unreachable"),
        Command::AgentOffline { .. } => Some("offline"),
        Command::ReturnUnfetched { .. } => Some("unfetched"),
        Command::Tick => Some("tick"),
        Command::CheckProgress => Some("check"),
        Command::ResumeServing { .. } => Some("resume"),
        // Nobody loses anything by it.
        Command::NoteCourse => None,
        other => panic!("{other:?}"),
    };
    commands.iter().filter_map(kind).collect()
}

/// Lets `span` pass in steps that are no jump, and returns what followed.
fn pass(liveness: &mut Liveness, state: &State, from: i64, span: Span) -> Vec<&'static str> {
    let step = limits::CLOCK_JUMP.0 / 2;
    let ends = (1..).map(|number| from + number * step).take_while(|&at| at <= from + span.0);
    let found = ends.flat_map(|at| kinds(&liveness.lapsed(state, Moment(at))));
    // A look at running work disowns nobody, and this state does not fold what follows.
    found.filter(|&kind| kind != "check").collect()
}

#[test]
fn a_silent_agent_becomes_unreachable_once_its_lease_is_over() {
    let played = Scenario::play("agent A");
    let state = played.engine.state();
    let lease = state.agents()[0].lease(state.policy());
    let mut liveness = Liveness::new(state, Moment(START));
    assert!(pass(&mut liveness, state, START, lease).is_empty(), "the lease is not over yet");
    let behind = Moment(START + lease.0 + limits::CLOCK_JUMP.0 / 2);
    assert_eq!(kinds(&liveness.lapsed(state, behind)), ["unreachable"]);
    // A sign of life begins it again.
    liveness.renew(state.agents()[0].id, behind);
    assert!(pass(&mut liveness, state, behind.0, lease).is_empty());
}

#[test]
fn a_clock_that_jumps_disowns_nobody() {
    let played = Scenario::play("agent A\n submit t1 -> assigned A");
    let state = played.engine.state();
    let lease = state.agents()[0].lease(state.policy());
    let day = 86_400_000;
    for jump in [10 * day, -10 * day] {
        let mut liveness = Liveness::new(state, Moment(START + 20 * day));
        let behind = START + 20 * day + jump;
        // What is watched is told of the time in which nobody served, which its clocks then pass over.
        assert_eq!(kinds(&liveness.lapsed(state, Moment(behind))), ["resume"], "a jump of {jump} ms");
        // Every lease and ack time has begun again with its whole length.
        let ack = state.policy().ack.of(state.tasks().iter().next().expect("a task").effective);
        assert!(pass(&mut liveness, state, behind, Span(lease.0.min(ack.0))).is_empty(), "{jump}");
    }
}

#[test]
fn what_nobody_fetches_is_returned_after_its_ack_time_and_not_before() {
    let played = Scenario::play("agent A\n submit t1 -> assigned A");
    let state = played.engine.state();
    let ack = state.policy().ack.of(state.tasks().iter().next().expect("a task").effective);
    let mut liveness = Liveness::new(state, Moment(START));
    let mut at = START;
    let mut found = Vec::new();
    while at <= START + ack.0 && found.is_empty() {
        at += limits::CLOCK_JUMP.0 / 2;
        // The agent calls in all the time: it is there, and does not fetch.
        liveness.renew(state.agents()[0].id, Moment(at));
        found = kinds(&liveness.lapsed(state, Moment(at)));
    }
    // Returned first, so that nobody is asked about it.
    assert_eq!(found, ["unfetched", "check"]);
    assert!(at >= START + ack.0, "{at}");
}
