//! The command line: one file a subject.

mod agent;
mod bottlenecks;
mod breakdown;
mod budget;
mod capability;
mod conflict;
mod digest;
pub mod doctor;
mod emergency;
mod events;
mod export;
mod forecast;
mod gate;
mod handoff;
mod hours;
pub mod import;
mod join;
mod mcp;
mod message;
mod policy;
mod precedence;
mod prime;
mod report;
mod reserve;
#[cfg(target_os = "linux")]
mod run;
mod settle;
mod shell;
mod status;
mod task;
mod token;
mod up;
mod watch;
mod webhook;
pub mod why;
mod work;

use clap::{Parser, Subcommand};

use crate::context::Context;
use crate::exit::{self, Exit};
use crate::{demo, output, scripted};

/// The conductor for teams of AI agents and people who share one backlog.
#[derive(Debug, Parser)]
#[command(name = "kapell", version, after_help = exit::HELP, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    context: Context,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Watch a team of nine agents work off a backlog; needs nothing, leaves nothing
    Demo(demo::Demo),
    /// Start the server
    Up(up::Up),
    /// Show the fleet in numbers: tasks, agents, projects, what needs a person
    Status(status::Status),
    /// Add, list, show, drain and remove agents, and say when they work
    #[command(subcommand)]
    Agent(agent::AgentVerb),
    /// Define the words by which capabilities are known in texts, list and remove them
    #[command(subcommand)]
    Capability(capability::CapabilityVerb),
    /// Register every agent of a TOML file, or of a folder with a Markdown file for each; known ones stay as they are
    Team(import::Team),
    /// Add, list, show, edit, analyse, break down, cancel and reopen tasks
    #[command(subcommand)]
    Task(task::TaskVerb),
    /// List the tasks in the queue
    Ready,
    /// List the tasks that wait for others, and for which
    Blocked,
    /// Add and remove dependencies, and show them as a tree
    #[command(subcommand)]
    Dep(task::DepVerb),
    /// Place a task by hand
    Assign(work::Assign),
    /// Give an owned task to another agent
    Move(work::Move),
    /// Show what an agent was told
    Notices(work::Notices),
    /// Fetch an agent's next assignments
    Next(work::Next),
    /// Claim a named task for an agent
    Claim(work::Claim),
    /// Report that an agent has begun
    Start(work::Start),
    /// Report how far an agent is
    Progress(work::Progress),
    /// Report a result
    Done(work::Done),
    /// Report a failed attempt
    Fail(work::Fail),
    /// List finished work that waits for a review, an approval or a command
    Gates(gate::Gates),
    /// Say that finished work is right: a review by another agent, or a person's approval
    Approve(gate::Approve),
    /// Send finished work back to its author, with what is to be done
    Reject(gate::Reject),
    /// Report how a command ended that finished work must pass
    Check(gate::Check),
    /// Give a task back
    Release(work::Release),
    /// Hand owned work over to another agent: request, package, confirm, decline, cancel, list, show
    #[command(subcommand)]
    Handoff(handoff::HandoffVerb),
    /// Send messages between agents; show an inbox, acknowledge
    #[command(subcommand)]
    Message(message::MessageVerb),
    /// Make channels, list them, join and leave
    #[command(subcommand)]
    Channel(message::ChannelVerb),
    /// Reserve paths, environments, branches and devices; list, renew and release
    #[command(subcommand)]
    Reserve(reserve::ReserveVerb),
    /// List conflicts of all kinds, show one, and rule on it
    #[command(subcommand)]
    Conflict(conflict::ConflictVerb),
    /// Open decisions, propose options, and rule
    #[command(subcommand)]
    Decision(conflict::DecisionVerb),
    /// Say how urgent a task is; where others say otherwise, the business impact rules
    Priority(precedence::Priority),
    /// Say that one task is to come before another, list such orders, take one back
    #[command(subcommand)]
    Order(precedence::OrderVerb),
    /// Explain why a task is where it is
    Why(why::Why),
    /// Explain why an agent does not have a task
    WhyNot(why::WhyNot),
    /// Print the log of events
    Events(events::Events),
    /// List late results, and accept or decline one
    Offers(settle::Offers),
    /// Report on the fleet: health, what holds it up, what could be done
    Report(report::Report),
    /// Declare emergencies, end them, and show what was done about them
    #[command(subcommand)]
    Emergency(emergency::EmergencyVerb),
    /// Make task forces, show how far they are, disband them
    #[command(subcommand)]
    Force(emergency::ForceVerb),
    /// Say what the fleet, a project, an agent or a task may cost, and list how budgets stand
    #[command(subcommand)]
    Budget(budget::BudgetVerb),
    /// Show what the fleet has spent: in all, by day, by agent, by project
    Usage(budget::Costing),
    /// Show when a project will be done: p50, p80, p90, the longest path, what would help
    Forecast(forecast::Forecasts),
    /// Show what holds the work up, what is done about it, and what came of that
    Bottlenecks(bottlenecks::Bottlenecks),
    /// Show what waits for a role, an agent, a person or anybody, most pressing first
    Inbox(settle::Inbox),
    /// Write what waits for a person as Markdown, to be read or sent by mail
    Digest(digest::Digest),
    /// List escalations, take one on, settle one
    Escalations(settle::Escalations),
    /// Bring a backlog in: beads, Task Master, Backlog.md, GitHub, Jira, Linear, vibe-kanban, or Kapell's own JSON Lines
    Import(import::Import),
    /// Write the backlog out: beads, Task Master, Backlog.md, or Kapell's own JSON Lines
    Export(export::Export),
    /// Keep a beads file and the fleet in step, both ways
    Watch(watch::Watch),
    /// Show the policy, and change it
    #[command(subcommand)]
    Policy(policy::PolicyVerb),
    /// Serve the Model Context Protocol on standard input and output, for an agent that starts it
    Mcp(mcp::Mcp),
    /// Print what to paste into the configuration of an agent so that it joins, and check that it connects
    Join(join::Join),
    /// Print what a fresh session of an agent must know, in a bounded number of tokens
    Prime(prime::Prime),
    /// Start agents on this machine for the assignments that they get
    #[cfg(target_os = "linux")]
    Run(run::Run),
    /// Send what happens to addresses outside, signed: add, list, test, rotate, remove, and what could not be delivered
    #[command(subcommand)]
    Webhook(webhook::WebhookVerb),
    /// Make, list and revoke tokens
    #[command(subcommand)]
    Token(token::TokenVerb),
    /// Check the log of a data directory, beside a running server too
    #[command(subcommand)]
    Log(doctor::LogVerb),
    /// Look for what is wrong with this installation
    Doctor,
    /// Print a completion script for a shell
    Completions(shell::Completions),
    /// Write manual pages
    Man(shell::Man),
    /// One scripted agent of the demo
    #[command(hide = true)]
    ScriptedAgent(scripted::Scripted),
    /// A part of a run
    #[cfg(target_os = "linux")]
    #[command(hide = true, subcommand)]
    RunnerChild(run::RunnerChild),
}

