//! Who looks at every promise: the ledger after every event, the invariants of the core as often as the scenario says, and
//! a state that only folds what is durable, to compare with.

use kapell_core::{Engine, EscalationKind, Record, State, Subject, Voice, invariant};
use kapell_model::{ClassId, Gate, Moment, Strategy, TaskId};
use kapell_plan::{Greedy, explain};

use crate::Broken;
use crate::ledger::Ledger;
use crate::node::fold;

/// What is durable: a fold over it, and the account of it.
#[derive(Default)]
pub struct Durable {
    state: State,
    ledger: Ledger,
}

impl Durable {
    /// Returns where it ends.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.ledger.position
    }

    /// Takes what has become durable.
    ///
    /// # Errors
    /// The promise that it breaks.
    pub fn note(&mut self, records: &[Record]) -> Result<(), Broken> {
        for record in records {
            self.ledger.note(record)?;
            self.ledger.orders.hold(&self.state, &record.event)?;
            self.state.apply(record);
        }
        self.state.settle_replayed();
        Ok(())
    }

    /// Compares a state with the fold.
    ///
    /// # Errors
    /// Where they differ.
    pub fn compare(&self, state: &State, what: &str) -> Result<(), Broken> {
        self.compare_bytes(&state.to_snapshot(), what)
    }

    /// Compares the bytes of a state with those of the fold.
    ///
    /// # Errors
    /// Where they differ.
    pub fn compare_bytes(&self, bytes: &[u8], what: &str) -> Result<(), Broken> {
        if self.state.facts().are_written_in(bytes) {
            return Ok(());
        }
        Err(Broken { id: "replay-equals-live".to_owned(), what: what.to_owned() })
    }

    /// Compares the fold with one over the whole log.
    ///
    /// # Errors
    /// Where they differ.
    pub fn compare_log(&self, records: &[Record]) -> Result<(), Broken> {
        self.compare(&fold(State::default(), records), "a fold over the whole log differs")
    }

    /// Returns the state.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }
}

/// Who watches one life of the server.
pub struct Watcher {
    ledger: Ledger,
    /// A state that only folds, event by event, where the invariants are looked at after each.
    shadow: Option<State>,
    every: u32,
    since: u32,
}

impl Watcher {
    /// Begins where the log ends.
    ///
    /// # Errors
    /// The invariant that the state that was read breaks.
    pub fn new(state: State, durable: &Durable, every: u32) -> Result<Self, Broken> {
        check(&state)?;
        Ok(Self { ledger: durable.ledger.clone(), shadow: (every == 0).then_some(state), every, since: 0 })
    }

    /// Takes what a command has brought; returns how often every invariant was looked at.
    ///
    /// # Errors
    /// The promise that it breaks.
    pub fn note(&mut self, records: &[Record], engine: &Engine<Greedy>) -> Result<u64, Broken> {
        for record in records {
            self.ledger.note(record)?;
            if let Some(shadow) = &mut self.shadow {
                shadow.apply(record);
                check(shadow)?;
            }
        }
        if self.every == 0 {
            if !records.is_empty() {
                look_at_rest(engine)?;
            }
            return Ok(records.len() as u64);
        }
        self.since += u32::from(!records.is_empty());
        if self.since < self.every {
            return Ok(0);
        }
        self.since = 0;
        self.look(engine)?;
        Ok(1)
    }

    /// Looks at every invariant.
    ///
    /// # Errors
    /// The invariant that is broken.
    pub fn look(&self, engine: &Engine<Greedy>) -> Result<(), Broken> {
        check(engine.state())?;
        look_at_rest(engine)
    }

    /// Looks for what should have been done by now.
    ///
    /// # Errors
    /// What was not.
    #[expect(clippy::unused_self, reason = "one who watches")]
    pub fn after_tick(&self, state: &State, now: Moment) -> Result<(), Broken> {
        let due = [
            ("a task that was set aside", state.next_timer()),
            ("silent work", state.next_check()),
            ("a reservation", state.next_reservation_end()),
        ];
        // The clock of the state stands still while it is set back.
        let now = now.min(state.at());
        match due.into_iter().find(|(_, at)| at.is_some_and(|at| at < now)) {
            Some((what, at)) => {
                let what = format!("{what} was due at {at:?}, it is {now:?}");
                Err(Broken { id: "what-is-due-is-done".to_owned(), what })
            }
            None => Ok(()),
        }
    }
}

fn check(state: &State) -> Result<(), Broken> {
    invariant::check(state).map_err(|broken| Broken { id: broken.id.to_owned(), what: broken.found })
}

