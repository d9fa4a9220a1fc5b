//! What of an agent's rank depends on the agent alone, in one word, so that ranking a thousand of them for a
//! class is one addition and one comparison each.

use crate::id::Position;

/// Bits of the idle time.
const IDLE_BITS: u32 = 35;
/// Bits of the load.
const ACTIVE_BITS: u32 = 8;
const SCORE_SHIFT: u32 = IDLE_BITS + ACTIVE_BITS;
const IDLE_MAX: u64 = (1 << IDLE_BITS) - 1;
const ACTIVE_MAX: u32 = (1 << ACTIVE_BITS) - 1;

/// The standing of an agent: its weighted workload part, then fewer tasks, then longer idle; larger is better.
///
/// ```text
/// bit  63        62 .. 43          42 .. 35         34 .. 0
///      excluded  score, millionths 255 - active     2^35 - 1 - idle since
/// ```
///
/// Adding the other parts of a score ([`Standing::with`]) gives the rank of a candidate. What is too large for
/// its field counts as the largest, and below a full load field the idle time counts for nothing: of two
/// different ranks the larger is the better candidate, and equal ones are to be compared in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing(i64);

impl Standing {
    /// A part of a score, in millionths, which says that the agent is no candidate: it makes every rank negative.
    pub const EXCLUDED: u32 = 1 << 20;

    /// Returns the standing of an agent with `workload` as its weighted workload part, in millionths.
    #[must_use]
    pub fn of(workload: u32, active: u32, idle_since: Position) -> Self {
        let fewer = ACTIVE_MAX.saturating_sub(active);
        let longer = if fewer == 0 { 0 } else { IDLE_MAX.saturating_sub(idle_since.0) };
        let tie = (u64::from(fewer) << IDLE_BITS) | longer;
        Self((i64::from(workload) << SCORE_SHIFT) | tie.cast_signed())
    }

    /// Returns the rank of the agent where the other three parts of its score add up to `others` millionths, or
    /// to at least [`Standing::EXCLUDED`].
    #[inline]
    #[must_use]
    pub const fn with(self, others: u32) -> i64 {
        self.0.wrapping_add((others as i64) << SCORE_SHIFT)
    }

    /// Returns the total score, in millionths, of a `rank` that is not negative.
    #[inline]
    #[must_use]
    pub const fn total(rank: i64) -> u32 {
        (rank >> SCORE_SHIFT) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn score_goes_before_load_and_load_before_idle_time() {
        let better = [
            (Standing::of(300_001, 9, Position(9)), Standing::of(300_000, 0, Position(0))),
            (Standing::of(300_000, 1, Position(9)), Standing::of(300_000, 2, Position(0))),
            (Standing::of(300_000, 1, Position(1)), Standing::of(300_000, 1, Position(2))),
        ];
        for (left, right) in better {
            assert!(left > right);
            assert!(left.with(490_000) > right.with(490_000));
        }
    }

    #[test]
    fn what_does_not_fit_is_equal_and_never_reversed() {
        let far = Position(1 << 40);
        assert_eq!(Standing::of(0, 255, Position(1)), Standing::of(0, 1_000, Position(2)));
        assert_eq!(Standing::of(0, 3, far), Standing::of(0, 3, Position(far.0 + 1)));
        assert!(Standing::of(0, 254, far) >= Standing::of(0, 255, Position(0)));
    }

    #[test]
    fn the_excluded_rank_below_every_candidate() {
        let best = Standing::of(1_000_000, 0, Position(0));
        assert!(best.with(Standing::EXCLUDED) < 0);
        assert_eq!(Standing::total(best.with(0)), 1_000_000);
        assert_eq!(Standing::total(Standing::of(0, 7, Position(7)).with(0)), 0);
    }
}
