//! When silence may be judged: whoever called before a moment must have been heard first, however long the queue is.

use kapell_model::Moment;

/// A moment as of which silence is to be judged, and the messages that had come by then and are not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Hearing(Option<(Moment, usize)>);

impl Hearing {
    /// Asks for a judgement as of `at`, with `waiting` messages in the queue. One that is asked for already goes before.
    pub(crate) fn ask(&mut self, at: Moment, waiting: usize) {
        self.0.get_or_insert((at, waiting));
    }

    /// Notes that a message was taken.
    pub(crate) fn taken(&mut self) {
        if let Some((_, waiting)) = &mut self.0 {
            *waiting = waiting.saturating_sub(1);
        }
    }

    /// Returns the moment as of which silence is to be judged now, once.
    pub(crate) fn complete(&mut self) -> Option<Moment> {
        let (at, _) = self.0.take_if(|(_, waiting)| *waiting == 0)?;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_judged_when_all_that_had_come_by_then_was_heard() {
        let mut hearing = Hearing::default();
        assert_eq!(hearing.complete(), None);
        hearing.ask(Moment(5), 0);
        assert_eq!((hearing.complete(), hearing.complete()), (Some(Moment(5)), None));
        hearing.ask(Moment(9), 2);
        hearing.taken();
        hearing.ask(Moment(20), 50);
        assert_eq!(hearing.complete(), None, "a call that came before is still in the queue");
        hearing.taken();
        assert_eq!(hearing.complete(), Some(Moment(9)), "a queue that never ends does not put it off");
    }
}
