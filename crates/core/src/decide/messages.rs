//! Messages: sent, read, acknowledged; sent again, and what comes of silence. And the channels that they go to.

use std::collections::BTreeSet;

use kapell_model::{AgentId, AgentState, MessageId, Moment, Name, Priority, TaskId, Text, limits};

use super::agents::own_text;
use super::invalid;
use crate::command::{Address, NewMessage};
use crate::engine::Reply;
use crate::escalation::{EscalationKind, Subject};
use crate::event::Event;
use crate::message::{Channel, Gathered, Message, Talk};
use crate::mutation::mutated;
use crate::rejection::Rejection;
use crate::state::State;

/// Deadlines of messages that one tick looks at.
const DUE_MAX: usize = limits::EVENTS_PER_COMMAND_MAX / 8;

impl State {
    /// Sends a message. Where an inbox is full, its oldest messages of low priority are folded first.
    pub(super) fn send_message(
        &self,
        now: Moment,
        new: &NewMessage,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let from = new.from.as_ref().map(|name| self.find_agent(name)).transpose()?.map(|agent| agent.id);
        let (to, channel) = self.addressed(from, &new.to)?;
        let task = new.task.as_ref().map(|task| self.find_task(task)).transpose()?.map(|task| task.id);
        let thread = new.reply_to.map(|id| self.known(id)).transpose()?;
        let thread = thread.map(|message| message.thread.unwrap_or(message.id));
        if let (Some(from), None) = (from, channel) {
            self.share_left(from, &to)?;
        }
        let talks = talks(from, &to, channel);
        let gathers = talks.iter().find(|talk| new.is_unhurried() && self.is_gathered(talk));
        let mut full = Vec::new();
        for &agent in &to {
            let mut joins = false;
            for talk in &talks {
                let Some((key, before)) = self.messages.gathered.get_key_value(&(agent, talk.clone())) else {
                    continue;
                };
                if gathers == Some(talk) && before.messages.len() < limits::GATHERED_MAX {
                    joins = true;
                } else {
                    // What was said before comes before.
                    out.push(self.digest_of(key, before, now, out));
                }
            }
            if joins {
                continue;
            }
            // Nothing of a channel comes before what waits already.
            let waiting = self.messages.undelivered(agent).count();
            if (channel.is_some() && waiting > 0) || !self.make_room(agent, now, out) {
                if waiting >= limits::UNDELIVERED_MAX {
                    let what = "messages that wait for room in the inbox of one of the channel's members";
                    out.clear();
                    return Err(Rejection::LimitExceeded { what, limit: limits::UNDELIVERED_MAX });
                }
                if channel.is_none() {
                    let what = "unread messages that cannot be folded, in the recipient's inbox,";
                    out.clear();
                    return Err(Rejection::LimitExceeded {
                        what,
                        limit: self.policy.messages.inbox_max as usize,
                    });
                }
                full.push(agent);
            }
        }
        let message = self.message_after(out);
        for &agent in &full {
            let waiting: Vec<MessageId> = self.messages.undelivered(agent).chain([message]).collect();
            let text = self.full_text(agent, &waiting);
            if let Some(escalation) = self.unread_call(agent).and_then(|id| self.escalation(id)) {
                let severity = escalation.severity.min(new.priority);
                let (escalation, detail) = (escalation.id, own_text(&text));
                out.push(Event::EscalationUpdated { escalation, severity, detail });
                continue;
            }
            self.raise(EscalationKind::MessageUnanswered, Subject::Agent(agent), new.priority, || text, out);
        }
        let to = to.into_iter().filter(|agent| !full.contains(agent)).collect();
        let channel = channel.cloned();
        let gathered = gathers.map(|talk| (talk.clone(), now.after(self.policy.messages.digest)));
        out.push(Event::MessageSent {
            to,
            gathered,
            full,
            message: Message {
                id: message,
                from,
                to: None,
                channel,
                thread,
                task,
                priority: new.priority,
                text: new.text.clone(),
                ack: new.ack,
                digest: Vec::new(),
                at: now,
            },
        });
        Ok(Reply { message: Some(message), task, ..Reply::default() })
    }

    /// Checks that a sender leaves room to others in the inboxes that it writes to directly, with what cannot be folded.
    fn share_left(&self, from: AgentId, to: &[AgentId]) -> Result<(), Rejection> {
        let limit = (self.policy.messages.inbox_max / limits::INBOX_SHARE).max(limits::INBOX_SHARE_MIN);
        let limit = limit as usize;
        if limit < self.policy.messages.inbox_max as usize
            && to.iter().any(|&agent| self.direct_from(from, agent) >= limit)
        {
            let what = "unread messages of one sender, in the recipient's inbox,";
            return Err(Rejection::LimitExceeded { what, limit });
        }
        Ok(())
    }

