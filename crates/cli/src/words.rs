//! What people type: durations, times, scores, requirements.

use jiff::{SignedDuration, Timestamp};
use kapell_api::Requirement;

/// Reads `500ms`, `30s`, `30m`, `1.5h`, `3d` as milliseconds.
pub fn duration(text: &str) -> Result<i64, String> {
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 60e3,
        "h" => 3_600e3,
        "d" => 86_400e3,
        _ => return Err(format!("`{text}` is no duration; write 500ms, 30s, 30m, 1.5h or 3d")),
    };
    let number: f64 = number.parse().map_err(|_| format!("`{text}` does not begin with a number"))?;
    let millis = number * scale;
    if !(0.0..=1e13).contains(&millis) {
        return Err(format!("`{text}` is out of range"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked to be within bounds")]
    Ok(millis.round() as i64)
}

/// Reads a duration as hours.
pub fn hours(text: &str) -> Result<f64, String> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds are below 2^52")]
    duration(text).map(|millis| millis as f64 / 3_600e3)
}

/// Reads a time by RFC 3339, or `+2h` from now.
pub fn time(text: &str) -> Result<String, String> {
    if let Some(ahead) = text.strip_prefix('+') {
        let millis = duration(ahead)?;
        return Ok((Timestamp::now() + SignedDuration::from_millis(millis)).to_string());
    }
    let time: Timestamp =
        text.parse().map_err(|_| format!("`{text}` is no time; write 2026-01-31T12:00:00Z or +2h"))?;
    Ok(time.to_string())
}

/// Reads `rust=0.9`.
pub fn capability(text: &str) -> Result<(String, f64), String> {
    let (name, score) =
        text.split_once('=').ok_or_else(|| format!("`{text}` is not of the form NAME=SCORE"))?;
    let score = score.parse().map_err(|_| format!("`{score}` is no number within 0..=1"))?;
    Ok((name.to_owned(), score))
}

/// Reads `rust`, `rust=2` (weight) or `rust=2:0.5` (weight and minimum).
pub fn requirement(text: &str) -> Result<Requirement, String> {
    let (rest, minimum) = match text.rsplit_once(':') {
        Some((rest, minimum)) if minimum.parse::<f64>().is_ok() => (rest, minimum.parse().unwrap_or(0.0)),
        _ => (text, 0.0),
    };
    let (capability, weight) = match rest.split_once('=') {
        Some((name, weight)) => (name, weight.parse().map_err(|_| format!("`{weight}` is no weight"))?),
        None => (rest, 1.0),
    };
    Ok(Requirement { capability: capability.to_owned(), weight, minimum })
}

/// Says how long ago a time by RFC 3339 is: `3m`, `2h`, `5d`.
pub fn age(time: &str) -> String {
    age_at(time, None)
}

/// Says how long ago a time was at another, which is now where absent.
pub fn age_at(time: &str, now: Option<&str>) -> String {
    let Ok(time) = time.parse::<Timestamp>() else { return time.to_owned() };
    let now = now.and_then(|now| now.parse().ok()).unwrap_or_else(Timestamp::now);
    let seconds = now.duration_since(time).as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Reads an edge: the one that waits, and what it waits for.
pub fn edge(text: &str) -> Result<kapell_api::EdgeName, String> {
    match text.split_once(',') {
        Some((task, on)) if !task.is_empty() && !on.is_empty() => {
            Ok(kapell_api::EdgeName { task: task.to_owned(), on: on.to_owned() })
        }
        _ => Err(format!("`{text}` is no edge; allowed is TASK,ON such as T-3,T-2")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, millis) in [("500ms", 500), ("30s", 30_000), ("1.5h", 5_400_000), ("3d", 259_200_000)] {
            assert_eq!(duration(text), Ok(millis), "{text}");
        }
        for text in ["", "5", "h", "1 h", "-1h", "1e9d", "5w"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn requirements_are_read() {
        let of = |capability: &str, weight, minimum| Requirement {
            capability: capability.to_owned(),
            weight,
            minimum,
        };
        assert_eq!(requirement("rust"), Ok(of("rust", 1.0, 0.0)));
        assert_eq!(requirement("rust=2"), Ok(of("rust", 2.0, 0.0)));
        assert_eq!(requirement("rust=2:0.5"), Ok(of("rust", 2.0, 0.5)));
        assert_eq!(requirement("rust:0.5"), Ok(of("rust", 1.0, 0.5)));
        assert!(requirement("rust=x").is_err());
    }
}
