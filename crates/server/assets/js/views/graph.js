// What waits for what: the server lays it out, this draws it, lets it be moved and tells what is pointed at.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, maySteer, pages, post } from "../api.js";
import { useLive } from "../live.js";
import { go, route, setQuery } from "../route.js";
import { At, Card, Empty, html, Loading, Pill, redrawn, say, Table, TaskLink, Trouble, Twin, useAction } from "../ui.js";
import * as words from "../words.js";

const [WIDE, TALL, NODE_WIDE, NODE_TALL] = [190, 40, 150, 28];

export function Graph() {
  const query = route.value.query;
  const project = query.get("project") || "";
  const ended = query.get("ended") === "true";
  const asked = new URLSearchParams({ ...(project && { project }), ...(ended && { ended }) });
  const live = useLive(() => get(`/v1/graph?${asked}`), [project, ended], { pause: 3000, concerns: (event) => /^(task|dependency)/.test(event.kind) });
  const cycles = useLive(() => pages("/v1/cycles"), [], { pause: 3000, concerns: (event) => /^(cycle|dependency)/.test(event.kind) });
  const projects = useLive(() => get("/v1/projects?limit=1000"), [], { pause: 60_000 });
  const graph = live.data;
  return html`<div class="tools"><h1>Graph</h1>
      <label class="inline"><span class="hidden">Project</span><select value=${project} onChange=${(event) => setQuery({ project: event.target.value })}>
        <option value="">Every project</option>${(projects.data?.items || []).map((each) => html`<option>${each.name}</option>`)}</select></label>
      <label class="inline"><input type="checkbox" checked=${ended} onChange=${(event) => setQuery({ ended: event.target.checked ? "true" : "" })} /> ended tasks too</label>
      ${graph && html`<p class="note" role="status">${words.plural(graph.nodes.length, "task")}, ${words.plural(graph.edges.length, "wait")}; ${graph.critical.length ? `longest remaining path ${words.hours(graph.critical_hours)}` : "nothing remains"}${graph.alone ? `; ${words.number(graph.alone)} stand alone` : ""}${graph.left_out ? `; ${words.number(graph.left_out)} left out` : ""}</p>`}</div>
    ${!graph ? html`<${Loading} of=${live} />` : graph.nodes.length === 0 ? html`<${Empty}>No task waits for another.</${Empty}>` : html`<${Picture} graph=${graph} broken=${cycles.data || []} />`}
    ${cycles.data?.length > 0 && html`<${Cycles} all=${cycles.data} reload=${cycles.reload} />`}`;
}

