//! What an owner wants leave for: `ask t1 A run [allow_once,reject_once] [title]`, `unask t1 A`, `allow t1 run by=P [option=X]`, `deny`.
//! `run` is the last request of that name, `run#1` the first one, whosever it was.

use kapell_core::{Command, Event, OptionKind, PermissionAsk, PermissionOption, Record, TaskRef};
use kapell_model::{AssignmentId, Name, PermissionId, Text};

fn word(rest: &[&str], name: &str) -> Option<String> {
    rest.iter().find_map(|word| Some(word.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

pub fn asked(request: &str, kinds: &str) -> Box<PermissionAsk> {
    let option = |kind: &str| PermissionOption {
        id: Text::new(kind, 100).expect("a text"),
        name: Text::from("an answer"),
        kind: OptionKind::parse(kind).expect("a kind of answer"),
    };
    Box::new(PermissionAsk {
        name: Text::new(request, 100).expect("a text"),
        title: Text::from("remove the build"),
        kind: Text::from("execute"),
        detail: Text::from("rm -r target"),
        options: kinds.split(',').filter(|kind| !kind.is_empty()).map(option).collect(),
    })
}

pub fn said(verb: &str, task: TaskRef, assignment: impl FnOnce() -> AssignmentId, rest: &[&str]) -> Command {
    let agent = || Name::new(rest[1]).expect("a name");
    match verb {
        "ask" => {
            let kinds = rest.get(3).copied().unwrap_or("reject_once,allow_always,allow_once");
            let mut ask = asked(rest[2], kinds);
            if let Some(title) = rest.get(4) {
                ask.title = Text::new(title, 100).expect("a text");
            }
            Command::AskPermission { task, agent: agent(), assignment: assignment(), ask }
        }
        _ => {
            let reason = Text::from("it stopped");
            Command::WithdrawPermission { task, agent: agent(), assignment: assignment(), reason }
        }
    }
}

/// Returns what a person has read of the request that a line names.
pub fn read(log: &[Record], rest: &[&str]) -> PermissionId {
    let (name, nth) = rest[1].split_once('#').map_or((rest[1], None), |(name, nth)| (name, nth.parse().ok()));
    let ids = log.iter().filter_map(|record| match &record.event {
        Event::PermissionAsked { ask, .. } if ask.name.as_str() == name => {
            Some(PermissionId(record.position.0))
        }
        _ => None,
    });
    let ids: Vec<PermissionId> = ids.collect();
    nth.map_or(ids.last(), |nth: usize| ids.get(nth - 1)).copied().unwrap_or_default()
}

pub fn answer(verb: &str, task: TaskRef, request: PermissionId, rest: &[&str]) -> Command {
    Command::AnswerPermission {
        task,
        agent: word(rest, "by").map(|name| Name::new(&name).expect("a name")),
        request,
        allowed: verb == "allow",
        option: word(rest, "option").map(|option| Text::new(&option, 100).expect("a text")),
        notes: Text::from("a word"),
    }
}
