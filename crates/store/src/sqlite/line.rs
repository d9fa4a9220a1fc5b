//! Who writes next: the writing handles of one storage, in the order in which they came.
//!
//! Left to themselves they would ask SQLite again and again until they met the file free, which may take for ever where
//! appends leave no more than a moment between them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Shared by the writing handles of one storage.
#[derive(Debug, Default)]
pub(super) struct Line {
    numbers: Mutex<Numbers>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Numbers {
    /// What who comes next gets.
    next: u64,
    /// Whose turn it is.
    turn: u64,
}

/// A handle's turn to write, until it is dropped.
pub(super) struct Turn<'a>(&'a Line);

impl Line {
    /// Waits until all who came before have written.
    pub(super) fn turn(&self) -> Turn<'_> {
        let mut numbers = self.numbers();
        let own = numbers.next;
        numbers.next += 1;
        while numbers.turn != own {
            numbers = self.moved.wait(numbers).unwrap_or_else(PoisonError::into_inner);
        }
        Turn(self)
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.numbers().turn += 1;
        self.0.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn whoever_comes_again_at_once_stands_behind_those_who_wait() {
        let line = Arc::new(Line::default());
        let written = Arc::new(Mutex::new(Vec::new()));
        let first = line.turn();
        let mut waiting = Vec::new();
        for number in 1..=3 {
            let (beside, written) = (line.clone(), written.clone());
            waiting.push(thread::spawn(move || {
                let _turn = beside.turn();
                written.lock().unwrap().push(number);
            }));
            while line.numbers().next <= number {
                thread::yield_now();
            }
        }
        assert_eq!(*written.lock().unwrap(), [0; 0], "nobody passes");
        drop(first);
        let _again = line.turn();
        assert_eq!(*written.lock().unwrap(), [1, 2, 3]);
        waiting.into_iter().for_each(|thread| thread.join().unwrap());
    }

    #[test]
    fn a_turn_ends_where_its_thread_fails() {
        let line = Arc::new(Line::default());
        let beside = line.clone();
        let failed = thread::spawn(move || {
            let _turn = beside.turn();
            panic!("on purpose");
        });
        assert!(failed.join().is_err());
        drop(line.turn());
    }
}
