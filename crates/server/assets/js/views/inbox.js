// What a person or a role must settle, and what an agent was told.

import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { get, maySteer, pages, post, session } from "../api.js";
import { Decision, isUnsettled } from "../decision.js";
import { Judgement } from "../gate.js";
import { Emergency } from "../emergency.js";
import { Handoff, isStuck } from "../handoff.js";
import { BY_THE_CLOCK, useLive } from "../live.js";
import { Leave } from "../permission.js";
import { route } from "../route.js";
import { Escalation, Offer } from "../settle.js";
import { Ago, Card, Empty, html, Loading, Told, Trouble, useAction } from "../ui.js";
import * as words from "../words.js";

/// Cases of one sort that are shown.
const SHOWN_MAX = 500;

/// What an emergency is about, by which its call is known.
function scope({ task, project }) {
  return `emergency ${task || project || "of the fleet"}`;
}

/// Escalations that only call somebody for a case that is shown by itself, by kind, and what that case is about.
const callsFor = {
  emergency: scope,
  decision_needed: (each) => `conflict ${each.conflict}`,
  handoff_stuck: (each) => `task ${each.task}`,
  approval_needed: (each) => `work on ${each.task}`,
  permission_needed: (each) => `leave for ${each.task}`,
};

/// What waits for somebody, a sort each: how it is read (with what is settled where that is wanted), which of it is open,
/// and what shows one. A case is given `item`, the open escalation `call` about it, `me` (the agent of the token), `marked` and
/// `onDone`.
const SORTS = [
  {
    id: "emergencies",
    title: "Emergencies",
    none: "There is no emergency.",
    read: (settled) => pages("/v1/emergencies").then((all) => (settled ? all : all.filter((each) => each.state !== "ended"))),
    isOpen: (item) => item.state !== "ended",
    about: scope,
    Case: ({ item, ...rest }) => html`<${Emergency} emergency=${item} ...${rest} />`,
  },
  {
    id: "escalations",
    title: "Escalations",
    none: "Nothing is escalated.",
    read: (settled) => pages(`/v1/escalations${settled ? "" : "?state=open"}`),
    isOpen: (item) => item.state === "open",
    Case: ({ item, ...rest }) => html`<${Escalation} escalation=${item} ...${rest} />`,
  },
  {
    id: "decisions",
    title: "Decisions",
    none: "Nothing is to be decided.",
    read: (settled) => pages(`/v1/conflicts?kind=decision_conflict${settled ? "" : "&state=unsettled"}`),
    isOpen: isUnsettled,
    about: (item) => `conflict ${item.id}`,
    Case: ({ item, ...rest }) => html`<${Decision} conflict=${item} ...${rest} />`,
  },
  {
    id: "approvals",
    title: "Approvals and reviews",
    none: "No finished work waits for a word.",
    read: () => Promise.all(["approval", "review"].map((kind) => pages(`/v1/gates?kind=${kind}`))).then((found) => found.flat().map((work) => ({ ...work, id: work.task }))),
    isOpen: () => true,
    about: (item) => `work on ${item.task}`,
    Case: ({ item, ...rest }) => html`<${Judgement} work=${item} ...${rest} />`,
  },
  {
    id: "leave",
    title: "Leave for agents",
    none: "No agent waits for leave.",
    read: () => pages("/v1/permissions").then((all) => all.map((wanted) => ({ ...wanted, id: wanted.request }))),
    isOpen: () => true,
    about: (item) => `leave for ${item.task}`,
    Case: ({ item, ...rest }) => html`<${Leave} wanted=${item} ...${rest} />`,
  },
  {
    id: "handoffs",
    title: "Handoffs in mediation",
    none: "No handoff is stuck.",
    read: (settled) => pages(`/v1/handoffs?state=mediation`).then(async (stuck) => (settled ? [...stuck, ...(await pages("/v1/handoffs?state=closed")).filter((item) => item.mediations > 0)] : stuck)),
    isOpen: isStuck,
    about: (item) => `task ${item.task}`,
    Case: ({ item, ...rest }) => html`<${Handoff} handoff=${item} ...${rest} />`,
  },
  {
    id: "late-results",
    title: "Late results",
    none: "No late result waits for a decision.",
    read: (settled) => pages(`/v1/offers${settled ? "" : "?state=open"}`),
    isOpen: (item) => item.state === "open",
    Case: ({ item, ...rest }) => html`<${Offer} offer=${item} ...${rest} />`,
  },
];

async function load(settled, agent) {
  const named = agent && encodeURIComponent(agent);
  const [notices, me, ...lists] = await Promise.all([
    agent ? get(`/v1/agents/${named}/notices`) : null,
    agent ? get(`/v1/agents/${named}`) : null,
    ...SORTS.map((sort) => sort.read(settled)),
  ]);
  const sorts = Object.fromEntries(SORTS.map((sort, at) => [sort.id, lists[at]]));
  return { notices, me, ...called(sorts) };
}

