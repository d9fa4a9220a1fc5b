//! Three scenes before the bundled backlog: somebody has too much and is relieved, two tasks wait for each other, and
//! one agent is going to say nothing about its work, though it is alive.

use std::time::{Duration, Instant};

use kapell_api::{Client, Task, TaskSubmission};

use super::cast::Cast;
use super::narrator::Narrator;

/// The only one who is there at first; it may own two tasks.
pub const FIRST: &str = "bram";
/// The key of the task about which nothing is said at the first attempt.
pub const QUIET: &str = "quiet";
/// The longest wait for the load to be evened out.
const PATIENCE: Duration = Duration::from_secs(5);

fn errand(key: &str, title: &str) -> TaskSubmission {
    TaskSubmission {
        title: title.to_owned(),
        kind: "errand".to_owned(),
        priority: "medium".to_owned(),
        key: Some(key.to_owned()),
        estimate_hours: Some(4.0),
        ..TaskSubmission::default()
    }
}

/// Fills the one who is there first with work, before the others come. Nothing of it is begun.
pub fn overload(client: &Client) -> anyhow::Result<()> {
    client.heartbeat(FIRST)?;
    client.submit(&errand("letters", "Answer the letters of the week"))?;
    client.submit(&errand("parcels", "Bring the parcels away"))?;
    // Each waits for the other: a file can say so, and nobody would ever begin either of them.
    let first = TaskSubmission { depends_on: vec!["letters".to_owned()], ..errand("keys", "Count the keys") };
    client.submit(&first)?;
    let second = TaskSubmission { depends_on: vec!["keys".to_owned()], ..errand("locks", "Oil the locks") };
    client.submit(&second)?;
    client.import_dependency("keys", "locks", "blocks")?;
    Ok(())
}

/// Waits until the load has been evened out, then lets the first one come too.
pub fn relief(client: &Client, cast: &mut Cast, narrator: &mut Narrator, token: &str) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    let moved = |task: &Task| task.owner.as_deref() != Some(FIRST);
    while Instant::now() < until {
        client.heartbeat(FIRST)?;
        narrator.show(&client.status()?);
        if moved(&client.task("letters")?) || moved(&client.task("parcels")?) {
            break;
        }
        std::thread::sleep(Duration::from_millis(60));
    }
    cast.enter(FIRST, token)?;
    client.submit(&errand(QUIET, "Find out who rang"))?;
    Ok(())
}
