//! Budgets: what is spent is counted once, and a limit is one (SEMANTICS 15).

mod scenario;

use kapell_core::Event;
use scenario::Scenario;

fn play(text: &str) -> Scenario {
    let mut scenario = Scenario::play("project web\nagent A\nagent B");
    scenario.also(text);
    scenario
}

#[test]
fn a_report_that_comes_twice_or_late_counts_once() {
    play(
        "submit t1 agent=A project=web
        usage t1 A in=100 cached=80 out=20 money=0.5 -> assigned A
        spent fleet -> 0.5 120 tokens
        usage t1 A in=100 cached=80 out=20 money=0.5     # the same
        usage t1 A in=40 out=10 money=0.2                # an older one
        spent fleet -> 0.5 120 tokens
        usage t1 A in=150 cached=80 out=20 money=0.6
        spent fleet -> 0.6 170 tokens
        spent t1 -> 0.6 170 tokens
        spent @A -> 0.6 170 tokens
        spent %web -> 0.6 170 tokens
        spent @B -> nothing",
    );
}

#[test]
fn what_an_outdated_attempt_has_used_counts_too() {
    play(
        "submit t1 agent=A
        usage t1 A money=0.5
        fail t1 A
        usage t1 A money=0.7 -> counted, the token is outdated
        spent @A -> 0.7 0 tokens
        tick +60s
        usage t1 A money=0.2                             # the next attempt
        spent t1 -> 0.9 0 tokens
        usage t1 B money=1 -> refused: there is no assignment A-9999, of task T-1 or any other
        usage t1 A money=2000000 -> refused: field `usage.money_micros` is 2000000000000; allowed is 0 to 1000000000000
        usage t1 A in=1 cached=2 -> refused: field `usage.cached_tokens` is 2; allowed is at most 1, the tokens read",
    );
}

#[test]
fn a_report_of_both_is_one_step_and_a_refused_one_counts_nothing() {
    play(
        "submit t1 agent=A
        with t1 A money=0.5 done t1 A -> completed
        spent fleet -> 0.5 0 tokens
        with t1 A money=0.7 progress t1 A 50 -> refused: assignment A-1 of task T-1 is outdated; nobody owns the task now
        spent fleet -> 0.5 0 tokens
        usage t1 A money=0.7 -> counted, the token is outdated
        spent fleet -> 0.7 0 tokens",
    );
}

#[test]
fn a_task_is_stopped_at_its_limit_with_what_was_noted_and_goes_on_with_more() {
    let scenario = play(
        "submit t1 agent=A
        budget t1 hard=1 soft=0.5
        start t1 A
        progress t1 A 40
        usage t1 A money=0.5
        notices A -> budget_warned T-1
        usage t1 A money=0.6
        notices A -> budget_warned T-1                    # once
        usage t1 A money=1.1
        show t1 -> deferred medium
        notices A -> budget_warned T-1, budget_reached T-1
        calls -> E-1 budget_reached T-1
        assign t1 A -> refused: `A` is no candidate for task T-1: the budget of T-1: 1.10 USD of 1.00 USD spent
        done t1 A -> stale, kept as O-1                   # nothing is lost
        settle E-1
        usage t1 A money=1.2
        calls -> none                                     # who has said something is not asked again
        budget t1 hard=2
        show t1 -> assigned medium A
        spent t1 -> 1.2 0 tokens",
    );
    let returned = scenario.log.iter().find_map(|record| match &record.event {
        Event::TaskReturned { note, .. } => note.as_ref().map(ToString::to_string),
        _ => None,
    });
    assert_eq!(returned.as_deref(), Some("stopped at 40 %"));
}

#[test]
fn raising_a_limit_settles_the_call() {
    play(
        "submit t1 agent=A
        policy task_budget=1
        usage t1 A money=1
        calls -> E-1 budget_reached T-1
        show t1 -> deferred medium
        policy task_budget=3
        calls -> none
        show t1 -> assigned medium A
        usage t1 A money=2
        calls -> E-2 budget_reached T-1
        cancel t1
        calls -> none
        reopen t1
        calls -> E-3 budget_reached T-1
        show t1 -> deferred medium
        budget t1 hard=50
        show t1 -> assigned medium A",
    );
}

