//! What holds a fleet up, and what is done about it until it ends (SEMANTICS 8).

mod scenario;

use kapell_core::{ActionEnd, Event, Severity, State, WaitTimes};
use kapell_model::{Moment, Span};
use scenario::Scenario;

/// `R` has one of two slots taken by an hour's work, and 30 h more wait for `rust`: twice what its slots are good for in 8 h.
const SHORT: &str = "agent R rust=0.9 slots=2
    agent J java=0.9
    agent K java=0.9 rust=0.4
    agent L java=0.9 rust=0.5
    submit r1 needs=rust -> assigned R
    submit r2 needs=rust effort=30h -> ready";

fn play(text: &str) -> Scenario {
    let mut scenario = Scenario::play(SHORT);
    scenario.also(text);
    scenario
}

fn count(scenario: &Scenario, kind: &str) -> usize {
    scenario.log.iter().filter(|record| record.event.kind() == kind).count()
}

/// Returns how the actions have ended, with what was measured before and after.
fn ends(scenario: &Scenario) -> Vec<(ActionEnd, u64, u64)> {
    let state = scenario.engine.state();
    let ended = |event: &Event| match event {
        Event::ActionEnded { action, because, after } => {
            let before = state.bottlenecks().action(*action).expect("an action").before;
            Some((*because, before.value, after.value))
        }
        _ => None,
    };
    scenario.log.iter().filter_map(|record| ended(&record.event)).collect()
}

#[test]
fn a_capability_that_is_short_calls_for_training_and_keeps_who_has_it() {
    let scenario = play(
        "bottlenecks -> none
        look +5m
        bottlenecks -> B-1 rust low 200/150 D-1 training D-2 kept R
        drain J
        drain K
        drain L
        submit x1 -> ready                       # R has room, and is kept
        submit x2 needs=rust:0.8,java -> ready   # it would do, and scores too little
        assign x1 R -> assigned R                # by hand it goes",
    );
    let called: Vec<_> = scenario.engine.state().escalations().iter().collect();
    assert_eq!(called.len(), 1);
    let detail = called[0].detail.as_str();
    assert!(
        detail.contains("1d 6h of work to come needs rust")
            && detail.contains("nearest to it: `L` with 0.50, `K` with 0.40"),
        "{detail}"
    );
}

#[test]
fn who_is_kept_is_let_go_after_four_hours_at_the_latest_and_rests_as_long() {
    let scenario = play(
        "look +5m
        drain J
        drain K
        drain L
        submit x1 -> ready
        restart -> as live
        tick +239m
        show x1 -> ready medium
        tick +1m
        show x1 -> assigned medium R             # undone in time
        bottlenecks -> B-1 rust low 200/150 D-1 training
        look +5m
        bottlenecks -> B-1 rust low 200/150 D-1 training
        restart -> as live",
    );
    assert_eq!(ends(&scenario), [(ActionEnd::Expired, 200, 200)]);
    assert_eq!(count(&scenario, "bottleneck.action_taken"), 2, "it rests for as long as it lasted");
}

#[test]
fn it_is_kept_again_after_it_has_rested() {
    let scenario = play(
        "look +5m
        tick +240m
        look +239m
        bottlenecks -> B-1 rust low 200/150 D-1 training
        look +1m
        bottlenecks -> B-1 rust low 200/150 D-1 training D-3 kept R",
    );
    assert_eq!(count(&scenario, "bottleneck.found"), 1);
}

#[test]
fn what_is_no_bottleneck_any_more_ends_its_actions_and_the_call() {
    let scenario = play(
        "look +5m
        cancel r2
        look +5m
        bottlenecks -> none
        drain J
        drain K
        drain L
        submit x1 -> assigned R
        restart -> as live",
    );
    assert_eq!(ends(&scenario), [(ActionEnd::Relieved, 200, 0), (ActionEnd::Relieved, 200, 0)]);
    assert_eq!(scenario.engine.state().open_escalations(), 0);
}

