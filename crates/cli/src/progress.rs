//! How far long work is: a line on standard error, only where that is a terminal, and never with `--json`.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Format;

/// How often the line moves while nothing else does.
const TICK: Duration = Duration::from_millis(100);
/// How often a line is drawn anew at most, a second.
const DRAWN_A_SECOND: u8 = 10;

const BAR: &str = "{msg} {wide_bar} {human_pos}/{human_len} {eta}";
const SPINNER: &str = "{spinner} {msg} {elapsed}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a template of ours")
}

/// Returns a bar that runs to `total`, and goes when it is dropped; a spinner where the total is not known.
pub fn bar(format: Format, what: &'static str, total: Option<u64>) -> Progress {
    Progress(on(target(format), what, total))
}

/// Nothing is shown to a program; a terminal is looked for by the target itself.
fn target(format: Format) -> ProgressDrawTarget {
    match format {
        Format::Human => ProgressDrawTarget::stderr_with_hz(DRAWN_A_SECOND),
        Format::Json => ProgressDrawTarget::hidden(),
    }
}

fn on(target: ProgressDrawTarget, what: &'static str, total: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, target).with_message(what);
    bar.set_style(style(if total.is_some() { BAR } else { SPINNER }));
    if !bar.is_hidden() {
        bar.enable_steady_tick(TICK);
    }
    bar
}

/// A line that tells how far something is.
pub struct Progress(ProgressBar);

impl Progress {
    /// Tells that so much more is done.
    pub fn more(&self, count: usize) {
        self.0.inc(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Tells how much is done, of how much; what was a spinner until now becomes a bar.
    pub fn at(&self, position: u64, total: u64) {
        if self.0.length() != Some(total) {
            self.0.set_length(total);
            self.0.set_style(style(BAR));
        }
        self.0.set_position(position);
    }
}

impl Drop for Progress {
    /// Takes the line away, so that nothing is left between what is printed.
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex, PoisonError};

    use indicatif::TermLike;

    use super::*;

    /// A terminal of one line that remembers all that ever stood there, and what stands there now.
    #[derive(Debug, Clone, Default)]
    struct Line(Arc<Mutex<(String, String)>>);

    impl Line {
        fn change(&self, change: impl FnOnce(&mut (String, String))) -> io::Result<()> {
            change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
            Ok(())
        }

        fn read(&self) -> (String, String) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    impl TermLike for Line {
        fn width(&self) -> u16 {
            60
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.change(|(ever, now)| {
                ever.push_str(text);
                now.push_str(text);
            })
        }

        fn clear_line(&self) -> io::Result<()> {
            self.change(|(_, now)| now.clear())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_program_sees_nothing() {
        assert!(bar(Format::Json, "importing", Some(3)).0.is_hidden());
    }

    #[test]
    fn a_terminal_sees_how_far_it_is_and_nothing_in_the_end() {
        let terminal = Line::default();
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let progress = Progress(on(target, "checking", None));
        progress.at(1_500, 3_000);
        progress.0.force_draw();
        let (ever, _) = terminal.read();
        assert!(ever.contains("checking") && ever.contains("1,500/3,000"), "{ever:?}");
        drop(progress);
        let (_, now) = terminal.read();
        assert_eq!(now.trim(), "", "nothing is left between what is printed");
    }
}
