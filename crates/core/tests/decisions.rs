//! Decisions: proposals, the tally, the architect, and what waits for them (SEMANTICS 7, `DECISION_CONFLICT`).

mod scenario;

use std::collections::BTreeMap;

use kapell_core::{Command, Event, NewDecision, Proposal, Topic, Undecided, Votes};
use kapell_model::{AgentId, Moment, Name, Ratio, Text, limits};
use proptest::prelude::*;
use scenario::Scenario;

const TEAM: &str = "agent A dba=0.9 slots=2
    agent B dba=0.6
    agent C dba=0.2
    agent D role=architect";

fn play(text: &str) -> Scenario {
    let mut scenario = Scenario::play(TEAM);
    scenario.also(text);
    scenario
}

#[test]
fn the_tally_decides_where_one_option_is_clearly_ahead() {
    // 0.9 of 1.5 is 0.60, and 0.20 ahead.
    play(
        "decide dba -> C-1
        propose C-1 A postgres -> C-1
        conflict C-1 -> open of A
        propose C-1 B sqlite -> C-1
        conflict C-1 -> resolved of A,B for postgres
        notices A -> decision_made
        notices B -> decision_made
        propose C-1 C sqlite -> refused: C-1 is already resolved",
    );
}

#[test]
fn a_close_tally_waits_for_more_and_goes_to_the_architect_at_the_deadline() {
    play(
        "decide dba for=1h -> C-1
        propose C-1 A postgres 0.7 -> C-1      # 0.63 against 0.60
        propose C-1 B sqlite -> C-1
        conflict C-1 -> open of A,B
        tick +61m
        conflict C-1 -> escalated of A,B
        propose C-1 C sqlite -> refused: the deadline of C-1 passed 1m 0s ago; no more proposals are taken
        settle E-1 -> refused: E-1 asks for a ruling on C-1; it ends with that
        rule C-1 sqlite by=B -> refused: `B` may not rule on C-1: that takes the role `architect`, or a person
        rule C-1 sqlite by=D -> C-1
        conflict C-1 -> resolved of A,B for sqlite
        rule C-1 postgres -> refused: C-1 is already resolved
        settle E-1 -> refused: E-1 is already settled",
    );
}

#[test]
fn a_proposal_can_be_changed_and_counts_once() {
    play(
        "decide dba for=1h -> C-1
        propose C-1 A postgres 0.7 -> C-1
        propose C-1 B sqlite -> C-1
        conflict C-1 -> open of A,B
        propose C-1 B postgres -> C-1
        conflict C-1 -> resolved of A,B for postgres",
    );
}

#[test]
fn who_is_asked_is_heard_before_the_deadline() {
    play(
        "decide dba ask=A,B,C for=1h -> C-1
        notices C -> proposal_asked
        propose C-1 A postgres -> C-1
        propose C-1 B postgres -> C-1
        conflict C-1 -> open of A,B,C
        propose C-1 C sqlite -> C-1
        conflict C-1 -> resolved of A,B,C for postgres",
    );
}

#[test]
fn what_cannot_be_taken_back_is_never_decided_by_the_tally() {
    for flag in ["final", "shape"] {
        play(&format!(
            "decide dba for=1h {flag} -> C-1
            propose C-1 A postgres -> C-1
            propose C-1 B postgres -> C-1
            conflict C-1 -> escalated of A,B
            propose C-1 C sqlite -> C-1          # there is time left
            rule C-1 postgres -> C-1
            conflict C-1 -> resolved of A,B,C for postgres",
        ));
    }
}

#[test]
fn one_proposal_is_enough_at_the_deadline_and_none_is_not() {
    play(
        "decide dba for=1h -> C-1
        decide dba for=1h -> C-2
        decide sql for=1h -> C-3
        propose C-1 C sqlite 0.1 -> C-1
        propose C-3 A sqlite -> C-3              # nobody's word counts in `sql`
        tick +61m
        conflict C-1 -> resolved of C for sqlite
        conflict C-2 -> escalated of
        conflict C-3 -> escalated of A",
    );
}

#[test]
fn a_task_waits_for_its_decision_and_goes_on_with_it() {
    play(
        "submit t1
        submit t2 after=t1
        show t1 -> assigned medium A
        decide dba tasks=t1,t2 for=1h -> C-1
        show t1 -> assigned medium A             # who has it goes on
        release t1 A -> blocked
        assign t1 A -> refused: task T-1 is blocked; assigning is possible from ready, deferred
        propose C-1 A postgres -> C-1
        propose C-1 B postgres -> C-1
        show t1 -> assigned medium B
        show t2 -> blocked medium",
    );
}

#[test]
fn a_decision_is_taken_back_by_who_asked_for_it() {
    play(
        "submit t1
        release t1 A
        cancel t1
        decide dba tasks=t1 -> refused: task T-1 is cancelled; waiting for a decision is possible from blocked, ready, deferred, assigned, in_progress, in_review, waiting
        submit t2
        decide dba tasks=t2 by=A -> C-1
        withdraw C-1 by=B -> refused: C-1 was opened by `A`, not by `B`
        withdraw C-1 by=A -> C-1
        conflict C-1 -> withdrawn of
        rule C-1 x -> refused: C-1 is already withdrawn",
    );
}

