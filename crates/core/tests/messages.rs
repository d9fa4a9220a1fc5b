//! Messages: read, acknowledged, sent again, escalated; and nothing is lost on the way.

mod scenario;

use kapell_core::{Address, Command, EscalationKind, Event, NewMessage, State, Subject, invariant};
use kapell_model::{AgentId, MessageId, Moment, Priority, Text};
use proptest::prelude::*;
use scenario::{Scenario, name};
use std::collections::{BTreeMap, BTreeSet};

const TWO: &str = "agent A\nagent B\nagent C\n";

fn play(text: &str) -> Scenario {
    Scenario::play(&format!("{TWO}{text}"))
}

fn escalations(scenario: &Scenario) -> Vec<String> {
    let shown = scenario.engine.state().escalations().iter().map(|it| match &it.settled {
        Some((_, note)) => format!("{}: {note}", it.kind.as_str()),
        None => it.kind.as_str().to_owned(),
    });
    shown.collect()
}

/// Says all calls: kind, severity, what is the matter, and how it was settled.
fn calls(scenario: &Scenario) -> Vec<String> {
    let shown = scenario.engine.state().escalations().iter().map(|it| {
        let settled = it.settled.as_ref().map(|(_, note)| format!("; {note}")).unwrap_or_default();
        format!("{} {}: {}{settled}", it.kind.as_str(), it.severity, it.detail)
    });
    shown.collect()
}

#[test]
fn a_message_is_read_and_acknowledged_where_that_is_wanted() {
    play(
        "send A B hello                  -> M-1
         send A B look high ack          -> M-2
         inbox B                         -> M-1 medium, M-2 high ack
         readmail B M-2
         inbox B                         -> M-2 high ack read
         ack B M-2                       -> M-2
         inbox B                         -> none
         ack B M-2                       -> M-2           # the same word twice
         ack B M-9                       -> refused: there is no message `M-9`
         send A A hello                  -> refused: field `to` is `A`, the sender; allowed is another agent
         send A Z hello                  -> refused: there is no agent `Z`
         send B A thanks re=M-1          -> M-3
         send A B welcome re=M-3         -> M-4
         send A B what re=M-99           -> refused: there is no message `M-99`",
    );
}

#[test]
fn replies_stand_in_the_thread_of_the_first_one() {
    let scenario = play("send A B hello\nsend B A thanks re=M-1\nsend A B welcome re=M-2");
    let messages = scenario.engine.state().messages();
    let threads = [1, 2, 3].map(|id| messages.get(MessageId(id)).and_then(|message| message.thread));
    assert_eq!(threads, [None, Some(MessageId(1)), Some(MessageId(1))]);
}

#[test]
fn what_is_not_read_in_the_time_of_its_priority_is_sent_once_more_and_then_somebody_is_called() {
    let mut scenario = play(
        "send A B now critical           -> M-1
         send A B later low              -> M-2
         tick +4m
         inbox B                         -> M-1 critical, M-2 low
         tick +1m
         inbox B                         -> M-1 critical resent, M-2 low
         tick +5m
         inbox B                         -> M-1 critical resent escalated, M-2 low
         restart                         -> as live",
    );
    assert_eq!(escalations(&scenario), ["message_unanswered"]);
    scenario.also(
        "send A B again critical
         tick +5m
         tick +5m",
    );
    assert_eq!(escalations(&scenario), ["message_unanswered"], "one call an agent, not one a message");
    scenario.also("readmail B M-1");
    assert_eq!(escalations(&scenario), ["message_unanswered"], "another one waits still");
    scenario.also("readmail B M-3");
    assert_eq!(escalations(&scenario), ["message_unanswered: `B` has read what was sent to it"]);
    // Read, and not acknowledged.
    let scenario = play("send A B now critical ack\nreadmail B M-1\ntick +5m\ntick +5m");
    assert_eq!(escalations(&scenario), ["message_unanswered"]);
}

#[test]
fn nobody_is_blamed_for_what_was_due_while_nobody_served() {
    play("send A B now critical\naway 2h\ntick +4m\ninbox B -> M-1 critical");
}

