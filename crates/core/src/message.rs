//! Messages between agents, directly and in channels, in threads.
//!
//! ```text
//! sent --read (and acknowledged, where that is wanted)--> closed
//!   | due: the ack time of its priority
//!   +--> resent, once --due again--> escalated; it stays in the inbox until it is read
//! ```
//!
//! Inboxes are bounded: where one is full, its oldest messages of low priority are folded into a digest, and where there are none
//! of these the sender is refused. What went to a channel waits for room in the inboxes that are full, and somebody is called as
//! long as it does. So every message is read, stands in a digest that is, or somebody is called.
//!
//! Where a pair talks much, or a channel is read too little (SEMANTICS 8), what is said there and is not urgent is gathered, and
//! comes as one digest: `sent, gathered --due, as many as one takes, or something urgent follows--> folded into a digest, sent`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use kapell_model::{AgentId, EscalationId, MessageId, Moment, Name, Priority, Span, TaskId, Text, limits};
use serde::{Deserialize, Serialize};

use crate::decide::agents::own_text;
use crate::escalation::{EscalationKind, Matter, Subject};
use crate::event::Event;
use crate::mutation::mutated;
use crate::state::State;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id; later ones are larger.
    pub id: MessageId,
    /// Who sent it; nothing where a manager did, or where it is a digest of what several sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<AgentId>,
    /// Whose inbox it went into, where it went to no channel. Known once it is sent; the event says it beside the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<AgentId>,
    /// The channel that it was sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Name>,
    /// The first message of its thread, where it is a reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<MessageId>,
    /// The task that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// How urgent it is.
    pub priority: Priority,
    /// What it says.
    pub text: Text,
    /// Whether reading it is not enough.
    pub ack: bool,
    /// What was folded into it, where it is a digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digest: Vec<MessageId>,
    /// When it was sent.
    pub at: Moment,
}

/// How a message stands with one who should read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Until when it is to be read, and acknowledged where that is wanted.
    pub due: Moment,
    /// Whether it was read; then an acknowledgement is wanted still.
    pub read: bool,
    /// Whether it was sent again.
    pub resent: bool,
    /// Whether somebody was called.
    pub escalated: bool,
    /// The newest message that there was when it came, where it had waited for room: it stands behind that one in the inbox.
    #[serde(default)]
    pub behind: Option<MessageId>,
}

/// Where something is said: what comes of it as a digest comes of it alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Talk {
    /// Between two agents, directly or in a channel of these two; the one with the smaller id first.
    Pair(AgentId, AgentId),
    /// In a channel.
    Channel(Name),
}

impl Talk {
    /// The first of all.
    const FIRST: Self = Self::Pair(AgentId(0), AgentId(0));

    pub(crate) fn between(one: AgentId, other: AgentId) -> Self {
        Self::Pair(one.min(other), one.max(other))
    }
}

/// What is gathered for one who will read it as a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathered {
    /// The messages, oldest first; never none.
    pub messages: Vec<MessageId>,
    /// When the digest comes, at the latest.
    pub due: Moment,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Who gets what is sent to it.
    pub members: BTreeSet<AgentId>,
    /// When it was made.
    pub at: Moment,
    /// How many messages were sent to it.
    pub sent: u64,
    /// What was delivered of it and what was read, in the last [`TRAFFIC_HOURS`] hours in which anything was.
    hours: VecDeque<ChannelHour>,
}

/// What was delivered of a channel within one hour, a message to three as three, and what was read of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i64, u32, u32)", into = "(i64, u32, u32)")]
struct ChannelHour {
    hour: i64,
    delivered: u32,
    read: u32,
}

impl From<(i64, u32, u32)> for ChannelHour {
    fn from((hour, delivered, read): (i64, u32, u32)) -> Self {
        Self { hour, delivered, read }
    }
}

impl From<ChannelHour> for (i64, u32, u32) {
    fn from(it: ChannelHour) -> Self {
        (it.hour, it.delivered, it.read)
    }
}

impl Channel {
    /// Returns by how much more was delivered than read in the window before `now`, by whole hours: by how much the unread has grown.
    #[must_use]
    pub fn grown(&self, now: Moment) -> u64 {
        let first = hour_of(now) - TRAFFIC_HOURS;
        let own = self.hours.iter().filter(|it| it.hour > first);
        let (delivered, read) = own.fold((0_u64, 0_u64), |(delivered, read), it| {
            (delivered + u64::from(it.delivered), read + u64::from(it.read))
        });
        delivered.saturating_sub(read)
    }

