//! What is sent: CloudEvents 1.0, structured, as JSON.

use kapell_api::Event;
use kapell_model::Moment;
use serde::Serialize;
use serde_json::{Value, json};

/// What the type of every event begins with; its kind follows.
pub(crate) const TYPE_PREFIX: &str = "kapell.";
/// Bytes of one message; what is longer goes without its data, which the log has.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// One message: the same however often it is sent.
pub(super) struct Message {
    /// `webhook-id`, and the event's own id.
    pub(super) id: String,
    /// The event.
    pub(super) body: Vec<u8>,
}

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'a str,
    id: &'a str,
    source: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: &'a str,
    datacontenttype: &'a str,
    /// Its place in the log, of which the order follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequencetype: Option<&'a str>,
    data: Value,
}

/// Tells whether a type that somebody asks for takes in events of `kind`: the type itself, or with `*` at the end what begins so.
pub(crate) fn is_type(wanted: &str, kind: &str) -> bool {
    match (wanted.strip_suffix('*'), wanted.strip_prefix(TYPE_PREFIX)) {
        (Some(""), _) => true,
        (Some(_), Some(wanted)) => kind.starts_with(wanted.trim_end_matches('*')),
        (None, Some(wanted)) => wanted == kind,
        (_, None) => false,
    }
}

/// Returns an event of the log as it is sent.
pub(super) fn of(log: &str, event: &Event) -> Message {
    let (id, sequence) = (format!("{log}-{}", event.position), event.position.to_string());
    let subject = event.task.as_deref().or(event.agent.as_deref());
    let kind = format!("{TYPE_PREFIX}{}", event.kind);
    let body = |data: Value| {
        let event = CloudEvent {
            specversion: "1.0",
            id: &id,
            source: &source(log),
            r#type: &kind,
            subject,
            time: &event.at,
            datacontenttype: "application/json",
            sequence: Some(&sequence),
            sequencetype: Some("Integer"),
            data,
        };
        serde_json::to_vec(&event).expect("an event can be written")
    };
    let mut whole = body(serde_json::to_value(event).expect("an event can be written"));
    if whole.len() > BODY_BYTES_MAX {
        let mut short = json!(event);
        short["data"] = json!({});
        short["truncated"] = json!(true);
        whole = body(short);
    }
    Message { id, body: whole }
}

/// Returns an event that says nothing.
pub(super) fn test(log: &str, chance: u64, now: Moment) -> Message {
    let id = format!("{log}-test-{chance:016x}");
    let event = CloudEvent {
        specversion: "1.0",
        id: &id,
        source: &source(log),
        r#type: "kapell.webhook.test",
        subject: None,
        time: &crate::http::shown_time(now),
        datacontenttype: "application/json",
        sequence: None,
        sequencetype: None,
        data: json!({}),
    };
    let body = serde_json::to_vec(&event).expect("an event can be written");
    Message { id, body }
}

fn source(log: &str) -> String {
    format!("urn:kapell:{log}:{}", crate::serve::DEFAULT_FLEET)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        let data = json!({"detail": text}).as_object().expect("an object").clone();
        Event {
            position: 7,
            at: "2026-11-30T12:00:00Z".to_owned(),
            actor: "admin".to_owned(),
            command: "c".to_owned(),
            kind: "escalation.raised".to_owned(),
            task: Some("T-3".to_owned()),
            agent: None,
            assignment: None,
            data,
        }
    }

    #[test]
    fn an_event_is_a_whole_cloud_event() {
        let message = of("abc", &event("why"));
        let body: Value = serde_json::from_slice(&message.body).expect("JSON");
        assert_eq!((message.id.as_str(), &body["id"]), ("abc-7", &json!("abc-7")));
        assert_eq!(
            (&body["specversion"], &body["type"]),
            (&json!("1.0"), &json!("kapell.escalation.raised"))
        );
        assert_eq!((&body["source"], &body["subject"]), (&json!("urn:kapell:abc:default"), &json!("T-3")));
        assert_eq!((&body["sequence"], &body["time"]), (&json!("7"), &json!("2026-11-30T12:00:00Z")));
        assert_eq!(body["data"]["data"]["detail"], "why");
    }

    #[test]
    fn what_is_too_long_goes_without_its_data_and_says_so() {
        let message = of("abc", &event(&"x".repeat(BODY_BYTES_MAX)));
        let body: Value = serde_json::from_slice(&message.body).expect("JSON");
        assert!(message.body.len() < 2_000);
        assert_eq!((&body["data"]["truncated"], &body["data"]["position"]), (&json!(true), &json!(7)));
    }

    #[test]
    fn types_are_whole_or_end_with_a_star() {
        for (wanted, kind, is) in [
            ("kapell.task.failed", "task.failed", true),
            ("kapell.task.failed", "task.failed_again", false),
            ("kapell.task.*", "task.failed", true),
            ("kapell.task.*", "taskforce.made", false),
            ("*", "task.failed", true),
            ("task.failed", "task.failed", false),
        ] {
            assert_eq!(is_type(wanted, kind), is, "{wanted} {kind}");
        }
    }
}
