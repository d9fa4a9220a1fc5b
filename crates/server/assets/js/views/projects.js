// The projects with how far each is; one of them with its burn-up.

import { useState } from "preact/hooks";
import { get, maySteer, pages, post } from "../api.js";
import { useLive } from "../live.js";
import { href, route, setQuery } from "../route.js";
import { At, Card, Empty, html, Loading, say, Table, Trouble, Twin, useAction } from "../ui.js";
import * as words from "../words.js";

export function Projects() {
  const live = useLive(() => pages("/v1/projects"), []);
  const chosen = route.value.arg;
  if (!live.data) return html`<h1>Projects</h1><${Loading} of=${live} />`;
  const shown = chosen ? live.data.filter((project) => project.name === chosen) : live.data;
  return html`<h1>${chosen || "Projects"}</h1>
    ${chosen && html`<p><a href=${href("projects")}>All projects</a> · <a href=${href("board", "", { project: chosen })}>Its tasks on the board</a> · <a href=${href("graph", "", { project: chosen })}>its graph</a></p>`}
    <div class="grid">
    <${Card} id="projects" wide title=${chosen ? "How far it is" : "How far each is"} note=${words.plural(shown.length, "project")}>
      ${shown.length === 0 ? html`<${Empty}>${chosen ? "There is no project of that name." : "There is no project yet."}</${Empty}>` : html`<${Table} caption="Projects"
        columns=${["Project", "Done", ["Share", "number"], ["Running", "number"], ["Ready", "number"], ["Blocked", "number"], ["Failed", "number"], "Deadline"]} rows=${shown.map(row)} />`}
    </${Card}>
    ${chosen && shown[0] && html`<${BurnUp} project=${shown[0]} />`}
    ${!chosen && maySteer() && html`<${Make} onDone=${live.reload} />`}</div>`;
}

function row(project) {
  const { total, completed, in_progress, assigned, ready, blocked, deferred, failed } = project.tasks;
  const wide = (count) => ({ width: `${total ? (100 * count) / total : 0}%` });
  return {
    key: project.name,
    cells: [
      html`<a href=${href("projects", project.name)}>${project.name}</a><span class="note block">${project.title}</span>`,
      html`<span class="split" role="img" aria-label=${`${completed} of ${total} completed`}><span class="done" style=${wide(completed)}></span><span class="running" style=${wide(in_progress + assigned)}></span><span class="waiting" style=${wide(ready + deferred)}></span><span class="ill" style=${wide(failed)}></span></span>`,
      `${words.number(completed)} of ${words.number(total)}`, in_progress + assigned, ready, blocked, failed,
      project.deadline ? html`<${At} at=${project.deadline} />` : "none",
    ],
  };
}

/// Counts back from how it is now: at the beginning and at the end of each step, how many tasks there were and how many were completed.
export function burnt(tasks, from, steps) {
  let [scope, done] = [tasks.total, tasks.completed];
  const points = [];
  for (const step of [...steps].reverse()) {
    points.push({ at: step.at, scope: Math.max(0, scope), done: Math.max(0, done) });
    scope -= step.submitted;
    done -= step.completed;
  }
  points.push({ at: from, scope: Math.max(0, scope), done: Math.max(0, done) });
  return points.reverse();
}

/// How long what is left takes at the pace of the whole stretch, and at that of its last quarter; nothing without a pace.
export function forecast(left, points) {
  const pace = (from) => {
    const [a, b] = [points[from], points.at(-1)];
    const ms = Date.parse(b.at) - Date.parse(a.at);
    return ms > 0 ? (b.done - a.done) / ms : 0;
  };
  if (points.length < 4) return null;
  const paces = [pace(0), pace(Math.floor(points.length * 0.75))].filter((each) => each > 0);
  return paces.length ? { soonest: left / Math.max(...paces), latest: left / Math.min(...paces), sure: paces.length === 2 } : null;
}

