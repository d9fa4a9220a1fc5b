//! When a project will be done: its rest is played through again and again, each time with efforts drawn by chance from what
//! such work has taken, on the slots that there are (SEMANTICS 12).
//!
//! Chance comes from a seed and is drawn in integers, so that a forecast can be made again anywhere. An effort is the task's
//! estimate times a factor: one of those that tasks of its sort have shown beside their median, or, with the weight of three of
//! them, one of a table whose median is 1 and whose 90th percentile is 2. Free slots are filled in the order of the tasks; a task
//! without anybody who could take it begins as if somebody were found.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use kapell_model::{Forecast, ForecastRole, ForecastTask, ForecastView, Span};

use crate::path::Graph;

/// Trials of a forecast, at most.
const TRIALS_MAX: u64 = 1_000;
/// And at least: fewer say little about nine of ten.
const TRIALS_MIN: u64 = 100;
/// Trials by which one agent more is tried.
const TRIALS_OF_HELP: u64 = 200;
/// Steps of all trials of a forecast: below a second.
const STEPS_MAX: u64 = 10_000_000;
/// Weight of the table beside the factors that were seen.
const TABLE_WEIGHT: usize = 3;
/// Factors in thousandths, equally likely: the middles of the twentieths of a lognormal with median 1 and 90th percentile 2.
const TABLE: [i64; 20] = [
    346, 459, 537, 603, 665, 724, 782, 842, 903, 967, 1_034, 1_108, 1_188, 1_278, 1_382, 1_504, 1_658, 1_863,
    2_179, 2_887,
];
/// Draws for work that is under way, until one is longer than it has taken so far.
const REDRAWS_MAX: usize = 8;
/// Tasks of the longest path that a forecast names.
const PATH_MAX: usize = 100;
/// Critical tasks whose own end a forecast tells.
const WATCHED_MAX: usize = 100;

/// Forecasts when the project of `view` will be done. The same view and seed give the same answer.
#[must_use]
pub fn forecast(view: &ForecastView, seed: u64) -> Forecast {
    let cost = view.tasks.len() as u64 * (1 + view.takers.len() as u64 / 4) + 1;
    let trials = (STEPS_MAX / cost).clamp(TRIALS_MIN, TRIALS_MAX);
    let watched: Vec<u32> = (0..)
        .zip(&view.tasks)
        .filter(|(_, task)| task.watched)
        .map(|(place, _)| place)
        .take(WATCHED_MAX)
        .collect();
    let played = play(view, seed, trials, None, &watched);
    let at = |ends: &[i64], percent| view.at.after(Span(percentile(ends, percent)));
    let (path, length) = longest(view);
    let p80 = at(&played.ends, 80);
    let late = view.deadline.is_some_and(|deadline| p80 > deadline);
    Forecast {
        project: view.project.clone(),
        seen: view.seen,
        at: view.at,
        seed,
        trials: u32::try_from(trials).unwrap_or(u32::MAX),
        open: view.open,
        left_out: view.left_out.0,
        unstaffed: unstaffed(view),
        stuck: view.stuck,
        p50: at(&played.ends, 50),
        p80,
        p90: at(&played.ends, 90),
        path,
        length,
        gains: if late { gains(view, seed) } else { Vec::new() },
        watched: watched
            .iter()
            .zip(&played.watched)
            .map(|(&place, ends)| (view.tasks[place as usize].task, at(ends, 50)))
            .collect(),
    }
}

fn unstaffed(view: &ForecastView) -> u32 {
    let nobody = |task: &&ForecastTask| {
        task.role == ForecastRole::Own && task.owner.is_none() && view.takers[task.takers as usize].is_empty()
    };
    u32::try_from(view.tasks.iter().filter(nobody).count()).unwrap_or(u32::MAX)
}

/// Returns by how much sooner p80 comes with one agent more, for each capability that was asked about.
fn gains(view: &ForecastView, seed: u64) -> Vec<(kapell_model::Name, Span)> {
    let p80 = |help| percentile(&play(view, seed, TRIALS_OF_HELP, help, &[]).ends, 80);
    let without = p80(None);
    let gained = view.helpers.iter().map(|(name, pool)| (name.clone(), Span(without - p80(Some(*pool)))));
    let mut gains: Vec<_> = gained.filter(|(_, saved)| saved.0 > 0).collect();
    gains.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    gains
}