    fn count(&mut self, at: Moment, delivered: u32, read: u32) {
        let hour = hour_of(at);
        self.hours.retain(|it| it.hour > hour - TRAFFIC_HOURS);
        if self.hours.back().is_none_or(|last| last.hour < hour) {
            self.hours.push_back(ChannelHour { hour, ..ChannelHour::default() });
        }
        let last = self.hours.back_mut().expect("one was just made");
        last.delivered = last.delivered.saturating_add(delivered);
        last.read = last.read.saturating_add(read);
    }
}

/// What two agents have sent each other within one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i64, u32, u32)", into = "(i64, u32, u32)")]
struct TrafficHour {
    hour: i64,
    messages: u32,
    handoffs: u32,
}

impl From<(i64, u32, u32)> for TrafficHour {
    fn from((hour, messages, handoffs): (i64, u32, u32)) -> Self {
        Self { hour, messages, handoffs }
    }
}

impl From<TrafficHour> for (i64, u32, u32) {
    fn from(it: TrafficHour) -> Self {
        (it.hour, it.messages, it.handoffs)
    }
}

/// What two agents have sent each other, either way, in the last 24 hours in which they did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    hours: VecDeque<TrafficHour>,
    /// Tasks that it was about, by the hour in which each was named last; at most [`limits::TRAFFIC_TASKS_MAX`] are told apart.
    tasks: BTreeMap<TaskId, i64>,
}

/// Hours of the window: the present one and those before it.
const TRAFFIC_HOURS: i64 = 24;

impl Traffic {
    /// Returns the messages and the handoffs of the window before `now`, by whole hours.
    #[must_use]
    pub fn counts(&self, now: Moment) -> (u32, u32) {
        let first = hour_of(now) - TRAFFIC_HOURS;
        let own = self.hours.iter().filter(|it| it.hour > first);
        own.fold((0, 0), |sum, it| (sum.0 + it.messages, sum.1 + it.handoffs))
    }

    /// Visits the tasks that were named or handed over in the window before `now`.
    pub fn tasks(&self, now: Moment) -> impl Iterator<Item = TaskId> + '_ {
        let first = hour_of(now) - TRAFFIC_HOURS;
        self.tasks.iter().filter(move |&(_, &hour)| hour > first).map(|(&task, _)| task)
    }

    fn count(&mut self, at: Moment, task: Option<TaskId>, messages: u32, handoffs: u32) {
        let hour = hour_of(at);
        let first = hour - TRAFFIC_HOURS;
        self.hours.retain(|it| it.hour > first);
        self.tasks.retain(|_, named| *named > first);
        if self.hours.back().is_none_or(|last| last.hour < hour) {
            self.hours.push_back(TrafficHour { hour, ..TrafficHour::default() });
        }
        let last = self.hours.back_mut().expect("one was just made");
        last.messages = last.messages.saturating_add(messages);
        last.handoffs = last.handoffs.saturating_add(handoffs);
        self.tasks.extend(task.map(|task| (task, hour)));
        if self.tasks.len() >= limits::TRAFFIC_TASKS_MAX {
            self.halve();
        }
    }

    /// Lets everything weigh half as much, and forgets the older half of the tasks.
    fn halve(&mut self) {
        for it in &mut self.hours {
            (it.messages, it.handoffs) = (it.messages / 2, it.handoffs / 2);
        }
        let mut named: Vec<(i64, TaskId)> = self.tasks.iter().map(|(&task, &hour)| (hour, task)).collect();
        named.sort_unstable();
        for (_, task) in &named[..named.len() / 2] {
            self.tasks.remove(task);
        }
    }
}

fn hour_of(at: Moment) -> i64 {
    at.0.div_euclid(Span::hours(1).0)
}

