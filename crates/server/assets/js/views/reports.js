// The report on the fleet: how the work goes, what holds it up, and what could be done about it.

import { useState } from "preact/hooks";
import { get, maySteer, post, text } from "../api.js";
import { money } from "../cost.js";
import { useLive } from "../live.js";
import { href } from "../route.js";
import { Ago, At, Card, Empty, html, Loading, Meter, Priority, Quoted, say, Table, Trouble, useAction } from "../ui.js";
import * as words from "../words.js";

export function Reports() {
  const live = useLive(() => get("/v1/report"), [], { pause: 5000 });
  const report = live.data;
  if (!report) return html`<h1>Reports</h1><${Loading} of=${live} />`;
  return html`<h1>Report</h1>
    <p class="note">As of <${At} at=${report.at} />, position ${words.number(report.position)} of the log, policy ${report.policy_version}.</p>
    <${Keep} />
    <div class="grid">
      <${Advice} report=${report} />
      <${Health} health=${report.health} />
      <${Rates} performance=${report.performance} />
      <${Bottlenecks} all=${report.bottlenecks} />
      <${Kinds} kinds=${report.performance.by_type} />
      <${Escalations} report=${report} />
      <${Spent} costs=${report.costs} />
    </div>`;
}

/// The same as Markdown: to look at, to take along, or to be kept on the server's machine.
function Keep() {
  const [markdown, setMarkdown] = useState(null);
  const [saved, setSaved] = useState(null);
  const show = useAction(async () => setMarkdown(await text("/v1/report?format=markdown", "text/markdown")));
  const keep = useAction(async () => {
    setSaved(await post("/v1/report"));
    say("The report is saved.");
  });
  return html`<div class="buttons">
      <button type="button" disabled=${show.busy} onClick=${() => (markdown === null ? show.run() : setMarkdown(null))} aria-expanded=${markdown !== null}>As Markdown</button>
      ${maySteer() && html`<button type="button" disabled=${keep.busy} onClick=${() => keep.run()}>Save it on the server</button>`}
    </div>
    ${saved && html`<p class="note">Saved as ${saved.markdown} and ${saved.json}.</p>`}
    <${Trouble} error=${show.error || keep.error} />
    ${markdown !== null && html`<pre class="result markdown" tabindex="0" role="region" aria-label="The report as Markdown">${markdown}</pre>`}`;
}

function Advice({ report }) {
  return html`<${Card} id="advice" wide title="What could be done" note=${words.plural(report.recommendations.length, "recommendation")}>
    ${report.recommendations.length === 0 && html`<${Empty}>Nothing is recommended.</${Empty}>`}
    <ul class="advice">${report.recommendations.map((each) => html`<li key=${each.action}><strong>${each.action}</strong>
      <span class="note block">${each.evidence}</span><code>${each.command}</code></li>`)}</ul>
  </${Card}>`;
}

function Health({ health }) {
  const low = health.total < health.alert_below;
  return html`<${Card} id="health" wide title="Health" note=${`alert below ${words.score(health.alert_below)}`}>
    <p class="figure ${low ? "bad" : "good"}"><strong>${words.score(health.total)}</strong> <span>${low ? "low" : "well"}</span></p>
    <${Table} caption="Parts of the health" columns=${["Part", "Bar", ["Value", "number"], ["Weight", "number"], ["Adds", "number"]]}
      rows=${health.parts.map((part) => ({ key: part.name, cells: [
        html`${words.sentence(part.name)}<span class="note block">${part.no_data ? "no data" : `${words.number(part.good)} of ${words.number(part.all)}: ${part.counts}`}${(part.causes || []).map((cause) => html`<br />${cause}`)}</span>`,
        html`<${Meter} share=${part.value} label=${words.percent(part.value)} tone=${part.no_data ? "none" : part.value < 0.7 ? "bad" : ""} />`,
        words.score(part.value), words.score(part.weight), words.score(part.adds)] }))} />
  </${Card}>`;
}