    /// Counts what one sender sent directly into an inbox and is not folded there. Digests of several are nobody's.
    fn direct_from(&self, from: AgentId, agent: AgentId) -> usize {
        let own = |message: &Message| {
            message.from == Some(from) && message.channel.is_none() && !is_foldable(message)
        };
        self.messages.inbox(agent).filter(|(message, _)| own(message)).count()
    }

    /// Says what waits for room in an inbox, and what is in it that somebody was called for.
    fn full_text(&self, agent: AgentId, waiting: &[MessageId]) -> String {
        let some = |ids: &[MessageId]| match ids {
            [first, others @ ..] if !others.is_empty() => format!("{first} and {} more", others.len()),
            ids => ids.iter().map(ToString::to_string).collect(),
        };
        let unread = self.messages.inbox(agent).filter(|(_, delivery)| delivery.escalated);
        let unread: Vec<MessageId> = unread.map(|(message, _)| message.id).collect();
        let verb = if waiting.len() > 1 { "wait" } else { "waits" };
        let also =
            if unread.is_empty() { String::new() } else { format!("; it has not read {}", some(&unread)) };
        format!("the inbox of `{}` is full: {} {verb} for room{also}", self.name_of(agent), some(waiting))
    }

    /// Returns what comes into an inbox in which there is room again, and what is said of the rest.
    pub(crate) fn comes_now(&self, agent: AgentId) -> Vec<Event> {
        let room = (self.policy.messages.inbox_max as usize).saturating_sub(self.messages.waiting(agent));
        let mut waiting: Vec<MessageId> = self.messages.undelivered(agent).collect();
        if waiting.is_empty() || room == 0 {
            return Vec::new();
        }
        let rest = waiting.split_off(room.min(waiting.len()));
        let delivered = Event::MessagesDelivered { agent, messages: waiting };
        let call = self.unread_call(agent).and_then(|id| self.escalation(id)).filter(|_| !rest.is_empty());
        let updated = call.map(|call| Event::EscalationUpdated {
            escalation: call.id,
            severity: call.severity,
            detail: own_text(&self.full_text(agent, &rest)),
        });
        [delivered].into_iter().chain(updated).collect()
    }

