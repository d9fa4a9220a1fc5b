//! Lists out of which items go while they are read: every page begins behind the one before, and the client reads all of them.

use kapell_api::Client;
use serde_json::{Value, json};

use crate::served::Served;

/// Reads a list two items at a time, and lets something happen after the first page.
fn read(served: &Served, path: &str, name: impl Fn(&Value) -> String, between: impl FnOnce()) -> Vec<String> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let (mut found, mut cursor, mut between) = (Vec::new(), String::new(), Some(between));
    loop {
        let page = served.get(&format!("{path}{joint}limit=2{cursor}"));
        let items = page["items"].as_array().expect("a list");
        assert!(items.len() <= 2, "{page}");
        found.extend(items.iter().map(&name));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
        if let Some(between) = between.take() {
            between();
        }
    }
}

fn client(served: &Served) -> Client {
    Client::new(&served.base, &served.admin)
}

fn team() -> Served {
    let served = Served::start();
    for name in ["ada", "bram"] {
        served.post("/v1/agents", &json!({"name": name, "role": "developer"}));
    }
    served
}

fn field<'a>(name: &'a str) -> impl Fn(&Value) -> String + 'a {
    move |item| item[name].as_str().expect("a text").to_owned()
}

#[test]
fn orders_are_paged_and_none_is_left_out_where_one_goes() {
    let served = team();
    for key in ["a", "b", "c", "d", "e", "f"] {
        served.post("/v1/tasks", &json!({"title": key, "key": key, "requires": [{"capability": "cobol"}]}));
    }
    let order = |first: &str, then: &str| json!({"first": first, "then": then, "reason": "so"});
    for (first, then) in [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("e", "f")] {
        served.post("/v1/orders", &order(first, then));
    }
    let pair = |item: &Value| format!("{} {}", item["first"], item["then"]).replace('"', "");
    let all = ["T-1 T-2", "T-1 T-3", "T-2 T-4", "T-3 T-4", "T-5 T-6"];
    assert_eq!(read(&served, "/v1/orders", pair, || ()), all);
    let goes = || {
        served.post("/v1/orders/drop", &json!({"first": "a", "then": "b"}));
    };
    assert_eq!(read(&served, "/v1/orders", pair, goes), all, "one that was shown has gone in between");
    let left: Vec<String> =
        client(&served).orders().expect("it answers").into_iter().map(|it| it.then).collect();
    assert_eq!(left, ["T-3", "T-4", "T-4", "T-6"]);
}

#[test]
fn channels_are_paged_by_name() {
    let served = team();
    for name in ["web", "api", "docs", "ops", "core"] {
        served.post("/v1/channels", &json!({"name": name, "members": ["ada"]}));
    }
    let comes = || {
        served.post("/v1/channels", &json!({"name": "aaa", "members": ["ada"]}));
    };
    assert_eq!(read(&served, "/v1/channels", field("name"), comes), ["api", "core", "docs", "ops", "web"]);
    let all: Vec<String> =
        client(&served).channels().expect("it answers").into_iter().map(|it| it.name).collect();
    assert_eq!(all, ["aaa", "api", "core", "docs", "ops", "web"]);
}

#[test]
fn messages_to_read_are_paged_and_the_client_has_more_than_a_page() {
    let served = team();
    for number in 1..=105 {
        // What is low could be folded, and has no bound of its own.
        let message = json!({"from": "ada", "to": "bram", "text": number.to_string(), "priority": "low"});
        served.post("/v1/messages", &message);
    }
    let path = "/v1/agents/bram/messages";
    assert_eq!(served.get(path)["items"].as_array().map(Vec::len), Some(100), "unless asked otherwise");
    let goes = || {
        served.post("/v1/agents/bram/messages/read", &json!({"up_to": "M-1"}));
    };
    let all: Vec<String> = (1..=105).map(|number| format!("M-{number}")).collect();
    assert_eq!(read(&served, path, field("id"), goes), all, "M-1 has gone in between");
    assert_eq!(client(&served).inbox("bram").expect("it answers").len(), 104);
    assert_eq!(served.ask("GET", "/v1/agents/nobody/messages", &Value::Null).0, 404);
}

#[test]
fn what_waits_is_paged_by_what_presses_most() {
    let served = team();
    for (key, priority) in
        [("a", "low"), ("b", "critical"), ("c", "high"), ("d", "medium"), ("e", "critical")]
    {
        let message = json!({"from": "ada", "to": "bram", "text": key, "priority": priority});
        served.post("/v1/messages", &message);
    }
    let all = read(&served, "/v1/inbox?agent=bram", field("id"), || ());
    assert_eq!(all, ["M-2", "M-5", "M-3", "M-4", "M-1"]);
    let page = served.get("/v1/inbox?agent=bram&limit=2&cursor=4");
    assert_eq!((&page["total"], page.get("next_cursor")), (&json!(5), None), "{page}");
    let inbox = client(&served).waiting_for(&[("agent", "bram")]).expect("it answers");
    assert_eq!((inbox.items.len(), inbox.next_cursor), (5, None));
}
