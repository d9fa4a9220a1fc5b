//! `kapell budget` and `kapell usage`: what work may cost, and what it has cost.

use anyhow::Context as _;
use kapell_api::{Ack, Budget, BudgetStanding, Costs, Limit, Limits, NamedCost, NewBudget, TaskCost, Usage};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};

#[derive(Debug, clap::Subcommand)]
pub enum BudgetVerb {
    /// List how budgets stand
    List {
        /// Only those under which nothing is assigned
        #[arg(long)]
        closed: bool,
    },
    /// Set what something may cost; what is not named is not limited
    Set(Box<Set>),
    /// Take its own budget back, so that the policy's holds
    Clear {
        /// fleet, task:T-12, agent:NAME or project:NAME
        of: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct Set {
    /// fleet, task:T-12, agent:NAME or project:NAME
    of: String,
    /// Money in all, as in 12.50: what would pass it is not begun, what runs is stopped at it
    #[arg(long, value_name = "AMOUNT", value_parser = micros)]
    money: Option<u64>,
    /// Money in all from which on it is warned
    #[arg(long, value_name = "AMOUNT", value_parser = micros)]
    warn_money: Option<u64>,
    /// Tokens in all, read and written
    #[arg(long, value_name = "COUNT")]
    tokens: Option<u64>,
    /// Tokens in all from which on it is warned
    #[arg(long, value_name = "COUNT")]
    warn_tokens: Option<u64>,
    /// Money in a day, UTC
    #[arg(long, value_name = "AMOUNT", value_parser = micros)]
    day_money: Option<u64>,
    /// Money in a day from which on it is warned
    #[arg(long, value_name = "AMOUNT", value_parser = micros)]
    warn_day_money: Option<u64>,
    /// Tokens in a day, UTC
    #[arg(long, value_name = "COUNT")]
    day_tokens: Option<u64>,
    /// Tokens in a day from which on it is warned
    #[arg(long, value_name = "COUNT")]
    warn_day_tokens: Option<u64>,
}

impl BudgetVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        match self {
            Self::List { closed } => {
                let query: &[(&str, &str)] = if closed { &[("state", "closed")] } else { &[] };
                let budgets = client.budgets(query)?;
                if context.format() == Format::Json {
                    output::json(&budgets)?;
                } else {
                    listed(&client.costs(0)?.currency, &budgets);
                }
            }
            Self::Set(it) => {
                let limits = |money, warn_money, tokens, warn_tokens| Limits {
                    money_micros: Limit { soft: warn_money, hard: money },
                    tokens: Limit { soft: warn_tokens, hard: tokens },
                };
                let budget = Budget {
                    total: limits(it.money, it.warn_money, it.tokens, it.warn_tokens),
                    day: limits(it.day_money, it.warn_day_money, it.day_tokens, it.warn_day_tokens),
                };
                let (of, name) = target(&it.of)?;
                let ack = client.set_budget(&NewBudget { of, name, budget: Some(budget) })?;
                changed(context, &ack, &format!("the budget of {} is set", it.of))?;
            }
            Self::Clear { of: named } => {
                let (of, name) = target(&named)?;
                let ack = client.set_budget(&NewBudget { of, name, budget: None })?;
                changed(context, &ack, &format!("the budget of {named} is what the policy says"))?;
            }
        }
        Ok(Exit::Ok)
    }
}

/// Tells what has become of a budget; the state too, where it is a task's.
fn changed(context: &Context, ack: &Ack, text: &str) -> anyhow::Result<()> {
    if context.format() == Format::Json {
        return output::json(ack);
    }
    let state = ack.state.as_ref().map(|state| format!("; the task is {state}")).unwrap_or_default();
    output::line(format!("{}{state}", output::plain(text)));
    Ok(())
}

/// Reads whose budget is meant.
fn target(text: &str) -> anyhow::Result<(String, Option<String>)> {
    if text == "fleet" {
        return Ok((text.to_owned(), None));
    }
    let parts = text.split_once(':').filter(|(of, _)| ["task", "agent", "project"].contains(of));
    let (of, name) =
        parts.with_context(|| format!("`{text}` is not fleet, task:T-12, agent:NAME or project:NAME"))?;
    Ok((of.to_owned(), Some(name.to_owned())))
}

fn listed(currency: &str, budgets: &[BudgetStanding]) {
    let (headings, rows) = rows(currency, budgets);
    output::table(&headings.iter().map(String::as_str).collect::<Vec<_>>(), rows);
}

