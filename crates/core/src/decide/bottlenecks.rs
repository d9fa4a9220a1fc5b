//! What a look at the windows of a fleet finds narrow, and what is done about it (SEMANTICS 8).

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::{
    ActionId, AgentId, AgentState, BottleneckId, Mode, Moment, Name, Need, Priority, Ratio, Span, TaskId,
    TaskState, kept_from, limits,
};

use super::agents::own_text;
use crate::bottleneck::{ActionEnd, Bottleneck, Found, Narrow, Remedy, Severity, need_of};
use crate::engine::Reply;
use crate::escalation::{EscalationKind, Subject};
use crate::event::Event;
use crate::gap::Wanted;
use crate::message::Talk;
use crate::mutation::mutated;
use crate::notice::NoticeKind;
use crate::state::State;

/// How long an action lasts that is no other agent's loss.
const LASTS: Span = Span::hours(24);
/// Agents nearest to a capability that a training request names.
const NEAREST: usize = 3;

impl State {
    /// Tells whether a look at `now` would find anything new.
    #[must_use]
    pub fn bottlenecks_turn(&self, now: Moment) -> bool {
        let mut out = Vec::new();
        self.look_for_bottlenecks(now, &mut out);
        !out.is_empty() || self.has_work_to_move(now)
    }

    /// Looks for bottlenecks: new ones are acted upon, those that are gone have their actions ended. Of more than a bound's worth the
    /// worst come first, and the others in the next look.
    pub(crate) fn look_for_bottlenecks(&self, now: Moment, out: &mut Vec<Event>) -> Reply {
        let wanted = self.wanted(now);
        let narrow = self.narrow(now, &wanted);
        let gone = self.bottlenecks.open().filter(|it| !narrow.contains_key(&it.about));
        for bottleneck in gone.take(limits::BOTTLENECKS_PER_LOOK_MAX) {
            self.is_gone(bottleneck, now, &wanted, out);
        }
        let mut worst: Vec<(&Narrow, &Found)> = narrow.iter().collect();
        worst.sort_by_key(|(_, found)| std::cmp::Reverse(found.severity));
        let (mut next, mut action) =
            (self.bottlenecks.last_id as usize, self.bottlenecks.last_action as usize);
        let mut left = limits::BOTTLENECKS_PER_LOOK_MAX;
        for (about, found) in worst {
            let known = self.bottlenecks.open.get(about).and_then(|&id| self.bottlenecks.get(id));
            let id = known.map_or(next + 1, |known| known.id.0 as usize);
            let before = out.len();
            let id = BottleneckId(u32::try_from(id).unwrap_or(u32::MAX));
            if known.is_none_or(|known| known.severity != found.severity) {
                next += usize::from(known.is_none());
                out.push(Event::BottleneckFound {
                    bottleneck: id,
                    about: about.clone(),
                    severity: found.severity,
                    measure: found.measure,
                    detail: own_text(&found.detail),
                });
            }
            self.act(now, (id, about, found), &mut action, out);
            left -= usize::from(out.len() > before);
            if left == 0 {
                break;
            }
        }
        self.look_at_performance(now, &narrow, out);
        Reply::default()
    }

    /// Takes every remedy that helps and has not been taken, or has rested for as long as it lasted.
    fn act(
        &self,
        now: Moment,
        (id, about, found): (BottleneckId, &Narrow, &Found),
        action: &mut usize,
        out: &mut Vec<Event>,
    ) {
        for (remedy, lasts) in self.remedies(about, found.severity, now, out) {
            *action += 1;
            let taken = ActionId(u32::try_from(*action).unwrap_or(u32::MAX));
            let expires_at = now.after(lasts);
            out.push(Event::ActionTaken {
                action: taken,
                bottleneck: id,
                remedy: remedy.clone(),
                before: found.measure,
                expires_at,
            });
            match &remedy {
                Remedy::Training { capability } => self.ask_for_training(capability, found, out),
                Remedy::Staffing { who } => {
                    let subject = Subject::Taker(who.clone());
                    let detail = || found.detail.clone();
                    self.raise(EscalationKind::TrainingNeeded, subject, Priority::High, detail, out);
                }
                Remedy::DirectChannel { channel, pair } => self.join_channel(channel, *pair, out),
                Remedy::Digest { talk: Talk::Pair(one, other) } => self.tell_of_digest((*one, *other), out),
                Remedy::Kept { .. }
                | Remedy::ShorterLeases { .. }
                | Remedy::Sharing { .. }
                | Remedy::Batching { .. }
                | Remedy::Together { .. }
                | Remedy::Digest { .. } => {}
            }
        }
    }

