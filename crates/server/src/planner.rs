//! Thinks about the whole fleet beside the writer, on a copy of what it needs, and hands back a plan or a forecast.

use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};
use kapell_core::ForecastSource;
use kapell_model::{BalanceView, Excerpt, Plan, Position};
use kapell_plan::Optimal;

use crate::fleet::Message;

/// Jobs that may wait: one of each kind.
pub(crate) const JOBS_MAX: usize = 2;

/// What is to be thought about.
pub(crate) enum Job {
    /// How load is evened out.
    Balance(Box<BalanceView>),
    /// How free slots are filled best, as of that event.
    Round(Box<Excerpt>, Position),
}

/// Starts the thread; it ends when the writer lets go of `jobs` or takes nothing any more.
pub(crate) fn start(jobs: Receiver<Job>, writer: Sender<Message>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("planner".to_owned()).spawn(move || {
        let mut optimal = Optimal::new();
        for job in jobs {
            let plan: Plan = match job {
                Job::Balance(view) => kapell_plan::balance(&view),
                Job::Round(excerpt, seen) => optimal.propose(&excerpt, seen),
            };
            if writer.send(Message::Planned(Box::new(plan))).is_err() {
                return;
            }
        }
    })
}

/// A project of which a forecast is wanted, and the seed of its chance.
pub(crate) type Wanted = (Box<ForecastSource>, u64);

/// Starts the thread that makes forecasts, apart from the plans, which should not wait for them.
pub(crate) fn start_forecasts(
    wanted: Receiver<Wanted>,
    writer: Sender<Message>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("forecasts".to_owned()).spawn(move || {
        for (source, seed) in wanted {
            let forecast = kapell_plan::forecast(&source.gather(), seed);
            drop(source);
            if writer.send(Message::Forecast(Box::new(forecast))).is_err() {
                return;
            }
        }
    })
}
