//! The score by hand (SEMANTICS 3.1) and what `why` and `why-not` tell, as tables.

mod world;

use kapell_model::{AgentId, Considered, Parts, Position, Ratio, Situation};
use kapell_plan::{Explained, Refusal, candidate, candidates, capability_bar, capability_needed};
use world::scenario::{Stage, ratio};

/// Puts one agent and one task up and returns the situation, with the class at 0 and the agent at 0.
fn stage(agent: &str, task: &str) -> Stage {
    let mut stage = Stage::new();
    stage.step(&format!("agent ann {agent}"));
    stage.step(&format!("task T-1 {task}"));
    stage
}

/// Under the founding policy performance is 0.70 (worth 0.14) and cohesion 0.50 (worth 0.05).
///
/// ```text
/// agent | task | capability, workload | final | placed?
/// ```
const BY_HAND: &str = "
    # The strict threshold: 0.4 * 0.525 = 0.21;  0.21 + 0.3 + 0.14 + 0.05 = 0.70, and that is not above 0.70.
    0/1 rust=0.525                | rust             | 0.525    1        | 0.70     | waits
    # 0.4 * 0.525001 = 0.2100004, rounded to 0.210000; 0.4 * 0.525002 = 0.2100008, rounded to 0.210001.
    0/1 rust=0.525001             | rust             | 0.525001 1        | 0.70     | waits
    0/1 rust=0.525002             | rust             | 0.525002 1        | 0.700001 | placed
    # One of two slots: 0.4 * 0.9 = 0.36;  0.36 + 0.15 + 0.19 = 0.70.
    1/2 rust=0.9                  | rust             | 0.9      0.5      | 0.70     | waits
    1/2 rust=0.900001             | rust             | 0.900001 0.5      | 0.70     | waits
    1/2 rust=0.900002             | rust             | 0.900002 0.5      | 0.700001 | placed
    # The best there is: 0.4 + 0.3 + 0.14 + 0.05.
    0/1 rust=1                    | rust             | 1        1        | 0.89     | placed
    # Nothing required counts 1.
    0/4                           |                  | 1        1        | 0.89     | placed
    # A missing capability scores 0: 0 + 0.3 + 0.19.
    0/1 docs=1                    | rust             | 0        1        | 0.49     | waits
    # (0.8 + 0) / 2 = 0.4: 0.16 + 0.3 + 0.19.
    0/1 rust=0.8                  | rust docs        | 0.4      1        | 0.65     | waits
    # (2 * 0.8 + 0.5) / 3 = 0.7: 0.28 + 0.3 + 0.19; weights are relative, so tripled they say the same.
    0/1 rust=0.8 docs=0.5         | rust*2 docs      | 0.7      1        | 0.77     | placed
    0/1 rust=0.8 docs=0.5         | rust*6 docs*3    | 0.7      1        | 0.77     | placed
    # (0.8 + 2 * 0.5) / 3 = 0.6: 0.24 + 0.3 + 0.19.
    0/1 rust=0.8 docs=0.5         | rust docs*2      | 0.6      1        | 0.73     | placed
    # (1.5 * 1 + 0.5 * 0.2) / 2 = 0.8: 0.32 + 0.3 + 0.19.
    0/1 rust=1 docs=0.2           | rust*1.5 docs*0.5| 0.8      1        | 0.81     | placed
    # Thirds are rounded half up: 1/3 = 0.333333, 0.4 * 0.333333 = 0.1333332 -> 0.133333.
    0/1 rust=1                    | rust docs web    | 0.333333 1        | 0.623333 | waits
    # 2/3 = 0.666667, 0.4 * 0.666667 = 0.2666668 -> 0.266667.
    0/1 rust=1 docs=1             | rust docs web    | 0.666667 1        | 0.756667 | placed
    # (0.000001 + 0) / 2 = 0.0000005 -> 0.000001; 0.4 of it is rounded away.
    0/1 rust=0.000001             | rust docs        | 0.000001 1        | 0.49     | waits
    # 1 - 1/3 = 0.666667: 0.4 + 0.2 + 0.19;  1 - 2/3 = 0.333333: 0.4 + 0.1 + 0.19.
    1/3                           |                  | 1        0.666667 | 0.79     | placed
    2/3                           |                  | 1        0.333333 | 0.69     | waits
    # Seven of eight slots free: 0.3 * 0.875 = 0.2625; 0.4 * 0.8 = 0.32.
    1/8 rust=0.8                  | rust>=0.8        | 0.8      0.875    | 0.7725   | placed
