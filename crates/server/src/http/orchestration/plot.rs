//! Plots as inline SVG: no script, nothing from outside, and colours from the page. What they show is given as a table beside them
//! by whoever draws them.

use std::fmt::Write as _;

use super::html::text;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;
/// Lines across that a plot has at most, and marks of time below it.
const ACROSS_MAX: f64 = 4.0;
const MARKS_MAX: i64 = 8;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Distances of marks of time.
const STEPS: [i64; 17] = [
    SECOND,
    5 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    8 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    30 * DAY,
];

/// What is measured upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Of one.
    Share,
    /// Whole things.
    Count,
    /// Milliseconds.
    Span,
}

/// A row of values, each from its moment on until the next one; nothing where there was none.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    /// Its class in the style of the page.
    pub(super) class: &'a str,
    pub(super) values: Vec<Option<f64>>,
}

/// What a plot shows.
pub(super) struct Plot<'a> {
    /// What stands in words for the picture where that is not seen.
    pub(super) says: &'a str,
    pub(super) scale: Scale,
    /// The moments of the values, ascending, in ms since 1970; at the last one the plot ends.
    pub(super) moments: &'a [i64],
    pub(super) lines: Vec<Line<'a>>,
    /// A value to be marked across the plot.
    pub(super) mark: Option<f64>,
}

/// Draws each row as a line.
pub(super) fn lines(plot: &Plot<'_>) -> String {
    let all = plot.lines.iter().flat_map(|line| &line.values).flatten();
    let frame = Frame::new(plot, all.copied().chain(plot.mark).fold(0.0, f64::max));
    let mut svg = frame.begin(plot);
    for line in &plot.lines {
        let _ = write!(svg, "<path class=\"line {}\" d=\"{}\"/>", line.class, frame.steps(&line.values));
    }
    if let Some(mark) = plot.mark {
        let y = frame.y(mark);
        let _ = write!(svg, "<path class=\"mark\" d=\"M{LEFT:.0} {y:.1}H{:.0}\"/>", WIDTH - RIGHT);
    }
    svg + "</svg>" + &legend(plot)
}

/// Draws the rows on top of each other, the first one at the bottom.
pub(super) fn stack(plot: &Plot<'_>) -> String {
    let mut below = vec![0.0; plot.moments.len()];
    let mut layers = Vec::new();
    for line in &plot.lines {
        let above: Vec<f64> =
            below.iter().zip(&line.values).map(|(below, value)| below + value.unwrap_or(0.0)).collect();
        layers.push((line.class, below, above.clone()));
        below = above;
    }
    let frame = Frame::new(plot, below.iter().copied().fold(0.0, f64::max));
    let mut svg = frame.begin(plot);
    for (class, below, above) in layers {
        let _ = write!(svg, "<path class=\"area {class}\" d=\"{}\"/>", frame.between(&below, &above));
    }
    svg + "</svg>" + &legend(plot)
}

/// Draws the rows as bars beside each other; each moment is the end of the time that its bars are about.
pub(super) fn bars(plot: &Plot<'_>) -> String {
    let all = plot.lines.iter().flat_map(|line| &line.values).flatten();
    let mut frame = Frame::new(plot, all.copied().fold(0.0, f64::max));
    if let [first, second, ..] = plot.moments {
        frame.from -= second - first;
    }
    let mut svg = frame.begin(plot);
    let (groups, beside) = (decimal(plot.moments.len()), decimal(plot.lines.len()));
    let group = (WIDTH - LEFT - RIGHT) / groups;
    let width = (group * 0.8 / beside).max(1.0);
    for (place, line) in plot.lines.iter().enumerate() {
        for (at, value) in line.values.iter().enumerate() {
            let Some(value) = value.filter(|&value| value > 0.0) else { continue };
            let (x, y) = (LEFT + group * (decimal(at) + 0.1) + width * decimal(place), frame.y(value));
            let height = frame.y(0.0) - y;
            let _ = write!(
                svg,
                "<rect class=\"area {}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>",
                line.class
            );
        }
    }
    svg + "</svg>" + &legend(plot)
}