/// What was taken out of a cycle or kept out of the graph, the last first, and put back where somebody knows better.
function Cycles({ all, reload }) {
  const restore = useAction(async (edge) => {
    await post(`/v1/tasks/${edge.task}/dependencies/${edge.on}/restore`, {});
    say(`${edge.task} waits for ${edge.on} again.`);
    reload();
  });
  const open = all.filter((edge) => edge.state !== "restored");
  const row = (edge) => ({
    key: edge.position,
    cells: [
      edge.cycle.map((task, at) => html`${at > 0 && " waits for "}<${TaskLink} id=${task} />`),
      html`<${TaskLink} id=${edge.task} /> waits for <${TaskLink} id=${edge.on} />`,
      html`<span class="pill ${edge.state === "kept_out" ? "at_risk" : ""}">${words.sentence(edge.state)}</span>`,
      edge.reason,
      html`<${At} at=${edge.at} />`,
      maySteer() && edge.state !== "restored" && html`<button type="button" class="small" disabled=${restore.busy} onClick=${() => restore.run(edge)} aria-label=${`Put it back: ${edge.task} waits for ${edge.on}`}>Put it back</button>`,
    ],
  });
  return html`<${Card} id="cycles" title="Cycles" note=${`${words.number(open.length)} broken, dashed in the picture`}>
    <${Trouble} error=${restore.error} />
    <${Table} caption="Cycles, the last first" columns=${["Cycle", "The wait that went", "State", "Why this one", "When", ""]} rows=${[...all].reverse().slice(0, 200).map(row)} />
  </${Card}>`;
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(["ink", "soft", "line", "strong", "card", "accent", "good", "warn", "bad"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

const TONE = { completed: "good", in_progress: "accent", in_review: "accent", waiting: "warn", assigned: "accent", blocked: "warn", failed: "bad", cancelled: "strong" };

function Picture({ graph, broken }) {
  // Waits that were taken out, between tasks that are shown, by their places.
  const gone = useMemo(() => {
    const place = new Map(graph.nodes.map((node, at) => [node.id, at]));
    return broken.filter((edge) => edge.state !== "restored").map((edge) => [place.get(edge.on), place.get(edge.task)]).filter(([from, to]) => from !== undefined && to !== undefined);
  }, [graph, broken]);
  const canvas = useRef(null);
  const [view, setView] = useState(null);
  const [pointed, setPointed] = useState(null);
  const held = useRef(null);
  const at = (node) => [node.layer * WIDE + 20, node.row * TALL + 20];
  const whole = () => {
    const { clientWidth, clientHeight } = canvas.current;
    const scale = Math.min(1, clientWidth / (graph.layers * WIDE + 20), clientHeight / (graph.rows * TALL + 30));
    return { scale: Math.max(0.02, scale), x: 0, y: 0 };
  };
  useEffect(() => setView((before) => before || whole()), [graph]);
  useEffect(() => {
    if (!view) return;
    const again = () => canvas.current && draw(canvas.current, graph, view, at, pointed, gone);
    // However often it is moved within a frame, it is drawn once.
    const frame = requestAnimationFrame(again);
    const end = redrawn(again);
    return () => {
      cancelAnimationFrame(frame);
      end();
    };
  }, [graph, view, pointed, gone]);
  const zoom = (factor, x = canvas.current.clientWidth / 2, y = canvas.current.clientHeight / 2) =>
    setView(({ scale, x: left, y: top }) => {
      const next = Math.max(0.02, Math.min(3, scale * factor));
      return { scale: next, x: x - ((x - left) * next) / scale, y: y - ((y - top) * next) / scale };
    });
  const found = (event) => {
    const box = canvas.current.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left - view.x) / view.scale, (event.clientY - box.top - view.y) / view.scale];
    return graph.nodes.find((node) => {
      const [left, top] = at(node);
      return x >= left && x <= left + NODE_WIDE && y >= top && y <= top + NODE_TALL;
    });
  };
  const move = (event) => {
    if (held.current) {
      const { x, y } = held.current;
      held.current = { x: event.clientX, y: event.clientY, moved: held.current.moved + Math.abs(event.clientX - x) + Math.abs(event.clientY - y) };
      setView((before) => ({ ...before, x: before.x + event.clientX - x, y: before.y + event.clientY - y }));
    } else setPointed(found(event) || null);
  };
  const keys = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  const onKey = (event) => {
    if (keys[event.key]) setView((before) => ({ ...before, x: before.x + keys[event.key][0], y: before.y + keys[event.key][1] }));
    else if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "0") setView(whole());
    else return;
    event.preventDefault();
  };
  const onWheel = (event) => {
    event.preventDefault();
    const box = canvas.current.getBoundingClientRect();
    zoom(event.deltaY < 0 ? 1.15 : 0.87, event.clientX - box.left, event.clientY - box.top);
  };
  const rows = useMemo(() => [...graph.nodes].sort((a, b) => a.slack_hours - b.slack_hours || a.layer - b.layer).slice(0, 1000), [graph]);
  return html`<canvas class="picture" ref=${canvas} tabindex="0" role="img"
      aria-label=${`Dependency graph of ${graph.nodes.length} tasks in ${graph.layers} layers; arrow keys move it, plus and minus zoom; the table below holds the same`}
      onPointerDown=${(event) => {
        canvas.current.setPointerCapture(event.pointerId);
        held.current = { x: event.clientX, y: event.clientY, moved: 0 };
      }}
      onPointerMove=${move}
      onPointerUp=${(event) => {
        const still = held.current && held.current.moved < 5;
        held.current = null;
        const node = still && found(event);
        if (node) go("task", node.id);
      }} onKeyDown=${onKey} onWheel=${onWheel}></canvas>
    <p class="pointed note">${pointed ? `${pointed.id} ${pointed.title}: ${words.state(pointed.state).toLowerCase()}, ${words.hours(pointed.hours)} left, may slip ${words.hours(pointed.slack_hours)}` : "Thick: the longest remaining path. Drag to move, turn the wheel to zoom, click to open."}</p>
    <div class="buttons"><button type="button" onClick=${() => zoom(1.25)}>Zoom in</button><button type="button" onClick=${() => zoom(0.8)}>Zoom out</button><button type="button" onClick=${() => setView(whole())}>All of it</button></div>
    <${Twin}><${Table} caption="Tasks by slack" columns=${["Task", "Title", "State", ["Left", "number"], ["May slip", "number"], "On the longest path"]}
      rows=${rows.map((node) => ({ key: node.id, cells: [html`<${TaskLink} id=${node.id} />`, node.title, html`<${Pill} state=${node.state} />`, words.hours(node.hours), words.hours(node.slack_hours), node.critical ? "yes" : "no"] }))} />
      ${graph.nodes.length > rows.length && html`<p class="note">The ${words.number(rows.length)} with the least slack.</p>`}</${Twin}>`;
}

