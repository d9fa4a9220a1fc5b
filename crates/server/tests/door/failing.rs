//! A log that cannot be written: nothing that was not durable is ever told, and the engine ends. One that is busy is waited for.

use std::sync::Arc;
use std::time::Duration;

use kapell_core::{Command, Component, TaskSpec};
use kapell_model::{CommandId, Text, limits};
use kapell_server::{Ask, Line, Refused, Running, open};
use kapell_store::{Fault, FaultPlan, Faults, Faulty, MemoryDisk};

fn submission(number: u128) -> Ask {
    let spec = Arc::new(TaskSpec::titled(Text::from("work")));
    let command = Command::Submit { spec, edges: Vec::new() };
    Ask { id: CommandId(number), fingerprint: None, actor: Arc::from("test"), contact: None, command }
}

#[test]
fn what_is_not_durable_is_never_told() {
    let disk = MemoryDisk::new();
    let plan = FaultPlan::none().at_append(3, Fault::FailBefore);
    let store = Faulty::new(disk.open(), Faults::new(plan));
    let mut running = open(Box::new(store), "default").expect("it opens");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let fleet = running.fleet.clone();
    runtime.block_on(async {
        let mut told = 0;
        for number in 1..=10 {
            match fleet.command(submission(number)).await {
                Ok(reply) => {
                    told += 1;
                    assert_eq!(
                        reply.task.map(|task| task.0),
                        Some(told),
                        "no gap, and nothing behind the failure"
                    );
                }
                Err(refused) => assert!(matches!(refused, Refused::Down), "{refused:?}"),
            }
        }
        assert!((1..10).contains(&told), "{told} were told");
        assert_eq!(fleet.durable().0, u64::from(told), "one event a task");
        // A question would see what never became durable: it is not answered either.
        let asked = fleet.query(|view| view.state.tasks().len()).await;
        assert!(matches!(asked, Err(Refused::Down)), "{asked:?}");
        let failure = tokio::time::timeout(Duration::from_secs(20), &mut running.failed).await;
        assert!(
            failure.is_ok_and(|failure| failure.is_ok()),
            "the failure is told to whoever runs the server"
        );
    });
    running.stop();
    // Whoever takes the log up finds what was told, and no more.
    let again = open(Box::new(disk.open()), "default").expect("it opens");
    assert_eq!(u64::from(again.found.ready), again.found.position);
    again.stop();
}

#[test]
fn a_log_that_another_program_holds_is_waited_for() {
    let disk = MemoryDisk::new();
    let plan =
        FaultPlan::none().at_append(2, Fault::Busy).at_append(3, Fault::Busy).at_append(5, Fault::Busy);
    let faults = Faults::new(plan);
    let mut running = open(Box::new(Faulty::new(disk.open(), faults.clone())), "default").expect("it opens");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let fleet = running.fleet.clone();
    runtime.block_on(async {
        for number in 1..=10 {
            let reply = fleet.command(submission(number)).await.expect("it is taken");
            assert_eq!(reply.task.map(|task| u128::from(task.0)), Some(number));
        }
        assert_eq!(fleet.durable().0, 10);
        assert!(running.failed.try_recv().is_err(), "nothing has failed");
    });
    running.stop();
    assert_eq!(faults.counts().busy, 3);
    let again = open(Box::new(disk.open()), "default").expect("it opens");
    assert_eq!((again.found.ready, again.found.position), (10, 10));
    again.stop();
}

/// Waits for what is told to whoever runs the server, and returns whether that was an error of the log.
async fn told(running: &mut Running) -> Option<bool> {
    tokio::time::timeout(Duration::from_secs(20), &mut running.failed).await.ok().map(|told| told.is_ok())
}

#[test]
fn more_than_the_storage_takes_at_once_is_written_in_parts() {
    const TASKS: usize = 280;
    let mut running = open(Box::new(MemoryDisk::new().open()), "default").expect("it opens");
    let long = "x".repeat(limits::DESCRIPTION_BYTES_MAX);
    let description = Text::new(&long, limits::DESCRIPTION_BYTES_MAX).expect("a text");
    let part = |number: usize| Component {
        title: Text::new(&format!("part {number}"), 100).expect("a text"),
        description: description.clone(),
        requires: Vec::new(),
        estimate: None,
    };
    let large = TaskSpec { components: (0..16).map(part).collect(), ..TaskSpec::titled(Text::from("work")) };
    let spec = Arc::new(large);
    let submit = |number: usize| {
        let command = Command::Submit { spec: Arc::clone(&spec), edges: Vec::new() };
        Line::Command(Ask { command, ..submission(number as u128 + 1) })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let fleet = running.fleet.clone();
    runtime.block_on(async {
        let answers = fleet.lines((0..TASKS).map(submit).collect()).await.expect("they are taken");
        let refused = answers.iter().find_map(|answer| answer.as_ref().err());
        assert!(refused.is_none() && answers.len() == TASKS, "{refused:?}");
        assert!(running.failed.try_recv().is_err(), "nothing has failed");
    });
    running.stop();
}

#[test]
fn a_question_that_panics_ends_the_server_with_an_error() {
    let mut running = open(Box::new(MemoryDisk::new().open()), "default").expect("it opens");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let fleet = running.fleet.clone();
    runtime.block_on(async {
        fleet.command(submission(1)).await.expect("it is taken");
        let asked = fleet.query(|_| -> () { panic!("the question's own fault") }).await;
        assert!(matches!(asked, Err(Refused::Down)), "{asked:?}");
        assert_eq!(told(&mut running).await, Some(false), "no error of the log, and yet an end");
    });
    running.stop();
}
