//! Pairs that talk much get digests and have their work kept together; channels that are read too little are found (SEMANTICS 8,
//! `COMMUNICATION_OVERHEAD`).

mod scenario;

use kapell_core::{Command, Decision, Event};
use kapell_model::{AgentId, Placement, Plan, PlanItem, PlanKind, TaskId};
use scenario::Scenario;

fn count(scenario: &Scenario, kind: &str) -> usize {
    scenario.log.iter().filter(|record| record.event.kind() == kind).count()
}

/// `A` and `B` have sent each other 20 messages about nothing in common: what they say is gathered from now on.
fn talkative() -> Scenario {
    let mut scenario = Scenario::play("agent A slots=4\nagent B slots=4\nagent C");
    for number in 1..=20 {
        scenario.also(&format!("send A B hello\nreadmail B M-{number}"));
    }
    scenario.also(
        "look +5m
        bottlenecks -> B-1 A+B medium 2000/1000 D-1 direct_channel D-2 together D-3 digest
        notices A -> channel_opened, digest_begun
        inbox B -> none",
    );
    scenario
}

#[test]
fn nothing_is_gathered_and_nothing_kept_together_where_the_policy_does_not_want_it() {
    let mut scenario = Scenario::play("policy adjust=off\nagent A\nagent B");
    for _ in 0..20 {
        scenario.also("send A B hello");
    }
    scenario.also("look +5m\nbottlenecks -> B-1 A+B medium 2000/1000 D-1 direct_channel");
}

/// Returns what the digests say, oldest first.
fn digests(scenario: &Scenario) -> Vec<String> {
    let said = scenario.log.iter().filter_map(|record| match &record.event {
        Event::MessagesFolded { digest, gathered: Some(_), .. } => Some(digest.text.to_string()),
        _ => None,
    });
    said.collect()
}

#[test]
fn what_is_not_urgent_comes_as_one_digest() {
    let mut scenario = talkative();
    scenario.also(
        "send A B one -> M-21
        send A B two -> M-22
        send B A three -> M-23
        send A @direct-A-B four -> M-24
        inbox B -> 3 gathered
        inbox A -> 1 gathered
        send C B five -> M-25
        inbox B -> M-25 medium, 3 gathered       # of others it comes at once
        restart -> as live
        tick +14m
        inbox B -> M-25 medium, 3 gathered
        tick +1m
        inbox B -> M-25 medium, M-27 medium
        inbox A -> M-26 medium
        readmail B M-27
        inbox B -> none
        restart -> as live",
    );
    assert_eq!(
        digests(&scenario),
        [
            "digest of 1 messages:\nM-23 `B`: three",
            "digest of 3 messages:\nM-21 `A`: one\nM-22 `A`: two\nM-24 `A`: four"
        ]
    );
}

#[test]
fn what_is_urgent_comes_at_once_and_behind_what_was_said_before() {
    let mut scenario = talkative();
    scenario.also(
        "send A B one -> M-21
        send A B now high -> M-23
        inbox B -> M-22 medium, M-23 high
        send A B two -> M-24
        send A B sure? ack -> M-26
        inbox B -> M-22 medium, M-23 high, M-25 medium, M-26 medium ack
        restart -> as live",
    );
    for _ in 0..20 {
        scenario.also("send A B again");
    }
    scenario.also("inbox B -> M-22 medium, M-23 high, M-25 medium, M-26 medium ack, 20 gathered");
    scenario.also("send A B again -> M-48\ninbox B -> M-22 medium, M-23 high, M-25 medium, M-26 medium ack, M-47 medium, 1 gathered");
}

#[test]
fn a_digest_has_its_place_in_a_full_inbox_and_comes_after_the_action_too() {
    let mut scenario = talkative();
    scenario.also(
        "policy inbox=3
        send A B one -> M-21
        send C B two -> M-22
        send C B three -> M-23
        send C B four -> refused: unread messages that cannot be folded, in the recipient's inbox, are limited to 3
        send A B five -> M-24
        send A B six high -> refused: unread messages that cannot be folded, in the recipient's inbox, are limited to 3
        tick +15m
        inbox B -> M-22 medium, M-23 medium, M-25 medium
        restart -> as live",
    );
    // The day is over, and so are the actions: what is gathered still comes.
    let mut scenario = talkative();
    scenario.also("tick +1439m\nsend A B late -> M-21\ninbox B -> 1 gathered\ntick +2m");
    assert_eq!(count(&scenario, "bottleneck.action_ended"), 3);
    scenario.also("inbox B -> 1 gathered\nsend A B later -> M-23\ninbox B -> M-22 medium, M-23 medium\nrestart -> as live");
}