function draw(canvas, graph, view, at, pointed, gone) {
  const ratio = devicePixelRatio || 1;
  const { clientWidth, clientHeight } = canvas;
  canvas.width = clientWidth * ratio;
  canvas.height = clientHeight * ratio;
  const pen = canvas.getContext("2d");
  const tone = colours();
  pen.scale(ratio, ratio);
  pen.translate(view.x, view.y);
  pen.scale(view.scale, view.scale);
  const [left, top] = [-view.x / view.scale, -view.y / view.scale];
  const [right, bottom] = [left + clientWidth / view.scale, top + clientHeight / view.scale];
  const near = pointed ? graph.nodes.indexOf(pointed) : null;
  const critical = new Set(graph.critical.slice(1).map((to, index) => `${graph.critical[index]},${to}`));
  for (const edge of graph.edges) {
    const [[x1, y1], [x2, y2]] = [at(graph.nodes[edge[0]]), at(graph.nodes[edge[1]])];
    if (x1 > right || x2 + NODE_WIDE < left || Math.max(y1, y2) < top - TALL || Math.min(y1, y2) > bottom) continue;
    const on = critical.has(edge.join());
    pen.strokeStyle = on ? tone.ink : near !== null && edge.includes(near) ? tone.accent : tone.strong;
    pen.globalAlpha = on || (near !== null && edge.includes(near)) ? 1 : 0.45;
    pen.lineWidth = (on ? 2.5 : 1) / Math.max(view.scale, 0.4);
    pen.beginPath();
    const [from, to, bend] = [x1 + NODE_WIDE, x2, Math.max(20, (x2 - x1 - NODE_WIDE) / 2)];
    pen.moveTo(from, y1 + NODE_TALL / 2);
    pen.bezierCurveTo(from + bend, y1 + NODE_TALL / 2, to - bend, y2 + NODE_TALL / 2, to, y2 + NODE_TALL / 2);
    pen.stroke();
  }
  pen.globalAlpha = 1;
  pen.setLineDash([6, 5]);
  pen.strokeStyle = tone.bad;
  pen.lineWidth = 1.6 / Math.max(view.scale, 0.4);
  for (const [from, to] of gone) {
    const [[x1, y1], [x2, y2]] = [at(graph.nodes[from]), at(graph.nodes[to])];
    pen.beginPath();
    pen.moveTo(x1 + NODE_WIDE / 2, y1 + NODE_TALL / 2);
    pen.lineTo(x2 + NODE_WIDE / 2, y2 + NODE_TALL / 2);
    pen.stroke();
  }
  pen.setLineDash([]);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  for (const node of graph.nodes) {
    const [x, y] = at(node);
    if (x > right || x + NODE_WIDE < left || y > bottom || y + NODE_TALL < top) continue;
    pen.fillStyle = tone.card;
    pen.strokeStyle = node.critical ? tone.ink : tone[TONE[node.state]] || tone.strong;
    pen.lineWidth = node.critical ? 2.2 : 1.2;
    pen.beginPath();
    pen.roundRect(x, y, NODE_WIDE, NODE_TALL, 6);
    pen.fill();
    pen.stroke();
    pen.fillStyle = tone[TONE[node.state]] || tone.strong;
    pen.fillRect(x + 4, y + 6, 3, NODE_TALL - 12);
    if (view.scale < 0.35) continue;
    pen.fillStyle = tone.ink;
    const text = `${node.id} ${node.title}`;
    pen.fillText(text.length > 19 ? `${text.slice(0, 18)}…` : text, x + 12, y + NODE_TALL / 2 + 1);
  }
}
