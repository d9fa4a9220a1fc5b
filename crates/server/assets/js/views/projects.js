// The projects with how far each is; one of them with its burn-up.

import { useState } from "preact/hooks";
import { get, maySteer, pages, post } from "../api.js";
import { Burnt, stretches } from "../burnup.js";
import { Forecast } from "../forecast.js";
import { useLive } from "../live.js";
import { href, route, setQuery } from "../route.js";
import { At, Card, Empty, html, Loading, say, Table, Trouble, useAction } from "../ui.js";
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
        columns=${["Project", "Done", ["Share", "number"], ["Running", "number"], ["Ready", "number"], ["Waits", "number"], ["Ended otherwise", "number"], "Deadline"]} rows=${shown.map(row)} />
        <ul class="legend split-legend"><li><span class="done"></span>done</li><li><span class="running"></span>running: owned, in review or waiting at a gate</li><li><span class="ready"></span>ready</li><li><span class="waits"></span>waits: blocked or deferred</li><li><span class="ill"></span>ended otherwise: failed or cancelled</li></ul>`}
    </${Card}>
    ${chosen && shown[0] && html`<${Forecast} project=${chosen} /><${BurnUp} project=${shown[0]} />`}
    ${!chosen && maySteer() && html`<${Make} onDone=${live.reload} />`}</div>`;
}

function row(project) {
  const { total, archived, completed, in_progress, assigned, in_review, waiting, ready, blocked, deferred, failed, cancelled } = project.tasks;
  const [running, waits, ill] = [in_progress + assigned + in_review + waiting, blocked + deferred, failed + cancelled];
  // What was broken down is done with its parts.
  const scope = total - archived;
  const wide = (count) => ({ width: `${scope ? (100 * count) / scope : 0}%` });
  return {
    key: project.name,
    cells: [
      html`<a href=${href("projects", project.name)}>${project.name}</a><span class="note block">${project.title}</span>`,
      html`<span class="split" role="img" aria-label=${`${completed} of ${scope} completed`}><span class="done" style=${wide(completed)}></span><span class="running" style=${wide(running)}></span><span class="ready" style=${wide(ready)}></span><span class="waits" style=${wide(waits)}></span><span class="ill" style=${wide(ill)}></span></span>`,
      `${words.number(completed)} of ${words.number(scope)}`, running, ready, waits, ill,
      project.deadline ? html`<${At} at=${project.deadline} />` : "none",
    ],
  };
}

function BurnUp({ project }) {
  const hours = Number(route.value.query.get("hours")) || 24;
  const live = useLive(() => get(`/v1/timeline?hours=${hours}&project=${encodeURIComponent(project.name)}`), [hours, project.name], { pause: 5000 });
  const choose = html`<label class="inline"><span class="hidden">How far back</span><select value=${hours} onChange=${(event) => setQuery({ hours: event.target.value })}>
    ${stretches([[1, "Last hour"], [24, "Last day"], [168, "Last week"], [720, "Last 30 days"]], hours).map(([value, label]) => html`<option value=${value}>${label}</option>`)}</select></label>`;
  if (!live.data) return html`<${Card} id="burn-up" wide title="Burn-up" note=${choose}><${Loading} of=${live} /></${Card}>`;
  return html`<${Card} id="burn-up" wide title="Burn-up" note=${choose}>
    <${Burnt} tasks=${project.tasks} lines=${live.data} deadline=${project.deadline} />
  </${Card}>`;
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
