// The projects with how far each is.

import { useState } from "preact/hooks";
import { maySteer, pages, post } from "../api.js";
import { useLive } from "../live.js";
import { href } from "../route.js";
import { At, Card, Empty, html, Loading, say, Table, Trouble, useAction } from "../ui.js";
import * as words from "../words.js";

export function Projects() {
  const live = useLive(() => pages("/v1/projects"), []);
  if (!live.data) return html`<h1>Projects</h1><${Loading} of=${live} />`;
  return html`<h1>Projects</h1><div class="grid">
    <${Card} id="projects" wide title="How far each is" note=${words.plural(live.data.length, "project")}>
      ${live.data.length === 0 ? html`<${Empty}>There is no project yet.</${Empty}>` : html`<${Table} caption="Projects"
        columns=${["Project", "Done", ["Share", "number"], ["Running", "number"], ["Ready", "number"], ["Blocked", "number"], ["Failed", "number"], "Deadline"]} rows=${live.data.map(row)} />`}
    </${Card}>
    ${maySteer() && html`<${Make} onDone=${live.reload} />`}</div>`;
}

function row(project) {
  const { total, completed, in_progress, assigned, ready, blocked, deferred, failed } = project.tasks;
  const wide = (count) => ({ width: `${total ? (100 * count) / total : 0}%` });
  return {
    key: project.name,
    cells: [
      html`<a href=${href("board", "", { project: project.name })}>${project.name}</a><span class="note block">${project.title}</span>`,
      html`<span class="split" role="img" aria-label=${`${completed} of ${total} completed`}><span class="done" style=${wide(completed)}></span><span class="running" style=${wide(in_progress + assigned)}></span><span class="waiting" style=${wide(ready + deferred)}></span><span class="ill" style=${wide(failed)}></span></span>`,
      `${words.number(completed)} of ${words.number(total)}`, in_progress + assigned, ready, blocked, failed,
      project.deadline ? html`<${At} at=${project.deadline} />` : "none",
    ],
  };
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