#[test]
fn what_does_not_fit_is_refused_with_what_is_allowed() {
    play(
        "decide dba options=x -> refused: field `options` is 1 option; allowed is none, or at least 2
        decide dba options=x,x -> refused: field `options[1]` is \"x\" twice; allowed is each once
        decide dba ask=A,A -> refused: field `ask[1]` is \"A\" twice; allowed is each once
        decide dba ask=Z -> refused: there is no agent `Z`
        decide dba for=-1s -> refused: field `deadline` is -1000 ms from now; allowed is a time from now on, and within a year
        decide dba options=x,y -> C-1
        propose C-1 A z -> refused: field `option` is `z`; allowed is x, y
        rule C-1 z -> refused: field `option` is `z`; allowed is x, y
        rule C-1 -> refused: field `option` is missing; allowed is the option that is decided for
        propose C-7 A x -> refused: there is no conflict `C-7`",
    );
}

#[test]
fn a_place_in_line_is_a_conflict_until_its_turn_comes_or_it_is_given_up() {
    let scenario = play(
        "reserve A env:one -> R-1
        reserve B env:one wait -> waits as W-1
        conflict C-1 -> open of B,A
        reserve C env:one wait -> waits as W-2
        free C W-2
        conflict C-2 -> resolved of C,A
        free A R-1
        conflict C-1 -> resolved of B,A
        decide dba -> C-3
        rule C-1 x -> refused: field `conflict` is C-1, a resource_contention; allowed is a decision_conflict",
    );
    let reasons: Vec<_> =
        scenario.engine.state().conflicts().iter().filter_map(|it| it.settled.clone()).collect();
    let reasons: Vec<_> = reasons.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(reasons, ["its turn came: R-2", "the place in line was given up"]);
}

#[test]
fn one_call_a_decision() {
    let scenario = play("decide dba for=1h\n tick +61m\n tick +61m\n tick +61m");
    let called = scenario.log.iter().filter(|it| matches!(it.event, Event::EscalationRaised { .. }));
    assert_eq!(called.count(), 1);
}

fn topic() -> Topic {
    Topic {
        title: Text::from("which way"),
        capability: Name::new("dba").expect("a name"),
        deadline: Moment(1),
        irreversible: false,
        architectural: false,
        options: Vec::new(),
        asked: Vec::new(),
        tasks: Vec::new(),
        by: None,
    }
}

proptest! {
    /// The tally beside its definition, worked out with fractions: support = sum of score x confidence over the sum of all,
    /// decided where it is at least 0.6 and 0.15 ahead.
    #[test]
    fn a_tally_equals_its_definition(
        proposals in prop::collection::vec((0..4_usize, 0..=10_u32, 0..=10_u32), 0..12),
        passed in any::<bool>(),
    ) {
        const OPTIONS: [&str; 4] = ["a", "b", "c", "d"];
        let made: Vec<Proposal> = proposals.iter().zip(0..).map(|(&(option, score, confidence), agent)| Proposal {
            agent: AgentId(agent),
            option: Text::from(OPTIONS[option]),
            reasons: Text::default(),
            confidence: Ratio::micros(confidence * 100_000),
            score: Ratio::micros(score * 100_000),
            at: Moment(0),
        }).collect();
        let votes = Votes::of(&made);
        let mut weights = BTreeMap::new();
        for &(option, score, confidence) in &proposals {
            *weights.entry(OPTIONS[option]).or_insert(0) += score * confidence;
        }
        let all: u32 = weights.values().sum();
        for option in &votes.0 {
            prop_assert_eq!(option.weight, u64::from(weights[option.option.as_str()]) * 10_000_000_000);
        }
        prop_assert_eq!(votes.proposals() as usize, proposals.len());
        let mut sorted: Vec<u32> = weights.values().copied().collect();
        sorted.sort_unstable_by(|one, other| other.cmp(one));
        let (first, second) = (sorted.first().copied().unwrap_or(0), sorted.get(1).copied().unwrap_or(0));
        // Hundredths of `all`, so that no fraction is rounded.
        let enough = all > 0 && 100 * first >= 60 * all;
        let ahead = 100 * (first - second) >= 15 * all;
        let decided = topic().decided(&votes, passed);
        if !passed && proposals.len() < 2 {
            prop_assert_eq!(decided, Err(Undecided::TooFew));
        } else if !enough {
            prop_assert_eq!(decided, Err(Undecided::Support));
        } else if !ahead {
            prop_assert_eq!(decided, Err(Undecided::Margin));
        } else {
            prop_assert_eq!(weights[decided.expect("it is decided").option.as_str()], first);
        }
    }
}

#[test]
fn one_agent_has_a_bounded_number_of_open_decisions() {
    let mut scenario = play("agent E");
    let mut new = |by: Option<&str>| {
        let new = NewDecision {
            title: Text::from("which way?"),
            capability: Name::new("dba").expect("a name"),
            deadline: None,
            irreversible: false,
            architectural: false,
            options: Vec::new(),
            asked: Vec::new(),
            tasks: Vec::new(),
            agent: by.map(scenario::name),
        };
        scenario.execute(Command::OpenDecision(Box::new(new)), None).map_err(|it| it.to_string())
    };
    for _ in 0..limits::OPEN_DECISIONS_PER_AGENT_MAX {
        new(Some("A")).expect("within the bound");
    }
    let refused = new(Some("A")).expect_err("one too many");
    assert!(refused.contains("open decisions of an agent are limited to 100"), "{refused}");
    new(Some("B")).expect("the bound is of each");
    new(None).expect("managers have none");
    assert_eq!(scenario.line("withdraw C-1"), "C-1");
    scenario.also("decide dba by=A -> C-103");
}