#[test]
fn unstarted_work_of_who_is_kept_goes_to_others() {
    play(
        "agent S rust=0.9 sql=0.9 slots=5           # it gets r2
        submit s1 needs=sql -> assigned S
        submit s2 needs=sql -> assigned S
        start s2 S
        agent T sql=0.9 slots=2
        submit r3 needs=rust effort=80h
        submit r4 needs=rust effort=80h
        look +5m
        bottlenecks -> B-1 rust medium 355/150 D-1 training D-2 kept R,S
        show s1 -> assigned medium T
        show s2 -> in_progress medium S          # what is begun stays
        notices S -> moved T-3",
    );
}

#[test]
fn nobody_is_kept_where_that_would_be_more_than_half_or_the_policy_does_not_want_it() {
    for (team, policy) in [("remove J", "default"), ("drain J", "adjust=off")] {
        let scenario = play(&format!(
            "{team}
            remove K
            remove L
            policy {policy}
            look +5m
            bottlenecks -> B-1 rust low 200/150 D-1 training",
        ));
        assert_eq!(count(&scenario, "bottleneck.action_taken"), 1);
    }
}

#[test]
fn what_nobody_online_could_ever_do_is_severe() {
    let scenario = play(
        "submit x1 needs=rust:0.95 effort=1h -> ready
        submit g1 needs=go effort=1h
        look +5m
        bottlenecks -> B-1 go high 151/150 D-1 training, B-2 rust high 206/150 D-2 training D-3 kept R",
    );
    assert_eq!(count(&scenario, "performance.degraded"), 1);
    let mut scenario = scenario;
    scenario.also("cancel x1\ncancel g1\ncancel r2\nlook +5m\nbottlenecks -> none");
    assert_eq!(count(&scenario, "performance.recovered"), 1);
}

#[test]
fn a_resource_that_is_waited_for_too_long_is_given_out_for_less_long() {
    let scenario = Scenario::play(
        "agent A
        agent B
        agent C
        reserve A env:one ttl=1h -> R-1
        reserve B env:one wait ttl=1h -> waits as W-1
        tick +16m
        free A R-1
        reserve A env:one wait ttl=1h -> waits as W-2
        tick +17m
        free B R-2
        reserve B env:one wait ttl=1h -> waits as W-3
        look +1s
        bottlenecks -> none                      # two waits say nothing
        tick +20m
        free A R-3
        look +5m
        bottlenecks -> B-1 env:one low 1201000/900000 D-1 shorter_leases
        free B R-4
        reserve C env:one ttl=1h -> R-5
        reserve A env:two ttl=1h -> R-6
        tick +15m
        held -> R-6 A env:two                    # half of the policy's 30 minutes
        restart -> as live",
    );
    assert_eq!(count(&scenario, "bottleneck.found"), 1);
}

#[test]
fn waits_are_told_by_priority_and_resource() {
    let mut scenario = Scenario::play(
        "agent A
        agent B
        reserve A env:one ttl=1h -> R-1
        reserve B env:one wait ttl=1h -> waits as W-1
        tick +16m
        free A R-1
        reserve A env:one wait ttl=1h -> waits as W-2
        tick +20m
        free B R-2
        reserve A env:two ttl=1h -> R-4
        reserve B env:two wait ttl=1h -> waits as W-3
        tick +30m
        free A R-4
        drain A
        drain B
        submit t1 priority=high
        submit t2
        tick +10m
        submit t3 priority=high
        tick +5m
        agent C slots=2
        agent D slots=2",
    );
    let told = |scenario: &Scenario, later: i64| {
        let (metrics, now) = (scenario.engine.state().metrics(), Moment(scenario.now + later));
        let row = |about: String, it: WaitTimes| {
            let minutes = |span: Span| span.0 / 60_000;
            format!("{about}: {} {} {} {}", it.count, minutes(it.p50), minutes(it.p90), minutes(it.longest))
        };
        let queue = metrics.queue_waits(now).into_iter().map(|(it, times)| row(it.to_string(), times));
        let resources = metrics.resource_waits(now).into_iter().map(|(it, times)| row(it.to_string(), times));
        (queue.collect::<Vec<_>>(), resources.collect::<Vec<_>>())
    };
    let (queue, resources) = told(&scenario, 0);
    assert_eq!(queue, ["high: 2 5 15 15", "medium: 1 15 15 15"]);
    assert_eq!(resources, ["env:two: 1 30 30 30", "env:one: 2 16 20 20"]);
    scenario.also("restart -> as live");
    assert_eq!(told(&scenario, 0), (queue, resources));
    assert_eq!(told(&scenario, 25 * 3_600_000), (vec![], vec![]), "nothing was over within a day");
}

