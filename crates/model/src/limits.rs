//! Every bound of the program, with its unit and its reason.

use crate::moment::Span;

/// Bytes of a name: fits a line, a column and a path.
pub const NAME_BYTES_MAX: usize = 100;
/// Bytes of a title: one line to a person.
pub const TITLE_BYTES_MAX: usize = 500;
/// Bytes of a description: a long issue with its logs; what is larger belongs in a file.
pub const DESCRIPTION_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a result: as much as a description.
pub const RESULT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a reason, note or label text: a paragraph.
pub const NOTE_BYTES_MAX: usize = 4 * 1024;
/// Bytes of the source object that an import keeps.
pub const SOURCE_BYTES_MAX: usize = 256 * 1024;
/// Labels on a task.
pub const LABELS_MAX: usize = 50;
/// Bytes of one label.
pub const LABEL_BYTES_MAX: usize = 100;
/// Bytes of a description that are read for what a task needs and waits for; a log further down says little of that.
pub const ANALYSED_BYTES_MAX: usize = 8 * 1024;
/// Tasks that a text can be taken to wait for; more are a list of something else.
pub const MENTIONS_MAX: usize = 20;
/// Capabilities that are inferred for one task; a guess at more excludes more than it finds.
pub const INFERRED_MAX: usize = 3;
/// Words that are kept as evidence of one inferred capability.
pub const EVIDENCE_MAX: usize = 4;
/// Bytes of one piece of evidence.
pub const EVIDENCE_BYTES_MAX: usize = 80;
/// Capabilities that texts are compared with; those beyond are declared and never inferred.
pub const VOCABULARY_MAX: usize = 10_000;
/// Capabilities that a fleet may define.
pub const CAPABILITY_DEFINITIONS_MAX: usize = 1_000;
/// Aliases of one capability.
pub const ALIASES_MAX: usize = 32;
/// Bytes of one alias.
pub const ALIAS_BYTES_MAX: usize = 100;
/// Bytes of the definition of a capability: a few lines.
pub const CAPABILITY_DEFINITION_BYTES_MAX: usize = 1_024;
/// Required capabilities of a task.
pub const REQUIREMENTS_MAX: usize = 32;
/// Weight of one requirement, in whole units; weights are relative, so more says nothing new.
pub const WEIGHT_MAX: u32 = 1_000;
/// Capabilities of an agent.
pub const CAPABILITIES_MAX: usize = 256;
/// Agents that a task may exclude.
pub const EXCLUSIONS_MAX: usize = 100;
/// Tasks that one task may wait for.
pub const DEPENDENCIES_MAX: usize = 1_000;
/// Tasks that an agent may hold at once.
pub const CONCURRENT_TASKS_MAX: u32 = 1_000;
/// Agents in a fleet: ten times the design's scale, so that a loop of registrations ends.
pub const AGENTS_MAX: usize = 100_000;
/// Tasks in a fleet over its life, dense ids being 32 bits wide.
pub const TASKS_MAX: usize = 100_000_000;
/// Components that a task is broken down into.
pub const COMPONENTS_MAX: usize = 50;
/// Gates that one task must pass.
pub const GATES_PER_TASK_MAX: usize = 8;
/// Task types that a policy may give gates.
pub const GATED_TYPES_MAX: usize = 1_000;
/// Bytes of the command line of a gate: a long one.
pub const GATE_COMMAND_BYTES_MAX: usize = 2_000;
/// Bytes of the digest of a command's output: a long hash with its name in front.
pub const GATE_DIGEST_BYTES_MAX: usize = 200;
/// Bytes of what a request for leave is called, and of what its agent calls an answer.
pub const PERMISSION_NAME_BYTES_MAX: usize = 200;
/// Bytes of what an agent wants leave for, in a line.
pub const PERMISSION_TITLE_BYTES_MAX: usize = 1_000;
/// Requests for leave under one assignment.
pub const PERMISSIONS_PER_ASSIGNMENT_MAX: u32 = 1_000;
/// Answers that a request for leave offers.
pub const PERMISSION_OPTIONS_MAX: usize = 8;
/// Open reviews for which one step looks for somebody.
pub const REVIEWS_PLACED_AT_ONCE_MAX: usize = 100;
/// Agents that are compared for one review.
pub const REVIEWERS_COMPARED_MAX: usize = 256;
/// Attempts that a task or policy may allow.
pub const ATTEMPTS_MAX: u32 = 100;
/// Late results kept beside one task; the first ones are the interesting ones.
pub const OFFERS_PER_TASK_MAX: usize = 16;
/// Ended assignments that a task remembers, to tell a late report from an invented one.
pub const PAST_ASSIGNMENTS_MAX: usize = 128;
/// Finished attempts at tasks of one type that an agent's performance is worked out from.
pub const OUTCOMES_MAX: usize = 50;
/// Samples of how a fleet has stood that are kept: two days of one each quarter of an hour.
pub const SAMPLES_MAX: usize = 192;
/// Hours of which sums are kept: two days, so that a day can be set beside the one before.
pub const METRIC_HOURS_MAX: usize = 48;
/// Agents whose attempts are counted by hour; beyond it the one goes whose last attempt is longest past.
pub const METRIC_AGENTS_MAX: usize = 1_000;
/// Task types whose completion times are kept apart; those of further ones are kept together.
pub const METRIC_KINDS_MAX: usize = 1_000;
/// Classes whose waits are remembered; beyond it the one goes of which none was placed for longest.
pub const METRIC_CLASSES_MAX: usize = 10_000;
/// Decisions about a task of which it is remembered where they stand in the log: its recent story.
pub const DECISIONS_PER_TASK_MAX: usize = 32;
/// Bytes of a path glob: a long path.
pub const GLOB_BYTES_MAX: usize = 256;
/// Alternatives of a path glob once its braces are multiplied out.
pub const GLOB_ALTERNATIVES_MAX: usize = 32;
/// Characters of all alternatives of a path glob: the test of two costs at most the product of theirs.
pub const GLOB_SIGNS_MAX: usize = 512;
/// Resources of one reservation or task.
pub const RESOURCES_MAX: usize = 16;
/// Reservations and waits that one agent may have asked for; what comes with its assignments is bounded by its slots.
pub const RESERVATIONS_PER_AGENT_MAX: usize = 100;
/// Reservations and waits of a fleet: as many as agents.
pub const RESERVATIONS_MAX: usize = 100_000;
/// Agents that are gone through in the search for a ring of waits.
pub const RING_AGENTS_MAX: usize = 1_000;
/// Critical tasks of a class that are looked at for an escalation when what they need is free again.
pub const CALLED_AT_ONCE_MAX: usize = 100;
/// Agents of a role that one escalation tells of itself; the rest of it find it in the inbox of the role.
pub const CALLED_BY_ROLE_MAX: usize = 8;
/// Roles on the way up of an escalation.
pub const LADDER_MAX: usize = 8;
/// Times that an escalation may be raised again; whoever has not seen so many looks at none.
pub const RERAISES_MAX: u32 = 20;
/// Events that one command may emit; what is left continues in a following one.
pub const EVENTS_PER_COMMAND_MAX: usize = 10_000;
/// Changes of the clocks of a time zone that are known ahead.
pub const ZONE_OFFSETS_MAX: usize = 64;
/// Shifts of a week.
pub const SHIFTS_MAX: usize = 42;
/// Times away.
pub const QUIET_MAX: usize = 64;
/// Agents whose measured scores are gone through in one look; there is one as often as at estimates.
pub const AGENTS_PER_LOOK_MAX: usize = 100;
/// How often estimates of waiting tasks are looked at that nobody has declared.
pub const ESTIMATES_PERIOD: Span = Span::minutes(1);
/// Tasks of the fleet, waiting or not, that are gone through in one such look.
pub const ESTIMATES_PER_LOOK_MAX: usize = 1_000;
/// Items of one plan: a command's worth of events, two an item.
pub const PLAN_ITEMS_MAX: usize = EVENTS_PER_COMMAND_MAX / 2;
/// Tasks that one planned round looks at: what can be copied out of the queues in a few milliseconds.
pub const EXCERPT_TASKS_MAX: usize = 100_000;
/// Notices that an agent's inbox holds, read ones first to go; an agent that has not read so many is not listening.
pub const NOTICES_PER_AGENT_MAX: usize = 100;
/// Bytes of one part of a handoff's package: a page or two.
pub const PACKAGE_TEXT_BYTES_MAX: usize = 16 * 1024;
/// Files that a package names.
pub const PACKAGE_FILES_MAX: usize = 500;
/// Bytes of one file's name in a package: a long path.
pub const PACKAGE_FILE_BYTES_MAX: usize = 512;
/// Recipients that one handoff tries before somebody is called.
pub const HANDOFF_TRIES_MAX: usize = 16;
/// Messages that a policy may let an agent have to read; more are read by nobody.
pub const INBOX_MAX: u32 = 10_000;
/// What part of an inbox one sender fills: one in so many.
pub const INBOX_SHARE: u32 = 4;
/// Least messages of such a part for one sender, where an inbox is small.
pub const INBOX_SHARE_MIN: u32 = 4;
/// Messages of channels that wait for room in one inbox; more are refused.
pub const UNDELIVERED_MAX: usize = 1_000;
/// Messages that everybody has read and that are still known; the log has all of them.
pub const MESSAGES_KEPT_MAX: usize = 10_000;
/// Messages that one digest stands for, where they are gathered: a page to read.
pub const GATHERED_MAX: usize = 20;
/// Places in line that are served together at once; the others wait for their turn.
pub const SERVED_TOGETHER_MAX: usize = 256;
/// Bytes of such a digest; the beginning of each message is in it.
pub const DIGEST_BYTES_MAX: usize = 4 * 1024;
/// Channels of a fleet.
pub const CHANNELS_MAX: usize = 10_000;
/// Members of a channel: a message to it is as many deliveries.
pub const CHANNEL_MEMBERS_MAX: usize = 1_000;
/// Pairs of agents whose messages are counted.
pub const TRAFFIC_PAIRS_MAX: usize = 100_000;
/// Tasks that a pair's messages were about and that are told apart.
pub const TRAFFIC_TASKS_MAX: usize = 100;
/// Agents with much that one balancing looks at, most first; the others come next time.
pub const BALANCE_DONORS_MAX: usize = 1_000;
/// Agents with little that one balancing looks at, least first.
pub const BALANCE_RECIPIENTS_MAX: usize = 10_000;
/// Tasks of one agent that one balancing looks at.
pub const BALANCE_TASKS_MAX: usize = 100;
/// Cycles that one edge may close and have broken; one that closes more stays out.
pub const CYCLES_PER_EDGE_MAX: usize = 100;
/// Edges taken out of cycles that are remembered with the whole cycle; the log has all of them.
pub const BROKEN_EDGES_MAX: usize = 10_000;
/// Conflicts of a fleet that nobody has settled: as many as may wait in line.
pub const OPEN_CONFLICTS_MAX: usize = RESERVATIONS_MAX;
/// Open decisions that one agent has asked for.
pub const OPEN_DECISIONS_PER_AGENT_MAX: usize = 100;
/// Conflicts that a task remembers to have been in; the log has all of them.
pub const CONFLICTS_PER_TASK_MAX: usize = 16;
/// Bottlenecks that are gone, and actions that have ended, which are remembered; the log has all of them.
pub const BOTTLENECKS_KEPT_MAX: usize = 1_000;
/// Bottlenecks that one look acts upon, and actions that one tick ends.
pub const BOTTLENECKS_PER_LOOK_MAX: usize = 20;
/// Tasks that one look moves away from agents that are kept for a capability.
pub const KEPT_MOVES_MAX: usize = 64;
/// Tasks for which another agent is looked for then.
pub const KEPT_TRIES_MAX: usize = 4 * KEPT_MOVES_MAX;
/// Resources whose waits are remembered; beyond it the one goes that nobody has waited for for longest.
pub const METRIC_RESOURCES_MAX: usize = 1_000;
/// Looks of one look at bottlenecks at whether an agent could take a class; what is beyond them counts as taken.
pub const ABLE_LOOKS_MAX: usize = 1_000_000;
/// Agents that are looked at for who comes nearest to work that nobody can take.
pub const NEAREST_LOOKS_MAX: usize = 10_000;
/// Tasks behind running ones that one look at bottlenecks counts; more of them are not counted.
pub const SOON_LOOKS_MAX: usize = 100_000;
/// Times at which resources held a class back that are remembered while tasks of it wait.
pub const STRETCHES_MAX: usize = 16;
/// Causes that are named where the performance is worse than it was.
pub const NAMED_MAX: usize = 20;
/// Members whose word about the priority of one task is kept.
pub const ASSERTIONS_PER_TASK_MAX: usize = 50;
/// Orders of two open tasks that stand in a fleet: each new one is followed through all of them.
pub const ORDERS_MAX: usize = 1_000;
/// Orders that stand by the word of one agent.
pub const ORDERS_PER_AGENT_MAX: usize = 100;
/// Open tasks that transitively wait for one, up to which they are counted where its impact is worked out.
pub const ENABLED_TASKS_MAX: usize = 1_000;
/// Proposals of one decision, one an agent.
pub const PROPOSALS_MAX: usize = 100;
/// Options that a decision names.
pub const OPTIONS_MAX: usize = 20;
/// Bytes of one option: a name or a short sentence.
pub const OPTION_BYTES_MAX: usize = 200;
/// Agents that are asked for a proposal.
pub const ASKED_MAX: usize = 100;
/// Tasks that wait for one decision.
pub const TASKS_PER_DECISION_MAX: usize = 100;
/// Emergencies of a fleet that have not ended: more at once are one.
pub const OPEN_EMERGENCIES_MAX: usize = 100;
/// Task forces of a fleet that are at work.
pub const OPEN_FORCES_MAX: usize = 200;
/// Members of a task force that is chosen; more do not talk to each other.
pub const FORCE_MEMBERS_MAX: usize = 16;
/// Milestones of a project.
pub const MILESTONES_MAX: usize = 100;
/// Tokens, and millionths of money, that one attempt can be said to have used: a million of the currency.
pub const USAGE_MAX: u64 = 1_000_000_000_000;
/// Tokens, and millionths of money, of one limit.
pub const BUDGET_MAX: u64 = 1_000_000_000_000_000;
/// Days of which the costs of a fleet are kept: a year and a month.
pub const COST_DAYS_MAX: usize = 400;
/// Idempotency keys remembered: a day at ten new ones a second.
pub const KEYS_MAX: usize = 1_000_000;
/// How long an idempotency key is remembered.
pub const KEY_AGE_MAX: Span = Span::hours(24);
/// How far the clock of whoever makes an idempotency key may be ahead of ours.
pub const KEY_SKEW_MAX: Span = Span::hours(1);
/// Shortest duration in a policy, so that a demo or a test needs no fake clock.
pub const DURATION_MIN: Span = Span(10);
/// Longest duration in a policy: a year.
pub const DURATION_MAX: Span = Span::hours(24 * 366);
/// Largest estimate of one task.
pub const ESTIMATE_MAX: Span = Span::hours(10_000);
/// Longest remaining path by which tasks without a deadline are told apart in the queue: at it a growing chain costs
/// nothing more.
pub const PATH_MAX: Span = Span::hours(10_000);
/// A jump of the clock beyond this begins every lease again.
pub const CLOCK_JUMP: Span = Span::minutes(1);