#[test]
fn a_plan_from_before_a_pause_keeps_nothing_together() {
    let mut scenario = Scenario::play(
        "policy strategy=optimal
        agent A rust=0.6 slots=4
        agent B rust=1.0 slots=4
        submit a agent=A
        submit next needs=rust after=a
        rounds",
    );
    for _ in 0..30 {
        scenario.also("send A B hello");
    }
    scenario.also("look +5m\ndone a A\nshow next -> ready medium\ndeclare agent_cascade_failure -> X-1");
    let best = Placement { task: TaskId(2), agent: AgentId(1), considered: Vec::new() };
    let items = vec![PlanItem::Place(best)];
    let seen = scenario.engine.state().position();
    let plan = Box::new(Plan { kind: PlanKind::Optimal, seen, items });
    scenario.execute(Command::ApplyPlan(plan.clone()), None).expect("a plan is never refused whole");
    scenario.also("show next -> ready medium\nend X-1");
    while scenario.engine.state().is_held_back() {
        scenario.also("tick +1m");
    }
    scenario.execute(Command::ApplyPlan(plan), None).expect("a plan is never refused whole");
    scenario.also("show next -> assigned medium A");
}

#[test]
fn what_waits_for_the_work_of_one_of_a_pair_is_kept_with_that_one() {
    let pair = "agent A rust=0.6 slots=4
        agent B rust=1.0 slots=4
        submit a agent=A
        submit next needs=rust after=a
        submit b agent=B
        submit other needs=rust after=b
        submit both needs=rust after=a,b";
    let mut scenario = Scenario::play(pair);
    scenario.also("done a A\nshow next -> assigned medium B       # the better score");
    let mut scenario = Scenario::play(pair);
    for _ in 0..30 {
        scenario.also("send A B hello");
    }
    scenario.also(
        "look +5m
        bottlenecks -> B-1 A+B medium 3000/1000 D-1 direct_channel D-2 together D-3 digest
        done a A
        show next -> assigned medium A
        done b B
        show other -> assigned medium B
        show both -> assigned medium B           # it waited for both: the better score
        restart -> as live",
    );
    let kept = scenario.log.iter().filter_map(|record| match &record.event {
        Event::TaskAssigned { decision: Decision::Together, considered, .. } => Some(considered.clone()),
        _ => None,
    });
    let kept: Vec<_> = kept.collect();
    assert_eq!(kept.len(), 1);
    assert!(kept[0][0].parts.total < kept[0][1].parts.total, "{kept:?}");
    // It is a wish: where that one has no room, or scores too little, the other gets it.
    for full in ["submit x1 agent=A\nsubmit x2 agent=A\nsubmit x3 agent=A\nsubmit x4 agent=A", "drain A"] {
        let mut scenario = Scenario::play(pair);
        for _ in 0..30 {
            scenario.also("send A B hello");
        }
        scenario.also(&format!("look +5m\n{full}\ndone a A\nshow next -> assigned medium B"));
    }
    // An optimal round keeps it too, and what it had planned for that one is planned anew.
    let mut scenario = Scenario::play(&format!("policy strategy=optimal\n{pair}\nrounds"));
    for _ in 0..30 {
        scenario.also("send A B hello");
    }
    scenario.also(
        "look +5m
        done a A
        rounds
        show next -> assigned medium A
        done b B
        rounds
        show other -> assigned medium B
        show both -> assigned medium B",
    );
    // Whoever has failed it does not get it again while another can take it.
    let mut scenario = Scenario::play(pair);
    for _ in 0..30 {
        scenario.also("send A B hello");
    }
    scenario.also("look +5m\ndone a A\nshow next -> assigned medium A\nfail next A\ntick +1h\nshow next -> assigned medium B");
    // When the action is over the best gets it again.
    let mut scenario = Scenario::play(pair);
    for _ in 0..30 {
        scenario.also("send A B hello");
    }
    scenario.also("look +5m\ntick +24h\ndone a A\nshow next -> assigned medium B");
}

#[test]
fn a_channel_that_is_read_too_little_is_found_and_gets_digests() {
    let mut scenario = Scenario::play("agent A\nagent B\nagent C\nagent D\nchannel all A,B,C,D");
    for number in 1..=13 {
        scenario.also(&format!("send A @all hello\nreadmail B M-{number}"));
    }
    // 39 were delivered and 13 read: 6.5 for each of four.
    scenario.also("look +5m\nbottlenecks -> none");
    for number in 14..=27 {
        scenario.also(&format!("send A @all hello\nreadmail B M-{number}"));
    }
    scenario.also(
        "look +5m
        bottlenecks -> B-1 @all low 1350/1000 D-1 digest
        send A @all one -> M-28
        send A @all two -> M-29
        send A @all now critical -> M-33
        send A @all three -> M-34
        inbox B -> M-30 medium, M-33 critical, 1 gathered
        tick +15m
        readmail B M-35
        inbox B -> none
        look +5m
        bottlenecks -> B-1 @all low 1350/1000 D-1 digest
        restart -> as live
        readmail C M-37
        look +5m
        bottlenecks -> none
        send A @all four -> M-38
        inbox B -> M-38 medium
        restart -> as live",
    );
    // What is old is not growth.
    let mut scenario = Scenario::play("agent A\nagent B\nagent C\nchannel all A,B,C");
    for _ in 0..21 {
        scenario.also("send A @all hello low\nlook +2h\nbottlenecks -> none");
    }
}
