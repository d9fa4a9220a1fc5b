//! The HTTP door of a real server, over its socket.

mod analysis;
mod breakdown;
mod budgets;
mod conflicts;
mod crowds;
mod dashboard;
mod emergencies;
mod evenness;
mod failing;
mod forecasts;
mod gates;
mod handoffs;
mod inbox;
mod llm;
mod mcp;
mod measured;
mod messages;
mod orchestration;
mod refusals;
mod reservations;
mod roles;
mod secrets;
mod served;
mod stalls;
mod webhooks;
mod work;
