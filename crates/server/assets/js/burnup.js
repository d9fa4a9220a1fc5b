// How much there was to do and how much was done over time, and when the rest is done at that pace.

import { At, Empty, html, Table, Twin } from "./ui.js";
import * as words from "./words.js";

/// Counts back from how it is now: at the beginning and at the end of each step, how many tasks there were and how many were completed.
/// One that was broken down counts no more: its parts do.
export function burnt(tasks, from, steps) {
  let [scope, done] = [tasks.total - tasks.archived, tasks.completed];
  const points = [];
  for (const step of [...steps].reverse()) {
    points.push({ at: step.at, scope: Math.max(0, scope), done: Math.max(0, done) });
    scope -= step.submitted - (step.archived || 0);
    done -= step.completed;
  }
  points.push({ at: from, scope: Math.max(0, scope), done: Math.max(0, done) });
  return points.reverse();
}

/// How far back one may look, as [hours, label]; what the address asks for is among it.
export const stretches = (all, asked) => (all.some(([hours]) => hours === asked) ? all : [...all, [asked, `Last ${words.number(asked)} hours`]]);

/// How long what is left takes at the pace of the whole stretch, and at that of its last quarter, which may be for ever; nothing without a pace.
export function forecast(left, points) {
  const pace = (from) => {
    const [a, b] = [points[from], points.at(-1)];
    const ms = Date.parse(b.at) - Date.parse(a.at);
    return ms > 0 ? (b.done - a.done) / ms : 0;
  };
  if (points.length < 4) return null;
  const paces = [pace(0), pace(Math.floor(points.length * 0.75))].map((each) => Math.max(0, each));
  return Math.max(...paces) > 0 ? { soonest: left / Math.max(...paces), latest: left / Math.min(...paces) } : null;
}

/// The whole of it: in words, as a picture with its band ahead, and as a table. `tasks` are the totals of now.
export function Burnt({ tasks, lines, deadline }) {
  const points = burnt(tasks, lines.from, lines.steps);
  const { total, completed, failed, cancelled, archived } = tasks;
  const left = total - completed - failed - cancelled - archived;
  const ahead = left > 0 ? forecast(left, points) : null;
  const due = deadline ? Date.parse(deadline) : null;
  const now = Date.parse(lines.to);
  return html`<p role="status">${left === 0 ? "Nothing is left." : `${words.plural(left, "task")} left. ${told(ahead)}`}
      ${due && ahead && html` <span class=${now + ahead.latest > due ? "bad" : "good"}>${judged(now, ahead, due)}</span>`}</p>
    ${lines.steps.length < 2 ? html`<${Empty}>Nothing has happened in this time.</${Empty}>` : html`<${Chart} points=${points} left=${left} ahead=${ahead} due=${due} />`}
    ${lines.cut && html`<p class="note">The log goes back further than is read.</p>`}`;
}

function told(ahead) {
  if (!ahead) return "Too little was completed in this time to tell when they are done.";
  const soonest = words.span(ahead.soonest);
  if (ahead.latest === Infinity) return `Not before ${soonest} from now at the pace of this time; nothing was completed lately.`;
  const latest = words.span(ahead.latest);
  return `At the pace of this time they are done in ${soonest}${latest === soonest ? "" : ` to ${latest}`}.`;
}

function judged(now, { soonest, latest }, due) {
  if (now + soonest > due) return "That is after the deadline.";
  return now + latest > due ? "That may be after the deadline." : "That is before the deadline.";
}

function Chart({ points, left, ahead, due }) {
  const [wide, tall] = [960, 220];
  const [first, last] = [points[0], points.at(-1)];
  const most = Math.max(1, ...points.map((point) => point.scope));
  const [from, now] = [Date.parse(first.at), Date.parse(last.at)];
  // At most half of the picture lies ahead.
  const to = ahead ? Math.min(now + ahead.latest, now + (now - from)) : now;
  const x = (at) => (((at - from) / Math.max(1, to - from)) * wide).toFixed(1);
  const y = (count) => (tall - (count / most) * (tall - 10)).toFixed(1);
  const line = (of) => points.map((point, at) => `${at ? "L" : "M"}${x(Date.parse(point.at))} ${y(point[of])}`).join("");
  // Where a pace that ends all of it after `span` stands at the right edge, or when it is done.
  const reach = (span) => {
    const end = Math.min(to, now + span);
    return [x(end), y(last.done + left * ((end - now) / Math.max(1, span)))];
  };
  const rows = points.filter((_, at) => at % Math.ceil(points.length / 48) === 0 || at === points.length - 1);
  const sides = ["start", "middle", "middle", "middle", "end"];
  return html`<svg class="flow burn" viewBox="0 0 ${wide} ${tall + 18}" role="img" aria-label=${`From ${first.done} of ${first.scope} to ${last.done} of ${last.scope} tasks completed`}>
      <path class="area" d="${line("done")}L${x(now)} ${tall}L0 ${tall}Z" />
      ${ahead && html`<path class="band" d="M${x(now)} ${y(last.done)}L${reach(ahead.soonest).join(" ")}L${x(to)} ${y(last.done + left)}L${reach(ahead.latest).join(" ")}Z" />
        <path class="ahead" d="M${x(now)} ${y(last.scope)}L${wide} ${y(last.scope)}" /><line x1=${x(now)} x2=${x(now)} y1="0" y2=${tall} class="axis" />`}
      ${due && due > from && due < to && html`<line x1=${x(due)} x2=${x(due)} y1="0" y2=${tall} class="due" /><text x=${x(due)} y="10">deadline</text>`}
      <path class="scope" d=${line("scope")} /><path class="done" d=${line("done")} />
      <line x1="0" x2=${wide} y1=${tall} y2=${tall} class="axis" />
      ${sides.map((side, part) => html`<text x=${(wide * part) / 4} y=${tall + 14} text-anchor=${side}>${(to - from < 600_000 ? words.second : words.clock)(from + ((to - from) * part) / 4)}</text>`)}
    </svg>
    <ul class="legend"><li><span class="f-submitted"></span>all tasks ${words.number(last.scope)}</li><li><span class="f-completed"></span>completed ${words.number(last.done)}</li>
      ${ahead && html`<li><span class="f-ahead"></span>what the two paces give: of all this time, and of its last quarter</li>`}</ul>
    <${Twin}><${Table} caption="Burn-up over time" columns=${["When", ["All", "number"], ["Completed", "number"]]}
      rows=${rows.map((point) => ({ key: point.at, cells: [html`<${At} at=${point.at} />`, words.number(point.scope), words.number(point.done)] }))} /></${Twin}>`;
}
