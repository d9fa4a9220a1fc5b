// Who is there, what each can do and does; drained and resumed here.

import { maySteer, pages, post } from "../api.js";
import { useLive } from "../live.js";
import { href, route } from "../route.js";
import { Ago, Card, Empty, html, Loading, Meter, say, Table, TaskLink, Trouble, useAction } from "../ui.js";
import * as words from "../words.js";

export function Agents() {
  const live = useLive(() => pages("/v1/agents"), []);
  const drain = useAction(async (agent) => {
    const verb = agent.draining ? "resume" : "drain";
    await post(`/v1/agents/${encodeURIComponent(agent.name)}/${verb}`);
    say(agent.draining ? `${agent.name} gets new work again.` : `${agent.name} ends what it has and gets nothing new.`);
    live.reload();
  });
  const chosen = route.value.arg;
  if (!live.data) return html`<h1>Agents</h1><${Loading} of=${live} />`;
  const shown = chosen ? live.data.filter((agent) => agent.name === chosen) : live.data;
  const row = (agent) => ({
    key: agent.name,
    cells: [
      html`<a href=${href("agents", agent.name)}>${agent.name}</a><span class="note block">${agent.role}, ${agent.kind}</span>`,
      html`<span class="pill a-${agent.state}">${agent.draining ? `${agent.state}, draining` : agent.state}</span>
        <span class="note block">${agent.last_seen ? html`seen <${Ago} at=${agent.last_seen} /> ago` : "never seen"}</span>`,
      html`<${Meter} share=${agent.tasks.length / agent.max_concurrent_tasks} label=${`${agent.tasks.length} of ${agent.max_concurrent_tasks} slots`} /> <span class="number">${agent.tasks.length}/${agent.max_concurrent_tasks}</span>`,
      agent.tasks.map((task) => html`<${TaskLink} id=${task} /> `),
      Object.entries(agent.capabilities).sort((a, b) => b[1] - a[1]).map(([name, score]) => html`<span class="tag">${name} ${score}</span>`),
      agent.completed, agent.failed, agent.lost,
      maySteer() && html`<button type="button" class="small" disabled=${drain.busy} onClick=${() => drain.run(agent)} aria-label=${`${agent.draining ? "Resume" : "Drain"} ${agent.name}`}>${agent.draining ? "Resume" : "Drain"}</button>`,
    ],
  });
  return html`<h1>${chosen || "Agents"}</h1>
    ${chosen && html`<p><a href=${href("agents")}>All agents</a> · <a href=${href("board", "", { agent: chosen })}>Its tasks on the board</a></p>`}
    <${Trouble} error=${drain.error} />
    <${Card} id="agents" wide title=${chosen ? "What it is and does" : "Everybody"} note=${words.plural(shown.length, "agent")}>
      ${shown.length === 0 ? html`<${Empty}>${chosen ? "There is no agent of that name." : "No agent is registered yet."}</${Empty}>` : html`<${Table} caption="Agents"
        columns=${["Agent", "State", ["Load", "load"], "Tasks", "Capabilities", ["Done", "number"], ["Failed", "number"], ["Lost", "number"], ""]} rows=${shown.map(row)} />`}
      ${chosen && shown[0] && html`<ul class="reasons">${shown[0].because.map((fact) => html`<li>${fact}</li>`)}</ul>`}
    </${Card}>`;
}
