//! How a fleet has stood (SEMANTICS 13).

mod scenario;

use kapell_core::{Command, Liveness};
use kapell_model::{Moment, Ratio, Span, limits};
use scenario::Scenario;

const QUARTER: i64 = 900_000;

fn note(scenario: &mut Scenario) -> usize {
    let before = scenario.log.len();
    scenario.execute(Command::NoteCourse, None).expect("it is never refused");
    scenario.log.len() - before
}

#[test]
fn it_is_noted_where_it_has_changed_and_the_same_after_a_restart() {
    let mut scenario = Scenario::play("");
    assert_eq!(note(&mut scenario), 0, "there is nothing to note");
    scenario.also(
        "agent A slots=3
        agent B
        submit t1 -> assigned A
        start t1 A
        submit t2 after=t1 -> blocked
        submit t3 needs=cobol -> ready",
    );
    assert_eq!(note(&mut scenario), 1);
    assert_eq!(note(&mut scenario), 0, "nothing has changed");
    scenario.also("tick +10m\ndone t1 A\nrestart -> as live");
    assert_eq!(note(&mut scenario), 1);
    scenario.also("restart -> as live");
    let course: Vec<_> = scenario.engine.state().course().iter().collect();
    let shown: Vec<_> = course
        .iter()
        .map(|(_, it)| (it.slots, it.slots_used, it.blocked, it.ready, it.running, it.lead))
        .collect();
    let lead = Span::minutes(10);
    assert_eq!(shown, [(4, 1, 1, 1, 1, None), (4, 1, 0, 1, 1, Some((lead, lead)))]);
    assert_eq!(course[1].0.since(course[0].0), lead);
    assert_eq!(course[0].1.health.total, Ratio::ONE);
}

#[test]
fn it_is_kept_in_bounds() {
    let mut scenario = Scenario::play("agent A slots=900");
    for task in 0..limits::SAMPLES_MAX + 5 {
        scenario.also(&format!("submit t{task}"));
        assert_eq!(note(&mut scenario), 1);
    }
    let course = scenario.engine.state().course();
    assert_eq!(course.iter().count(), limits::SAMPLES_MAX);
    assert_eq!(course.iter().next().expect("the oldest").1.slots_used, 6);
}

#[test]
fn the_clock_asks_for_it_once_a_period_where_something_has_changed() {
    let mut scenario = Scenario::play("agent A");
    let start = scenario.now;
    let mut liveness = Liveness::new(scenario.engine.state(), Moment(start));
    let mut asked = |scenario: &Scenario, after: i64| {
        let commands = liveness.lapsed(scenario.engine.state(), Moment(start + after));
        commands.iter().filter(|command| matches!(command, Command::NoteCourse)).count()
    };
    assert_eq!(asked(&scenario, QUARTER - 1), 0);
    assert_eq!(asked(&scenario, QUARTER), 1);
    assert_eq!(note(&mut scenario), 1);
    assert_eq!(asked(&scenario, QUARTER + 1), 0);
    assert_eq!(asked(&scenario, 2 * QUARTER), 0, "idle costs nothing");
    scenario.also("submit t1");
    assert_eq!(asked(&scenario, 3 * QUARTER), 1);
}