#[test]
fn a_place_in_line_that_has_lapsed_was_a_wait_too() {
    let mut scenario = Scenario::play("agent A\nagent B\nreserve A env:one ttl=24h -> R-1");
    for turn in 1..=3 {
        scenario.also(&format!("reserve B env:one wait=20m -> waits as W-{turn}\ntick +20m"));
    }
    scenario.also("look +1s\nbottlenecks -> B-1 env:one low 1200000/900000 D-1 shorter_leases");
    scenario.also(
        "look +25h\nbottlenecks -> none       # nobody has waited for it within a day\nrestart -> as live",
    );
}

#[test]
fn of_many_bottlenecks_the_worst_come_first_and_none_is_left_out() {
    let mut scenario =
        Scenario::play("agent R rust=0.9 slots=2\nsubmit r1 needs=rust\nsubmit r2 needs=rust effort=30h");
    for number in 0..30 {
        scenario.also(&format!("submit t{number} needs=a{number}:0.5 effort=1h"));
    }
    let open = |scenario: &Scenario| scenario.engine.state().bottlenecks().open().count();
    scenario.also("look +5m");
    assert_eq!(open(&scenario), 20, "a look acts upon a bounded number");
    scenario.also("look +5m");
    assert_eq!(open(&scenario), 31);
    let newest = scenario.engine.state().bottlenecks().newest().next().map(|it| it.severity);
    assert_eq!(newest, Some(Severity::Low), "rust is short, and the others are hopeless");
    for number in 0..30 {
        scenario.also(&format!("cancel t{number}"));
    }
    scenario.also("look +5m");
    assert_eq!(open(&scenario), 11, "and ends a bounded number");
    scenario.also("look +5m");
    assert_eq!(open(&scenario), 1);
}

#[test]
fn what_a_pair_has_said_is_forgotten_in_time() {
    let mut scenario = Scenario::play("agent A slots=4\nagent B\nsubmit t1");
    let mut sent = 0;
    let mut talk = |scenario: &mut Scenario, times: usize, task: &str| {
        for _ in 0..times {
            sent += 1;
            scenario.also(&format!("send A B hello task={task}\nreadmail B M-{sent}"));
        }
    };
    talk(&mut scenario, 11, "t1");
    scenario.also("look +25h\nbottlenecks -> none         # silent for a day");
    talk(&mut scenario, 10, "t1");
    scenario.also("look +5m\nbottlenecks -> none          # a window of its own");
    // Nine messages for each of 200 tasks are not too many, however many tasks are told apart.
    for number in 2..202 {
        scenario.also(&format!("submit t{number}"));
        talk(&mut scenario, 9, &format!("t{number}"));
    }
    scenario.also("look +5m\nbottlenecks -> none");
}

#[test]
fn a_pair_that_talks_too_much_gets_a_channel_and_loses_it_in_the_end() {
    let mut scenario = Scenario::play("agent A slots=4\nagent B\nsubmit t1\nsubmit t2\nsubmit t3");
    for _ in 0..11 {
        scenario.also("send A B hello task=t1");
    }
    scenario.also(
        "look +5m
        bottlenecks -> B-1 A+B low 1100/1000 D-1 direct_channel D-2 together
        notices A -> channel_opened
        notices B -> channel_opened
        send A @direct-A-B hello -> M-12
        look +5m
        bottlenecks -> B-1 A+B low 1100/1000 D-1 direct_channel D-2 together     # there it is talk too
        send B A hello task=t2
        look +5m
        bottlenecks -> none                      # 13 messages over two joint tasks
        send A @direct-A-B hello -> refused: field `channel` is `direct-A-B`, of which `A` is no member; allowed is a channel that the sender is a member of
        restart -> as live",
    );
    assert_eq!(ends(&scenario), [(ActionEnd::Relieved, 1_100, 650); 2]);
}