/// The facts about messages, as a snapshot holds them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Messages {
    pub(crate) all: BTreeMap<MessageId, Arc<Message>>,
    /// Those that nobody has to read any more, in the order in which that came about; the oldest are forgotten.
    pub(crate) closed: VecDeque<MessageId>,
    pub(crate) last: MessageId,
    pub(crate) inboxes: BTreeMap<AgentId, BTreeMap<MessageId, Delivery>>,
    pub(crate) channels: BTreeMap<Name, Channel>,
    pub(crate) traffic: BTreeMap<(AgentId, AgentId), Traffic>,
    /// What waits for a digest, by who will read it and where it was said.
    pub(crate) gathered: BTreeMap<(AgentId, Talk), Gathered>,
    /// What waits for room, by whose inbox was full; never none.
    #[serde(default)]
    pub(crate) undelivered: BTreeMap<AgentId, BTreeSet<MessageId>>,
    // Derived.
    #[serde(skip)]
    pub(crate) timers: BTreeSet<(Moment, AgentId, MessageId)>,
    /// When digests come.
    #[serde(skip)]
    pub(crate) digests: BTreeSet<(Moment, AgentId, Talk)>,
    /// How many have to read each message still.
    #[serde(skip)]
    pub(crate) open: BTreeMap<MessageId, u32>,
}

impl Messages {
    /// Returns a message that is still known.
    #[must_use]
    pub fn get(&self, id: MessageId) -> Option<&Message> {
        self.all.get(&id).map(Arc::as_ref)
    }

