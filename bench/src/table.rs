//! The table of figures, and the page it is written as.

use std::fmt::Write as _;

/// A figure with what it is compared to.
#[derive(Debug, Clone)]
struct Row {
    what: String,
    figure: String,
    wanted: String,
    note: String,
}

/// Every figure of one run.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// Adds a figure; `wanted` may be empty where nothing is asked of it.
    pub fn add(&mut self, what: &str, figure: String, wanted: &str, note: &str) {
        eprintln!("  {what}: {figure}");
        let (what, wanted, note) = (what.to_owned(), wanted.to_owned(), note.to_owned());
        self.rows.push(Row { what, figure, wanted, note });
    }

    /// Returns the page as Markdown.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = String::from(
            "# Benchmarks\n\nWritten by `cargo xtask bench`. Figures are medians of several runs of one session on one \
             machine; its own limits stand in the same table. They vary from machine to machine, the ratios less.\n\n\
             Routing: Kapell's score knows no price. Where one counts, \"cheapest first, failures to the best\" solves more of \
             the same tasks at less cost.\n\n\
             | what | measured | asked | on what |\n| --- | --- | --- | --- |\n",
        );
        for Row { what, figure, wanted, note } in &self.rows {
            let _ = writeln!(page, "| {what} | {figure} | {wanted} | {note} |");
        }
        page
    }
}

/// Puts the page to standard output.
pub fn print(page: &str) {
    use std::io::Write as _;
    let _ = std::io::stdout().write_all(page.as_bytes());
}

/// Returns the median of `figures`.
///
/// # Panics
/// Where there are none.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Writes a count per second with a thousands separator.
#[must_use]
pub fn per_second(count: f64) -> String {
    format!("{}/s", thousands(count))
}

/// Writes a number with a thousands separator.
#[must_use]
pub fn thousands(count: f64) -> String {
    let digits = format!("{count:.0}");
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}
