//! The judgement of Kapell: who should get which task, and why.
//!
//! Reads a [`kapell_model::Situation`] and answers [`kapell_model::Placement`]s, which the core judges once more
//! before it believes them. Nothing here changes the state of a fleet, and nothing knows the time: the same
//! situation gives the same answer everywhere. All numbers are fixed point, 10^-6.
//!
//! - [`score`]: the formula, and who is no candidate;
//! - [`Greedy`]: the strategy that hands tasks out one by one, in the order of the queue;
//! - [`Optimal`]: the strategy that plans a whole round at once, the best one;
//! - [`balance`]: work moved from those who have too much to those who have little;
//! - [`forecast`]: when a project will be done, by chance drawn from what such work has taken;
//! - [`Graph`]: the longest path through what waits for what, and the slack beside it;
//! - [`explain`]: the whole list behind a pick, and what an agent would need.

mod balance;
mod column;
mod forecast;
mod greedy;
mod optimal;
mod path;
mod podium;

pub mod explain;
pub mod score;

pub use balance::balance;
pub use column::Sums;
pub use explain::{Explained, candidates, capability_bar, capability_needed};
pub use forecast::forecast;
pub use greedy::{Greedy, Tuning};
pub use optimal::{Optimal, Round, Totals, greedy_round};
pub use path::{Graph, Longest};
pub use score::{Refusal, candidate, parts};