    /// Visits the messages that are still known, newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Message> + '_ {
        self.all.values().rev().map(Arc::as_ref)
    }

    /// Visits what an agent has to read or acknowledge, in the order in which it came.
    pub fn inbox(&self, agent: AgentId) -> impl DoubleEndedIterator<Item = (&Message, &Delivery)> + '_ {
        let inbox = self.inboxes.get(&agent).into_iter().flatten();
        let mut all: Vec<_> = inbox.filter_map(|(id, delivery)| Some((self.get(*id)?, delivery))).collect();
        all.sort_by_key(|(message, delivery)| place(message.id, Some(delivery)));
        all.into_iter()
    }

    /// Visits what an agent has read that has read its inbox up to a message.
    pub(crate) fn read_by(
        &self,
        agent: AgentId,
        up_to: MessageId,
    ) -> impl Iterator<Item = (MessageId, &Delivery)> + '_ {
        let inbox = self.inboxes.get(&agent);
        let last = place(up_to, inbox.and_then(|inbox| inbox.get(&up_to)));
        let all = inbox.into_iter().flatten().map(|(&id, delivery)| (id, delivery));
        all.filter(move |&(id, delivery)| place(id, Some(delivery)) <= last)
    }

    /// Visits what waits until there is room in the inbox of an agent, oldest first.
    pub fn undelivered(&self, agent: AgentId) -> impl Iterator<Item = MessageId> + '_ {
        self.undelivered.get(&agent).into_iter().flatten().copied()
    }

    /// Returns how many messages an agent has to read or acknowledge, and digests that will come.
    #[must_use]
    pub fn waiting(&self, agent: AgentId) -> usize {
        self.inboxes.get(&agent).map_or(0, BTreeMap::len) + self.gathered_for(agent).count()
    }

    /// Visits what is gathered for an agent.
    pub fn gathered_for(&self, agent: AgentId) -> impl Iterator<Item = &Gathered> + '_ {
        let own = self.gathered.range((agent, Talk::FIRST)..).take_while(move |((to, _), _)| *to == agent);
        own.map(|(_, gathered)| gathered)
    }

    /// Returns the newest message that an agent has to read.
    #[must_use]
    pub fn last_for(&self, agent: AgentId) -> Option<MessageId> {
        self.inboxes.get(&agent)?.keys().next_back().copied()
    }

    /// Visits the channels by name.
    pub fn channels(&self) -> impl Iterator<Item = (&Name, &Channel)> + '_ {
        self.channels.iter()
    }

    /// Visits the pairs of agents that have sent each other messages.
    pub fn traffic(&self) -> impl Iterator<Item = (&(AgentId, AgentId), &Traffic)> + '_ {
        self.traffic.iter()
    }

    /// Returns how many have to read or acknowledge a message still.
    #[must_use]
    pub fn unread(&self, id: MessageId) -> u32 {
        self.open.get(&id).copied().unwrap_or_default()
    }

    /// Visits those who have to read a message still.
    pub fn unread_by(&self, id: MessageId) -> impl Iterator<Item = AgentId> + '_ {
        let inboxes = self.inboxes.iter().filter(move |(_, inbox)| inbox.contains_key(&id));
        let gathered = self.gathered.iter().filter(move |(_, gathered)| gathered.messages.contains(&id));
        let full = self.undelivered.iter().filter(move |(_, waiting)| waiting.contains(&id));
        let read_late = gathered.map(|((agent, _), _)| *agent).chain(full.map(|(&agent, _)| agent));
        inboxes.map(|(&agent, _)| agent).chain(read_late)
    }

    pub(crate) fn next_timer(&self) -> Option<Moment> {
        let (message, digest) = (self.timers.first(), self.digests.first());
        message.map(|&(at, ..)| at).into_iter().chain(digest.map(|&(at, ..)| at)).min()
    }

    /// Makes what is derived again.
    pub(crate) fn restore(&mut self) {
        for (&agent, inbox) in &self.inboxes {
            for (&id, delivery) in inbox {
                *self.open.entry(id).or_default() += 1;
                if !delivery.escalated {
                    self.timers.insert((delivery.due, agent, id));
                }
            }
        }
        for ((agent, talk), gathered) in &self.gathered {
            self.digests.insert((gathered.due, *agent, talk.clone()));
            gathered.messages.iter().for_each(|&id| *self.open.entry(id).or_default() += 1);
        }
        for id in self.undelivered.values().flatten() {
            *self.open.entry(*id).or_default() += 1;
        }
    }

    /// Puts a message to those that wait for a digest, which comes at `due` where it is the first.
    fn gather(&mut self, id: MessageId, agent: AgentId, talk: Talk, due: Moment) {
        *self.open.entry(id).or_default() += 1;
        if let Some(gathered) = self.gathered.get_mut(&(agent, talk.clone())) {
            gathered.messages.push(id);
            return;
        }
        self.digests.insert((due, agent, talk.clone()));
        self.gathered.insert((agent, talk), Gathered { messages: vec![id], due });
    }

    fn deliver(&mut self, id: MessageId, agent: AgentId, due: Moment) {
        let delivery = Delivery { due, read: false, resent: false, escalated: false, behind: None };
        self.inboxes.entry(agent).or_default().insert(id, delivery);
        self.timers.insert((due, agent, id));
        *self.open.entry(id).or_default() += 1;
    }

    fn change(&mut self, id: MessageId, agent: AgentId, change: impl FnOnce(&mut Delivery)) {
        let Some(delivery) = self.inboxes.get_mut(&agent).and_then(|inbox| inbox.get_mut(&id)) else {
            return;
        };
        self.timers.remove(&(delivery.due, agent, id));
        change(delivery);
        if !delivery.escalated {
            self.timers.insert((delivery.due, agent, id));
        }
    }

    /// Takes a message from what waits for room; tells whether it did.
    fn come(&mut self, id: MessageId, agent: AgentId) -> bool {
        let Some(waiting) = self.undelivered.get_mut(&agent) else { return false };
        let waited = waiting.remove(&id);
        if waiting.is_empty() {
            self.undelivered.remove(&agent);
        }
        waited
    }

    /// Takes a message out of an inbox that was read, or stands in a digest.
    fn close(&mut self, id: MessageId, agent: AgentId) {
        if self.come(id, agent) {
            return self.left(id);
        }
        let Some(inbox) = self.inboxes.get_mut(&agent) else { return };
        let Some(delivery) = inbox.remove(&id) else { return };
        if inbox.is_empty() {
            self.inboxes.remove(&agent);
        }
        self.timers.remove(&(delivery.due, agent, id));
        self.left(id);
    }

    /// Takes what waits for a digest out of what is gathered.
    fn ungather(&mut self, agent: AgentId, talk: &Talk) {
        let Some(gathered) = self.gathered.remove(&(agent, talk.clone())) else { return };
        self.digests.remove(&(gathered.due, agent, talk.clone()));
        gathered.messages.into_iter().for_each(|id| self.left(id));
    }

    /// One less has to read a message; one that nobody has to read any more is kept for a while.
    fn left(&mut self, id: MessageId) {
        let left = self.open.get_mut(&id).map(|left| {
            *left -= 1;
            *left
        });
        if left == Some(0) {
            self.open.remove(&id);
            self.keep_closed(id);
        }
    }

    /// Counts for its channel that a message was read, or what stands in a digest.
    fn count_read(&mut self, id: MessageId, at: Moment) {
        let Some(message) = self.all.get(&id).cloned() else { return };
        if message.digest.is_empty() {
            let channel = message.channel.as_ref().and_then(|name| self.channels.get_mut(name));
            channel.into_iter().for_each(|channel| channel.count(at, 0, 1));
        }
        // A digest was made after all that stand in it.
        message.digest.iter().for_each(|&folded| self.count_read(folded, at));
    }

    fn keep_closed(&mut self, id: MessageId) {
        self.closed.push_back(id);
        if self.closed.len() > limits::MESSAGES_KEPT_MAX
            && let Some(oldest) = self.closed.pop_front()
        {
            self.all.remove(&oldest);
        }
    }
}

