//! What a start takes up again, and what it says that it found.

use std::sync::Arc;

use kapell_core::{AgentSpec, Command, NewPolicy, Require, TaskRef, TaskSpec};
use kapell_model::{AgentKind, AgentState, CommandId, DependencyKind, Moment, Name, Policy, Ratio, Text};
use kapell_server::{Ask, Fleet, open};
use kapell_store::MemoryDisk;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn agent(agent: &str, score: u32, online: bool) -> Command {
    let spec = AgentSpec {
        name: name(agent),
        role: name("developer"),
        kind: AgentKind::Agent,
        capabilities: vec![(name("rust"), Ratio::micros(score))],
        max_concurrent: 1,
        lease: None,
        standby: false,
    };
    Command::RegisterAgent { spec, online }
}

fn task(key: &str, needs: &str, after: Option<&str>) -> Command {
    let mut spec = TaskSpec::titled(Text::from("work"));
    spec.key = Some(name(key));
    spec.requires =
        vec![Require { capability: name(needs), weight: Ratio::UNIT, minimum: Ratio::micros(500_000) }];
    let edges = after.map(|on| (TaskRef::Key(name(on)), DependencyKind::Blocks));
    Command::Submit { spec: Arc::new(spec), edges: edges.into_iter().collect() }
}

async fn send(fleet: &Fleet, number: u128, command: Command) {
    let ask =
        Ask { id: CommandId(number), fingerprint: None, actor: Arc::from("test"), contact: None, command };
    fleet.command(ask).await.expect("it is taken");
}

#[test]
fn a_start_finds_agents_queues_scores_and_thresholds_as_they_were() {
    let disk = MemoryDisk::new();
    let first = open(Box::new(disk.open()), "default").expect("it opens");
    let found = &first.found;
    assert_eq!(
        (found.position, found.agents, found.online, found.owned, found.ready, found.blocked, found.ended),
        (0, 0, 0, 0, 0, 0, 0)
    );
    let epoch = found.epoch;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let fleet = first.fleet.clone();
    let mut policy = Policy::default();
    policy.balancing.overload_min = Ratio::micros(810_000);
    let cancelled = TaskRef::Key(name("six"));
    let commands = vec![
        Command::SetPolicy(NewPolicy { policy: Box::new(policy), seen: None }),
        agent("ada", 900_000, true),
        agent("bram", 800_000, true),
        agent("chidi", 700_000, false),
        task("one", "rust", None),
        task("two", "rust", None),
        task("three", "rust", None),
        task("four", "java", None),
        task("five", "rust", Some("four")),
        task("six", "java", None),
        Command::Cancel { task: cancelled, reason: Text::from("not needed") },
        Command::AgentUnreachable { agent: name("bram"), last_seen: Moment(0) },
    ];
    runtime.block_on(async {
        for (number, command) in (1..).zip(commands) {
            send(&fleet, number, command).await;
        }
    });
    let position = fleet.durable();
    first.stop();

    let again = open(Box::new(disk.open()), "default").expect("it opens");
    let found = &again.found;
    assert_eq!((found.fleet.as_str(), found.position), ("default", position.0));
    assert!(found.epoch > epoch && found.skipped.is_empty(), "{found:?}");
    assert_eq!(found.snapshot + found.replayed, found.position);
    assert_eq!((found.agents, found.online), (3, 1));
    // Two tasks have an owner, two wait in the queue, one for another, and one was called off.
    assert_eq!((found.owned, found.ready, found.blocked, found.ended), (2, 2, 1, 1));
    let fleet = again.fleet.clone();
    let (scores, threshold, states) = runtime
        .block_on(fleet.query(|view| {
            let agents = view.state.agents().iter();
            let scores: Vec<_> = agents.clone().map(|it| it.spec.capabilities.clone()).collect();
            let states: Vec<AgentState> = agents.map(|it| it.state).collect();
            (scores, view.state.policy().balancing.overload_min, states)
        }))
        .expect("it answers");
    let matrix = [900_000, 800_000, 700_000].map(|score| vec![(name("rust"), Ratio::micros(score))]);
    assert_eq!(scores, matrix);
    assert_eq!(threshold, Ratio::micros(810_000));
    assert_eq!(states, [AgentState::Online, AgentState::Unreachable, AgentState::Offline]);
    again.stop();
}