";

#[test]
fn scores_are_as_worked_out_by_hand() {
    let lines = BY_HAND.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let [agent, task, values, total, outcome] = line.split('|').map(str::trim).collect::<Vec<_>>()[..]
        else {
            panic!("five columns in {line}");
        };
        let (capability, workload) = values.split_once(' ').expect("two values");
        let expected = Parts {
            capability: ratio(capability),
            workload: ratio(workload.trim()),
            performance: ratio("0.7"),
            cohesion: ratio("0.5"),
            total: ratio(total),
        };
        let mut stage = stage(agent, task);
        let situation = &stage.world.situation;
        assert_eq!(candidate(situation, &stage.world.classes[0], AgentId(0)), Ok(expected), "{line}");
        stage.step(if outcome == "placed" { "round T-1:ann" } else { "round -" });
    }
}

#[test]
fn the_first_reason_in_the_written_order_is_told() {
    let refused = |agent: &str, task: &str| {
        let stage = stage(agent, task);
        candidate(&stage.world.situation, &stage.world.classes[0], AgentId(0)).expect_err(task)
    };
    // Each line mends what the line before it complained of.
    let task = "rust>=0.9 docs>=0.5 role=qa not=ann";
    let state = kapell_model::AgentState::Unreachable;
    assert_eq!(refused("1/1 role=dev state=unreachable", task), Refusal::NotOnline { state });
    assert_eq!(refused("1/1 role=dev", task), Refusal::AtLimit { active: 1, max: 1 });
    assert!(matches!(refused("0/1 role=dev", task), Refusal::WrongRole { .. }));
    assert_eq!(refused("0/1 role=qa", task), Refusal::Excluded);
    let under = refused("0/1 rust=0.899999", "rust>=0.9 docs>=0.5");
    assert!(
        matches!(under, Refusal::UnderMinimum { has, needs, .. } if (has, needs) == (ratio("0.899999"), ratio("0.9")))
    );
    let under = refused("0/1 rust=0.9", "rust>=0.9 docs>=0.5");
    assert!(
        matches!(under, Refusal::UnderMinimum { has, needs, .. } if (has, needs) == (Ratio::ZERO, ratio("0.5")))
    );
}

#[test]
fn a_pin_is_told_before_role_and_exclusion() {
    let mut stage = stage("0/1", "");
    stage.step("agent bob 0/1");
    stage.step("task T-2 pin=bob role=qa not=ann");
    let situation = &stage.world.situation;
    let refusal = candidate(situation, &stage.world.classes[1], AgentId(0));
    assert_eq!(refusal, Err(Refusal::Pinned { to: AgentId(1) }));
}

