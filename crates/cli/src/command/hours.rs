//! `kapell agent hours`: when an agent works.

use std::collections::BTreeMap;

use kapell_api::{QuietTime, WorkingHours};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};

/// How what is not one shift is written.
const TWICE: &str = "a shift over midnight is two, such as 'mon 22:00-24:00' and 'tue 00:00-06:00', and so are days over Sunday";

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

#[derive(Debug, clap::Args)]
pub struct Hours {
    /// Its name
    name: String,
    /// Its IANA time zone, such as Europe/Berlin
    #[arg(long, requires = "shifts")]
    zone: Option<String>,
    /// When it works, such as 'mon-fri 09:00-12:00,13:00-17:00'; may be repeated. A shift over midnight is two
    #[arg(long = "shift", value_name = "DAYS TIMES", requires = "zone", value_parser = shifts)]
    shifts: Vec<(Vec<String>, Vec<String>)>,
    /// A time away, such as 2026-12-24T00:00:00Z/2027-01-02T00:00:00Z; may be repeated
    #[arg(long, value_name = "FROM/TO", requires = "zone", value_parser = quiet)]
    quiet: Vec<QuietTime>,
    /// No time away; without it, and without --quiet, those that are known are kept
    #[arg(long, requires = "zone", conflicts_with = "quiet")]
    no_quiet: bool,
    /// It works at any time
    #[arg(long, conflicts_with_all = ["zone", "shifts", "quiet"])]
    always: bool,
}

impl Hours {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        if self.always {
            client.clear_hours(&self.name)?;
        }
        if let Some(zone) = self.zone {
            let mut week: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (days, times) in self.shifts {
                for day in days {
                    week.entry(day).or_default().extend(times.iter().cloned());
                }
            }
            let kept = self.quiet.is_empty() && !self.no_quiet;
            let known = if kept { client.agent(&self.name)?.hours } else { None };
            let quiet = known.map_or(self.quiet, |known| known.quiet);
            client.set_hours(&self.name, &WorkingHours { zone, week, quiet })?;
        }
        let agent = client.agent(&self.name)?;
        match context.format() {
            Format::Json => output::json(&agent.hours)?,
            Format::Human => {
                output::line(agent.hours.as_ref().map_or_else(|| "it works at any time".to_owned(), shown));
            }
        }
        Ok(Exit::Ok)
    }
}

/// Returns hours for people.
pub fn shown(hours: &WorkingHours) -> String {
    let days = DAYS.iter().filter_map(|&day| Some((day, hours.week.get(day)?)));
    let week: Vec<String> = days.map(|(day, shifts)| format!("{day} {}", shifts.join(","))).collect();
    let away = hours.quiet.iter().map(|quiet| format!("\naway from {} to {}", quiet.from, quiet.to));
    format!("works by the clock of {}: {}{}", hours.zone, week.join("; "), away.collect::<String>())
}

/// Reads `mon-fri 09:00-12:00,13:00-17:00`.
fn shifts(text: &str) -> Result<(Vec<String>, Vec<String>), String> {
    let refused =
        || format!("`{text}` is no shift; allowed is days and times, such as 'mon-fri 09:00-17:00'; {TWICE}");
    let (days, times) = text.split_once(' ').ok_or_else(refused)?;
    let mut all = Vec::new();
    for part in days.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let place = |day: &str| DAYS.iter().position(|known| *known == day).ok_or_else(refused);
        let (first, last) = (place(first)?, place(last)?);
        if first > last {
            return Err(refused());
        }
        all.extend(DAYS[first..=last].iter().map(|day| (*day).to_owned()));
    }
    Ok((all, times.split(',').map(|time| time.trim().to_owned()).collect()))
}

/// Reads `FROM/TO`.
fn quiet(text: &str) -> Result<QuietTime, String> {
    let (from, to) = text.split_once('/').ok_or_else(|| {
        format!(
            "`{text}` is no time away; allowed is FROM/TO, such as 2026-12-24T00:00:00Z/2027-01-02T00:00:00Z"
        )
    })?;
    Ok(QuietTime { from: from.to_owned(), to: to.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_are_read_for_ranges_of_days() {
        let (days, times) = shifts("mon-wed,fri 09:00-12:00,13:00-17:00").expect("shifts");
        assert_eq!(days, ["mon", "tue", "wed", "fri"]);
        assert_eq!(times, ["09:00-12:00", "13:00-17:00"]);
        assert!(shifts("fri-mon 09:00-12:00").is_err() && shifts("weekdays").is_err());
    }
}