    /// Returns who gets a message, and through which channel.
    fn addressed<'a>(
        &self,
        from: Option<AgentId>,
        to: &'a Address,
    ) -> Result<(Vec<AgentId>, Option<&'a Name>), Rejection> {
        match to {
            Address::Agent(name) => {
                let agent = self.find_agent(name)?.id;
                if from == Some(agent) {
                    return Err(invalid("to", format!("`{name}`, the sender"), "another agent"));
                }
                Ok((vec![agent], None))
            }
            Address::Channel(name) => {
                let channel = self.channel(name)?;
                if let Some(from) = from.filter(|from| !channel.members.contains(from)) {
                    let given = format!("`{name}`, of which `{}` is no member", self.name_of(from));
                    return Err(invalid("channel", given, "a channel that the sender is a member of"));
                }
                let present = |agent: &AgentId| self.agent(*agent).state != AgentState::Removed;
                let others = channel.members.iter().copied().filter(|agent| from != Some(*agent));
                let others: Vec<AgentId> = others.filter(present).collect();
                if others.is_empty() {
                    return Err(invalid(
                        "channel",
                        format!("`{name}`, with nobody else in it"),
                        "a channel with others",
                    ));
                }
                Ok((others, Some(name)))
            }
        }
    }

    /// Makes the digest of what was gathered for one agent, with as much of each message as fits.
    fn digest_of(&self, key: &(AgentId, Talk), gathered: &Gathered, now: Moment, out: &[Event]) -> Event {
        let (agent, talk) = key.clone();
        let messages: Vec<&Message> =
            gathered.messages.iter().filter_map(|&id| self.messages.get(id)).collect();
        let mut text = format!("digest of {} messages:", messages.len());
        for (index, message) in messages.iter().enumerate() {
            // What short ones leave is for those behind them.
            let most = (limits::DIGEST_BYTES_MAX - text.len()) / (messages.len() - index) - 1;
            text.push('\n');
            text.push_str(cut(&self.said(message), most));
        }
        let same = |one: &Message, other: &Message| {
            (
                one.from == other.from,
                one.channel == other.channel,
                one.thread == other.thread,
                one.task == other.task,
            )
        };
        let alike = messages.iter().map(|message| same(messages[0], message));
        let (from, channel, thread, task) = alike.fold((true, true, true, true), |all, it| {
            (all.0 && it.0, all.1 && it.1, all.2 && it.2, all.3 && it.3)
        });
        let first = messages.first();
        let digest = Message {
            id: self.message_after(out),
            from: first.and_then(|it| it.from).filter(|_| from),
            to: None,
            channel: first.and_then(|it| it.channel.clone()).filter(|_| channel),
            thread: first.and_then(|it| it.thread).filter(|_| thread),
            task: first.and_then(|it| it.task).filter(|_| task),
            priority: messages.iter().map(|it| it.priority).min().unwrap_or(Priority::Low),
            text: Text::new(&text, limits::DIGEST_BYTES_MAX).unwrap_or_default(),
            ack: false,
            digest: gathered.messages.clone(),
            at: now,
        };
        Event::MessagesFolded { agent, digest, gathered: Some(talk) }
    }

    /// Says a message as it stands in a digest.
    fn said(&self, message: &Message) -> String {
        let from =
            message.from.map_or_else(|| "a manager".to_owned(), |from| format!("`{}`", self.name_of(from)));
        let task = message.task.map(|task| format!(" about {task}")).unwrap_or_default();
        format!("{} {from}{task}: {}", message.id, message.text)
    }

    /// Puts the digests into `out` that are due by `now`; more than a bound's worth waits for the next tick.
    pub(super) fn send_digests(&self, now: Moment, out: &mut Vec<Event>) {
        let due = self.messages.digests.iter().take_while(|&&(at, ..)| at <= now);
        for (_, agent, talk) in due.filter(|_| !mutated!(DigestNeverComes)).take(DUE_MAX) {
            let key = (*agent, talk.clone());
            if let Some(gathered) = self.messages.gathered.get(&key) {
                out.push(self.digest_of(&key, gathered, now, out));
            }
        }
    }

    fn channel(&self, name: &Name) -> Result<&Channel, Rejection> {
        let unknown = || Rejection::NotFound { what: "channel", given: name.to_string() };
        self.messages.channels.get(name).ok_or_else(unknown)
    }

    fn known(&self, id: MessageId) -> Result<&Message, Rejection> {
        self.messages.get(id).ok_or_else(|| Rejection::NotFound { what: "message", given: id.to_string() })
    }

    fn message_after(&self, out: &[Event]) -> MessageId {
        let before = out.iter().filter(|event| matches!(event, Event::MessagesFolded { .. })).count();
        MessageId(self.messages.last.0 + u32::try_from(before).expect("a command's events are bounded") + 1)
    }

    /// Makes room in an inbox for one message more, by folding where it is full; tells whether there is.
    fn make_room(&self, agent: AgentId, now: Moment, out: &mut Vec<Event>) -> bool {
        let limit = self.policy.messages.inbox_max as usize;
        if self.messages.waiting(agent) < limit {
            return true;
        }
        let inbox = self.messages.inbox(agent);
        let foldable = inbox.filter(|(message, _)| is_foldable(message));
        let folded: Vec<&Message> =
            foldable.map(|(message, _)| message).take(limit.div_ceil(2).max(2)).collect();
        if folded.len() < 2 {
            return false;
        }
        let lines: Vec<String> = folded.iter().map(|message| self.digested(message)).collect();
        let text = own_text(&format!("digest of {} messages:\n{}", folded.len(), lines.join("\n")));
        let digest = Message {
            id: self.message_after(out),
            from: None,
            to: None,
            channel: None,
            thread: None,
            task: None,
            priority: Priority::Low,
            text,
            ack: false,
            digest: folded.iter().map(|message| message.id).collect(),
            at: now,
        };
        out.push(Event::MessagesFolded { agent, digest, gathered: None });
        true
    }

    fn digested(&self, message: &Message) -> String {
        let from =
            message.from.map_or_else(|| "a manager".to_owned(), |from| format!("`{}`", self.name_of(from)));
        let first = message.text.as_str().lines().next().unwrap_or_default();
        let first: String = first.chars().take(60).collect();
        format!("{} {from}: {first}", message.id)
    }

    /// An agent has read its inbox up to a message.
    pub(super) fn read_messages(
        &self,
        name: &Name,
        up_to: MessageId,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let agent = self.find_agent(name)?;
        if up_to > self.messages.last || up_to.0 == 0 {
            return Err(Rejection::NotFound { what: "message", given: up_to.to_string() });
        }
        if self.messages.read_by(agent.id, up_to).any(|(_, delivery)| !delivery.read) {
            out.push(Event::MessagesRead { agent: agent.id, up_to });
        }
        Ok(Reply { agent: Some(name.clone()), ..Reply::default() })
    }

    /// An agent acknowledges a message. The same word twice is answered as the first time.
    pub(super) fn acknowledge_message(
        &self,
        name: &Name,
        id: MessageId,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let agent = self.find_agent(name)?;
        self.known(id)?;
        let mut waiting = self.messages.undelivered(agent.id);
        if self.messages.inbox(agent.id).any(|(message, _)| message.id == id) || waiting.any(|it| it == id) {
            out.push(Event::MessageAcknowledged { agent: agent.id, message: id });
        }
        Ok(Reply { agent: Some(name.clone()), message: Some(id), ..Reply::default() })
    }

    pub(super) fn open_channel(
        &self,
        name: &Name,
        members: &[Name],
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        if self.messages.channels.contains_key(name) {
            return Err(Rejection::Duplicate { what: "a channel", given: name.to_string(), existing: None });
        }
        let members: BTreeSet<AgentId> =
            members.iter().map(|name| Ok(self.find_agent(name)?.id)).collect::<Result<_, Rejection>>()?;
        if members.len() > limits::CHANNEL_MEMBERS_MAX {
            let limit = limits::CHANNEL_MEMBERS_MAX;
            return Err(Rejection::LimitExceeded { what: "members of a channel", limit });
        }
        if self.messages.channels.len() >= limits::CHANNELS_MAX {
            return Err(Rejection::LimitExceeded {
                what: "channels of a fleet",
                limit: limits::CHANNELS_MAX,
            });
        }
        out.push(Event::ChannelOpened { channel: name.clone(), members: members.into_iter().collect() });
        Ok(Reply::default())
    }

    /// An agent comes into a channel or leaves it.
    pub(super) fn channel_membership(
        &self,
        name: &Name,
        agent: &Name,
        joins: bool,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let channel = self.channel(name)?;
        let agent_id = self.find_agent(agent)?.id;
        let reply = Reply { agent: Some(agent.clone()), ..Reply::default() };
        if channel.members.contains(&agent_id) == joins {
            return Ok(reply);
        }
        if joins && channel.members.len() >= limits::CHANNEL_MEMBERS_MAX {
            let limit = limits::CHANNEL_MEMBERS_MAX;
            return Err(Rejection::LimitExceeded { what: "members of a channel", limit });
        }
        let channel = name.clone();
        out.push(if joins {
            Event::ChannelJoined { channel, agent: agent_id }
        } else {
            Event::ChannelLeft { channel, agent: agent_id }
        });
        Ok(reply)
    }

    /// Puts into `out` what comes of messages that were not read, or not acknowledged, by `now`: once they are sent again, then
    /// somebody is called.
    pub(super) fn lapse_messages(&self, now: Moment, out: &mut Vec<Event>) {
        let due = self.messages.timers.iter().take_while(|&&(at, ..)| at <= now).take(DUE_MAX);
        for &(_, agent, message) in due.filter(|_| !mutated!(MessageNeverDue)) {
            let Some((found, delivery)) = self.messages.inbox(agent).find(|(it, _)| it.id == message) else {
                continue;
            };
            if !delivery.resent && self.agent(agent).state != AgentState::Removed {
                let due = self.due_for(agent, now, self.policy.ack.of(found.priority));
                out.push(Event::MessageResent { message, agent, due });
                continue;
            }
            out.push(Event::MessageEscalated { message, agent });
            let (name, sent) = (self.name_of(agent), now.since(found.at));
            let verb = if delivery.read { "acknowledged" } else { "read" };
            let text = format!(
                "`{name}` has not {verb} {}, sent {sent} ago and once more since",
                self.digested(found)
            );
            let (kind, subject) = (EscalationKind::MessageUnanswered, Subject::Agent(agent));
            self.raise(kind, subject, found.priority, || text, out);
        }
    }

    /// Returns the messages about a task that are still known, newest first.
    pub fn messages_about(&self, task: TaskId) -> impl Iterator<Item = &Message> + '_ {
        self.messages.newest().filter(move |message| message.task == Some(task))
    }
}

impl NewMessage {
    /// Tells whether it may wait for a digest.
    fn is_unhurried(&self) -> bool {
        self.priority >= Priority::Medium && !self.ack
    }
}

/// Tells whether a message may be folded where an inbox is full.
fn is_foldable(message: &Message) -> bool {
    message.priority == Priority::Low && !message.ack
}

/// Returns as part of what something is said to these: in a channel, and between two.
fn talks(from: Option<AgentId>, to: &[AgentId], channel: Option<&Name>) -> Vec<Talk> {
    let pair = match (from, to) {
        (Some(from), &[to]) => Some(Talk::between(from, to)),
        _ => None,
    };
    channel.cloned().map(Talk::Channel).into_iter().chain(pair).collect()
}

/// Returns as much of a text as fits into so many bytes.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