/// How much waits: for the agent of the token what waits for it alone, else as many cases as the inbox shows.
export async function waiting() {
  if (session.value.agent && !maySteer()) return (await get("/v1/inbox?limit=1")).total;
  const { sorts } = await load(false, null);
  return SORTS.reduce((sum, sort) => sum + sorts[sort.id].length, 0);
}

/// The last that `waiting` gave; nothing before.
export const waits = signal(null);

/// Puts each escalation that calls for a case beside that case.
function called(sorts) {
  const shown = new Set(SORTS.filter((sort) => sort.about).flatMap((sort) => sorts[sort.id].filter(sort.isOpen).map(sort.about)));
  const calls = new Map();
  const escalations = sorts.escalations.filter((each) => {
    const about = each.state === "open" && callsFor[each.kind]?.(each);
    if (!about || !shown.has(about)) return true;
    calls.set(about, each);
    return false;
  });
  return { sorts: { ...sorts, escalations }, calls };
}

export function Inbox() {
  const [settled, setSettled] = useState(false);
  const agent = session.value.agent;
  const live = useLive(() => load(settled, agent), [settled, agent], { every: BY_THE_CLOCK });
  const marked = route.value.query.get("open");
  return html`<h1>Inbox</h1>
    <label class="inline"><input type="checkbox" checked=${settled} onChange=${(event) => setSettled(event.target.checked)} /> also what is settled</label>
    ${live.data ? html`<div class="grid cases">
      ${SORTS.map((sort) => html`<${Sort} key=${sort.id} sort=${sort} data=${live.data} marked=${marked} reload=${live.reload} />`)}
      ${live.data.notices && html`<${Notices} notices=${live.data.notices.items} agent=${agent} reload=${live.reload} />`}</div>` : html`<${Loading} of=${live} />`}`;
}

/// Where a case that has the focus is settled and goes, the one in its place has it, or the heading; whoever has gone elsewhere is left there.
function useKeptFocus(id) {
  const held = useRef(null);
  const section = () => document.getElementById(id).closest("section");
  useEffect(() => {
    const look = ({ type, target }) => {
      const at = [...section().querySelectorAll("article.case")].findIndex((each) => each.contains(target));
      if (at >= 0) held.current = at;
      else if (type === "pointerdown" || target !== document.body) held.current = null;
    };
    const moments = ["focusin", "pointerdown"];
    for (const each of moments) document.addEventListener(each, look);
    return () => moments.forEach((each) => document.removeEventListener(each, look));
  }, []);
  useLayoutEffect(() => {
    if (held.current === null || document.activeElement !== document.body) return;
    const cases = section().querySelectorAll("article.case");
    const to = cases[Math.min(held.current, cases.length - 1)] || document.getElementById(id);
    to.tabIndex = -1;
    to.focus();
  });
}

function Sort({ sort, data, marked, reload }) {
  const items = data.sorts[sort.id];
  const call = (item) => sort.about && data.calls.get(sort.about(item));
  const first = (a, b) => (sort.isOpen(a) ? 0 : 1) - (sort.isOpen(b) ? 0 : 1);
  useKeptFocus(sort.id);
  return html`<${Card} id=${sort.id} title=${sort.title} note=${words.number(items.length)}>
    ${items.length === 0 && html`<${Empty}>${sort.none}</${Empty}>`}
    ${[...items].sort(first).slice(0, SHOWN_MAX).map((item) => html`<${sort.Case} key=${item.id} item=${item} call=${call(item)} me=${data.me} marked=${Boolean(marked) && [item.id, call(item)?.id].includes(marked)} onDone=${reload} />`)}
    ${items.length > SHOWN_MAX && html`<p class="note">The first ${words.number(SHOWN_MAX)} are shown.</p>`}
  </${Card}>`;
}

function Notices({ notices, agent, reload }) {
  const read = useAction(async () => {
    await post(`/v1/agents/${encodeURIComponent(agent)}/notices/read`, { up_to: notices.at(-1).id });
    reload();
  });
  return html`<${Card} id="notices" title="Notices" note=${`to ${agent}`}>
    ${notices.length === 0 && html`<${Empty}>Nothing was said.</${Empty}>`}
    <ul class="lines">${[...notices].reverse().map((each) => html`<li key=${each.id}><span class="id">${each.id}</span> <${Told} text=${each.text} /> <span class="note"><${Ago} at=${each.at} /> ago${each.read ? ", read" : ""}</span></li>`)}</ul>
    ${notices.some((each) => !each.read) && html`<button type="button" disabled=${read.busy} onClick=${() => read.run()}>All of it is read</button>`}
    <${Trouble} error=${read.error} />
  </${Card}>`;
}