    /// Tells whether an action of a kind was never taken, or has rested for as long as it lasts.
    fn rested(&self, about: &Narrow, kind: &'static str, lasts: Span, now: Moment) -> bool {
        let last = self.bottlenecks.last.get(&(about.clone(), kind));
        let last = last.and_then(|&last| self.bottlenecks.action(last));
        last.is_none_or(|last| last.ended.as_ref().is_some_and(|&(ended, ..)| ended.after(lasts) <= now))
    }

    /// Returns what would help now, and how long each lasts at most.
    fn remedies(
        &self,
        about: &Narrow,
        severity: Severity,
        now: Moment,
        out: &[Event],
    ) -> Vec<(Remedy, Span)> {
        let acts = self.policy.bottlenecks.act.is_on();
        let rested = |kind, lasts| self.rested(about, kind, lasts, now);
        match about {
            Narrow::Capability(name) => {
                let training = Remedy::Training { capability: name.clone() };
                let training = rested(training.as_str(), LASTS).then_some((training, LASTS));
                let lasts = self.policy.bottlenecks.kept;
                let kept = rested(Remedy::KEPT, lasts).then(|| self.to_keep(name, out)).flatten();
                let kept = kept.map(|agents| (Remedy::Kept { capability: name.clone(), agents }, lasts));
                training.into_iter().chain(kept).collect()
            }
            Narrow::Taker(who) => {
                let remedy = Remedy::Staffing { who: who.clone() };
                rested(remedy.as_str(), LASTS).then_some((remedy, LASTS)).into_iter().collect()
            }
            Narrow::Resource(resource) => {
                let policy = &self.policy.reservations;
                let ttl = Span(policy.ttl.0 / 2).max(policy.ttl_min);
                let shorter = Remedy::ShorterLeases { resource: resource.clone(), ttl };
                let shared = Remedy::Sharing { resource: resource.clone() };
                let batched = Remedy::Batching { resource: resource.clone() };
                let (reads, shares) =
                    need_of(resource).map(|narrow| self.who_shares(&narrow)).unwrap_or_default();
                let all = [
                    Some(shorter),
                    Some(shared).filter(|_| acts && reads),
                    Some(batched).filter(|_| acts && shares),
                ];
                let rested = all.into_iter().flatten().filter(|remedy| rested(remedy.as_str(), LASTS));
                rested.map(|remedy| (remedy, LASTS)).collect()
            }
            Narrow::Pair(one, other) => {
                let names = (&self.agent(*one).spec.name, &self.agent(*other).spec.name);
                let channel = Name::new(&format!("direct-{}-{}", names.0, names.1));
                let channel = channel.or_else(|_| Name::new(&format!("direct-{}-{}", one.0, other.0)));
                let pair = (*one, *other);
                let channel = channel.ok().map(|channel| Remedy::DirectChannel { channel, pair });
                let together = Some(Remedy::Together { pair }).filter(|_| acts);
                // A digest keeps word waiting: only where there is far too much of it.
                let digest = Remedy::Digest { talk: Talk::between(*one, *other) };
                let digest = Some(digest).filter(|_| acts && severity >= Severity::Medium);
                let all = channel.into_iter().chain(together).chain(digest);
                all.filter(|remedy| rested(remedy.as_str(), LASTS)).map(|remedy| (remedy, LASTS)).collect()
            }
            Narrow::Channel(name) => {
                let digest = Remedy::Digest { talk: Talk::Channel(name.clone()) };
                let digest = Some(digest).filter(|digest| acts && rested(digest.as_str(), LASTS));
                digest.into_iter().map(|remedy| (remedy, LASTS)).collect()
            }
        }
    }

