//! What is let in, and when what is not may come back.
//!
//! A request waits about as long as it takes to answer what is under way before it: so many, divided by how many are answered a
//! second (Little's law), which is measured. Where that is over the bound of its lane it is refused at once, before it is read.
//! More is not let in than keeps the machine busy: thousands of connections that take part in turn are each out of the
//! processor's caches, and cost more than their requests. Those who are refused are told a time each, evenly spread, so that
//! refusals take a small part of the machine however many they are for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::fleet::QUEUE_MAX;

/// The least time after which somebody who was refused may come back.
pub const RETRY_AFTER: Duration = Duration::from_millis(50);
/// The most.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);
/// The most for what must not come late: a fraction of any lease.
const OWED_AFTER_MAX: Duration = Duration::from_millis(500);
/// Of those who are refused so many come back a second, as a part of the answers.
const RETURNS: f64 = 0.03;
/// The time between two who come back: at least, and at most.
const RETURN: (Duration, Duration) = (Duration::from_micros(250), Duration::from_millis(20));
/// The longest append that more is let in for.
const APPEND_MAX: Duration = Duration::from_millis(50);
/// The longest append for which more is let in, and silence is judged: far more than a disk takes that works.
const STUCK: Duration = Duration::from_secs(5);
/// How long those stay away who come while an append hangs.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(1);
/// No append is under way.
const NONE: u64 = u64::MAX;
/// Which part of their own room those who look have for themselves.
const LOOKING: usize = 8;
/// How often the answers are counted.
const PERIOD: Duration = Duration::from_millis(100);

/// What goes before what where not everything can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// What ends a flood: always let in, while there is room in the queue.
    Control,
    /// What is lost, or ends a lease, where it comes late: reports, signs of life, work that waits to be fetched.
    Owed,
    /// Everything else that changes something.
    Change,
    /// Looking, and asking for work that there is none of.
    Look,
}

impl Lane {
    /// Returns how long a request may have to wait, where an append takes `append`: what changes something waits for one and a half
    /// of them however little there is to do. What waits longer makes the next one longer.
    fn wait(self, append: Duration) -> Duration {
        let (own, appends) = match self {
            Self::Control | Self::Owed => (100, 8),
            Self::Change => (5, 2),
            Self::Look => (5, 1),
        };
        Duration::from_millis(own) + append * appends
    }

    /// Returns how many may be under way in any case: nothing is known of a server that has had nothing to do.
    const fn least(self) -> usize {
        match self {
            Self::Control => QUEUE_MAX,
            Self::Owed => 1_024,
            Self::Change => 256,
            Self::Look => 128,
        }
    }

    /// Returns how many may be under way at most, so that what goes before finds room in the queue.
    const fn most(self) -> usize {
        match self {
            Self::Control => QUEUE_MAX,
            Self::Owed => QUEUE_MAX / 8 * 7,
            Self::Change => QUEUE_MAX / 2,
            Self::Look => QUEUE_MAX / 4,
        }
    }

    /// Returns for how long those who are refused are sent away at most.
    const fn longest(self) -> Duration {
        match self {
            Self::Control | Self::Owed => OWED_AFTER_MAX,
            Self::Change | Self::Look => RETRY_AFTER_MAX,
        }
    }
}

/// The rule. It reads no clock: every moment is given, counted from when the server began.
#[derive(Debug, Default)]
struct Flow {
    under_way: usize,
    /// Of those: how many only look.
    looking: usize,
    /// Answers since `since`.
    answered: u32,
    since: Duration,
    /// Whether there was more to do than could be done at once since then.
    pressed: bool,
    /// Answers a second.
    rate: f64,
    /// How long an append takes, smoothed.
    append: Duration,
    /// When the last one who was refused comes back, by lane.
    returns: [Duration; 4],
}

impl Flow {
    /// Returns how many may be under way before one more of `lane`.
    fn room(&self, lane: Lane) -> usize {
        let served = self.rate * lane.wait(self.append).as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count, never negative"
        )]
        (served as usize).clamp(lane.least(), lane.most())
    }

    /// Tells whether one more of `lane` is let in. However much goes before it, a few may always look: a board that is blind in
    /// a flood is of no use.
    fn has_room(&self, lane: Lane) -> bool {
        let room = self.room(lane);
        self.under_way < room || (lane == Lane::Look && self.looking < room / LOOKING)
    }

    /// Lets one in, or tells it how long to stay away.
    fn admit(&mut self, lane: Lane, at: Duration) -> Result<(), Duration> {
        self.count(at);
        if self.has_room(lane) {
            return Ok(());
        }
        self.pressed = true;
        Err(self.come_back(lane, at))
    }

    fn come_back(&mut self, lane: Lane, at: Duration) -> Duration {
        let each = Duration::try_from_secs_f64(1.0 / (self.rate * RETURNS)).unwrap_or(RETURN.1);
        let returns = &mut self.returns[lane as usize];
        let turn = (*returns + each.clamp(RETURN.0, RETURN.1)).clamp(at + RETRY_AFTER, at + lane.longest());
        *returns = turn;
        turn - at
    }

    fn appended(&mut self, took: Duration) {
        self.append = (self.append * 7 + took.min(APPEND_MAX)) / 8;
    }

    fn leave(&mut self, looks: bool, at: Duration) {
        self.under_way -= 1;
        self.looking -= usize::from(looks);
        self.answered += 1;
        self.count(at);
    }

    /// Looks at the rate where a period is over. Where there was less to do than could be done, it can only be higher.
    fn count(&mut self, at: Duration) {
        let passed = at.saturating_sub(self.since);
        if passed < PERIOD {
            return;
        }
        let measured = f64::from(self.answered) / passed.as_secs_f64();
        let pressed = self.pressed || self.under_way >= Lane::Look.least();
        self.rate = if pressed { f64::midpoint(self.rate, measured) } else { self.rate.max(measured) };
        (self.answered, self.since, self.pressed) = (0, at, false);
    }
}