#[test]
fn a_look_that_finds_nothing_new_is_not_asked_for() {
    let mut scenario = play("");
    let turns = |state: &State, now: i64| state.bottlenecks_turn(Moment(now));
    assert!(turns(scenario.engine.state(), scenario.now));
    scenario.also("look +1s");
    assert!(!turns(scenario.engine.state(), scenario.now));
    scenario.also("cancel r2");
    assert!(turns(scenario.engine.state(), scenario.now));
}

#[test]
fn a_median_lead_time_that_is_worse_by_a_quarter_is_told() {
    let mut scenario = Scenario::play("agent A slots=2\nchecks off");
    let finish = |scenario: &mut Scenario, number: usize, minutes: u32| {
        scenario.also(&format!("submit t{number}\ntick +{minutes}m\ndone t{number} A"));
    };
    // 50 of 10 minutes stand behind 50 of 12: not worse by a quarter.
    for number in 0..100 {
        finish(&mut scenario, number, if number < 50 { 10 } else { 12 });
    }
    scenario.also("look +1s");
    assert_eq!(count(&scenario, "performance.degraded"), 0);
    for number in 100..150 {
        finish(&mut scenario, number, 16);
    }
    scenario.also("look +1s");
    let causes = scenario.log.iter().rev().find_map(|record| match &record.event {
        Event::PerformanceDegraded { causes } => Some(causes.clone()),
        _ => None,
    });
    let causes = causes.expect("16 minutes are worse than 12 by more than a quarter");
    assert!(causes[0].as_str().contains("16m 0s, 12m 0s"), "{causes:?}");
    scenario.also("look +23h");
    assert_eq!(count(&scenario, "performance.recovered"), 0);
    // Of a fleet that has done nothing for a day nothing is said.
    scenario.also("look +2h");
    assert_eq!(count(&scenario, "performance.recovered"), 1);
}

#[test]
fn work_that_is_far_off_is_no_demand_and_work_behind_what_runs_is() {
    let later = |after: &str| {
        Scenario::play(&format!(
            "agent R rust=0.9
            agent J java=0.9
            agent K java=0.9
            submit r1 needs=rust
            submit r2 needs=rust effort=40h {after}
            look +5m"
        ))
    };
    later("at=+200h").also("bottlenecks -> none");
    later("at=+7h").also("bottlenecks -> B-1 rust medium 500/150 D-1 training D-2 kept R");
    later("after=r1").also("bottlenecks -> B-1 rust medium 500/150 D-1 training D-2 kept R");
    let mut behind = later("at=+200h");
    behind.also("submit r3 needs=rust effort=40h after=r1,r2\nlook +5m\nbottlenecks -> none");
}

#[test]
fn nobody_is_kept_from_critical_work() {
    let kept = "agent R rust=0.9 sql=0.9
        agent J java=0.9
        agent K java=0.9
        submit r0 needs=rust
        submit r1 needs=rust effort=40h";
    // Critical work that comes lets go who is kept.
    let scenario = Scenario::play(
        &format!(
            "{kept}
        look +5m
        bottlenecks -> B-1 rust medium 500/150 D-1 training D-2 kept R
        tick +1m
        done r0 R
        show r1 -> assigned medium R
        tick +1m
        done r1 R
        submit r2 needs=rust effort=200h after=x
        submit q1 needs=sql effort=1h -> ready
        submit q2 needs=sql effort=1h priority=critical -> assigned R
        restart -> as live"
        )
        .replace(" after=x", " at=+6h"),
    );
    assert_eq!(ends(&scenario), [(ActionEnd::Needed, 500, 2_500)]);
    assert!(scenario.engine.state().escalations().iter().all(|it| it.kind.as_str() != "no_suitable_agent"));
    // Who could take what waits is not kept at all.
    Scenario::play(&format!(
        "{kept}
        submit q1 needs=sql priority=critical -> ready
        look +5m
        bottlenecks -> B-1 rust medium 500/150 D-1 training"
    ));
}