#[test]
fn everybody_is_ranked_or_refused() {
    let mut stage = Stage::new();
    for line in [
        "agent ann 0/1 rust=0.7",
        "agent bob 0/1 rust=1.0",
        "agent cid 1/1 rust=1.0",
        "agent dan 0/1 rust=0.7 since=1",
        "agent eve 0/1 rust=0.5",
        "agent fay 0/1 rust=0.4 state=offline",
        "task T-1 rust veto=bob",
    ] {
        stage.step(line);
    }
    let situation = &stage.world.situation;
    let class = &stage.world.classes[0];
    let considered = |id: u32, capability: &str, total: &str| Considered {
        agent: AgentId(id),
        parts: Parts {
            capability: ratio(capability),
            workload: Ratio::ONE,
            performance: ratio("0.7"),
            cohesion: ratio("0.5"),
            total: ratio(total),
        },
    };
    let explained = Explained {
        candidates: vec![
            considered(1, "1", "0.89"),
            considered(0, "0.7", "0.77"),
            considered(3, "0.7", "0.77"),
            considered(4, "0.5", "0.69"),
        ],
        choice: Some(AgentId(0)),
        passed_over: Some(AgentId(1)),
        refused: vec![
            (AgentId(2), Refusal::AtLimit { active: 1, max: 1 }),
            (AgentId(5), Refusal::NotOnline { state: kapell_model::AgentState::Offline }),
        ],
    };
    assert_eq!(candidates(situation, class, Some(AgentId(1))), explained);
    let without = Explained { choice: Some(AgentId(1)), passed_over: None, ..explained };
    assert_eq!(candidates(situation, class, None), without);
}

#[test]
fn nobody_is_chosen_at_the_threshold() {
    let stage = stage("0/1 rust=0.525", "rust");
    let explained = candidates(&stage.world.situation, &stage.world.classes[0], None);
    assert_eq!((explained.candidates.len(), explained.choice), (1, None));
}

/// ```text
/// slots | threshold | must be above, apart from rounding | the least that passes
/// ```
const NEEDED: &str = "
    # (0.70 - 0.30 - 0.19) / 0.4
    0/1   | 0.7      | 0.525    | 0.525002
    # (0.70 - 0.15 - 0.19) / 0.4
    1/2   | 0.7      | 0.9      | 0.900002
    # 0.40 + 0.10 + 0.19 = 0.69: out of reach. An agent at its limit reaches 0.59.
    2/3   | 0.7      | -        | -
    1/1   | 0.7      | -        | -
    # Without any capability an idle agent has 0.49.
    0/1   | 0.49     | 0        | 0.000002
    0/1   | 0.489999 | 0        | 0
    # 0.89 is the most there is, and it is not above 0.89.
    0/1   | 0.889999 | 0.999997 | 0.999999
    0/1   | 0.89     | -        | -
";

#[test]
fn the_capability_that_an_agent_would_need_is_told() {
    let lines = NEEDED.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let [slots, threshold, bar, least] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("four columns in {line}");
        };
        let mut stage = stage(slots, "rust");
        stage.step(&format!("policy threshold={threshold}"));
        let (situation, class) = (&stage.world.situation, &stage.world.classes[0]);
        let told = |text: &str| Some(text).filter(|text| *text != "-").map(ratio);
        assert_eq!(capability_bar(situation, class, AgentId(0)), told(bar), "{line}");
        assert_eq!(capability_needed(situation, class, AgentId(0)), told(least), "{line}");
    }
}

#[test]
fn the_least_capability_passes_and_a_millionth_less_does_not() {
    for slots in ["0/1", "1/2", "1/3", "1/7", "2/7", "3/11"] {
        for threshold in ["0.6", "0.654321", "0.7", "0.7123"] {
            let mut stage = stage(slots, "rust");
            stage.step(&format!("policy threshold={threshold}"));
            let class = stage.world.classes[0].clone();
            let Some(needed) = capability_needed(&stage.world.situation, &class, AgentId(0)) else {
                continue;
            };
            let mut total = |micros: u32| {
                let situation = &mut stage.world.situation;
                total_with(situation, &class, Ratio::micros(micros)) > ratio(threshold)
            };
            assert!(total(needed.as_micros()), "{slots} {threshold}");
            assert!(!total(needed.as_micros() - 1), "{slots} {threshold}");
        }
    }
}

fn total_with(situation: &mut Situation, class: &kapell_model::Class, capability: Ratio) -> Ratio {
    let mut view = situation.agent(AgentId(0)).clone();
    view.capabilities = [(class.requires[0].capability, capability)].into();
    view.idle_since = Position(0);
    situation.put_agent(AgentId(0), view);
    kapell_plan::parts(situation, class, AgentId(0)).total
}