    /// Tells whether anybody who has or wants a resource only reads it, and whether several in line share it, or would.
    fn who_shares(&self, narrow: &Need) -> (bool, bool) {
        let near = std::slice::from_ref(narrow);
        let it = &self.reservations;
        let held = it.held_near.near(near).into_iter().map(|id| &it.held[&id].needs[..]);
        let waiting: Vec<&[Need]> =
            it.waiting_near.near(near).into_iter().map(|id| &it.waiting[&id].needs[..]).collect();
        let classes = it.classes_near.near(near).into_iter().filter(|&id| self.situation.first(id).is_some());
        let classes = classes.map(|id| &self.situation.class(id).needs[..]);
        let own = |needs: &[Need], is: fn(Mode) -> bool| {
            needs.iter().any(|need| is(need.mode) && need.resource.overlaps(&narrow.resource))
        };
        let mut all = held.chain(waiting.iter().copied()).chain(classes);
        let reads = all.any(|needs| own(needs, |mode| mode == Mode::Reads));
        let sharing = waiting.iter().filter(|needs| own(needs, |mode| mode != Mode::Exclusive));
        (reads, sharing.count() > 1)
    }

    /// Returns who can be kept for a capability: all who are online and able, but for those who could take critical work that waits
    /// and has nothing to do with it, unless more than half of those online would be kept
    /// then, or there is nobody.
    fn to_keep(&self, capability: &Name, out: &[Event]) -> Option<Vec<AgentId>> {
        if !self.policy.bottlenecks.act.is_on() {
            return None;
        }
        let word = self.words.find(capability.as_str())?;
        let free = |&agent: &AgentId| !self.is_set_apart(agent) && !self.could_take_critical(agent, word);
        let able: Vec<AgentId> = self.able_in(word).filter(free).collect();
        let just_now = out.iter().filter_map(|event| match event {
            Event::ActionTaken { remedy: Remedy::Kept { agents, .. }, .. } => Some(agents),
            _ => None,
        });
        let mut all = self.all_kept();
        all.extend(just_now.flatten().chain(&able));
        (!able.is_empty() && all.len() * 2 <= self.online).then_some(able)
    }

    fn ask_for_training(&self, capability: &Name, found: &Found, out: &mut Vec<Event>) {
        let severity = match found.severity {
            Severity::High => Priority::High,
            Severity::Medium => Priority::Medium,
            Severity::Low => Priority::Low,
        };
        let detail = || format!("{}; nearest to it: {}", found.detail, self.nearest(capability));
        let subject = Subject::Capability(capability.clone());
        self.raise(EscalationKind::TrainingNeeded, subject, severity, detail, out);
    }

    /// Names those who come nearest to being able in a capability.
    fn nearest(&self, capability: &Name) -> String {
        let Some(word) = self.words.find(capability.as_str()) else { return "nobody".to_owned() };
        let present = |agent: AgentId| self.agent(agent).state != AgentState::Removed;
        let mut nearest: Vec<(Ratio, AgentId)> = self
            .situation
            .holders(word)
            .iter()
            .filter(|&&(agent, score)| score < crate::gap::ABLE && present(agent))
            .map(|&(agent, score)| (score, agent))
            .collect();
        nearest.sort_by_key(|&(score, agent)| (std::cmp::Reverse(score), agent));
        let named = nearest.iter().take(NEAREST);
        let named: Vec<String> =
            named.map(|&(score, agent)| format!("`{}` with {score}", self.agent(agent).spec.name)).collect();
        if named.is_empty() { "nobody has any of it below that".to_owned() } else { named.join(", ") }
    }

    fn tell_of_digest(&self, (one, other): (AgentId, AgentId), out: &mut Vec<Event>) {
        for (agent, with) in [(one, other), (other, one)] {
            let (with, span) = (self.name_of(with), self.policy.messages.digest);
            let text = format!(
                "what you and `{with}` send each other comes as digests for now, after {span} at the latest; what is high or \
                 critical or wants an acknowledgement comes at once"
            );
            self.notify(agent, NoticeKind::DigestBegun, None, &text, None, out);
        }
    }

