//! Measured capability (SEMANTICS 15): what outcomes make of declared scores.

mod scenario;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kapell_core::{Capability, Command, Event};
use kapell_model::{Capabilities, Name, Ratio};
use proptest::prelude::*;
use scenario::Scenario;

const DAY_MS: i64 = 86_400_000;

/// Returns how an agent stands: `rust declared 0.90 measured 0.70 used 0.90 of 3`.
fn shown(scenario: &Scenario, agent: &str) -> String {
    let state = scenario.engine.state();
    let agent = state.agent(state.agent_id(agent).expect("an agent"));
    let one = |it: &Capability| {
        let score = |score: Option<Ratio>| score.map_or_else(|| "none".to_owned(), |score| score.to_string());
        let (declared, measured) = (score(it.declared), score(it.measured));
        format!("{} declared {declared} measured {measured} used {} of {}", it.name, it.used, it.outcomes)
    };
    state.capabilities_of(agent).iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Lets an agent complete or fail one task after the other.
fn worked(from: usize, agent: &str, needs: &str, good: &[bool]) -> String {
    let mut text = String::new();
    for (number, good) in (from..).zip(good) {
        let _ = writeln!(text, "submit t{number} agent={agent} needs={needs}\n claim t{number} {agent}");
        let _ = match good {
            true => writeln!(text, "done t{number} {agent}"),
            false => writeln!(text, "fail t{number} {agent}\n cancel t{number}"),
        };
    }
    text
}

#[test]
fn three_outcomes_move_a_score_and_the_policy_says_whether_it_is_used() {
    let mut scenario = Scenario::play("agent A rust=0.9\n agent B rust=0.85");
    scenario.also(&worked(1, "A", "rust", &[false, false]));
    assert_eq!(shown(&scenario, "A"), "rust declared 0.90 measured none used 0.90 of 2");
    scenario.also(&worked(3, "A", "rust", &[true]));
    // (5 * 0.9 + 1) / (5 + 3).
    assert_eq!(shown(&scenario, "A"), "rust declared 0.90 measured 0.6875 used 0.90 of 3");
    scenario.also("policy capabilities=measured");
    assert_eq!(shown(&scenario, "A"), "rust declared 0.90 measured 0.6875 used 0.6875 of 3");
    assert_eq!(shown(&scenario, "B"), "rust declared 0.85 measured none used 0.85 of 0");
    scenario.also("submit t4 needs=rust type=other -> assigned B\n restart -> as live");
    scenario.also("policy default\n release t4 B\n show t4 -> assigned medium A");
}

#[test]
fn a_minimum_is_held_against_the_score_that_is_used() {
    let mut scenario = Scenario::play("policy capabilities=measured\n agent A rust=0.9");
    scenario.also(&worked(1, "A", "rust", &[false, false, false]));
    scenario.also("submit t9 needs=rust:0.8 -> ready\n policy default\n show t9 -> assigned medium A");
}

#[test]
fn what_nobody_declared_is_shown_by_outcomes() {
    let mut scenario = Scenario::play("policy capabilities=measured\n agent A");
    scenario.also(&worked(1, "A", "go", &[true, true, true, true, true]));
    assert_eq!(shown(&scenario, "A"), "go declared none measured 0.50 used 0.50 of 5");
}

#[test]
fn only_the_owners_own_report_counts() {
    let mut scenario = Scenario::play(
        "agent A rust=0.9
         submit t1 needs=rust -> assigned A
         release t1 A
         claim t1 A
         unreachable A
         offline A
         back A
         claim t1 A
         cancel t1",
    );
    assert_eq!(shown(&scenario, "A"), "rust declared 0.90 measured none used 0.90 of 0");
    scenario.also("remove A");
}

#[test]
fn the_clock_lets_scores_age_and_says_so_only_where_it_matters() {
    let mut scenario = Scenario::play("policy capabilities=measured\n agent A rust=0.8");
    scenario.also(&worked(1, "A", "rust", &[true, false, false]));
    assert_eq!(shown(&scenario, "A"), "rust declared 0.80 measured 0.625 used 0.625 of 3");
    scenario.also("tick +24h\n age");
    let aged = |scenario: &Scenario| {
        scenario.log.iter().filter(|it| it.event.kind() == "agent.capabilities_aged").count()
    };
    assert_eq!(aged(&scenario), 0, "a day makes less than a hundredth");
    let mut liveness = kapell_core::Liveness::new(
        scenario.engine.state(),
        kapell_model::Moment(scenario.now + 179 * DAY_MS),
    );
    let now = kapell_model::Moment(scenario.now + 179 * DAY_MS + 60_000);
    let commands = liveness.lapsed(scenario.engine.state(), now);
    let ages = commands.iter().any(|it| matches!(it, Command::AgeCapabilities { after: 0 }));
    assert!(ages, "{commands:?}");
    scenario.now += 179 * DAY_MS;
    scenario.also("age\n restart -> as live\n age");
    // Two half-lives later: (5 * 0.8 + 1/4) / (5 + 3/4).
    assert_eq!(shown(&scenario, "A"), "rust declared 0.80 measured 0.73913 used 0.73913 of 3");
    assert_eq!(aged(&scenario), 1, "once");
}

#[test]
fn what_reviews_say_is_the_quality_of_the_record() {
    let mut scenario = Scenario::play("agent A\n agent B\n agent C");
    let performance = |scenario: &Scenario| {
        let state = scenario.engine.state();
        let kind = state.find_word("task").expect("a type");
        state.situation().performance(state.agent_id("A").expect("A"), kind)
    };
    scenario.also(
        "submit t1 agent=A gates=review
         done t1 A
         reject t1 by=B score=0.3
         done t1 A
         pass t1 by=B score=0.7 -> completed",
    );
    // One of one, in time, and the two reviews gave 0.5: 0.5 + 0.3 + 0.2 * 0.5.
    assert_eq!(performance(&scenario), Ratio::micros(900_000));
    scenario.also("submit t2 agent=A\n done t2 A -> completed");
    assert_eq!(
        performance(&scenario),
        Ratio::micros(900_000),
        "what is not reviewed says nothing of quality"
    );
    scenario.also("restart -> as live");
    assert_eq!(performance(&scenario), Ratio::micros(900_000));
}

/// The definition, from nothing but the log: what each agent declared, and how each of its attempts ended, by the capability
/// that the task asked for.
fn plainly(scenario: &Scenario) -> BTreeMap<(usize, Name), (u32, f64)> {
    let state = scenario.engine.state();
    let mut ended: BTreeMap<(usize, Name), Vec<(i64, bool)>> = BTreeMap::new();
    for record in &scenario.log {
        let (task, agent, good) = match &record.event {
            Event::TaskCompleted { task, agent, .. } => (*task, *agent, true),
            Event::AttemptFailed { task, agent, .. } => (*task, *agent, false),
            _ => continue,
        };
        for need in &state.task(task).spec.requires {
            let known = ended.entry((agent.index(), need.capability.clone())).or_default();
            known.push((record.at.0.div_euclid(DAY_MS), good));
        }
    }
    let today = state.at().0.div_euclid(DAY_MS);
    let scored = ended.into_iter().map(|((agent, name), outcomes)| {
        let spec = &state.agents()[agent].spec;
        let declared = spec.capabilities.iter().find(|(own, _)| *own == name);
        let prior = declared.map_or(0.0, |&(_, score)| score.as_decimal());
        let worth = |day: i64| 0.5_f64.powf((today - day) as f64 / 90.0);
        let all: f64 = outcomes.iter().map(|&(day, _)| worth(day)).sum();
        let good: f64 = outcomes.iter().filter(|(_, good)| *good).map(|&(day, _)| worth(day)).sum();
        let count = u32::try_from(outcomes.len()).expect("few");
        ((agent, name), (count, (5.0 * prior + good) / (5.0 + all)))
    });
    scored.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn scores_along_the_way_are_the_definition_over_the_log(
        steps in prop::collection::vec((0..3_usize, 0..3_usize, any::<bool>(), 0..120_i64), 1..40),
        measured in any::<bool>(),
    ) {
        let mut scenario = Scenario::play("agent A rust=0.9 go=0.2\n agent B rust=0.6\n agent C go=0.7");
        if measured {
            scenario.also("policy capabilities=measured");
        }
        for (number, &(agent, needs, good, days)) in steps.iter().enumerate() {
            scenario.now += days * DAY_MS;
            let agent = ["A", "B", "C"][agent];
            scenario.also(&worked(number, agent, ["rust", "go", "rust,go"][needs], &[good]));
            scenario.also("age");
        }
        let state = scenario.engine.state();
        kapell_core::invariant::check(state).expect("every invariant");
        prop_assert_eq!(measured, state.policy().capabilities == Capabilities::Measured);
        let plain = plainly(&scenario);
        for agent in state.agents() {
            for it in state.capabilities_of(agent) {
                let known = plain.get(&(agent.id.index(), it.name.clone()));
                prop_assert_eq!(it.outcomes, known.map_or(0, |known| known.0));
                prop_assert_eq!(it.measured.is_some(), it.outcomes >= 3);
                if let (Some(score), Some((_, exact))) = (it.measured, known) {
                    // The clock leaves alone what has aged by less than a hundredth.
                    let off = (score.as_decimal() - exact).abs();
                    prop_assert!(off <= 0.010_002, "{} of {}: {score}, not {exact}", it.name, agent.spec.name);
                }
                let used = it.measured.filter(|_| measured).or(it.declared).unwrap_or_default();
                prop_assert_eq!(it.used, used);
            }
        }
        scenario.also("restart -> as live");
    }
}
