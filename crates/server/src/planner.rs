//! Thinks about the whole fleet beside the writer, on a copy of what it needs, and hands back a plan.

use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};
use kapell_model::{BalanceView, Plan};

use crate::fleet::Message;

/// What is to be thought about.
pub(crate) enum Job {
    /// How load is evened out.
    Balance(Box<BalanceView>),
}

/// Starts the thread; it ends when the writer lets go of `jobs` or takes nothing any more.
pub(crate) fn start(jobs: Receiver<Job>, writer: Sender<Message>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("planner".to_owned()).spawn(move || {
        for job in jobs {
            let plan: Plan = match job {
                Job::Balance(view) => kapell_plan::balance(&view),
            };
            if writer.send(Message::Planned(Box::new(plan))).is_err() {
                return;
            }
        }
    })
}
