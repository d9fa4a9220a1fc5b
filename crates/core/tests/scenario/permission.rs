//! What an owner wants leave for: `ask t1 A run [allow_once,reject_once]`, `unask t1 A`, `allow t1 run by=P [option=X]`, `deny`.

use kapell_core::{Command, OptionKind, PermissionAsk, PermissionOption, TaskRef};
use kapell_model::{AssignmentId, Name, Text};

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
        request: Text::new(request, 100).expect("a text"),
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
            Command::AskPermission {
                task,
                agent: agent(),
                assignment: assignment(),
                ask: asked(rest[2], kinds),
            }
        }
        "unask" => {
            let reason = Text::from("it stopped");
            Command::WithdrawPermission { task, agent: agent(), assignment: assignment(), reason }
        }
        _ => Command::AnswerPermission {
            task,
            agent: word(rest, "by").map(|name| Name::new(&name).expect("a name")),
            request: Text::new(rest[1], 100).expect("a text"),
            allowed: verb == "allow",
            option: word(rest, "option").map(|option| Text::new(&option, 100).expect("a text")),
            notes: Text::from("a word"),
        },
    }
}