#[test]
fn a_task_that_ends_with_the_report_that_passes_the_limit_has_ended() {
    play(
        "submit t1 agent=A
        budget t1 hard=1
        with t1 A money=1.5 done t1 A -> completed
        calls -> none",
    );
}

#[test]
fn an_agent_at_its_limit_gives_its_work_to_others() {
    play(
        "budget @A hard=1
        submit t1
        submit t2
        show t1 -> assigned medium A
        show t2 -> assigned medium B
        submit t3
        usage t1 A money=1
        show t1 -> ready medium
        done t2 B
        show t1 -> assigned medium B
        show t3 -> ready medium
        calls -> E-1 budget_reached A
        assign t3 A -> refused: `A` is no candidate for task T-3: the budget of agent `A`: 1.00 USD of 1.00 USD spent
        budget @A default
        show t3 -> assigned medium A
        calls -> none",
    );
}

#[test]
fn a_project_at_its_limit_waits_and_others_go_on() {
    play(
        "budget %web hard=1
        submit t1 project=web
        submit t2 project=web
        submit t3 project=web
        usage t1 A money=0.4
        usage t2 B money=0.6
        show t1 -> ready medium
        show t2 -> ready medium
        calls -> E-1 budget_reached web
        submit t4
        show t4 -> assigned medium A
        submit t5 type=bug project=web                    # a class that is new
        show t5 -> ready medium
        budget %web hard=5
        show t1 -> assigned medium B
        calls -> none",
    );
}

#[test]
fn a_day_of_the_fleet_ends_at_midnight() {
    play(
        "policy day_budget=1
        submit t1
        submit t2
        usage t1 A money=0.9
        tick +1s
        usage t2 B money=0.2
        submit t3 priority=critical
        show t1 -> ready medium
        show t2 -> ready medium
        show t3 -> ready critical
        calls -> E-1 budget_reached fleet                 # nobody is missing for the critical one
        claim t1 A -> refused: `A` is no candidate for task T-1: the budget of the fleet for the day: 1.10 USD of 1.00 USD spent
        tick +3h
        tick +74598s                                      # a second before midnight
        show t1 -> ready medium
        show t3 -> ready critical
        tick +1s
        show t3 -> assigned critical A
        calls -> none
        spent fleet -> 1.1 0 tokens, 0 today
        restart -> as live",
    );
}

#[test]
fn a_soft_limit_of_a_day_warns_once_a_day() {
    let scenario = play(
        "policy day_soft=1
        submit t1
        usage t1 A money=1
        usage t1 A money=2
        tick +24h
        usage t1 A money=2.5
        usage t1 A money=3.5
        usage t1 A money=4.5",
    );
    let warned = |kind: &&str| *kind == "budget.warned";
    assert_eq!(scenario.log.iter().map(|it| it.event.kind()).filter(|kind| warned(kind)).count(), 2);
}

#[test]
fn what_work_costs_is_learned_and_shrunk_to_what_all_of_it_costs() {
    play(
        "submit t0 agent=A
        costs t0 -> unknown
        with t0 A money=4 done t0 A
        submit t1 agent=A
        costs t1 -> 4 to 4 from 1, 4 to finish
        with t1 A money=8 done t1 A
        submit t2 agent=A type=bug
        costs t2 -> 4 to 8 from 0, 4 to finish            # like all work
        usage t2 A money=1
        costs t2 -> 4 to 8 from 0, 3 to finish
        usage t2 A money=5
        costs t2 -> 4 to 8 from 0, 3 to finish            # by what nine of ten cost
        usage t2 A money=10
        costs t2 -> 4 to 8 from 0, 0 to finish
        with t2 A money=10 done t2 A
        submit t3 agent=A type=bug
        costs t3 -> 8.5 to 10 from 1, 8.5 to finish       # (3 x 8 + 10) / 4
        spent @A -> 22 0 tokens, +8.5 for running work",
    );
}

