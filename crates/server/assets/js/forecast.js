// When a project will be done, by chance drawn from what such work has taken.

import { get, maySteer, post } from "./api.js";
import { useLive } from "./live.js";
import { At, Card, Empty, Facts, html, Loading, say, Table, TaskLink, Trouble, Twin, useAction } from "./ui.js";
import * as words from "./words.js";

/// Nothing where none was made yet.
const last = (project) => get(`/v1/projects/${encodeURIComponent(project)}/forecast`).catch((error) => {
  if (error.status === 404) return { none: true };
  throw error;
});

export function Forecast({ project }) {
  const live = useLive(() => last(project), [project], { pause: 5000, concerns: (event) => /^(forecast|project|task|agent)/.test(event.kind) });
  const make = useAction(async () => {
    await post(`/v1/projects/${encodeURIComponent(project)}/forecast`, {});
    say("The forecast is made.");
    live.reload();
  });
  const button = maySteer() && html`<button type="button" class="small" disabled=${make.busy} onClick=${() => make.run()}>${live.data?.none ? "Make one" : "Make it anew"}</button>`;
  return html`<${Card} id="forecast" wide title="Forecast" note=${button}>
    ${!live.data ? html`<${Loading} of=${live} />` : live.data.none ? html`<${Empty}>None was made yet.</${Empty}>` : html`<${Shown} of=${live.data} />`}
    <${Trouble} error=${make.error} /></${Card}>`;
}

function Shown({ of }) {
  const slack = of.slack_hours;
  return html`<p role="status"><strong>${words.plural(of.open, "task")} left.</strong> Half of ${words.number(of.trials)} trials are through by <${At} at=${of.p50} />, eight of ten by <${At} at=${of.p80} />, nine of ten by <${At} at=${of.p90} />.
      ${of.deadline && html` <span class=${of.at_risk ? "bad" : "good"}>${of.at_risk ? `Eight of ten is ${words.hours(-slack)} past the deadline.` : `Eight of ten is ${words.hours(slack)} before the deadline.`}</span>`}
      ${of.outdated && html` <span class="pill at_risk">something has changed since</span>`}</p>
    <${Band} of=${of} />
    ${of.gains?.length > 0 && html`<h3>What one agent more would save</h3><${Table} caption="What one agent more would save" columns=${["One more that is best in", ["Sooner by", "number"]]} rows=${of.gains.map((each) => ({ key: each.capability, cells: [each.capability, words.hours(each.hours_saved)] }))} />`}
    ${of.path.length > 0 && html`<details><summary>The longest path: ${words.plural(of.path.length, "task")}, ${words.hours(of.path_hours)} of work</summary>
      <${Table} caption="The longest path" columns=${["Task", "Title", "State", ["Left", "number"]]} rows=${of.path.map((step) => ({ key: step.task, cells: [html`<${TaskLink} id=${step.task} />`, step.title, words.state(step.state), words.hours(step.hours)] }))} /></details>`}
    <${Facts} of=${of.because} />
    <p class="note">Made at <${At} at=${of.at} /> from position ${words.number(of.position)}, seed <code>${of.seed}</code>.</p>`;
}

/// From when it was made to nine of ten: the three marks, and the deadline.
function Band({ of }) {
  const [wide, tall] = [960, 34];
  const [from, p50, p80, p90] = [of.at, of.p50, of.p80, of.p90].map((at) => Date.parse(at));
  const due = of.deadline ? Date.parse(of.deadline) : null;
  const to = Math.max(p90, due || 0) + 1;
  const x = (at) => (((at - from) / Math.max(1, to - from)) * (wide - 20)).toFixed(1);
  // What stands at the right edge is written to its left.
  const side = (at) => (x(at) > wide - 90 ? "end" : "start");
  return html`<svg class="flow burn" viewBox="0 0 ${wide} ${tall}" role="img" aria-label=${`Half by ${words.exact(of.p50)}, eight of ten by ${words.exact(of.p80)}, nine of ten by ${words.exact(of.p90)}${due ? `, deadline ${words.exact(of.deadline)}` : ""}`}>
    <line x1="0" x2=${wide} y1="12" y2="12" class="axis" /><rect class="band" x=${x(p50)} width=${Math.max(2, x(p90) - x(p50))} y="4" height="16" />
    ${[["50 %", p50], ["80 %", p80], ["90 %", p90]].map(([label, at]) => html`<line key=${label} x1=${x(at)} x2=${x(at)} y1="4" y2="20" class="ahead" /><text x=${x(at)} y="32" text-anchor=${side(at)}>${label}</text>`)}
    ${due && due > from && html`<line x1=${x(due)} x2=${x(due)} y1="0" y2="22" class="due" /><text x=${x(due)} y="32" text-anchor=${side(due)}>deadline</text>`}</svg>
    <${Twin}><${Table} caption="The marks of the forecast" columns=${["Mark", "When"]} rows=${[["Half", of.p50], ["Eight of ten", of.p80], ["Nine of ten", of.p90], ["Deadline", of.deadline]].filter(([, at]) => at).map(([mark, at]) => ({ key: mark, cells: [mark, html`<${At} at=${at} />`] }))} /></${Twin}>`;
}