/// Draws shares of one as a small line without anything around it, for a table.
pub(super) fn spark(says: &str, moments: &[i64], values: &[Option<f64>]) -> String {
    let plot = Plot { says, scale: Scale::Share, moments, lines: Vec::new(), mark: None };
    let path = Frame::new(&plot, 1.0).steps(values);
    let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - BOTTOM - TOP);
    format!(
        "<svg class=\"spark\" viewBox=\"{LEFT:.0} {TOP:.0} {width:.0} {height:.0}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{}\"><path class=\"line c1\" d=\"{path}\"/></svg>",
        text(says)
    )
}

fn legend(plot: &Plot<'_>) -> String {
    let mut list = "<ul class=\"legend\">".to_owned();
    for line in &plot.lines {
        let _ = write!(
            list,
            "<li><svg viewBox=\"0 0 18 8\" aria-hidden=\"true\"><path class=\"key {}\" d=\"M0 4H18\"/></svg>{}</li>",
            line.class,
            text(line.name)
        );
    }
    list + "</ul>"
}

#[expect(clippy::cast_precision_loss, reason = "a bounded number of places in a plot")]
fn decimal(number: usize) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds are far below 2^52")]
pub(super) fn millis(number: i64) -> f64 {
    number as f64
}

struct Frame<'a> {
    moments: &'a [i64],
    from: i64,
    to: i64,
    scale: Scale,
    /// What the highest line across stands for, and how far these are from each other.
    most: f64,
    step: f64,
}

impl<'a> Frame<'a> {
    fn new(plot: &Plot<'a>, highest: f64) -> Self {
        let (from, to) =
            (plot.moments.first().copied().unwrap_or(0), plot.moments.last().copied().unwrap_or(0));
        let step = plot.scale.step(highest);
        let most = if plot.scale == Scale::Share { 1.0 } else { (highest / step).ceil().max(1.0) * step };
        Self { moments: plot.moments, from, to: to.max(from + 1), scale: plot.scale, most, step }
    }

    fn x(&self, at: i64) -> f64 {
        LEFT + millis(at - self.from) / millis(self.to - self.from) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (value / self.most).clamp(0.0, 1.0) * (HEIGHT - BOTTOM - TOP)
    }

    /// Begins the picture with its lines across and its marks of time.
    fn begin(&self, plot: &Plot<'_>) -> String {
        let mut svg = format!(
            "<svg class=\"plot\" viewBox=\"0 0 {WIDTH:.0} {HEIGHT:.0}\" role=\"img\" aria-label=\"{}\">",
            text(plot.says)
        );
        let mut value = 0.0;
        while value <= self.most + self.step / 2.0 {
            let y = self.y(value);
            let _ = write!(
                svg,
                "<path class=\"across\" d=\"M{LEFT:.0} {y:.1}H{:.0}\"/><text x=\"{:.0}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
                self.scale.label(value)
            );
            value += self.step;
        }
        let length = self.to - self.from;
        let step = STEPS.into_iter().find(|step| length / step <= MARKS_MAX).unwrap_or(30 * DAY);
        let mut at = self.from.div_euclid(step) * step;
        while at <= self.to {
            if at >= self.from {
                let (x, base) = (self.x(at), HEIGHT - BOTTOM);
                let anchor = if x > WIDTH - 40.0 { "end" } else { "middle" };
                let _ = write!(
                    svg,
                    "<path class=\"across\" d=\"M{x:.1} {base:.0}v4\"/><text x=\"{x:.1}\" y=\"{:.0}\" \
                     text-anchor=\"{anchor}\">{}</text>",
                    base + 17.0,
                    clock(at)
                );
            }
            at += step;
        }
        svg
    }

    /// Returns the path of values that each hold until the next one.
    fn steps(&self, values: &[Option<f64>]) -> String {
        let (mut path, mut drawn) = (String::new(), false);
        for (&at, value) in self.moments.iter().zip(values) {
            let x = self.x(at);
            match value {
                Some(value) if drawn => {
                    let _ = write!(path, "H{x:.1}V{:.1}", self.y(*value));
                }
                Some(value) => {
                    let _ = write!(path, "M{x:.1} {:.1}", self.y(*value));
                }
                None if drawn => {
                    let _ = write!(path, "H{x:.1}");
                }
                None => {}
            }
            drawn = value.is_some();
        }
        path
    }