#[test]
fn a_channel_reaches_its_other_members() {
    play(
        "channel web A,B
         channel web A                   -> refused: there is already a channel `web`
         send A @web hello               -> M-1
         inbox A                         -> none
         inbox B                         -> M-1 medium
         send C @web hello               -> refused: field `channel` is `web`, of which `C` is no member; allowed is a channel that the sender is a member of
         join web C
         send C @web hello               -> M-2
         inbox A                         -> M-2 medium
         leave web B
         send A @web again               -> M-3
         inbox B                         -> M-1 medium, M-2 medium
         send A @none hello              -> refused: there is no channel `none`
         channel alone A
         send A @alone hello             -> refused: field `channel` is `alone`, with nobody else in it; allowed is a channel with others",
    );
}

#[test]
fn a_full_inbox_folds_its_oldest_unimportant_messages_and_refuses_where_there_are_none() {
    let scenario = play(
        "policy inbox=4
         send A B one low
         send A B two low
         send A B three high
         send A B four low
         send A B five low               -> M-6
         inbox B                         -> M-3 high, M-4 low, M-5 low, M-6 low
         send A B six high               -> M-8
         send A B seven high             -> M-10
         send A B eight high             -> refused: unread messages that cannot be folded, in the recipient's inbox, are limited to 4
         readmail B M-10
         send A B eight high             -> M-11",
    );
    let messages = scenario.engine.state().messages();
    let digest = messages.get(MessageId(5)).expect("a digest");
    assert_eq!(digest.text.as_str(), "digest of 2 messages:\nM-1 `A`: one\nM-2 `A`: two");
    assert_eq!(
        messages.get(MessageId(1)).map(|it| it.text.as_str()),
        Some("one"),
        "it can still be read by its number"
    );
}

#[test]
fn what_does_not_fit_into_an_inbox_waits_for_room_and_somebody_is_called_until_it_has_come() {
    // The others of the channel are not kept from it.
    let scenario = play(
        "policy inbox=2
         channel web A,B,C
         send A B one high
         send A B two high
         send A @web three critical ack  -> M-3
         inbox B                         -> M-1 high, M-2 high, M-3 waits for room
         inbox C                         -> M-3 critical ack
         restart                         -> as live
         readmail B M-1
         inbox B                         -> M-2 high, M-3 critical ack
         restart                         -> as live
         readmail B M-2
         ack B M-3
         inbox B                         -> none",
    );
    assert_eq!(
        calls(&scenario),
        [
            "message_unanswered critical: the inbox of `B` is full: M-3 waits for room; `B` has read, and what waited for room is in its inbox"
        ]
    );
    // While somebody is called, what does not fit is counted, and makes the call as urgent as it is.
    let mut scenario = play(
        "policy inbox=2
         channel web A,B,C
         send A B one high
         send A B two high
         send A @web three low           -> M-3
         send C @web four critical ack   -> M-4
         send A @web five                -> M-5
         inbox B                         -> M-1 high, M-2 high, M-3 waits for room, M-4 waits for room, M-5 waits for room
         send A B six high               -> refused: unread messages that cannot be folded, in the recipient's inbox, are limited to 2
         restart                         -> as live",
    );
    assert_eq!(
        calls(&scenario),
        ["message_unanswered critical: the inbox of `B` is full: M-3 and 2 more wait for room"]
    );
    // One that is behind keeps what waits behind it, and its room goes to the oldest of that.
    scenario.also("readmail B M-1\ninbox B -> M-2 high, M-3 low, M-4 waits for room, M-5 waits for room");
    assert_eq!(
        calls(&scenario),
        ["message_unanswered critical: the inbox of `B` is full: M-4 and 1 more wait for room"]
    );
    // What it knows already it can acknowledge before it has come.
    scenario.also("ack B M-4\ninbox B -> M-2 high, M-3 low, M-5 waits for room");
    scenario.also("readmail B M-3\ninbox B -> M-5 medium\nrestart -> as live");
    assert_eq!(scenario.engine.state().open().count(), 0);
    // Who settles the call by a word knows of it: it goes on waiting, and comes.
    play(
        "policy inbox=2
         channel web A,B,C
         send A B one high
         send A B two high
         send A @web three               -> M-3
         settle E-1                      -> done
         inbox B                         -> M-1 high, M-2 high, M-3 waits for room
         send A @web four
         escalations                     -> E-2 message_unanswered for agent_manager +0
         readmail B M-2
         inbox B                         -> M-3 medium, M-4 medium
         escalations                     -> none",
    );
    // What has come is due like any other message.
    scenario.also("tick +9h\ntick +9h\ninbox B -> M-5 medium resent escalated");
    let again = calls(&scenario).into_iter().filter(|call| call.contains("`B` has not read M-5"));
    assert_eq!(again.count(), 1);
}