    fn join_channel(&self, channel: &Name, (one, other): (AgentId, AgentId), out: &mut Vec<Event>) {
        let channel = channel.clone();
        for (agent, with) in [(one, other), (other, one)] {
            let with = self.name_of(with);
            let text = format!(
                "you and `{with}` exchange much for what you do together: use the channel `{channel}`"
            );
            self.notify(agent, NoticeKind::ChannelOpened, None, &text, None, out);
        }
        match self.messages.channels.get(&channel) {
            None => out.push(Event::ChannelOpened { channel, members: vec![one, other] }),
            Some(known) => {
                for agent in [one, other].into_iter().filter(|agent| !known.members.contains(agent)) {
                    out.push(Event::ChannelJoined { channel: channel.clone(), agent });
                }
            }
        }
    }

    /// Ends the actions whose time is over by `now`; more than a bound's worth waits for the next tick.
    pub(super) fn end_actions(&self, now: Moment, out: &mut Vec<Event>) {
        let due = self.bottlenecks.running.iter().take_while(|&&(at, _)| at <= now);
        let mut due =
            due.filter(|_| !mutated!(ActionOutlives)).take(limits::BOTTLENECKS_PER_LOOK_MAX).peekable();
        if due.peek().is_none() {
            return;
        }
        let wanted = self.wanted(now);
        for &(_, id) in due {
            self.end_action(id, ActionEnd::Expired, now, &wanted, out);
        }
    }

    fn end_action(
        &self,
        id: ActionId,
        because: ActionEnd,
        now: Moment,
        wanted: &Wanted,
        out: &mut Vec<Event>,
    ) {
        let Some(action) = self.bottlenecks.action(id) else { return };
        let after = self.measured_after(action, now, wanted);
        out.push(Event::ActionEnded { action: id, because, after });
        if let Remedy::DirectChannel { channel, pair: (one, other) } = &action.remedy
            && let Some(known) = self.messages.channels.get(channel)
        {
            for &agent in [one, other].into_iter().filter(|agent| known.members.contains(agent)) {
                out.push(Event::ChannelLeft { channel: channel.clone(), agent });
            }
        }
    }

    /// Returns the ends of the actions by which somebody is kept from a critical task that nobody else has taken.
    pub(crate) fn kept_from_critical(&self, id: TaskId, now: Moment) -> Vec<Event> {
        let (task, mut out) = (self.task(id), Vec::new());
        if task.state() != TaskState::Ready || task.priority != Priority::Critical {
            return out;
        }
        let class = self.situation.class(task.class);
        let kept = |&agent: &AgentId| {
            kept_from(class, self.situation.agent(agent)).is_some() && self.could_have(task.class, agent)
        };
        let actions: BTreeSet<ActionId> =
            self.situation.kept().filter(kept).flat_map(|agent| self.keepers_of(agent)).collect();
        if !actions.is_empty() {
            let wanted = self.wanted(now);
            actions.into_iter().for_each(|id| self.end_action(id, ActionEnd::Needed, now, &wanted, &mut out));
        }
        out
    }

    fn is_gone(&self, bottleneck: &Bottleneck, now: Moment, wanted: &Wanted, out: &mut Vec<Event>) {
        let measure = self.measured(&bottleneck.about, now, wanted);
        for action in self.bottlenecks.running().filter(|action| action.bottleneck == bottleneck.id) {
            self.end_action(action.id, ActionEnd::Relieved, now, wanted, out);
        }
        out.push(Event::BottleneckGone { bottleneck: bottleneck.id, measure });
    }

    /// Looks whether the performance has become worse than it was, or is as it was again.
    fn look_at_performance(&self, now: Moment, narrow: &BTreeMap<Narrow, Found>, out: &mut Vec<Event>) {
        let mut causes = self.metrics.worse(now);
        let high = narrow.values().filter(|found| found.severity == Severity::High);
        causes.extend(high.take(limits::NAMED_MAX).map(|found| found.detail.clone()));
        match self.bottlenecks.degraded {
            None if !causes.is_empty() => {
                let causes = causes.iter().map(|cause| own_text(cause)).collect();
                out.push(Event::PerformanceDegraded { causes });
            }
            Some(since) if causes.is_empty() => out.push(Event::PerformanceRecovered { since }),
            _ => {}
        }
    }
}