/// What is under way in one fleet.
#[derive(Debug)]
pub(crate) struct Admission {
    began: Instant,
    flow: Mutex<Flow>,
    /// When the append under way began, in microseconds since `began`; [`NONE`] where there is none.
    append: AtomicU64,
}

/// One request that is under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay {
    admission: Arc<Admission>,
    looks: bool,
}

impl Admission {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), flow: Mutex::default(), append: AtomicU64::new(NONE) })
    }

    /// Lets one in, or tells it how long to stay away.
    pub(crate) fn admit(&self, lane: Lane) -> Result<(), Duration> {
        self.flow().admit(lane, self.began.elapsed())
    }

    /// Returns how long somebody should stay away who asks for work more often than at once can be answered.
    pub(crate) fn come_back(&self) -> Duration {
        self.flow().come_back(Lane::Look, self.began.elapsed())
    }

    /// Notes that an append begins.
    pub(crate) fn append_begins(&self) {
        self.append.store(micros(self.began.elapsed()), Ordering::Release);
    }

    /// Notes that it has ended, well or not.
    pub(crate) fn append_ended(&self) {
        let now = self.began.elapsed();
        let began = self.append.swap(NONE, Ordering::AcqRel);
        self.flow().appended(now.saturating_sub(Duration::from_micros(began)));
    }

    /// Returns how long the append under way has taken, where that is so long that something is wrong: the disk hangs, or another
    /// program holds the file. Whoever is let in then waits for as long.
    pub(crate) fn stuck(&self) -> Option<Duration> {
        let began = self.append.load(Ordering::Acquire);
        let taken = self.began.elapsed().checked_sub(Duration::from_micros(began))?;
        (began != NONE && taken > STUCK).then_some(taken)
    }

    /// Counts one from here on that changes something.
    pub(crate) fn enter(self: &Arc<Self>) -> UnderWay {
        self.count(false)
    }

    /// Counts one from here on that only looks.
    pub(crate) fn enter_to_look(self: &Arc<Self>) -> UnderWay {
        self.count(true)
    }

    fn count(self: &Arc<Self>, looks: bool) -> UnderWay {
        let mut flow = self.flow();
        flow.under_way += 1;
        flow.looking += usize::from(looks);
        UnderWay { admission: Arc::clone(self), looks }
    }

    #[cfg(test)]
    pub(crate) fn under_way(&self) -> usize {
        self.flow().under_way
    }

    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(NONE - 1)
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.admission.flow().leave(self.looks, self.admission.began.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that has `under_way` requests and answered `rate` a second when it was last pressed.
    fn flow(under_way: usize, rate: f64) -> Flow {
        Flow { under_way, rate, ..Flow::default() }
    }

    #[test]
    fn each_lane_is_let_in_up_to_its_wait() {
        use Lane::{Change, Look, Owed};
        // Answers a second, requests under way, and whether one more of each lane is let in.
        let table = [
            // A server that knows nothing of itself lets some in.
            (0.0, 0, [true, true, true]),
            (0.0, 127, [true, true, true]),
            (0.0, 128, [true, true, false]),
            (0.0, 256, [true, false, false]),
            (0.0, 1_024, [false, false, false]),
            // A slow one as many, however long that takes.
            (1_000.0, 127, [true, true, true]),
            // A fast one what it answers within the lane's wait: 500, 500 and 7,168, the most.
            (100_000.0, 499, [true, true, true]),
            (100_000.0, 500, [true, false, false]),
            (100_000.0, 7_167, [true, false, false]),
            (100_000.0, 7_168, [false, false, false]),
        ];
        for (rate, under_way, wanted) in table {
            let mut flow = Flow { looking: 128, ..flow(under_way, rate) };
            let admitted =
                [Owed, Change, Look].map(|lane| flow.admit(lane, Duration::from_millis(1)).is_ok());
            assert_eq!(admitted, wanted, "{rate} a second, {under_way} under way");
            assert!(flow.admit(Lane::Control, Duration::from_millis(1)).is_ok());
        }
    }

    #[test]
    fn a_slow_disk_lets_more_wait_for_the_same_append() {
        let mut flow = flow(0, 10_000.0);
        let rooms = |flow: &Flow| [Lane::Owed, Lane::Change, Lane::Look].map(|lane| flow.room(lane));
        assert_eq!(rooms(&flow), [1_024, 256, 128]);
        for _ in 0..100 {
            flow.appended(Duration::from_millis(30));
        }
        // 340, 65 and 35 ms, less a hair of smoothing.
        assert_eq!(rooms(&flow), [3_399, 649, 349]);
        for _ in 0..100 {
            flow.appended(Duration::from_secs(9));
        }
        assert_eq!(rooms(&flow), [4_999, 1_049, 549], "one that hangs is no reason to let everybody in");
    }

    #[test]
    fn a_few_may_look_however_much_goes_before() {
        let admission = Admission::new();
        let _flood: Vec<UnderWay> = (0..5_000).map(|_| admission.enter()).collect();
        let mut looking = Vec::new();
        while admission.admit(Lane::Look).is_ok() {
            looking.push(admission.enter_to_look());
        }
        assert_eq!(looking.len(), Lane::Look.least() / LOOKING);
        looking.pop();
        assert!(admission.admit(Lane::Look).is_ok());
        assert!(admission.admit(Lane::Change).is_err());
    }

    #[test]
    fn who_is_refused_comes_back_one_after_the_other() {
        // 1,200 of 40,000 come back a second.
        let begins = Duration::from_secs(1);
        let mut flow = Flow { looking: 2_000, since: begins, ..flow(10_000, 40_000.0) };
        let mut refused =
            |lane, at: u64| flow.admit(lane, Duration::from_millis(at)).expect_err("it is full");
        let told: Vec<Duration> = (0..5_000).map(|_| refused(Lane::Look, 1_000)).collect();
        assert_eq!(told[0], RETRY_AFTER);
        let each = |pair: &[Duration]| (pair[1] - pair[0]).as_micros();
        assert!(told.windows(2).all(|pair| each(pair) == 833), "{:?}", &told[..3]);
        // Nobody is sent away for longer than the most; and when they all have come back, the least is enough.
        let longest = (0..5_000).map(|_| refused(Lane::Look, 1_000)).max();
        assert_eq!(longest, Some(RETRY_AFTER_MAX));
        assert_eq!(refused(Lane::Look, 60_000), RETRY_AFTER);
        // Those who look make no report late, and it is never long away.
        let told: Vec<Duration> = (0..5_000).map(|_| refused(Lane::Owed, 1_000)).collect();
        assert_eq!((told[0], told[4_999]), (RETRY_AFTER, OWED_AFTER_MAX));
    }

    #[test]
    fn a_server_that_knows_nothing_of_itself_says_when_to_come_back_too() {
        let mut flow = flow(10_000, 0.0);
        let mut refused = || flow.admit(Lane::Change, Duration::ZERO).expect_err("it is full");
        assert_eq!([refused(), refused()], [RETRY_AFTER, RETRY_AFTER + RETURN.1]);
    }

    #[test]
    fn the_rate_is_what_a_pressed_server_answers() {
        let mut flow = flow(0, 0.0);
        let mut at = Duration::ZERO;
        let mut period = |flow: &mut Flow, answers: u32| {
            for _ in 0..answers {
                flow.under_way += 1;
                flow.leave(false, at);
            }
            at += PERIOD;
            flow.count(at);
        };
        period(&mut flow, 2_000);
        assert!((flow.rate - 20_000.0).abs() < 1.0);
        // With less to do nothing is learnt of what it could do.
        period(&mut flow, 3);
        assert!((flow.rate - 20_000.0).abs() < 1.0);
        // One that is pressed and slow is believed within a few periods, from below as from above.
        flow.under_way = 5_000;
        for _ in 0..8 {
            period(&mut flow, 100);
        }
        assert!((1_000.0..1_100.0).contains(&flow.rate), "{}", flow.rate);
        assert_eq!(flow.room(Lane::Look), Lane::Look.least());
        for _ in 0..8 {
            period(&mut flow, 4_000);
        }
        assert!((39_000.0..=40_000.0).contains(&flow.rate), "{}", flow.rate);
    }

    #[test]
    fn what_has_left_makes_room() {
        let admission = Admission::new();
        let mut under_way: Vec<UnderWay> =
            (0..Lane::Look.least()).map(|_| admission.enter_to_look()).collect();
        assert!(admission.admit(Lane::Look).is_err());
        assert!(admission.admit(Lane::Change).is_ok());
        under_way.pop();
        assert!(admission.admit(Lane::Look).is_ok());
    }
}