/// Returns a table of budgets: money and tokens each where somebody has used or limited them.
fn rows(currency: &str, budgets: &[BudgetStanding]) -> (Vec<String>, Vec<Vec<String>>) {
    let limited = |limit: Limit| limit.soft.is_some() || limit.hard.is_some();
    let any = |spent: fn(&Usage) -> u64, limit: fn(&Limits) -> Limit| {
        budgets.iter().any(|it| {
            spent(&it.total) > 0 || limited(limit(&it.budget.total)) || limited(limit(&it.budget.day))
        })
    };
    let in_tokens = any(tokens, |limits| limits.tokens);
    let in_money = any(|it| it.money_micros, |limits| limits.money_micros) || !in_tokens;
    let mut headings = vec!["BUDGET".to_owned(), "STATE".to_owned()];
    let mut shown = |unit: &str, is: bool| {
        if is {
            headings.extend([format!("SPENT {unit}"), "OF".to_owned(), "TODAY".to_owned(), "OF".to_owned()]);
        }
    };
    shown(currency, in_money);
    shown("TOKENS", in_tokens);
    headings.push("BECAUSE".to_owned());
    let row = |it: &BudgetStanding| {
        let name = it.name.as_ref().map_or_else(|| it.of.clone(), |name| format!("{}:{name}", it.of));
        let mut row = vec![name, it.state.clone()];
        let (all, day) = (&it.budget.total, &it.budget.day);
        if in_money {
            let hard = |limits: &Limits| limits.money_micros.hard.map(money).unwrap_or_default();
            row.extend([money(it.total.money_micros), hard(all), money(it.today.money_micros), hard(day)]);
        }
        if in_tokens {
            let hard = |limits: &Limits| limits.tokens.hard.map(|it| it.to_string()).unwrap_or_default();
            row.extend([tokens(&it.total).to_string(), hard(all), tokens(&it.today).to_string(), hard(day)]);
        }
        row.push(it.because.as_deref().map(|because| output::cut(because, 60)).unwrap_or_default());
        row
    };
    (headings, budgets.iter().map(row).collect())
}

#[derive(Debug, clap::Args)]
pub struct Costing {
    /// Days that are shown one by one, up to 400
    #[arg(long, default_value_t = 14)]
    days: u32,
}

impl Costing {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let costs = context.client()?.costs(self.days)?;
        match context.format() {
            Format::Json => output::json(&costs)?,
            Format::Human => shown(&costs),
        }
        Ok(Exit::Ok)
    }
}

fn shown(costs: &Costs) {
    let currency = &costs.currency;
    output::line(format!("in all: {}", used(&costs.total, currency)));
    output::line(format!("today:  {}", used(&costs.today, currency)));
    output::line(format!(
        "running work is expected to cost {} {currency} more",
        money(costs.running.money_micros)
    ));
    let columns = |it: &Usage| {
        [it.money_micros, it.input_tokens, it.cached_tokens, it.output_tokens]
            .iter()
            .enumerate()
            .map(|(index, &value)| if index == 0 { money(value) } else { value.to_string() })
            .collect::<Vec<_>>()
    };
    let named = |title: &str, all: &[NamedCost], total: u32| {
        if !all.is_empty() {
            output::line("");
            let rows = all.iter().map(|it| [vec![it.name.clone()], columns(&it.total)].concat());
            output::table(&[title, currency, "READ", "CACHED", "WRITTEN"], rows.collect());
            left_out(all.len(), total).into_iter().for_each(output::line);
        }
    };
    named("PROJECT", &costs.projects, costs.projects_total);
    named("AGENT", &costs.agents, costs.agents_total);
    named("TYPE", &costs.types, costs.types_total);
    if !costs.days.is_empty() {
        output::line("");
        let rows = costs.days.iter().map(|it| [vec![it.day.clone()], columns(&it.usage)].concat());
        output::table(&["DAY", currency, "READ", "CACHED", "WRITTEN"], rows.collect());
    }
    for it in &costs.closed {
        output::line(format!("{}: {}", it.state, output::plain(it.because.as_deref().unwrap_or_default())));
    }
    left_out(costs.closed.len(), costs.closed_total).into_iter().for_each(output::line);
}

/// Says where not all are shown.
fn left_out(shown: usize, total: u32) -> Option<String> {
    (u32::try_from(shown).is_ok_and(|shown| shown < total)).then(|| format!("{shown} of {total} are shown"))
}

/// What a task may cost in all.
#[derive(Debug, clap::Args)]
pub struct OwnBudget {
    /// Money that the task may cost in all, as in 2.50
    #[arg(long, value_name = "AMOUNT", value_parser = micros)]
    budget: Option<u64>,
    /// Tokens, read and written, that it may cost in all
    #[arg(long, value_name = "COUNT")]
    budget_tokens: Option<u64>,
}

impl OwnBudget {
    /// Returns what was named.
    pub fn limits(&self) -> Option<Limits> {
        let hard = |hard| Limit { soft: None, hard };
        let limits = Limits { money_micros: hard(self.budget), tokens: hard(self.budget_tokens) };
        Some(limits).filter(|limits| *limits != Limits::default())
    }
}