#[test]
fn slots_that_come_free_in_time_are_supply() {
    Scenario::play(
        "agent R rust=0.9
        agent J java=0.9
        agent K java=0.9
        submit r1 needs=rust effort=1h -> assigned R
        submit r2 needs=rust effort=1h -> ready
        look +5m
        bottlenecks -> none
        submit r3 needs=rust effort=10h -> ready        # 11 h for 7 h
        look +5m
        bottlenecks -> B-1 rust low 151/150 D-1 training D-2 kept R",
    );
}

#[test]
fn who_is_kept_counts_as_one_who_can_for_what_was_inferred() {
    let kept = "agent R rust=0.9 postgres=0.9 slots=2
        agent J java=0.9
        agent K java=0.9
        agent L java=0.9
        define postgres postgres
        submit t1 title=Tune_postgres
        submit r1 needs=rust
        submit r2 needs=rust
        submit r3 needs=rust effort=40h
        look +5m";
    let mut scenario = Scenario::play(kept);
    scenario.also("policy adjust=off\nremove R\nrestart -> as live");
    Scenario::play(kept)
        .also("submit t2 title=Tune_postgres -> ready\nremove R\nshow t2 -> assigned medium K");
}

#[test]
fn tasks_that_are_held_back_wait_for_a_resource() {
    let mut scenario = Scenario::play(
        "agent A slots=9
        agent B slots=9
        submit t1 takes=env:one,env:two -> assigned A
        submit t2 takes=env:one -> ready
        submit t3 takes=env:one -> ready
        submit t4 takes=env:one -> ready
        checks off",
    );
    for (task, agent) in [("t1", "A"), ("t2", "A"), ("t3", "A")] {
        scenario.also(&format!("tick +3h\nrestart -> as live\ndone {task} {agent}"));
    }
    // 3, 6 and 9 h; nobody has waited for `env:two`.
    scenario.also(
        "look +1s\nbottlenecks -> B-1 env:one high 32400000/900000 D-1 shorter_leases\nrestart -> as live",
    );
}

#[test]
fn a_wait_is_booked_on_what_stood_in_the_way() {
    let mut scenario = Scenario::play("agent A\nagent B");
    for turn in 1..=3 {
        scenario.also(&format!(
            "reserve A env:one ttl=24h -> R-{turn}
            reserve B env:one,env:two wait=20m -> waits as W-{turn}
            tick +20m
            free A R-{turn}",
        ));
    }
    scenario.also("look +1s\nbottlenecks -> B-1 env:one low 1200000/900000 D-1 shorter_leases");
}

#[test]
fn a_wait_counts_for_a_day_and_what_an_action_has_done_by_the_waits_since() {
    let mut scenario = Scenario::play("agent A\nagent B\nreserve A env:one ttl=24h -> R-1");
    for turn in 1..=3 {
        scenario.also(&format!("reserve B env:one wait=20m -> waits as W-{turn}\ntick +20m"));
    }
    scenario.also("free A R-1\nlook +1s\nbottlenecks -> B-1 env:one low 1200000/900000 D-1 shorter_leases");
    scenario.also("tick +23h");
    for turn in 1..=20 {
        let (first, second) = (2 * turn, 2 * turn + 1);
        scenario.also(&format!(
            "reserve A env:one ttl=10m -> R-{first}
            reserve B env:one wait=20m -> waits as W-{}
            tick +5s
            free A R-{first}
            free B R-{second}",
            turn + 3
        ));
    }
    // Within the same day those of 20 minutes are three of 23 still; nine of ten are over 20 minutes until they are older.
    scenario.also("look +2h\nbottlenecks -> none");
    assert_eq!(ends(&scenario), [(ActionEnd::Relieved, 1_200_000, 5_000)]);
}