/// Returns the longest path of what the project has to do and waits for, by the estimates, and its length.
fn longest(view: &ForecastView) -> (Vec<(kapell_model::TaskId, Span)>, Span) {
    let left = |task: &ForecastTask| match task.role {
        ForecastRole::Other => 0,
        _ => share(task.estimate.0, 100 - i64::from(task.percent.min(100)), 100),
    };
    let weights: Vec<i64> = view.tasks.iter().map(left).collect();
    let edges = (0..).zip(&view.tasks).flat_map(|(to, task)| task.gates.iter().map(move |&from| (from, to)));
    let found = Graph::new(&weights, &edges.collect::<Vec<_>>()).longest();
    let step = |&place: &u32| (view.tasks[place as usize].task, Span(weights[place as usize]));
    (found.path.iter().take(PATH_MAX).map(step).collect(), Span(found.length))
}

/// What the trials have come to, each list in ascending order.
struct Played {
    /// When the project was done, in ms from the beginning.
    ends: Vec<i64>,
    /// When each of the watched tasks was.
    watched: Vec<Vec<i64>>,
}

fn play(view: &ForecastView, seed: u64, trials: u64, help: Option<u32>, watched: &[u32]) -> Played {
    let mut chance = Chance(seed);
    let mut stage = Stage::new(view);
    let slots = view.pools.iter().map(|&slots| i64::from(slots)).sum::<i64>().max(1);
    let beyond = view.left_out.1.0 / slots;
    let mut played = Played { ends: Vec::new(), watched: vec![Vec::new(); watched.len()] };
    for _ in 0..trials {
        stage.play(view, &mut chance, help);
        let own = view.tasks.iter().zip(&stage.ends).filter(|(task, _)| task.role == ForecastRole::Own);
        played.ends.push(own.map(|(_, &end)| end).max().unwrap_or(0).saturating_add(beyond));
        for (ends, &place) in played.watched.iter_mut().zip(watched) {
            ends.push(stage.ends[place as usize]);
        }
    }
    played.ends.sort_unstable();
    played.watched.iter_mut().for_each(|ends| ends.sort_unstable());
    played
}

/// Returns the smallest of ascending numbers that `percent` of all do not exceed.
fn percentile(sorted: &[i64], percent: usize) -> i64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

fn share(whole: i64, part: i64, of: i64) -> i64 {
    i64::try_from(i128::from(whole) * i128::from(part) / i128::from(of)).unwrap_or(i64::MAX)
}

/// What happens at a moment of a trial.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// A task that was set aside comes back.
    Back,
    /// A task ends; its slot in that pool is free, where it had one.
    Ends(Option<u32>),
}

/// What the trials are played on, kept from one to the next.
struct Stage {
    /// Who waits for each task.
    behind: Vec<Vec<u32>>,
    efforts: Vec<i64>,
    /// How many each task still waits for.
    waits: Vec<u32>,
    /// When each task ended.
    ends: Vec<i64>,
    free: Vec<i64>,
    /// The tasks that could begin, by who can take them, the most urgent first.
    queues: Vec<BinaryHeap<Reverse<u32>>>,
    turns: BinaryHeap<Reverse<(i64, u32, Turn)>>,
}

impl Stage {
    fn new(view: &ForecastView) -> Self {
        let mut behind = vec![Vec::new(); view.tasks.len()];
        for (to, task) in (0..).zip(&view.tasks) {
            for &from in &task.gates {
                behind[from as usize].push(to);
            }
        }
        Self {
            behind,
            efforts: Vec::new(),
            waits: Vec::new(),
            ends: Vec::new(),
            free: Vec::new(),
            queues: vec![BinaryHeap::new(); view.takers.len()],
            turns: BinaryHeap::new(),
        }
    }

    /// Plays the rest through once.
    fn play(&mut self, view: &ForecastView, chance: &mut Chance, help: Option<u32>) {
        self.efforts.clear();
        self.efforts.extend(view.tasks.iter().map(|task| effort(view, task, chance)));
        self.waits.clear();
        self.waits.extend(view.tasks.iter().map(|task| u32::try_from(task.gates.len()).unwrap_or(u32::MAX)));
        self.ends.clear();
        self.ends.resize(view.tasks.len(), 0);
        self.free.clear();
        self.free.extend(view.pools.iter().map(|&slots| i64::from(slots)));
        if let Some(pool) = help {
            self.free[pool as usize] += 1;
        }
        for (place, task) in (0..).zip(&view.tasks) {
            match task.owner {
                Some(pool) => {
                    self.free[pool as usize] -= 1;
                    self.begin(0, place, Some(pool));
                }
                None if task.gates.is_empty() => self.comes_up(view, 0, place),
                None => {}
            }
        }
        self.fill(view, 0);
        while let Some(Reverse((now, place, turn))) = self.turns.pop() {
            match turn {
                Turn::Back => self.queue(view, now, place),
                Turn::Ends(pool) => {
                    if let Some(pool) = pool {
                        self.free[pool as usize] += 1;
                    }
                    self.ends[place as usize] = now;
                    self.release(view, now, place);
                }
            }
            if self.turns.peek().is_none_or(|Reverse((next, ..))| *next > now) {
                self.fill(view, now);
            }
        }
    }

