//! What an agent printed, in a file of bounded size: its beginning as it came, and its end.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, Write as _};
use std::path::Path;

/// A longer line of text is cut into pieces, at a blank where there is one.
pub(crate) const LINE_BYTES_MAX: usize = 64 * 1024;
/// A longer message in JSON is.
pub(crate) const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The end of what was printed that reports show.
const TAIL_LINES_MAX: usize = 20;
const TAIL_BYTES_MAX: usize = 2 * 1024;

/// The file, and the end of what went into it.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    room: usize,
    behind_max: usize,
    behind: VecDeque<String>,
    behind_bytes: usize,
    left_out: usize,
    tail: VecDeque<String>,
}

impl Log {
    /// Begins a file of at most `bytes_max` bytes: half for the beginning, half for the end. One that is there goes on.
    pub(crate) fn open(path: &Path, bytes_max: usize) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        let used = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        Ok(Self {
            file,
            room: (bytes_max / 2).saturating_sub(used),
            behind_max: bytes_max / 2,
            behind: VecDeque::new(),
            behind_bytes: 0,
            left_out: 0,
            tail: VecDeque::new(),
        })
    }

    /// Adds a line that people read.
    pub(crate) fn line(&mut self, line: &str) {
        self.tail.push_back(line.to_owned());
        if self.tail.len() > TAIL_LINES_MAX {
            self.tail.pop_front();
        }
        self.message(line);
    }

    /// Adds a message that only programs read: reports do not show it. A disk that is full costs the log, not the run.
    pub(crate) fn message(&mut self, line: &str) {
        let bytes = line.len() + 1;
        if bytes <= self.room {
            self.room -= bytes;
            let _ = writeln!(self.file, "{line}");
            return;
        }
        self.room = 0;
        self.behind_bytes += bytes;
        self.behind.push_back(line.to_owned());
        while self.behind_bytes > self.behind_max {
            let Some(first) = self.behind.pop_front() else { break };
            self.behind_bytes -= first.len() + 1;
            self.left_out += first.len() + 1;
        }
    }

    /// Writes the end into the file.
    pub(crate) fn close(&mut self) {
        if self.left_out > 0 {
            let _ = writeln!(self.file, "[{} bytes left out]", self.left_out);
        }
        for line in self.behind.drain(..) {
            let _ = writeln!(self.file, "{line}");
        }
    }

    /// Returns the last lines that people read.
    pub(crate) fn tail(&self) -> String {
        let mut bytes = 0;
        let fits = self.tail.iter().rev().take_while(|line| {
            bytes += line.len() + 1;
            bytes <= TAIL_BYTES_MAX
        });
        let mut lines: Vec<&str> = fits.map(String::as_str).collect();
        lines.reverse();
        lines.join("\n")
    }
}

/// Reads lines up to the end, each at most `most` bytes.
pub(crate) fn each_line(mut reader: impl BufRead, most: usize, mut take: impl FnMut(&str)) {
    let mut line = Vec::new();
    loop {
        let (used, ended) = match reader.fill_buf() {
            Ok([]) => break,
            Ok(bytes) => match bytes.iter().position(|byte| *byte == b'\n') {
                Some(at) => {
                    line.extend_from_slice(&bytes[..at]);
                    (at + 1, true)
                }
                None => {
                    line.extend_from_slice(bytes);
                    (bytes.len(), false)
                }
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        reader.consume(used);
        while line.len() > most {
            let piece = &line[..most];
            let blank =
                piece.iter().rposition(|byte| b" \t\",".contains(byte)).map_or(piece.len(), |at| at + 1);
            let rest = line.split_off(blank);
            take(&String::from_utf8_lossy(&line));
            line = rest;
        }
        if ended {
            let text = String::from_utf8_lossy(&line);
            take(text.strip_suffix('\r').unwrap_or(&text));
            line.clear();
        }
    }
    if !line.is_empty() {
        take(&String::from_utf8_lossy(&line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("output.log");
        let mut log = Log::open(&path, 40).expect("a log");
        for number in 0..100 {
            log.line(&format!("line {number}"));
        }
        log.close();
        let kept = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(kept, "line 0\nline 1\n[760 bytes left out]\nline 98\nline 99\n");
        assert!(log.tail().starts_with("line 80\n") && log.tail().ends_with("line 99"), "{}", log.tail());
    }

    #[test]
    fn long_lines_come_in_pieces() {
        let text = format!("{} {}\r\nnext\nrest", "a".repeat(LINE_BYTES_MAX - 10), "b".repeat(100));
        let mut pieces = Vec::new();
        each_line(text.as_bytes(), LINE_BYTES_MAX, |piece| pieces.push(piece.to_owned()));
        let sizes: Vec<_> = pieces.iter().map(String::len).collect();
        assert_eq!(sizes, [LINE_BYTES_MAX - 9, 100, 4, 4]);
        assert_eq!(pieces[2], "next");
    }
}