function BurnUp({ project }) {
  const hours = Number(route.value.query.get("hours")) || 24;
  const live = useLive(() => get(`/v1/timeline?hours=${hours}&project=${encodeURIComponent(project.name)}`), [hours, project.name], { pause: 5000 });
  const choose = html`<label class="inline"><span class="hidden">How far back</span><select value=${hours} onChange=${(event) => setQuery({ hours: event.target.value })}>
    ${[[1, "Last hour"], [24, "Last day"], [168, "Last week"], [720, "Last 30 days"]].map(([value, label]) => html`<option value=${value}>${label}</option>`)}</select></label>`;
  if (!live.data) return html`<${Card} id="burn-up" wide title="Burn-up" note=${choose}><${Loading} of=${live} /></${Card}>`;
  const points = burnt(project.tasks, live.data.from, live.data.steps);
  const { total, completed, failed, cancelled } = project.tasks;
  const left = total - completed - failed - cancelled;
  const ahead = left > 0 && forecast(left, points);
  return html`<${Card} id="burn-up" wide title="Burn-up" note=${choose}>
    <p role="status">${left === 0 ? "Nothing is left." : `${words.plural(left, "task")} left. ${!ahead ? "Too little was completed in this time to tell when they are done."
      : `At the pace of this time they are done in ${words.span(ahead.soonest)}${ahead.latest > ahead.soonest * 1.05 ? ` to ${words.span(ahead.latest)}` : ""}${ahead.sure ? "" : ", and nothing was completed lately"}.`}`}
      ${project.deadline && ahead && html` <span class=${Date.now() + ahead.latest > Date.parse(project.deadline) ? "bad" : "good"}>${Date.now() + ahead.soonest > Date.parse(project.deadline) ? "That is after the deadline." : Date.now() + ahead.latest > Date.parse(project.deadline) ? "That may be after the deadline." : "That is before the deadline."}</span>`}</p>
    ${points.length < 2 ? html`<${Empty}>Nothing has happened in this time.</${Empty}>` : html`<${Chart} points=${points} />`}
    ${live.data.cut && html`<p class="note">The log goes back further than is read.</p>`}
  </${Card}>`;
}

function Chart({ points }) {
  const [wide, tall] = [960, 220];
  const most = Math.max(1, ...points.map((point) => point.scope));
  const [from, to] = [Date.parse(points[0].at), Date.parse(points.at(-1).at)];
  const x = (at) => (((Date.parse(at) - from) / Math.max(1, to - from)) * wide).toFixed(1);
  const y = (count) => (tall - (count / most) * (tall - 10)).toFixed(1);
  const line = (of) => points.map((point, at) => `${at ? "L" : "M"}${x(point.at)} ${y(point[of])}`).join("");
  const last = points.at(-1);
  const rows = points.filter((_, at) => at % Math.ceil(points.length / 48) === 0 || at === points.length - 1);
  return html`<svg class="flow burn" viewBox="0 0 ${wide} ${tall + 18}" role="img" aria-label=${`From ${points[0].done} of ${points[0].scope} to ${last.done} of ${last.scope} tasks completed`}>
      <path class="area" d="${line("done")}L${wide} ${tall}L0 ${tall}Z" /><path class="scope" d=${line("scope")} /><path class="done" d=${line("done")} />
      <line x1="0" x2=${wide} y1=${tall} y2=${tall} class="axis" />
      ${[0, 1, 2, 3, 4].map((part) => html`<text x=${(wide * part) / 4} y=${tall + 14} text-anchor=${["start", "middle", "middle", "middle", "end"][part]}>${words.clock(from + ((to - from) * part) / 4)}</text>`)}
    </svg>
    <ul class="legend"><li><span class="f-submitted"></span>all tasks ${words.number(last.scope)}</li><li><span class="f-completed"></span>completed ${words.number(last.done)}</li></ul>
    <${Twin}><${Table} caption="Burn-up over time" columns=${["When", ["All", "number"], ["Completed", "number"]]}
      rows=${rows.map((point) => ({ key: point.at, cells: [html`<${At} at=${point.at} />`, words.number(point.scope), words.number(point.done)] }))} /></${Twin}>`;
}

function Make({ onDone }) {
  const [name, setName] = useState("");
  const [title, setTitle] = useState("");
  const send = useAction(async () => {
    await post("/v1/projects", { name, title });
    say(`The project ${name} is made.`);
    setName("");
    setTitle("");
    onDone();
  });
  return html`<${Card} id="make" title="Make a project"><form onSubmit=${(event) => {
    event.preventDefault();
    send.run();
  }}>
    <label>Name <input required maxlength="100" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
    <label>Title <input maxlength="500" value=${title} onInput=${(event) => setTitle(event.target.value)} /></label>
    <${Trouble} error=${send.error} /><button class="primary" disabled=${send.busy}>Make it</button></form></${Card}>`;
}