/// Looks for what must be so when a command is over.
fn look_at_rest(engine: &Engine<Greedy>) -> Result<(), Broken> {
    nobody_waits_for_nothing(engine)?;
    escalations_have_causes(engine.state())?;
    nothing_waits_for_room_that_is_there(engine.state())?;
    rulings_rest_on_orders(engine.state())?;
    somebody_is_called_for_leave(engine.state())
}

/// Looks whether a ruling moves the queue though none of the orders that it left stands.
fn rulings_rest_on_orders(state: &State) -> Result<(), Broken> {
    let stands = |voice: &Voice| match voice {
        Voice::Order { first, then, .. } => state.orders().get(*first, *then).is_some(),
        Voice::Priority { .. } => false,
    };
    let rests = |id| {
        let precedence = state.conflict(id).and_then(|conflict| conflict.precedence());
        precedence.is_some_and(|precedence| precedence.said.iter().any(stands))
    };
    match state.orders().rulings().find(|&(.., conflict)| !rests(conflict)) {
        Some((first, then, conflict)) => {
            let what = format!("{conflict} holds {first} before {then}, and none of its orders stands");
            Err(Broken { id: "rulings-rest-on-orders".to_owned(), what })
        }
        None => Ok(()),
    }
}

/// Looks whether a message waits for room in an inbox in which there is nothing to read.
fn nothing_waits_for_room_that_is_there(state: &State) -> Result<(), Broken> {
    let waits = |agent| state.messages().undelivered(agent).next();
    let empty = state.agents().iter().map(|agent| agent.id).filter(|&id| state.messages().waiting(id) == 0);
    match empty.filter_map(|id| Some((id, waits(id)?))).next() {
        Some((agent, message)) => {
            let name = &state.agent(agent).spec.name;
            let what =
                format!("{message} waits for room in the inbox of `{name}`, which has nothing to read");
            Err(Broken { id: "what-has-room-comes".to_owned(), what })
        }
        None => Ok(()),
    }
}

/// Looks whether an owner waits for leave and no person knows of it.
fn somebody_is_called_for_leave(state: &State) -> Result<(), Broken> {
    let mut waiting = state.tasks().iter().filter(|task| task.wanted().is_some());
    let called = |task: TaskId| state.is_escalated(EscalationKind::PermissionNeeded, &Subject::Task(task));
    match waiting.find(|task| !called(task.id)) {
        Some(task) => {
            let what = format!("the owner of {} waits for leave, and nobody is called", task.id);
            Err(Broken { id: "leave-is-called-for".to_owned(), what })
        }
        None => Ok(()),
    }
}

/// Looks whether somebody is still called for what has been put right.
fn escalations_have_causes(state: &State) -> Result<(), Broken> {
    let gone = state.open().find(|escalation| {
        let Some(task) = escalation.task().map(|task| state.task(task)) else { return false };
        match escalation.kind {
            EscalationKind::NoSuitableAgent => !task.is_open() || task.owner.is_some(),
            EscalationKind::PermissionNeeded => task.wanted().is_none(),
            EscalationKind::Stalled => task.owner.as_ref().is_none_or(|owner| owner.stall().is_none()),
            _ => false,
        }
    });
    match gone {
        Some(escalation) => {
            let what =
                format!("{} is open: {:?} about {:?}", escalation.id, escalation.kind, escalation.subject);
            Err(Broken { id: "escalations-have-causes".to_owned(), what })
        }
        None => Ok(()),
    }
}

/// Looks whether a ready task waits though an agent could take it, after a step that was not cut off.
fn nobody_waits_for_nothing(engine: &Engine<Greedy>) -> Result<(), Broken> {
    let (state, situation) = (engine.state(), engine.state().situation());
    if state.policy().strategy != Strategy::Greedy || engine.is_unsettled() || situation.free().is_empty() {
        return Ok(());
    }
    // An emergency holds assignments back, or lets them through little by little; without a budget there are none.
    if state.emergencies().pause().is_some() || state.ledgers().fleet().closed.is_some() {
        return Ok(());
    }
    let mut heads = situation.heads(None);
    let idle = heads.find_map(|(key, class)| {
        let open = situation.gate(class) == Gate::Open;
        let explained = open.then(|| explain::candidates(situation, situation.class(class), None))?;
        explained.choice.map(|agent| (key.task, agent, class))
    });
    match idle {
        Some((task, agent, ClassId(class))) => {
            let what = format!("{task} of class {class} is ready, and {agent:?} could take it");
            Err(Broken { id: "no-wait-without-a-reason".to_owned(), what })
        }
        None => Ok(()),
    }
}