impl Cli {
    /// Returns how data and errors are shown.
    pub fn format(&self) -> output::Format {
        self.context.format()
    }

    /// Runs the command.
    pub fn run(self) -> anyhow::Result<Exit> {
        let context = &self.context;
        match self.verb {
            Verb::Demo(it) => it.run(),
            Verb::Up(it) => it.run(context),
            Verb::Status(it) => it.run(context),
            Verb::Agent(it) => it.run(context),
            Verb::Capability(it) => it.run(context),
            Verb::Team(it) => it.run(context),
            Verb::Task(it) => it.run(context),
            Verb::Ready => task::ready(context),
            Verb::Blocked => task::blocked(context),
            Verb::Dep(it) => it.run(context),
            Verb::Assign(it) => it.run(context),
            Verb::Move(it) => it.run(context),
            Verb::Notices(it) => it.run(context),
            Verb::Next(it) => it.run(context),
            Verb::Claim(it) => it.run(context),
            Verb::Start(it) => it.run(context),
            Verb::Progress(it) => it.run(context),
            Verb::Done(it) => it.run(context),
            Verb::Fail(it) => it.run(context),
            Verb::Budget(it) => it.run(context),
            Verb::Usage(it) => it.run(context),
            Verb::Gates(it) => it.run(context),
            Verb::Approve(it) => it.run(context),
            Verb::Reject(it) => it.run(context),
            Verb::Check(it) => it.run(context),
            Verb::Release(it) => it.run(context),
            Verb::Handoff(it) => it.run(context),
            Verb::Message(it) => it.run(context),
            Verb::Channel(it) => it.run(context),
            Verb::Reserve(it) => it.run(context),
            Verb::Conflict(it) => it.run(context),
            Verb::Decision(it) => it.run(context),
            Verb::Priority(it) => it.run(context),
            Verb::Order(it) => it.run(context),
            Verb::Why(it) => it.run(context),
            Verb::WhyNot(it) => it.run(context),
            Verb::Events(it) => it.run(context),
            Verb::Offers(it) => it.run(context),
            Verb::Report(it) => it.run(context),
            Verb::Emergency(it) => it.run(context),
            Verb::Force(it) => it.run(context),
            Verb::Forecast(it) => it.run(context),
            Verb::Bottlenecks(it) => it.run(context),
            Verb::Inbox(it) => it.run(context),
            Verb::Digest(it) => it.run(context),
            Verb::Escalations(it) => it.run(context),
            Verb::Import(it) => it.run(context),
            Verb::Export(it) => it.run(context),
            Verb::Watch(it) => it.run(context),
            Verb::Policy(it) => it.run(context),
            Verb::Mcp(it) => it.run(context),
            Verb::Join(it) => it.run(context),
            Verb::Prime(it) => it.run(context),
            #[cfg(target_os = "linux")]
            Verb::Run(it) => it.run(context),
            Verb::Webhook(it) => it.run(context),
            Verb::Token(it) => it.run(context),
            Verb::Log(it) => it.run(context),
            Verb::Doctor => doctor::run(context),
            Verb::Completions(it) => it.run(),
            Verb::Man(it) => it.run(),
            Verb::ScriptedAgent(it) => it.run(),
            #[cfg(target_os = "linux")]
            Verb::RunnerChild(it) => it.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
