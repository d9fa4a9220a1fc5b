//! Reports as files, `OPERATIONS/REPORTS/orchestration-YYYY-MM-DD.md`, `.html` and `.json` under the data directory, and the daily
//! one (SEMANTICS 13).

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kapell_api::{Report, SavedReport};
use kapell_model::{Moment, Span};

use crate::fleet::Fleet;
use crate::http::{Log, html, markdown, report};
use crate::replace::replace;

const DAY: i64 = Span::hours(24).0;
/// How often it is looked whether the daily report is due.
const LOOK: Duration = Duration::from_secs(5);

/// Returns the days since 1970 of a moment, UTC.
pub(crate) fn day_of(at: Moment) -> i64 {
    at.0.div_euclid(DAY)
}

/// Returns where the reports of a day lie, without the ending.
fn path(data: &Path, day: i64) -> PathBuf {
    let start = Timestamp::from_millisecond(day.saturating_mul(DAY)).map(|it| it.to_string());
    let date = start.unwrap_or_default().chars().take(10).collect::<String>();
    data.join("OPERATIONS").join("REPORTS").join(format!("orchestration-{date}"))
}

/// Saves the report of a day in the place of a former one: whole or not at all.
///
/// # Errors
/// Where the files cannot be written.
pub(crate) fn save(data: &Path, day: i64, report: &Report) -> io::Result<SavedReport> {
    let stem = path(data, day);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(stem.parent().unwrap_or(data))?;
    let [text, page, json] = ["md", "html", "json"].map(|kind| stem.with_extension(kind));
    // The JSON comes last: where it is, the report is whole.
    replace(&text, markdown(report).as_bytes())?;
    replace(&page, html(report).as_bytes())?;
    replace(&json, &serde_json::to_vec_pretty(report)?)?;
    let shown = |path: PathBuf| path.display().to_string();
    Ok(SavedReport { markdown: shown(text), html: shown(page), json: shown(json) })
}

/// Returns when the report that lies there for a day was made.
fn made_at(data: &Path, day: i64) -> Option<Moment> {
    let json = fs::read(path(data, day).with_extension("json")).ok()?;
    let report: Report = serde_json::from_slice(&json).ok()?;
    Some(Moment(report.at.parse::<Timestamp>().ok()?.as_millisecond()))
}

/// Returns the last day whose report was due by `now`, and when.
fn last_due(now: Moment, daily_at: Span) -> (i64, Moment) {
    let day = day_of(now.before(daily_at));
    (day, Moment(day * DAY).after(daily_at))
}

/// Writes the report of each day when it is due. The last one that was missed while nothing served is written at the
/// start, once; it says when it was made.
pub(crate) async fn daily(fleet: Fleet, log: Log, data: Arc<Path>) {
    let (mut begun, mut written) = (None, i64::MIN);
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let asked = fleet.query(|view| (view.now, view.state.policy().reporting.daily_at)).await;
        let Ok((now, daily_at)) = asked else { continue };
        let (day, due) = last_due(now, daily_at);
        if day <= written {
            continue;
        }
        if begun.is_none() {
            let first = log.after(0, 1).await.ok();
            begun = first.and_then(|(records, _)| records.first().map(|record| record.at));
        }
        // Before anything happened there is nothing to report on.
        if begun.is_none_or(|begun| begun > due) {
            continue;
        }
        match write_daily(&fleet, &data, day, due).await {
            Ok(()) => written = day,
            Err(error) => tracing::error!(%error, "the daily report cannot be saved"),
        }
    }
}

async fn write_daily(fleet: &Fleet, data: &Arc<Path>, day: i64, due: Moment) -> io::Result<()> {
    let known = Arc::clone(data);
    let made = tokio::task::spawn_blocking(move || made_at(&known, day)).await?;
    if made.is_some_and(|made| made >= due) {
        return Ok(());
    }
    let report = fleet.query(report).await.map_err(io::Error::other)?;
    let data = Arc::clone(data);
    let saved = tokio::task::spawn_blocking(move || save(&data, day, &report)).await??;
    tracing::info!(path = saved.markdown, "daily report");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_due_at_its_time_of_day_and_belongs_to_that_day() {
        let daily_at = Span::hours(6);
        let day = 20_000;
        let at = |hours: i64| Moment(day * DAY + hours * 3_600_000);
        assert_eq!(last_due(at(6), daily_at), (day, at(6)));
        assert_eq!(last_due(at(5), daily_at), (day - 1, at(6 - 24)));
        assert_eq!(last_due(at(23), daily_at), (day, at(6)));
        assert!(path(Path::new("d"), 0).ends_with("OPERATIONS/REPORTS/orchestration-1970-01-01"));
    }
}