    fn begin(&mut self, now: i64, place: u32, pool: Option<u32>) {
        let end = now.saturating_add(self.efforts[place as usize]);
        self.turns.push(Reverse((end, place, Turn::Ends(pool))));
    }

    /// Takes up a task that waits for no other one any more.
    fn comes_up(&mut self, view: &ForecastView, now: i64, place: u32) {
        let aside = view.tasks[place as usize].aside.0;
        if aside > now {
            self.turns.push(Reverse((aside, place, Turn::Back)));
        } else {
            self.queue(view, now, place);
        }
    }

    fn queue(&mut self, view: &ForecastView, now: i64, place: u32) {
        let takers = view.tasks[place as usize].takers as usize;
        if view.takers[takers].is_empty() {
            self.begin(now, place, None);
        } else {
            self.queues[takers].push(Reverse(place));
        }
    }

    fn release(&mut self, view: &ForecastView, now: i64, place: u32) {
        for index in 0..self.behind[place as usize].len() {
            let next = self.behind[place as usize][index];
            self.waits[next as usize] -= 1;
            if self.waits[next as usize] == 0 && view.tasks[next as usize].owner.is_none() {
                self.comes_up(view, now, next);
            }
        }
    }

    /// Fills the free slots, the most urgent task first.
    fn fill(&mut self, view: &ForecastView, now: i64) {
        loop {
            let mut first: Option<(u32, usize, u32)> = None;
            for (sort, queue) in self.queues.iter().enumerate() {
                let Some(&Reverse(place)) = queue.peek() else { continue };
                if first.is_some_and(|(other, ..)| other < place) {
                    continue;
                }
                let pools = &view.takers[sort];
                if let Some(&pool) = pools.iter().find(|&&pool| self.free[pool as usize] > 0) {
                    first = Some((place, sort, pool));
                }
            }
            let Some((place, sort, pool)) = first else { return };
            self.queues[sort].pop();
            self.free[pool as usize] -= 1;
            self.begin(now, place, Some(pool));
        }
    }
}

/// Draws what is left of a task, in ms, at least 1.
fn effort(view: &ForecastView, task: &ForecastTask, chance: &mut Chance) -> i64 {
    let seen = &view.efforts[task.effort as usize];
    let mut draw = || share(task.estimate.0, factor(seen, chance), 1_000);
    let drawn = draw();
    let left = if task.percent > 0 {
        share(drawn, 100 - i64::from(task.percent.min(100)), 100)
    } else if task.elapsed > Span(0) {
        // What has taken longer already is none of those that take less.
        let longer = std::iter::once(drawn).chain(std::iter::repeat_with(draw).take(REDRAWS_MAX));
        let longer = longer.map(|drawn| drawn - task.elapsed.0).find(|&left| left > 0);
        longer.unwrap_or(task.estimate.0 / 10)
    } else {
        drawn
    };
    left.max(1)
}

fn factor(seen: &[u32], chance: &mut Chance) -> i64 {
    let place = chance.below(TABLE_WEIGHT + seen.len());
    match place.checked_sub(TABLE_WEIGHT) {
        Some(place) => i64::from(seen[place]),
        None => TABLE[chance.below(TABLE.len())],
    }
}