#[test]
fn work_that_nobody_could_take_as_it_is_asked_for_is_found() {
    let mut scenario = Scenario::play(
        "agent A a=0.9
        agent B b=0.9
        submit t1 needs=a:0.5,b:0.5 effort=1h -> ready
        look +5m
        bottlenecks -> B-1 b high 6/150 D-1 training D-2 kept B",
    );
    scenario.also("cancel t1\nlook +5m\nbottlenecks -> none");
    scenario.also(
        "submit t2 role=architect effort=16h -> ready
        remove B
        submit t3 not=A -> ready
        look +5m
        bottlenecks -> B-2 [anybody but A] high 151/150 D-3 staffing, B-3 [role architect] high 200/150 D-4 staffing
        restart -> as live
        agent C role=architect
        look +5m
        bottlenecks -> none
        restart -> as live",
    );
    assert_eq!(scenario.engine.state().open_escalations(), 0);
    Scenario::play(
        "agent A
        agent B
        submit t1 agent=B -> assigned B
        unreachable B
        offline B
        look +5m
        bottlenecks -> B-1 [agent B] high 151/150 D-1 staffing",
    );
}

#[test]
fn what_a_pair_has_sent_counts_for_a_day_and_work_of_the_one_for_the_other_is_joint() {
    let mut scenario = Scenario::play("agent A slots=4\nagent B slots=4");
    for _ in 0..11 {
        scenario.also("send A B hello\nlook +20h\nbottlenecks -> none");
    }
    let talk = |after: &str| {
        let mut scenario = Scenario::play(&format!("agent A slots=4\nagent B slots=4\n{after}"));
        for _ in 0..15 {
            scenario.also("send B A hello");
        }
        scenario.also("look +5m");
        scenario
    };
    let joint = "submit t1 agent=A
        submit t2 agent=B
        submit t3 agent=A after=t2
        done t2 B
        show t3 -> assigned medium A";
    talk(joint).also("bottlenecks -> B-1 A+B low 1500/1000 D-1 direct_channel D-2 together");
    talk(&format!("{joint}\nsubmit t4 agent=B after=t1\ndone t1 A"))
        .also("bottlenecks -> none\nrestart -> as live");
}

#[test]
fn what_is_too_much_to_move_at_once_is_moved_with_the_next_look() {
    let mut scenario = Scenario::play(
        "agent J java=0.9
        agent K java=0.9
        agent S rust=0.9 sql=0.9 slots=400",
    );
    for number in 0..80 {
        scenario.also(&format!("submit s{number} needs=sql -> assigned S"));
    }
    scenario.also("agent T sql=0.9 slots=400\nsubmit r1 needs=rust effort=9000h at=+6h\nlook +5m");
    assert_eq!(count(&scenario, "task.moved"), 64);
    scenario.also("look +5m");
    assert_eq!(count(&scenario, "task.moved"), 80);
    scenario.also("look +5m\nrestart -> as live");
    assert_eq!(count(&scenario, "task.moved"), 80);
}

#[test]
fn what_nobody_else_could_take_is_in_nobody_s_way_when_work_is_moved() {
    let mut scenario = Scenario::play(
        "agent J java=0.9
        agent K java=0.9
        agent S rust=0.9 sql=0.9 ada=0.9 slots=1000",
    );
    for number in 0..300 {
        scenario.also(&format!("submit a{number} needs=ada -> assigned S"));
    }
    scenario.also(
        "submit s needs=sql -> assigned S
        agent T sql=0.9 slots=400
        submit r1 needs=rust effort=9000h at=+6h
        submit r2 needs=rust effort=9000h at=+6h
        look +5m
        show s -> assigned medium T",
    );
    assert_eq!(count(&scenario, "task.moved"), 1);
}

#[test]
fn only_the_last_that_are_over_are_remembered() {
    let mut scenario = Scenario::play("agent A\nchecks off");
    for number in 0..1_100 {
        scenario.also(&format!("submit t{number} needs=go effort=1h\nlook +5m\ncancel t{number}\nlook +5m"));
    }
    let bottlenecks = scenario.engine.state().bottlenecks();
    assert_eq!(bottlenecks.newest().count(), 1_000);
    assert_eq!(bottlenecks.newest().next().map(|it| it.id.0), Some(1_100));
    scenario.also("submit t needs=go\nlook +5m\nrestart -> as live");
    assert_eq!(scenario.engine.state().bottlenecks().newest().next().map(|it| it.id.0), Some(1_101));
}
