//! What is let in, and when what is not may come back.
//!
//! A request waits about as long as it takes to answer what is under way before it: so many, divided by how many are answered a
//! second (Little's law), which is measured. Where that is over the bound of its lane it is refused at once, before it is read.
//! Those who are refused are told a time each, evenly spread, so that refusals take a small part of the machine however many
//! they are for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The least time after which somebody who was refused may come back.
pub const RETRY_AFTER: Duration = Duration::from_millis(50);
/// The most.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);
/// The time between two who come back: 4,000 a second, which costs a few hundredths of a core.
const RETURNS: Duration = Duration::from_micros(250);
/// The longest append that more is let in for.
const APPEND_MAX: Duration = Duration::from_millis(50);
/// How often the answers are counted.
const PERIOD: Duration = Duration::from_millis(100);

/// What goes before what where not everything can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// What is lost, or ends a lease, where it comes late: reports, signs of life, work that waits to be fetched. And what ends a
    /// flood.
    Owed,
    /// Everything else that changes something.
    Change,
    /// Looking, and asking for work that there is none of.
    Look,
}

impl Lane {
    /// Returns how long a request may have to wait, where an append takes `append`: an answer waits for one or two of them
    /// however little there is to do, and the more wait for the same one the better.
    fn wait(self, append: Duration) -> Duration {
        let (own, appends) = match self {
            Self::Owed => (100, 8),
            Self::Change => (20, 4),
            Self::Look => (10, 2),
        };
        Duration::from_millis(own) + append * appends
    }

    /// Returns how many may be under way in any case: nothing is known of a server that has had nothing to do.
    const fn least(self) -> usize {
        match self {
            Self::Owed => 1_024,
            Self::Change => 256,
            Self::Look => 128,
        }
    }
}

/// The rule. It reads no clock: every moment is given, counted from when the server began.
#[derive(Debug, Default)]
struct Flow {
    under_way: usize,
    /// Answers since `since`.
    answered: u32,
    since: Duration,
    /// Whether there was more to do than could be done at once since then.
    pressed: bool,
    /// Answers a second.
    rate: f64,
    /// How long an append takes, smoothed.
    append: Duration,
    /// When the last one who was refused comes back.
    returns: Duration,
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
        lane.least().max(served as usize)
    }

    /// Lets one in, or tells it how long to stay away.
    fn admit(&mut self, lane: Lane, at: Duration) -> Result<(), Duration> {
        self.count(at);
        if self.under_way < self.room(lane) {
            return Ok(());
        }
        self.pressed = true;
        Err(self.come_back(at))
    }

    fn come_back(&mut self, at: Duration) -> Duration {
        let turn = (self.returns + RETURNS).clamp(at + RETRY_AFTER, at + RETRY_AFTER_MAX);
        self.returns = turn;
        turn - at
    }

    fn appended(&mut self, took: Duration) {
        self.append = (self.append * 7 + took.min(APPEND_MAX)) / 8;
    }

    fn leave(&mut self, at: Duration) {
        self.under_way -= 1;
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
}

/// One request that is under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Admission>);

impl Admission {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), flow: Mutex::default() })
    }

    /// Lets one in, or tells it how long to stay away.
    pub(crate) fn admit(&self, lane: Lane) -> Result<(), Duration> {
        self.flow().admit(lane, self.began.elapsed())
    }

    /// Returns how long one should stay away that is refused for another reason.
    pub(crate) fn come_back(&self) -> Duration {
        self.flow().come_back(self.began.elapsed())
    }

    /// Notes how long an append took.
    pub(crate) fn appended(&self, took: Duration) {
        self.flow().appended(took);
    }

    /// Counts one from here on.
    pub(crate) fn enter(self: &Arc<Self>) -> UnderWay {
        self.flow().under_way += 1;
        UnderWay(Arc::clone(self))
    }

    #[cfg(test)]
    pub(crate) fn under_way(&self) -> usize {
        self.flow().under_way
    }

    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.flow().leave(self.0.began.elapsed());
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
            // A fast one what it answers within the lane's wait: 400, 800 and 4,000.
            (40_000.0, 399, [true, true, true]),
            (40_000.0, 400, [true, true, false]),
            (40_000.0, 800, [true, false, false]),
            (40_000.0, 3_999, [true, false, false]),
            (40_000.0, 4_000, [false, false, false]),
        ];
        for (rate, under_way, wanted) in table {
            let admitted = [Owed, Change, Look]
                .map(|lane| flow(under_way, rate).admit(lane, Duration::from_millis(1)).is_ok());
            assert_eq!(admitted, wanted, "{rate} a second, {under_way} under way");
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
        // 340, 140 and 70 ms, less a hair of smoothing.
        assert_eq!(rooms(&flow), [3_399, 1_399, 699]);
        for _ in 0..100 {
            flow.appended(Duration::from_secs(9));
        }
        assert_eq!(rooms(&flow), [4_999, 2_199, 1_099], "one that hangs is no reason to let everybody in");
    }

    #[test]
    fn who_is_refused_comes_back_one_after_the_other() {
        let mut flow = flow(10_000, 0.0);
        let mut refused =
            |at: u64| flow.admit(Lane::Look, Duration::from_millis(at)).expect_err("it is full");
        let told: Vec<Duration> = (0..9_500).map(|_| refused(1_000)).collect();
        assert_eq!(told[0], RETRY_AFTER);
        assert!(told.windows(2).all(|pair| pair[1] - pair[0] == RETURNS), "{:?}", &told[..3]);
        assert_eq!(told[9_499], RETRY_AFTER + RETURNS * 9_499, "what 9,500 take at 4,000 a second");
        // Nobody is sent away for longer than the most; and when they all have come back, the least is enough.
        let longest = (0..20_000).map(|_| refused(1_000)).max();
        assert_eq!(longest, Some(RETRY_AFTER_MAX));
        assert_eq!(refused(60_000), RETRY_AFTER);
    }

    #[test]
    fn the_rate_is_what_a_pressed_server_answers() {
        let mut flow = flow(0, 0.0);
        let mut at = Duration::ZERO;
        let mut period = |flow: &mut Flow, answers: u32| {
            for _ in 0..answers {
                flow.under_way += 1;
                flow.leave(at);
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
        let mut under_way: Vec<UnderWay> = (0..Lane::Look.least()).map(|_| admission.enter()).collect();
        assert!(admission.admit(Lane::Look).is_err());
        assert!(admission.admit(Lane::Change).is_ok());
        under_way.pop();
        assert!(admission.admit(Lane::Look).is_ok());
    }
}
