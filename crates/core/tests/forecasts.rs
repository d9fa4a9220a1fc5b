//! Forecasts: what they get to see, which are taken in, and when the next one is due.

mod scenario;

use kapell_core::{Command, Event, ForecastMonitor, Rejection, SNAPSHOT_FORMAT, State};
use kapell_model::{Forecast, ForecastRole, ForecastView, Moment, Position, Span, TaskId};
use scenario::{Scenario, name};

const HOUR: i64 = 3_600_000;

fn view(play: &Scenario) -> ForecastView {
    let source = play.engine.state().forecast_source(&name("web"), Moment(play.now));
    source.expect("the project is there").gather()
}

fn forecast(play: &Scenario) -> Forecast {
    kapell_plan::forecast(&view(play), 7)
}

fn record(play: &mut Scenario, forecast: Forecast) -> Result<kapell_core::Reply, Rejection> {
    play.execute(Command::RecordForecast(Box::new(forecast)), None)
}

fn team() -> Scenario {
    Scenario::play(
        "agent A rust=0.9 slots=1
         agent B rust=0.9 slots=1
         agent C lisp=0.9 slots=2
         submit t1 needs=rust project=web effort=2h
         submit t2 needs=rust project=web effort=2h after=t1
         submit t3 needs=lisp project=web effort=1h
         submit t4 needs=rust effort=3h
         submit t5 needs=cobol project=web effort=1h",
    )
}

#[test]
fn a_forecast_sees_the_open_tasks_of_the_project_their_gates_and_what_keeps_the_agents_busy() {
    let play = team();
    let view = view(&play);
    let mut by_id: Vec<(u32, ForecastRole, i64, bool, usize)> = view
        .tasks
        .iter()
        .map(|task| {
            let takers = view.takers[task.takers as usize].len();
            (task.task.0, task.role, task.estimate.0 / HOUR, task.owner.is_some(), takers)
        })
        .collect();
    by_id.sort_unstable_by_key(|&(task, ..)| task);
    use ForecastRole::{Other, Own};
    assert_eq!(
        by_id,
        [
            (1, Own, 2, true, 1),
            (2, Own, 2, false, 1),
            (3, Own, 1, true, 1),
            (4, Other, 3, true, 1),
            (5, Own, 1, false, 0)
        ]
    );
    assert_eq!((view.pools.clone(), view.open, view.stuck), (vec![2, 2], 4, 0));
    let second = view.tasks.iter().find(|task| task.task == TaskId(2)).expect("it is there");
    let gates: Vec<u32> = second.gates.iter().map(|&place| view.tasks[place as usize].task.0).collect();
    assert_eq!(gates, [1]);
    let helpers: Vec<String> = view.helpers.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(helpers, ["rust", "lisp"], "nobody has cobol");
}

#[test]
fn what_was_learned_is_what_is_drawn_from() {
    let mut play = team();
    assert!(view(&play).efforts.iter().all(|factors| factors.is_empty()));
    play.also("start t4 B");
    play.also("tick 6h");
    play.also("done t4 B");
    let view = view(&play);
    assert_eq!(view.efforts.iter().map(|factors| factors.to_vec()).collect::<Vec<_>>(), [vec![1_000]]);
}

#[test]
fn a_forecast_is_kept_with_the_place_that_it_saw_and_comes_back_from_a_snapshot() {
    let mut play = team();
    let made = forecast(&play);
    assert_eq!((made.open, made.unstaffed), (4, 1));
    assert_eq!(made.path.iter().map(|(task, _)| task.0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(made.length, Span::hours(4));
    record(&mut play, made.clone()).expect("it fits");
    let state = play.engine.state();
    assert_eq!(state.forecast("web"), Some(&made));
    let back = State::from_snapshot(SNAPSHOT_FORMAT, &state.to_snapshot()).expect("it is read");
    assert_eq!(back.forecast("web"), Some(&made));
    // One that saw less comes too late, and is no event.
    let events = play.log.len();
    record(&mut play, Forecast { seen: Position(made.seen.0 - 1), ..made }).expect("no harm");
    assert_eq!(play.log.len(), events);
    assert!(matches!(play.log.last().map(|last| &last.event), Some(Event::ForecastMade { .. })));
}

#[test]
fn a_forecast_that_does_not_fit_is_refused_with_what_is_wrong() {
    let mut play = team();
    let made = forecast(&play);
    let events = play.log.len();
    let cases = [
        (Forecast { project: name("none"), ..made.clone() }, "there is no project `none`"),
        (Forecast { seen: Position(9_999), ..made.clone() }, "field `seen` is 9999"),
        (Forecast { p80: made.p50.before(Span(1)), ..made.clone() }, "field `p50, p80, p90`"),
        (Forecast { path: vec![(TaskId(99), Span(1))], ..made.clone() }, "there is no task `T-99`"),
        (Forecast { watched: vec![(TaskId(0), made.p50)], ..made.clone() }, "there is no task `T-0`"),
        (Forecast { gains: vec![(name("rust"), Span(1)); 1_001], ..made }, "limit"),
    ];
    for (wrong, words) in cases {
        let refusal = record(&mut play, wrong).expect_err(words).to_string();
        assert!(refusal.contains(words), "{refusal}");
    }
    assert_eq!(play.log.len(), events);
}

#[test]
fn a_forecast_is_due_where_something_has_changed_or_time_runs_towards_a_deadline() {
    let mut play = Scenario::play(
        "project web
         project late deadline=10h
         agent A rust=0.9 slots=1
         submit t1 needs=rust project=web effort=2h
         submit t2 needs=rust project=late effort=2h",
    );
    let mut monitor = ForecastMonitor::new(play.engine.state(), Moment(play.now));
    let due = |play: &Scenario, monitor: &mut ForecastMonitor| {
        monitor.is_due(play.engine.state(), Moment(play.now)).map(ToString::to_string)
    };
    assert_eq!(due(&play, &mut monitor), None, "not at once");
    play.now += 10_000;
    for project in ["late", "web"] {
        assert_eq!(due(&play, &mut monitor).as_deref(), Some(project));
        assert_eq!(due(&play, &mut monitor), None, "one at a time");
        let source = play.engine.state().forecast_source(&name(project), Moment(play.now));
        let made = kapell_plan::forecast(&source.expect("a project").gather(), 1);
        record(&mut play, made).expect("it fits");
        monitor.forecast(Moment(play.now));
    }
    play.now += 20 * 60_000;
    assert_eq!(due(&play, &mut monitor), None, "nothing has changed");
    play.also("start t1 A");
    play.now += 60_000;
    assert_eq!(due(&play, &mut monitor).as_deref(), Some("web"));
    let made = forecast(&play);
    record(&mut play, made).expect("it fits");
    monitor.forecast(Moment(play.now));
    play.now += 60 * 60_000;
    assert_eq!(due(&play, &mut monitor).as_deref(), Some("late"), "its deadline comes nearer");
}
