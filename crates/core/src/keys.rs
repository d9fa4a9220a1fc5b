//! Idempotency keys: the same key again gives the same answer and changes nothing, however late it comes.
//!
//! What is remembered has bounds, in time and in number. So every key says when it was made, and a key that may be one of those
//! forgotten is refused: a copy of a request that was held up for days is not executed a second time.

use std::collections::VecDeque;
use std::sync::Arc;

use kapell_model::{CommandId, Moment, limits};
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine::Reply;
use crate::map::Map;
use crate::mutation::mutated;
use crate::rejection::Rejection;

/// Keys that lie together.
const SEGMENT: usize = 1_024;

/// What is remembered of a keyed command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Keyed {
    pub(crate) command: CommandId,
    pub(crate) at: Moment,
    pub(crate) fingerprint: u64,
    pub(crate) reply: Reply,
}

/// The keyed commands of the last day, at most a million, oldest first. A clone shares all full segments: what is
/// remembered never changes, it is only forgotten from the front.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyLog {
    segments: VecDeque<Arc<Vec<Keyed>>>,
    /// Of the first segment: how many are forgotten already.
    forgotten: usize,
    len: usize,
}

impl KeyLog {
    fn iter(&self) -> impl Iterator<Item = &Keyed> {
        self.segments.iter().flat_map(|segment| segment.iter()).skip(self.forgotten)
    }

    fn first(&self) -> Option<&Keyed> {
        self.segments.front()?.get(self.forgotten)
    }

    fn push(&mut self, keyed: Keyed) {
        if self.segments.back().is_none_or(|segment| segment.len() == SEGMENT) {
            self.segments.push_back(Arc::new(Vec::with_capacity(SEGMENT)));
        }
        if let Some(last) = self.segments.back_mut() {
            Arc::make_mut(last).push(keyed);
            self.len += 1;
        }
    }

    fn forget_first(&mut self) {
        self.forgotten += 1;
        self.len -= 1;
        if self.forgotten == SEGMENT {
            self.segments.pop_front();
            self.forgotten = 0;
        }
    }
}

impl Serialize for KeyLog {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.len))?;
        for keyed in self.iter() {
            sequence.serialize_element(keyed)?;
        }
        sequence.end()
    }
}

impl<'de> Deserialize<'de> for KeyLog {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut log = Self::default();
        Vec::deserialize(deserializer)?.into_iter().for_each(|keyed| log.push(keyed));
        Ok(log)
    }
}

/// The remembered keys, by command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    log: KeyLog,
    /// Counted from the first key that was ever remembered.
    places: Map<CommandId, u64>,
    /// The count of the first key of the first segment.
    first: u64,
    /// When the last of those that are forgotten was used.
    forgotten: Option<Moment>,
}

impl Keys {
    pub(crate) fn get(&self, command: CommandId) -> Option<&Keyed> {
        let place = usize::try_from(*self.places.get(&command)? - self.first).ok()?;
        self.log.segments.get(place / SEGMENT)?.get(place % SEGMENT)
    }

    /// Refuses a key that may be one of those forgotten. A key was made at most [`limits::KEY_SKEW_MAX`] after it was first
    /// used, by the clock here, so what was made later than that after the last one forgotten is none of them.
    pub(crate) fn in_time(&self, command: CommandId, now: Moment) -> Result<(), Rejection> {
        let made = command.made_at();
        let after = self.forgotten.map_or(Moment(-1), |at| at.after(limits::KEY_SKEW_MAX));
        let until = now.after(limits::KEY_SKEW_MAX);
        if made > after && made <= until {
            return Ok(());
        }
        Err(Rejection::KeyOutOfTime { made: made.0, after: after.0, until: until.0 })
    }

    pub(crate) fn remember(&mut self, keyed: Keyed) {
        if mutated!(KeyForgotten) && keyed.command.0.is_multiple_of(8) {
            return;
        }
        let oldest = keyed.at.before(limits::KEY_AGE_MAX);
        self.places.insert(keyed.command, self.first + (self.log.forgotten + self.log.len) as u64);
        self.log.push(keyed);
        while let Some(first) = self.log.first() {
            if first.at >= oldest && self.log.len <= limits::KEYS_MAX {
                break;
            }
            self.places.remove(&first.command);
            self.forgotten = self.forgotten.max(Some(first.at));
            self.log.forget_first();
            if self.log.forgotten == 0 {
                self.first += SEGMENT as u64;
            }
        }
    }

    /// Returns what is remembered, for a snapshot.
    pub(crate) fn log(&self) -> &KeyLog {
        &self.log
    }

    /// Returns when the last of those that are forgotten was used.
    pub(crate) fn forgotten(&self) -> Option<Moment> {
        self.forgotten
    }

    /// Takes what a snapshot holds.
    pub(crate) fn restore(log: KeyLog, forgotten: Option<Moment>) -> Self {
        let mut places = Map::default();
        for (keyed, place) in log.iter().zip(log.forgotten as u64..) {
            places.insert(keyed.command, place);
        }
        Self { log, places, first: 0, forgotten }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(number: usize, at: i64) -> Keyed {
        let command = CommandId(number as u128);
        Keyed { command, at: Moment(at), fingerprint: number as u64, reply: Reply::default() }
    }

    #[test]
    fn what_is_older_than_a_day_is_forgotten_and_the_rest_is_found() {
        let (mut keys, count, window) = (Keys::default(), 5 * SEGMENT + 9, 2 * SEGMENT + 3);
        // One key in each `window`th part of a day.
        let step = limits::KEY_AGE_MAX.0 / window as i64;
        for number in 0..count {
            keys.remember(keyed(number, number as i64 * step));
            let known = |number: usize| keys.get(CommandId(number as u128)).map(|keyed| keyed.fingerprint);
            assert_eq!(known(number), Some(number as u64));
            let oldest = number.saturating_sub(limits::KEY_AGE_MAX.0 as usize / step as usize);
            assert_eq!(known(oldest), Some(oldest as u64), "{number}");
            assert!(oldest == 0 || known(oldest - 1).is_none(), "{number}");
        }
        let bytes = rmp_serde::to_vec(keys.log()).expect("it can be written");
        let log = rmp_serde::from_slice::<KeyLog>(&bytes).expect("it can be read");
        let back = Keys::restore(log, keys.forgotten());
        for number in 0..count {
            let command = CommandId(number as u128);
            assert_eq!(back.get(command), keys.get(command), "{number}");
        }
    }

    #[test]
    fn a_key_that_may_have_been_forgotten_is_refused() {
        let (day, skew) = (limits::KEY_AGE_MAX.0, limits::KEY_SKEW_MAX.0);
        let made = |at: i64| CommandId((at.unsigned_abs() as u128) << 80 | 7);
        let first = day;
        let mut keys = Keys::default();
        assert_eq!(keys.in_time(made(0), Moment(first)), Ok(()), "nothing is forgotten yet");
        assert!(keys.in_time(made(first + skew + 1), Moment(first)).is_err(), "it comes from the future");
        // Its maker's clock is ahead by all that is allowed.
        keys.remember(Keyed { command: made(first + skew), ..keyed(0, first) });
        let later = first + day + 1;
        keys.remember(Keyed { command: made(later), ..keyed(1, later) });
        assert!(keys.get(made(first + skew)).is_none(), "it is forgotten");
        assert!(keys.in_time(made(first + skew), Moment(later)).is_err(), "and not executed again");
        assert_eq!(keys.in_time(made(first + skew + 1), Moment(later)), Ok(()), "none of those forgotten");
    }
}