/// Numbers drawn from a seed: a counter that is stirred.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `bound`, which is above 0 and far below 2^32.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(((self.next() >> 32) * bound as u64) >> 32).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kapell_model::{Moment, Name, Position, TaskId};

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn task(id: u32, gates: &[u32]) -> ForecastTask {
        ForecastTask {
            task: TaskId(id),
            role: ForecastRole::Own,
            estimate: Span::hours(1),
            percent: 0,
            elapsed: Span(0),
            effort: 0,
            takers: 0,
            owner: None,
            aside: Span(0),
            gates: gates.to_vec(),
            watched: false,
        }
    }

    /// Work that has always taken twice its estimate; so often that the table hardly counts.
    fn view(slots: u32, tasks: Vec<ForecastTask>) -> ForecastView {
        ForecastView {
            project: Name::new("web").expect("a name"),
            seen: Position(7),
            at: Moment(0),
            deadline: None,
            open: u32::try_from(tasks.len()).expect("few"),
            tasks,
            pools: vec![slots],
            takers: vec![vec![0]],
            efforts: vec![Arc::from(vec![2_000; 997])],
            helpers: vec![(Name::new("rust").expect("a name"), 0)],
            left_out: (0, Span(0)),
            stuck: 0,
        }
    }

    fn p50(view: &ForecastView) -> i64 {
        forecast(view, 1).p50.0
    }

    #[test]
    fn what_waits_for_each_other_adds_up_and_what_does_not_shares_the_slots() {
        let chain = vec![task(1, &[]), task(2, &[0]), task(3, &[1])];
        assert_eq!(p50(&view(3, chain)), 6 * HOUR);
        let beside: Vec<_> = (1..=3).map(|id| task(id, &[])).collect();
        assert_eq!(p50(&view(3, beside.clone())), 2 * HOUR);
        assert_eq!(p50(&view(1, beside.clone())), 6 * HOUR);
        assert_eq!(p50(&view(2, beside)), 4 * HOUR);
    }

    #[test]
    fn other_work_that_is_more_urgent_comes_first() {
        let mut tasks = vec![task(9, &[]), task(1, &[])];
        tasks[0].role = ForecastRole::Other;
        assert_eq!(p50(&view(1, tasks.clone())), 4 * HOUR);
        tasks.reverse();
        assert_eq!(p50(&view(1, tasks)), 2 * HOUR);
    }

    #[test]
    fn what_has_begun_and_what_is_set_aside_count_as_they_are() {
        let mut tasks = vec![task(1, &[])];
        tasks[0].owner = Some(0);
        tasks[0].percent = 75;
        assert_eq!(p50(&view(1, tasks.clone())), HOUR / 2);
        tasks[0].percent = 0;
        tasks[0].elapsed = Span(HOUR / 2);
        assert_eq!(p50(&view(1, tasks.clone())), 3 * HOUR / 2);
        tasks[0].owner = None;
        tasks[0].elapsed = Span(0);
        tasks[0].aside = Span::hours(5);
        assert_eq!(p50(&view(1, tasks)), 7 * HOUR);
    }

    #[test]
    fn a_task_that_nobody_can_take_is_told_and_does_not_wait_for_ever() {
        let mut view = view(1, vec![task(1, &[]), task(2, &[])]);
        view.takers.push(Vec::new());
        view.tasks[1].takers = 1;
        let found = forecast(&view, 1);
        assert_eq!((found.unstaffed, found.p50), (1, Moment(2 * HOUR)));
    }

    #[test]
    fn one_seed_gives_one_answer_and_the_percentiles_stand_in_order() {
        let tasks: Vec<_> = (1..=40).map(|id| task(id, if id % 3 == 0 { &[0] } else { &[] })).collect();
        let mut view = view(4, tasks);
        view.efforts = vec![Arc::from(vec![500, 900, 1_000, 1_100, 3_000])];
        let one = forecast(&view, 42);
        assert_eq!(one, forecast(&view, 42));
        assert!(one != forecast(&view, 43), "another seed draws other numbers");
        assert!(one.p50 < one.p80 && one.p80 < one.p90, "{one:?}");
    }

    #[test]
    fn the_table_alone_has_its_median_and_its_ninetieth_percentile() {
        let mut view = view(1, vec![task(1, &[])]);
        view.efforts = vec![Arc::from(Vec::new())];
        let found = forecast(&view, 3);
        assert!((900..1_110).contains(&(found.p50.0 * 1_000 / HOUR)), "{found:?}");
        assert!((1_800..2_200).contains(&(found.p90.0 * 1_000 / HOUR)), "{found:?}");
    }

    #[test]
    fn who_is_late_learns_what_one_more_agent_would_save_and_by_which_path() {
        let mut tasks: Vec<_> = (1..=4).map(|id| task(id, &[])).collect();
        tasks[3].estimate = Span::hours(2);
        tasks.push(task(5, &[3]));
        tasks[4].watched = true;
        let mut view = view(1, tasks);
        assert_eq!(forecast(&view, 1).gains, []);
        view.deadline = Some(Moment(HOUR));
        let found = forecast(&view, 1);
        assert_eq!(found.path, [(TaskId(4), Span::hours(2)), (TaskId(5), Span::hours(1))]);
        assert_eq!(found.length, Span::hours(3));
        assert_eq!(found.gains.len(), 1);
        assert!(found.gains[0].1 >= Span::hours(4), "{found:?}");
        assert_eq!(found.watched, [(TaskId(5), found.p50)]);
    }
}
