//! Many callers at once: nobody takes the turns of others.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use kapell_core::{AgentSpec, Command};
use kapell_model::{AgentKind, CommandId, Name};
use kapell_server::{Ask, Fleet, Refused, open};
use kapell_store::MemoryDisk;
use serde_json::json;

use crate::served::Served;

/// Opens a fleet with two agents.
async fn two_agents() -> Fleet {
    let fleet = open(Box::new(MemoryDisk::new().open()), "default").expect("it opens").fleet;
    for (number, name) in [(1, "ada"), (2, "bram")] {
        let spec = AgentSpec {
            name: Name::new(name).expect("a name"),
            role: Name::new("developer").expect("a name"),
            kind: AgentKind::Service,
            capabilities: Vec::new(),
            max_concurrent: 1,
            lease: None,
            standby: false,
        };
        let command = Command::RegisterAgent { spec, online: true };
        let actor = "test".into();
        let ask = Ask { id: CommandId(number), fingerprint: None, actor, contact: None, command };
        fleet.command(ask).await.expect("it is registered");
    }
    fleet
}

#[test]
fn an_agent_has_64_commands_under_way_at_most() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let fleet = runtime.block_on(two_agents());
    runtime.block_on(async {
        // The writer is held up.
        let (release, held) = mpsc::channel::<()>();
        let first = tokio::spawn({
            let fleet = fleet.clone();
            async move { fleet.query(move |_| held.recv()).await }
        });
        tokio::task::yield_now().await;
        let drain = |number: u128, name: &str| {
            let (fleet, agent) = (fleet.clone(), Name::new(name).expect("a name"));
            let (actor, contact) = ("test".into(), Some(agent.clone()));
            let command = Command::DrainAgent { agent, draining: number.is_multiple_of(2) };
            let ask = Ask { id: CommandId(number), fingerprint: None, actor, contact, command };
            tokio::spawn(async move { fleet.command(ask).await })
        };
        let waiting: Vec<_> = (100..164).map(|number| drain(number, "ada")).collect();
        tokio::task::yield_now().await;
        let one_more = drain(200, "ada").await.expect("it ends");
        assert!(matches!(one_more, Err(Refused::Asking { most: 64, .. })), "{one_more:?}");
        let other = drain(201, "bram");
        tokio::task::yield_now().await;
        release.send(()).expect("the writer waits");
        assert!(other.await.expect("it ends").is_ok());
        for one in waiting {
            assert!(one.await.expect("it ends").is_ok());
        }
        assert!(drain(202, "ada").await.expect("it ends").is_ok(), "its turns have come back");
        first.await.expect("it ends").expect("it is answered").expect("it was let go");
    });
    fleet.stop();
}

#[test]
fn an_agent_waits_for_work_on_four_connections_at_most() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let fleet = runtime.block_on(two_agents());
    runtime.block_on(async {
        let wait = |name: &str, wait: Duration| {
            let (fleet, name) = (fleet.clone(), Name::new(name).expect("a name"));
            tokio::spawn(async move { fleet.next(name, 1, wait).await })
        };
        let waiting: Vec<_> = (0..4).map(|_| wait("ada", Duration::from_secs(60))).collect();
        tokio::task::yield_now().await;
        let fifth = wait("ada", Duration::ZERO).await.expect("it ends");
        assert!(matches!(fifth, Err(Refused::Asking { .. })), "{fifth:?}");
        let other = wait("bram", Duration::ZERO).await.expect("it ends");
        assert!(other.is_ok(), "{other:?}");
        // A caller that goes away gives its turn back.
        waiting[0].abort();
        tokio::task::yield_now().await;
        let next = wait("ada", Duration::ZERO).await.expect("it ends");
        assert!(next.is_ok(), "{next:?}");
    });
    fleet.stop();
}

#[test]
fn connections_that_never_finish_their_request_stop_nobody() {
    let served = Served::start();
    let address = served.base.trim_start_matches("http://").to_owned();
    let halves =
        ["POST /v1/tas", "POST /v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n\r\n{"];
    let silent: Vec<TcpStream> = (0..300)
        .map(|index| {
            let mut stream = TcpStream::connect(&address).expect("it connects");
            stream.write_all(halves[index % 2].as_bytes()).expect("it is sent");
            stream
        })
        .collect();
    for _ in 0..20 {
        served.post("/v1/tasks", &json!({"title": "Answer the others"}));
    }
    assert_eq!(served.get("/v1/status")["tasks"]["total"], 20);
    drop(silent);
}