const FIGURES = [
  ["Submitted", "submitted", words.number],
  ["Completed", "completed", words.number],
  ["Failed attempts", "failed", words.number],
  ["Attempts that succeed", "success_rate", words.percent],
  ["From start to report", "completion_mean_ms", words.span],
  ["From submission to completion", "lead_mean_ms", words.span],
  ["Efficiency: estimate to actual", "efficiency_score", words.score],
];

function Rates({ performance: { last_day: now, day_before: before } }) {
  const told = (value, as) => (value === undefined || value === null ? "no data" : as(value));
  return html`<${Card} id="rates" title="How the work goes">
    <${Table} caption="Rates" columns=${["Figure", ["Last 24 hours", "number"], ["The 24 before", "number"]]}
      rows=${FIGURES.map(([title, name, as]) => ({ key: name, cells: [title, told(now[name], as), told(before[name], as)] }))} />
  </${Card}>`;
}

function Bottlenecks({ all }) {
  const about = (each) => (/^T-\d+$/.test(each.about) ? html`<a class="id" href=${href("task", each.about)}>${each.about}</a>` : each.about);
  return html`<${Card} id="bottlenecks" title="What holds the work up" note=${words.number(all.length)}>
    ${all.length === 0 ? html`<${Empty}>Nothing does.</${Empty}>` : html`<${Table} caption="Bottlenecks" columns=${["What", "About", "Detail"]}
      rows=${all.map((each, at) => ({ key: at, cells: [words.sentence(each.kind), about(each), each.detail] }))} />`}
  </${Card}>`;
}

function Kinds({ kinds }) {
  return html`<${Card} id="kinds" title="How long work takes, by type">
    ${kinds.length === 0 ? html`<${Empty}>Nothing is completed yet.</${Empty}>` : html`<${Table} caption="Completion times by type" columns=${["Type", ["Completed", "number"], ["Mean", "number"], ["Half within", "number"], ["9 of 10 within", "number"]]}
      rows=${kinds.map((each) => ({ key: each.kind || "others", cells: [each.kind || "others", words.number(each.count), words.span(each.mean_ms), words.span(each.p50_ms), words.span(each.p90_ms)] }))} />`}
  </${Card}>`;
}

/// What was spent, by project, agent and type of task.
function Spent({ costs }) {
  const list = (title, all) => all?.length > 0 && html`<${Table} caption=${`Costs by ${title.toLowerCase()}`} columns=${[title, [costs.currency, "number"], ["Read", "number"], ["Cached", "number"], ["Written", "number"]]} rows=${all.map((each) => ({
    key: each.name,
    cells: [each.name, money(each.total.money_micros), words.number(each.total.input_tokens), words.number(each.total.cached_tokens), words.number(each.total.output_tokens)],
  }))} />`;
  return html`<${Card} id="spent" title="Costs" note=${`${money(costs.total.money_micros)} ${costs.currency}, ${money(costs.today.money_micros)} today`}>
    ${costs.agents.length === 0 && html`<${Empty}>Nothing was spent.</${Empty}>`}
    ${list("Project", costs.projects)}${list("Agent", costs.agents)}${list("Type of task", costs.types)}
  </${Card}>`;
}

function Escalations({ report }) {
  return html`<${Card} id="raised" title="Open escalations" note=${words.number(report.escalations_open)}>
    ${report.escalations.length === 0 && html`<${Empty}>Nothing is escalated.</${Empty}>`}
    <ul class="lines">${report.escalations.map((each) => html`<li key=${each.id}><a href=${href("inbox", "", { open: each.id })}>
      <${Priority} of=${each.severity} /><span class="text"><${Quoted} text=${each.detail} /></span><span class="note">${each.role}, raised <${Ago} at=${each.raised_at} /> ago</span></a></li>`)}</ul>
  </${Card}>`;
}
