// The frame: sign-in, the way around, the state of the connection, and the view that the address names.

import { Component, render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { enter, insist, leave, obstacle, session } from "./api.js";
import { forget } from "./cards.js";
import { connection, failed, follow, position, stop, useLive } from "./live.js";
import { href, route } from "./route.js";
import { Empty, html, said, tick } from "./ui.js";
import * as words from "./words.js";
import { Agents } from "./views/agents.js";
import { Board } from "./views/board.js";
import { Channels } from "./views/channels.js";
import { Graph } from "./views/graph.js";
import { Inbox, waiting, waits } from "./views/inbox.js";
import { Now } from "./views/now.js";
import { Policy } from "./views/policy.js";
import { Projects } from "./views/projects.js";
import { Reports } from "./views/reports.js";
import { Resources } from "./views/resources.js";
import { SignIn } from "./views/signin.js";
import { Task } from "./views/task.js";
import { Timeline } from "./views/timeline.js";

const VIEWS = {
  now: ["Now", Now],
  board: ["Board", Board],
  inbox: ["Inbox", Inbox],
  agents: ["Agents", Agents],
  channels: ["Channels", Channels],
  graph: ["Graph", Graph],
  timeline: ["Timeline", Timeline],
  projects: ["Projects", Projects],
  resources: ["Resources", Resources],
  reports: ["Reports", Reports],
  policy: ["Policy", Policy],
  task: ["Task", Task, "board"],
};

/// A view that breaks says so, instead of standing still; the others go on.
class Guard extends Component {
  componentDidCatch(error) {
    console.error(error);
    this.setState({ error });
  }

  render({ children }, { error }) {
    return error ? html`<div class="trouble" role="alert"><p>This view broke: ${String(error.message || error)}. The others go on.</p></div>` : children;
  }
}

function Connection() {
  const { state } = connection.value;
  const text = { live: "Live", connecting: "Connecting", stale: "Not connected" }[state];
  return html`<span class="connection c-${state}" title=${`position ${position.value} of the log`}>
      <span aria-hidden="true" class="dot"></span>${text}</span>`;
}

/// How much waits for a person, beside the way to it.
function Waiting() {
  useLive(async () => (waits.value = await waiting()), [], { pause: 3000, concerns: (event) => /^(emergency|escalation|offer|decision|conflict|handoff|gate|permission|message)/.test(event.kind) });
  const count = waits.value;
  return count > 0 && html` <span class="badge" title=${words.plural(count, "thing waits", "things wait")}>${words.number(count)}</span>`;
}

function Frame() {
  const { view } = route.value;
  const [title, View, parent] = VIEWS[view] || ["Nothing here"];
  const current = parent || view;
  useEffect(() => {
    document.title = view === "task" ? `${route.value.arg} · Kapell` : `${title} · Kapell`;
    document.querySelector("main")?.scrollTo(0, 0);
  }, [view, route.value.arg]);
  const ways = Object.entries(VIEWS).filter(([, [, , parent]]) => !parent);
  return html`<a class="skip" href="#main" onClick=${(event) => {
      event.preventDefault();
      document.getElementById("main").focus();
    }}>Skip to the content</a>
    <header class="top"><div class="bar">
      <a class="brand" href=${href("now")}><img src="/assets/icon.svg" alt="" width="22" height="22" />Kapell</a>
      <nav aria-label="Views"><ul>
        ${ways.map(([name, [label]]) => html`<li><a href=${href(name)} aria-current=${current === name ? "page" : null}>${label}${name === "inbox" && html`<${Waiting} />`}</a></li>`)}
      </ul></nav>
      <div class="who">
        <${Connection} />
        <span class="actor" title="whose token this is">${session.value.agent || session.value.access}</span>
        <button type="button" class="quiet" onClick=${() => leave()}>Sign out</button>
      </div></div>
      <${Old} />
    </header>
    <main id="main" tabindex="-1" class="view-${view}">
      ${View ? html`<${Guard} key=${view + (view === "task" ? route.value.arg : "")}><${View} /></${Guard}>` : html`<h1>Nothing here</h1><${Empty}>There is no view of that name.</${Empty}>`}
    </main>
    <p class="said" role="status">${said.value}</p>`;
}

/// What is shown and may be old: the connection is lost, or something could not be read again.
function Old() {
  const { state, since } = connection.value;
  if (state === "stale") {
    const lost = tick.value - since;
    return lost > 1500 && html`<p class="stale" role="status">The connection was lost ${words.span(lost)} ago. What you see may be old; it is read again as soon as the server answers.</p>`;
  }
  const [first] = failed.value;
  return first && html`<p class="stale" role="status">Since ${words.clock(first.since)} something here could not be read again; it is tried again. ${first.error.message}</p>`;
}

function Boot() {
  return html`<p class="boot" role="status">Kapell${obstacle.value && html`<br /><span class="note">${obstacle.value} It is tried again.</span>`}</p>`;
}

function App() {
  const who = session.value;
  const [ready, setReady] = useState(false);
  useEffect(() => {
    if (!who) {
      stop();
      forget();
      setReady(false);
      return;
    }
    // The log is followed from where it ends now; every view asks for its own beginning.
    let gone = false;
    insist("/v1/health", () => !gone).then((health) => {
      if (gone) return;
      follow(health.durable_position);
      setReady(true);
    }, (error) => !gone && (obstacle.value = error.message));
    return () => (gone = true);
  }, [who]);
  if (who === undefined) return html`<${Boot} />`;
  if (who === null) return html`<${SignIn} />`;
  return ready ? html`<${Frame} />` : html`<${Boot} />`;
}

const root = document.getElementById("root");
root.replaceChildren();
render(html`<${App} />`, root);
enter();
addEventListener("hashchange", () => location.hash.startsWith("#token=") && enter());