impl State {
    /// Returns the messages.
    #[must_use]
    pub fn messages(&self) -> &Messages {
        &self.messages
    }

    pub(crate) fn message_sent(
        &mut self,
        message: Message,
        to: &[AgentId],
        gathered: Option<&(Talk, Moment)>,
        full: &[AgentId],
    ) {
        let (id, at, from, task) = (message.id, self.at, message.from, message.task);
        let span = self.policy.ack.of(message.priority);
        if let Some(channel) = message.channel.as_ref().and_then(|name| self.messages.channels.get_mut(name))
        {
            channel.sent += 1;
            channel.count(at, u32::try_from(to.len() + full.len()).unwrap_or(u32::MAX), 0);
        }
        let direct = message.channel.is_none();
        let message = Message { to: to.first().copied().filter(|_| direct), ..message };
        self.messages.last = id;
        self.messages.all.insert(id, Arc::new(message));
        for &agent in to {
            match gathered {
                Some((talk, due)) => self.messages.gather(id, agent, talk.clone(), *due),
                None => {
                    let due = self.due_for(agent, at, span);
                    self.messages.deliver(id, agent, due);
                }
            }
        }
        for &agent in full.iter().filter(|_| !mutated!(FullForgotten)) {
            self.messages.undelivered.entry(agent).or_default().insert(id);
            *self.messages.open.entry(id).or_default() += 1;
        }
        // In a channel of two everything is between these two.
        if let (Some(from), true) = (from, direct || to.len() + full.len() == 1) {
            for &agent in to.iter().chain(full) {
                self.count_between(from, agent, task, 1, 0);
            }
        }
        if self.messages.unread(id) == 0 {
            self.messages.keep_closed(id);
        }
    }

    /// What waited for room comes into an inbox, behind what is there.
    pub(crate) fn messages_delivered(&mut self, agent: AgentId, messages: &[MessageId]) {
        let last = self.messages.last;
        for &id in messages {
            let Some(priority) = self.messages.get(id).map(|message| message.priority) else { continue };
            if !self.messages.come(id, agent) {
                continue;
            }
            let due = self.due_for(agent, self.at, self.policy.ack.of(priority));
            self.messages.deliver(id, agent, due);
            self.messages.left(id);
            self.messages.change(id, agent, |delivery| delivery.behind = Some(last));
        }
    }

    /// Counts a task that went from one agent to another in a handoff.
    pub(crate) fn count_handoff(&mut self, from: AgentId, to: AgentId, task: TaskId) {
        self.count_between(from, to, Some(task), 0, 1);
    }

    fn count_between(
        &mut self,
        from: AgentId,
        to: AgentId,
        task: Option<TaskId>,
        messages: u32,
        handoffs: u32,
    ) {
        let pair = (from.min(to), from.max(to));
        let at = self.at;
        if self.messages.traffic.len() >= limits::TRAFFIC_PAIRS_MAX
            && !self.messages.traffic.contains_key(&pair)
        {
            self.messages.traffic.retain(|_, traffic| traffic.counts(at) != (0, 0));
            if self.messages.traffic.len() >= limits::TRAFFIC_PAIRS_MAX {
                return;
            }
        }
        self.messages.traffic.entry(pair).or_default().count(at, task, messages, handoffs);
    }

    /// An agent has read its inbox up to a message: what wants no acknowledgement leaves it.
    pub(crate) fn messages_read(&mut self, agent: AgentId, up_to: MessageId) {
        let ids: Vec<MessageId> = self.messages.read_by(agent, up_to).map(|(id, _)| id).collect();
        for id in ids {
            if self.messages.get(id).is_some_and(|message| message.ack) {
                self.messages.change(id, agent, |delivery| delivery.read = true);
            } else {
                self.messages.count_read(id, self.at);
                self.messages.close(id, agent);
            }
        }
    }

    pub(crate) fn message_acknowledged(&mut self, agent: AgentId, id: MessageId) {
        self.messages.count_read(id, self.at);
        self.messages.close(id, agent);
    }