/// What an attempt has used, beside another report.
#[derive(Debug, clap::Args)]
pub struct Used {
    /// Tokens that the attempt has read in all so far, those from a cache included
    #[arg(long, value_name = "COUNT")]
    input_tokens: Option<u64>,
    /// Of these, from a cache
    #[arg(long, value_name = "COUNT", requires = "input_tokens")]
    cached_tokens: Option<u64>,
    /// Tokens that it has written in all so far
    #[arg(long, value_name = "COUNT")]
    output_tokens: Option<u64>,
    /// Money that it has cost in all so far, as in 0.42
    #[arg(long, value_name = "AMOUNT", value_parser = micros)]
    cost: Option<u64>,
}

impl Used {
    /// Returns what was named.
    pub fn usage(&self) -> Option<Usage> {
        let Self { input_tokens, cached_tokens, output_tokens, cost } = *self;
        let usage = Usage {
            input_tokens: input_tokens.unwrap_or(0),
            cached_tokens: cached_tokens.unwrap_or(0),
            output_tokens: output_tokens.unwrap_or(0),
            money_micros: cost.unwrap_or(0),
        };
        [input_tokens, output_tokens, cost].iter().any(Option::is_some).then_some(usage)
    }
}

/// Says in words what a task costs.
pub fn told(cost: &TaskCost) -> String {
    let currency = &cost.currency;
    let mut told = used(&cost.standing.total, currency);
    if let Some(hard) = cost.standing.budget.total.money_micros.hard {
        told += &format!(" of {} {currency}", money(hard));
    }
    if let Some(rest) = &cost.to_finish {
        told +=
            &format!("; {} {currency} and {} tokens more expected", money(rest.money_micros), rest.tokens);
    }
    if let Some(it) = &cost.expected {
        let (low, high) = (money(it.p50.money_micros), money(it.p90.money_micros));
        told += &format!("; such work costs {low}, nine of ten {high} {currency} (from {})", it.from);
    }
    told
}

/// Says in words what was used.
pub fn used(usage: &Usage, currency: &str) -> String {
    let money = money(usage.money_micros);
    format!(
        "{money} {currency}, {} tokens read ({} cached), {} written",
        usage.input_tokens, usage.cached_tokens, usage.output_tokens
    )
}

const fn tokens(usage: &Usage) -> u64 {
    usage.input_tokens.saturating_add(usage.output_tokens)
}

/// Writes millionths as a decimal with at least two places.
pub fn money(micros: u64) -> String {
    let all = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let short = all.trim_end_matches('0');
    let places = short.len() - short.find('.').unwrap_or(0) - 1;
    format!("{short}{}", "0".repeat(2_usize.saturating_sub(places)))
}

/// Reads a decimal with at most six places as millionths.
fn micros(text: &str) -> Result<u64, String> {
    let wrong = || "an amount such as 12.50, with at most six places".to_owned();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 6 || !digits(whole) || !digits(part) {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let part: u64 = format!("{part:0<6}").parse().map_err(|_| wrong())?;
    whole.checked_mul(1_000_000).and_then(|whole| whole.checked_add(part)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_listed_in_the_units_that_somebody_uses() {
        let standing = |of: &str, budget: Budget, total: Usage| BudgetStanding {
            of: of.to_owned(),
            budget,
            total,
            state: "open".to_owned(),
            ..BudgetStanding::default()
        };
        let hard = |hard| Limit { soft: None, hard: Some(hard) };
        let limits = Limits { tokens: hard(9_000), ..Limits::default() };
        let in_tokens = Budget { total: limits, day: Limits { tokens: hard(500), ..Limits::default() } };
        let (headings, rows_of) = rows("EUR", &[standing("fleet", in_tokens, Usage::default())]);
        assert_eq!(headings, ["BUDGET", "STATE", "SPENT TOKENS", "OF", "TODAY", "OF", "BECAUSE"]);
        assert_eq!(rows_of, [["fleet", "open", "0", "9000", "0", "500", ""]]);
        let paid = Usage { money_micros: 2_500_000, ..Usage::default() };
        let (headings, rows_of) = rows("EUR", &[standing("fleet", Budget::default(), paid)]);
        assert_eq!(headings, ["BUDGET", "STATE", "SPENT EUR", "OF", "TODAY", "OF", "BECAUSE"]);
        assert_eq!(rows_of, [["fleet", "open", "2.50", "", "0.00", "", ""]]);
        let (headings, _) = rows("EUR", &[standing("fleet", in_tokens, paid)]);
        assert_eq!(headings.len(), 11);
        assert_eq!((left_out(20, 35).as_deref(), left_out(3, 3)), (Some("20 of 35 are shown"), None));
    }

    #[test]
    fn amounts_are_read_and_written_exactly() {
        for (text, value) in [("0", 0), ("12.5", 12_500_000), ("0.000001", 1), ("3.141592", 3_141_592)] {
            assert_eq!(micros(text), Ok(value), "{text}");
        }
        for text in ["", ".5", "1.0000001", "-1", "1e3", "99999999999999999999"] {
            assert!(micros(text).is_err(), "{text}");
        }
        assert_eq!([0, 1, 2_500_000].map(money), ["0.00", "0.000001", "2.50"]);
    }
}