#[test]
fn what_comes_late_is_not_taken_for_read_by_who_has_not_seen_it() {
    play(
        "policy inbox=3
         channel web A,B,C
         send A B one high
         send A B two high
         send A B three low
         send A @web four low            -> M-4
         send A @web five high           -> M-5
         send A @web six high            -> M-6
         readmail B M-1
         inbox B                         -> M-2 high, M-3 low, M-4 low, M-5 waits for room, M-6 waits for room
         send A B seven high             -> M-8           # M-7 is the digest that makes room for it
         inbox B                         -> M-2 high, M-7 low, M-8 high, M-5 waits for room, M-6 waits for room
         readmail B M-2
         inbox B                         -> M-7 low, M-8 high, M-5 high, M-6 waits for room
         readmail B M-8                                   # it has seen no more yet
         inbox B                         -> M-5 high, M-6 high
         send A B nine                   -> M-9
         inbox B                         -> M-5 high, M-6 high, M-9 medium
         restart                         -> as live
         readmail B M-6
         inbox B                         -> M-9 medium",
    );
}

#[test]
fn what_pairs_send_each_other_is_counted_by_task() {
    let scenario = play("submit t1\nsend A B one task=t1\nsend B A two task=t1\nsend A C three");
    let now = kapell_model::Moment(scenario.now);
    let traffic = scenario.engine.state().messages().traffic();
    let traffic = traffic.map(|(_, it)| (it.counts(now).0, it.tasks(now).count()));
    assert_eq!(traffic.collect::<Vec<_>>(), [(2, 1), (1, 0)]);
}

fn steps() -> impl Strategy<Value = (u8, usize, usize, usize, bool, i64)> {
    (0..14_u8, 0..4_usize, 0..4_usize, 0..4_usize, any::<bool>(), prop_oneof![3 => Just(0), 1 => 1..200_i64])
}