    pub(crate) fn message_resent(&mut self, agent: AgentId, id: MessageId, due: Moment) {
        self.messages.change(id, agent, |delivery| {
            delivery.due = due;
            delivery.resent = true;
        });
    }

    pub(crate) fn message_escalated(&mut self, agent: AgentId, id: MessageId) {
        self.messages.change(id, agent, |delivery| delivery.escalated = true);
    }

    /// Folds messages of one inbox, or what was gathered, into a digest that takes their place.
    pub(crate) fn messages_folded(&mut self, agent: AgentId, digest: Message, gathered: Option<&Talk>) {
        let (id, due) = (digest.id, self.due_for(agent, self.at, self.policy.ack.of(digest.priority)));
        let folded = digest.digest.clone();
        let digest = Message { to: Some(agent), ..digest };
        self.messages.last = id;
        self.messages.all.insert(id, Arc::new(digest));
        self.messages.deliver(id, agent, due);
        match gathered {
            Some(talk) => self.messages.ungather(agent, talk),
            None => folded.into_iter().for_each(|message| self.messages.close(message, agent)),
        }
    }

    pub(crate) fn channel_opened(&mut self, name: &Name, members: &[AgentId]) {
        let members = members.iter().copied().collect();
        let channel = Channel { members, at: self.at, sent: 0, hours: VecDeque::new() };
        self.messages.channels.insert(name.clone(), channel);
    }

    pub(crate) fn channel_member(&mut self, name: &Name, agent: AgentId, joins: bool) {
        if let Some(channel) = self.messages.channels.get_mut(name) {
            if joins {
                channel.members.insert(agent);
            } else {
                channel.members.remove(&agent);
            }
        }
    }

    /// Takes the deadlines of messages over a time in which nobody served.
    pub(crate) fn messages_resumed(&mut self, away: Span) {
        for (_, agent, id) in std::mem::take(&mut self.messages.timers) {
            self.messages.change(id, agent, |delivery| delivery.due = delivery.due.after(away));
        }
    }

    /// Returns the settling of the escalation about an agent's unread messages, where `event` lets none of those be left.
    pub(crate) fn unread_settled_by(&self, event: &Event) -> Option<Event> {
        let agent = match event {
            Event::MessagesRead { agent, .. }
            | Event::MessageAcknowledged { agent, .. }
            // What is gathered for a digest was not to be read one by one; what is folded was there.
            | Event::MessagesFolded { agent, gathered: None, .. }
            | Event::MessagesDelivered { agent, .. } => *agent,
            _ => return None,
        };
        let escalation = self.unread_call(agent)?;
        let read: BTreeSet<MessageId> = match event {
            Event::MessagesRead { up_to, .. } => {
                let read = self.messages.read_by(agent, *up_to).map(|(id, _)| id);
                read.filter(|&id| self.messages.get(id).is_some_and(|message| !message.ack)).collect()
            }
            Event::MessageAcknowledged { message, .. } => BTreeSet::from([*message]),
            Event::MessagesFolded { digest, .. } => digest.digest.iter().copied().collect(),
            _ => BTreeSet::new(),
        };
        let comes: &[MessageId] = match event {
            Event::MessagesDelivered { messages, .. } => messages,
            _ => &[],
        };
        let waits = |id: MessageId| !read.contains(&id) && !comes.contains(&id);
        let unread =
            self.messages.inbox(agent).any(|(message, it)| it.escalated && !read.contains(&message.id));
        if unread || self.messages.undelivered(agent).any(waits) {
            return None;
        }
        let name = &self.agent(agent).spec.name;
        let note = if comes.is_empty() {
            format!("`{name}` has read what was sent to it")
        } else {
            format!("`{name}` has read, and what waited for room is in its inbox")
        };
        Some(Event::EscalationSettled { escalation, note: own_text(&note) })
    }

    /// Returns the open call about an agent that does not read what is sent to it.
    pub(crate) fn unread_call(&self, agent: AgentId) -> Option<EscalationId> {
        let matter = Matter { subject: Subject::Agent(agent), kind: EscalationKind::MessageUnanswered };
        self.open_escalations.get(&matter).copied()
    }
}

/// Returns where a message stands in an inbox.
fn place(id: MessageId, delivery: Option<&Delivery>) -> (MessageId, Option<MessageId>) {
    match delivery.and_then(|delivery| delivery.behind) {
        Some(last) => (last, Some(id)),
        None => (id, None),
    }
}