#[test]
fn what_would_pass_a_limit_is_not_begun() {
    play(
        "submit t0 agent=A project=web
        with t0 A money=1 done t0 A
        budget %web hard=3.5
        submit t1 project=web
        submit t2 project=web
        submit t3 project=web
        submit t4
        show t1 -> assigned medium A
        show t2 -> assigned medium B
        spent %web -> 1 0 tokens, +2 for running work
        with t1 A money=1 done t1 A
        show t3 -> ready medium                           # 2 spent, 1 expected, 1 more
        show t4 -> assigned medium A
        spent %web -> 2 0 tokens, +1 for running work, tight
        calls -> none
        with t2 B money=0.2 done t2 B
        show t3 -> assigned medium B
        submit t5 project=web
        with t3 B money=1 done t3 B
        show t5 -> ready medium
        spent %web -> 3.2 0 tokens, short
        calls -> E-1 budget_reached web",
    );
}

#[test]
fn what_running_work_may_leave_is_waited_for_without_a_call() {
    play(
        "submit t0 agent=A project=web
        with t0 A money=1 done t0 A
        budget %web hard=2.5
        submit t1 project=web
        submit t2 project=web
        show t1 -> assigned medium A
        show t2 -> ready medium
        spent %web -> 1 0 tokens, +1 for running work, tight
        calls -> none
        restart -> as live
        with t1 A money=0.1 done t1 A                     # less than expected
        show t2 -> assigned medium A
        calls -> none",
    );
}

#[test]
fn an_agent_for_which_a_task_is_too_dear_does_not_keep_it_from_others() {
    play(
        "agent C
        submit t0 agent=C
        with t0 C money=1 done t0 C
        drain C
        budget @A hard=0.5
        submit t1
        show t1 -> assigned medium B
        spent @A -> 0 0 tokens, short
        calls -> E-1 budget_reached A
        move t1 A -> refused: `A` is no candidate for task T-2: the budget of agent `A`: 0.00 USD of 0.50 USD spent, and the next assignment is expected to cost 1.00 USD
        budget @A hard=5
        move t1 A
        budget @B hard=0.5
        move t1 B -> refused: `B` is no candidate for task T-2: the budget of agent `B`: 0.00 USD of 0.50 USD spent, and the next assignment is expected to cost 1.00 USD",
    );
}

#[test]
fn a_budget_opens_again_when_the_task_has_gone_for_which_it_had_no_room() {
    let closed = |of: &str, gone: &str| {
        let mut scenario = Scenario::play("project web\nagent A");
        scenario.also("submit t0 agent=A project=web\nwith t0 A money=1 done t0 A");
        scenario.also("submit t9 agent=A project=web type=epic\nwith t9 A money=50 done t9 A");
        scenario.also(&format!("budget {of} hard=60"));
        scenario.also("submit x1 project=web type=epic");
        let about = of.trim_start_matches(['%', '@']);
        scenario.also(&format!("show x1 -> ready medium\ncalls -> E-1 budget_reached {about}"));
        scenario.also(gone);
        scenario.also("calls -> none");
        scenario.also("submit c1 project=web\nshow c1 -> assigned medium A\nrestart -> as live");
    };
    for of in ["%web", "fleet", "@A"] {
        closed(of, "cancel x1");
        closed(of, "restart -> as live\ncancel x1");
    }
    closed("%web", "submit x0 role=nobody\ndep x1 x0");
    closed("fleet", "submit x0 role=nobody\ndep x1 x0");
}

#[test]
fn a_soft_limit_of_a_project_or_the_fleet_is_told_to_managers() {
    play(
        "agent M role=agent_manager
        submit t1 agent=A project=web
        budget %web soft=1
        usage t1 A money=1
        notices M -> budget_warned
        notices A -> none
        budget fleet soft=2
        usage t1 A money=2
        notices M -> budget_warned, budget_warned",
    );
}

#[test]
fn a_budget_is_checked() {
    play(
        "submit t1
        budget t1 hard=1 day=1 -> refused: field `day` is limits; allowed is limits in all: a task has none by day
        budget t1 hard=1 soft=2 -> refused: field `total.money` is 2000000; allowed is a soft limit that is not above the hard one
        budget @Z hard=1 -> refused: there is no agent `Z`
        budget %none hard=1 -> refused: there is no project `none`
        budget fleet hard=1 -> done
        budget fleet hard=1 -> done",
    );
}