fn command(
    state: &State,
    (kind, who, whom, priority, flag, _): (u8, usize, usize, usize, bool, i64),
) -> Command {
    let agent = |index: usize| name(["A", "B", "C", "D"][index]);
    let own = state.agent_id(agent(who).as_str()).expect("an agent");
    let last = state.messages().inbox(own).next_back().map(|(message, _)| message.id);
    match kind {
        0..=6 => Command::SendMessage(Box::new(NewMessage {
            from: (whom != 3).then(|| agent(who)),
            to: if kind == 0 { Address::Channel(name("web")) } else { Address::Agent(agent(whom)) },
            text: Text::from("a word"),
            priority: Priority::ALL[priority],
            task: None,
            reply_to: None,
            ack: flag && kind <= 1,
        })),
        7 => Command::ReadMessages { agent: agent(who), up_to: last.unwrap_or(MessageId(1)) },
        8 => Command::AcknowledgeMessage { agent: agent(who), message: last.unwrap_or(MessageId(1)) },
        9 => Command::ChannelMember { channel: name("web"), agent: agent(who), joins: flag },
        10 if flag => Command::AgentUnreachable { agent: agent(who), last_seen: Moment(0) },
        10 => Command::RemoveAgent { agent: agent(who) },
        _ => Command::Tick,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_message_is_delivered_or_escalated(drawn in prop::collection::vec(steps(), 1..120)) {
        let mut scenario = Scenario::play("policy inbox=3\nagent A\nagent B\nagent C\nagent D\nchannel web A,B,C,D");
        // What these two say is gathered.
        for number in 1..=20 {
            scenario.also(&format!("send A B hello\nreadmail B M-{number}"));
        }
        scenario.also("look +5m");
        for step in drawn {
            let command = command(scenario.engine.state(), step);
            scenario.pass(step.5 * 60_000);
            let _ = scenario.execute(command, None);
            prop_assert!(invariant::check(scenario.engine.state()).is_ok(), "{:?}", invariant::check(scenario.engine.state()));
        }
        for _ in 0..4 {
            scenario.pass(25 * 3_600_000);
            while scenario.engine.state().next_timer().is_some_and(|at| at.0 <= scenario.now) {
                scenario.execute(Command::Tick, None).expect("a tick");
            }
        }
        // What was to be delivered, and what became of it, by the log alone: who was in a channel is owed what went to it.
        let (mut owed, mut done) = (BTreeSet::new(), BTreeSet::new());
        let mut wants_ack = BTreeSet::new();
        let mut raised = BTreeSet::new();
        let (mut members, mut gone) = (BTreeSet::new(), BTreeSet::new());
        // When each message was made, and when it came into which inbox.
        let (mut made, mut came) = (BTreeMap::new(), BTreeMap::new());
        for (now, record) in (0_usize..).step_by(1_000).zip(&scenario.log) {
            match &record.event {
                Event::ChannelOpened { channel, members: all } if channel.as_str() == "web" => members.extend(all),
                Event::ChannelJoined { channel, agent } if channel.as_str() == "web" => drop(members.insert(*agent)),
                Event::ChannelLeft { channel, agent } if channel.as_str() == "web" => drop(members.remove(agent)),
                Event::AgentRemoved { agent } => drop(gone.insert(*agent)),
                Event::AgentRegistered { agent, .. } => drop(gone.remove(agent)),
                Event::MessageSent { message, to, gathered, .. } => {
                    made.insert(message.id, now);
                    wants_ack.extend(message.ack.then_some(message.id));
                    if message.channel.is_some() {
                        let others = members.iter().filter(|&agent| Some(*agent) != message.from && !gone.contains(agent));
                        owed.extend(others.map(|&agent| (agent, message.id)));
                    } else {
                        owed.extend(to.iter().map(|&agent| (agent, message.id)));
                    }
                    if gathered.is_none() {
                        came.extend(to.iter().map(|&agent| ((agent, message.id), now)));
                    }
                }
                Event::MessagesDelivered { agent, messages } => {
                    came.extend(messages.iter().zip(now..).map(|(&id, at)| ((*agent, id), at)));
                }
                Event::MessagesFolded { agent, digest, .. } => {
                    made.insert(digest.id, now);
                    done.extend(digest.digest.iter().map(|&id| (*agent, id)));
                    came.insert((*agent, digest.id), now);
                    owed.insert((*agent, digest.id));
                }
                Event::MessagesRead { agent, up_to } => {
                    let there = came.get(&(*agent, *up_to)).filter(|_| !done.contains(&(*agent, *up_to)));
                    let last = there.or(made.get(up_to)).copied().unwrap_or_default();
                    let read = came.iter().filter(|((to, id), at)| to == agent && **at <= last && !wants_ack.contains(id));
                    done.extend(read.map(|(&it, _)| it));
                }
                Event::MessageAcknowledged { agent, message } => {
                    done.insert((*agent, *message));
                }
                Event::MessageEscalated { agent, message } => {
                    done.insert((*agent, *message));
                    raised.insert(*agent);
                }
                _ => {}
            }
        }
        let state = scenario.engine.state();
        let waits = |(agent, id): &(AgentId, MessageId)| {
            let called = Subject::Agent(*agent);
            let called = state.is_escalated(EscalationKind::MessageUnanswered, &called);
            called && state.messages().undelivered(*agent).any(|it| it == *id)
        };
        let lost: Vec<_> = owed.difference(&done).filter(|&it| !waits(it)).collect();
        prop_assert!(lost.is_empty(), "neither read nor escalated: {:?}", lost);
        for agent in raised {
            let called = scenario.engine.state().escalations().iter();
            let mut called = called.filter(|it| it.subject == Subject::Agent(agent));
            prop_assert!(called.next().is_some(), "{:?} was never called for", agent);
        }
    }
}

fn message(from: Option<&str>, to: &str) -> Command {
    Command::SendMessage(Box::new(NewMessage {
        from: from.map(name),
        to: Address::Agent(name(to)),
        text: Text::from("do this"),
        priority: Priority::Critical,
        task: None,
        reply_to: None,
        ack: false,
    }))
}

#[test]
fn one_sender_leaves_room_to_others() {
    let team: String = (0..10).map(|index| format!("agent S{index}\n")).collect();
    let mut scenario = Scenario::play(&format!("agent B\n{team}"));
    let mut send =
        |from: Option<&str>| scenario.execute(message(from, "B"), None).map_err(|it| it.to_string());
    for sender in 0..4 {
        let from = format!("S{sender}");
        for _ in 0..50 {
            send(Some(&from)).expect("room");
        }
        let refused = send(Some(&from)).expect_err("a share of 200");
        assert!(refused.contains("of one sender, in the recipient's inbox, are limited to 50"), "{refused}");
    }
    let refused = send(Some("S9")).expect_err("full");
    assert!(refused.contains("cannot be folded, in the recipient's inbox, are limited to 200"), "{refused}");
    send(None).expect_err("full");
}