    fn between(&self, below: &[f64], above: &[f64]) -> String {
        let known = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
        let mut path = self.steps(&known(above));
        // Back along what lies below: from the last moment, where each value ends, to the first.
        for (index, &at) in self.moments.iter().enumerate().rev() {
            let held = below[index];
            let _ = write!(path, "V{:.1}H{:.1}", self.y(held), self.x(at));
            if index > 0 {
                let _ = write!(path, "V{:.1}", self.y(below[index - 1]));
            }
        }
        path + "Z"
    }
}

impl Scale {
    /// Returns how far lines across are from each other where `highest` is the highest value.
    fn step(self, highest: f64) -> f64 {
        match self {
            Self::Share => 0.25,
            Self::Span => {
                let fits = |&step: &i64| highest / millis(step) <= ACROSS_MAX;
                millis(STEPS.into_iter().find(fits).unwrap_or(365 * DAY))
            }
            Self::Count => {
                let mut step = 1.0;
                for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
                    if highest / step <= ACROSS_MAX {
                        break;
                    }
                    step *= factor;
                }
                step
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of some years")]
    pub(super) fn label(self, value: f64) -> String {
        match self {
            Self::Share => format!("{value:.2}"),
            Self::Count => format!("{value:.0}"),
            Self::Span => kapell_model::Span(value as i64).to_string(),
        }
    }
}

/// Shows a moment as its time of day, to the second where it is within a minute, and midnight as the day.
fn clock(at: i64) -> String {
    let shown = jiff::Timestamp::from_millisecond(at).map(|it| it.to_string()).unwrap_or_default();
    let part = match at {
        _ if at.rem_euclid(DAY) == 0 => shown.get(5..10),
        _ if at.rem_euclid(MINUTE) == 0 => shown.get(11..16),
        _ => shown.get(11..19),
    };
    part.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot<'a>(moments: &'a [i64], values: Vec<Option<f64>>) -> Plot<'a> {
        let line = Line { name: "a<b", class: "c1", values };
        Plot { says: "x & y", scale: Scale::Count, moments, lines: vec![line], mark: None }
    }

    #[test]
    fn values_hold_until_the_next_one_and_a_gap_stays_a_gap() {
        let moments = [0, 10, 20, 30];
        let svg = lines(&plot(&moments, vec![Some(0.0), Some(4.0), None, Some(2.0)]));
        // 648 of 720 wide from 58, 182 of 220 high from 194 up to 12.
        assert!(svg.contains("d=\"M58.0 194.0H274.0V12.0H490.0M706.0 103.0\""), "{svg}");
        assert!(svg.contains("aria-label=\"x &amp; y\"") && svg.contains("a&lt;b"), "{svg}");
    }

    #[test]
    fn layers_lie_on_each_other() {
        let moments = [0, 10];
        let mut both = plot(&moments, vec![Some(1.0), Some(2.0)]);
        both.lines.push(Line { name: "c", class: "c2", values: vec![Some(3.0), Some(2.0)] });
        let svg = stack(&both);
        assert!(
            svg.contains("class=\"area c1\" d=\"M58.0 148.5H706.0V103.0V194.0H706.0V194.0V194.0H58.0Z\""),
            "{svg}"
        );
        assert!(
            svg.contains("class=\"area c2\" d=\"M58.0 12.0H706.0V12.0V103.0H706.0V148.5V148.5H58.0Z\""),
            "{svg}"
        );
    }

    #[test]
    fn bars_stand_side_by_side_and_nothing_is_no_bar() {
        let moments = [0, 10];
        let svg = bars(&plot(&moments, vec![Some(4.0), Some(0.0)]));
        assert_eq!(svg.matches("<rect").count(), 1);
        assert!(svg.contains("x=\"90.4\" y=\"12.0\" width=\"259.2\" height=\"182.0\""), "{svg}");
    }

    #[test]
    fn the_lines_across_are_few_and_round() {
        assert_eq!(Scale::Count.step(3.0), 1.0);
        assert_eq!(Scale::Count.step(7.0), 2.0);
        assert_eq!(Scale::Count.step(17.0), 5.0);
        assert_eq!(Scale::Count.step(99.0), 50.0);
        assert_eq!(Scale::Count.step(0.0), 1.0);
        assert_eq!(Scale::Span.step(100.0 * 60_000.0), 1_800_000.0);
        assert_eq!(clock(DAY), "01-02");
        assert_eq!(clock(DAY + 90 * MINUTE), "01:30");
        assert_eq!(clock(15 * SECOND), "00:00:15");
    }
}
