// A stand-in for the models of coding agents: it speaks the four HTTP interfaces that they ask, and does one thing.
//
// Where Kapell's tools are offered it joins, takes what it is given, reports it done, and goes on until nothing is left. Where they
// are not, it writes the file `hello.txt` into its working directory with the agent's own tool.

import { createServer } from "node:http";

/// What the file holds that it writes.
export const WRITTEN = "Hello, rooms!\n";
/// How many tasks it works off, and what it reports of each.
export const TASKS = 2;
export const RESULT = "said hello";
/// What it says at the end.
export const SAID = "Nothing is left to do.";

/// Decides what comes next: the call of a tool, or a text. `tools` are names with their schemas, `said` is the conversation without
/// backslashes, so that JSON within JSON reads like JSON.
function decide(tools, said) {
  const tool = (end) => [...tools.keys()].find((name) => new RegExp(`kapell.*[_.:]${end}$`).test(name));
  if (tool("join")) return worked(tool, said);
  // Tools that are not shown before they are looked for.
  if (tools.has("ToolSearch") && said.includes("kapell__join")) return { name: "ToolSearch", input: { query: "kapell", max_results: 10 } };
  for (const [name, path] of [["Write", "file_path"], ["write", "filePath"], ["write_file", "file_path"]]) {
    if (tools.has(name)) return wrote(said) ? { text: SAID } : { name, input: { [path]: `${folder(said)}/hello.txt`, content: WRITTEN } };
  }
  for (const name of ["exec_command", "shell_command", "shell"]) {
    if (!tools.has(name)) continue;
    const line = "printf 'Hello, rooms!\\n' > hello.txt";
    const input = name === "exec_command" ? { cmd: line } : { command: name === "shell" ? ["sh", "-c", line] : line };
    return wrote(said) ? { text: SAID } : { name, input };
  }
  return { text: "Rooms" };
}

/// Works off what the fleet has, until so many tasks are done.
function worked(tool, said) {
  const handle = said.match(/[\w-]+~[0-9a-f]{16}/)?.[0];
  if (!handle) return { name: tool("join"), input: {} };
  // Members stand in the order of their names.
  const given = new Map([...said.matchAll(/"assignment": ?"(A-\d+)"[^{}]*?"task": ?"(T-\d+)"/g)].map(([, assignment, task]) => [assignment, task]));
  const ended = [...said.matchAll(/"state": ?"completed"/g)].length;
  if (ended === TASKS) return { text: SAID };
  if (given.size === ended) return { name: tool("next"), input: { handle, wait_seconds: 20 } };
  const [assignment, task] = [...given].at(ended);
  return { name: tool("done"), input: { handle, task, assignment, result: RESULT } };
}

const folder = (said) => said.match(/Your working directory (\S+) is a git worktree/)?.[1] ?? ".";
/// Its own tool was called and has answered.
const wrote = (said) => /call_\d+/.test(said);
let calls = 0;
const identity = () => `call_${(calls += 1)}`;

/// Returns the least value that a schema allows.
function fitting({ type, enum: allowed, properties = {} }) {
  if (allowed) return allowed[0];
  switch (String(type).toLowerCase()) {
    case "object":
      return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, fitting(schema)]));
    case "array":
      return [];
    case "string":
      return "x";
    case "boolean":
      return false;
    default:
      return 1;
  }
}

/// The interfaces: how tools and conversation are read from a request, and how an answer is written.
const INTERFACES = {
  messages: {
    path: /\/v1\/messages$/,
    tools: (asked) => (asked.tools ?? []).map((tool) => [tool.name, tool.input_schema]),
    said: (asked) => asked.messages,
    answer({ name, input, text }, asked) {
      const block = name ? { type: "tool_use", id: identity(), name, input: {} } : { type: "text", text: "" };
      const delta = name ? { type: "input_json_delta", partial_json: JSON.stringify(input) } : { type: "text_delta", text };
      const message = { id: "msg_1", type: "message", role: "assistant", model: asked.model, content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 10, output_tokens: 1 } };
      const reason = name ? "tool_use" : "end_turn";
      if (!asked.stream) return { ...message, content: [name ? { ...block, input } : { type: "text", text }], stop_reason: reason };
      return [
        { type: "message_start", message },
        { type: "content_block_start", index: 0, content_block: block },
        { type: "content_block_delta", index: 0, delta },
        { type: "content_block_stop", index: 0 },
        { type: "message_delta", delta: { stop_reason: reason, stop_sequence: null }, usage: { output_tokens: 5 } },
        { type: "message_stop" },
      ];
    },
  },
  responses: {
    path: /\/v1\/responses$/,
    tools: (asked) => (asked.tools ?? []).flatMap((tool) => (tool.type === "namespace" ? tool.tools.map((inner) => [`${tool.name}.${inner.name}`, inner.parameters]) : [[tool.name, tool.parameters]])),
    said: (asked) => asked.input,
    answer({ name, input, text }) {
      const [namespace, inner] = name?.includes(".") ? name.split(".") : [undefined, name];
      const item = name
        ? { type: "function_call", id: "fc_1", call_id: identity(), name: inner, ...(namespace && { namespace }), arguments: JSON.stringify(input) }
        : { type: "message", id: "msg_1", role: "assistant", content: [{ type: "output_text", text }] };
      const usage = { input_tokens: 10, input_tokens_details: { cached_tokens: 0 }, output_tokens: 5, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 15 };
      return [
        { type: "response.created", response: { id: "resp_1" } },
        { type: "response.output_item.done", output_index: 0, item },
        { type: "response.completed", response: { id: "resp_1", usage } },
      ];
    },
  },
  completions: {
    path: /\/v1\/chat\/completions$/,
    tools: (asked) => (asked.tools ?? []).map((tool) => [tool.function.name, tool.function.parameters]),
    said: (asked) => asked.messages,
    answer({ name, input, text }, asked) {
      const delta = name
        ? { role: "assistant", tool_calls: [{ index: 0, id: identity(), type: "function", function: { name, arguments: JSON.stringify(input) } }] }
        : { role: "assistant", content: text };
      const chunk = (choice, more) => ({ id: "c1", object: "chat.completion.chunk", created: 1, model: asked.model, choices: [{ index: 0, finish_reason: null, ...choice }], ...more });
      const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
      return [chunk({ delta }), chunk({ delta: {}, finish_reason: name ? "tool_calls" : "stop" }, { usage }), "[DONE]"];
    },
  },
  contents: {
    path: /:(streamGenerateContent|generateContent)/,
    tools: (asked) => (asked.tools ?? []).flatMap((group) => group.functionDeclarations ?? []).map((tool) => [tool.name, tool.parametersJsonSchema ?? tool.parameters]),
    said: (asked) => asked.contents,
    answer({ name, input, text }, asked, path) {
      const shape = asked.generationConfig?.responseJsonSchema ?? asked.generationConfig?.responseSchema;
      if (shape) text = JSON.stringify(fitting(shape));
      const parts = name ? [{ functionCall: { id: identity(), name, args: input } }] : [{ text }];
      const usage = { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 };
      const whole = { candidates: [{ index: 0, content: { role: "model", parts }, finishReason: "STOP" }], usageMetadata: usage, modelVersion: "stand-in" };
      return path.includes(":stream") ? [whole] : whole;
    },
  },
};

/// Starts one; `asked` tells what was asked of it.
export async function startModel() {
  const model = { asked: [], gate: Promise.resolve() };
  // While it holds, whoever asks waits.
  model.hold = () => (model.gate = new Promise((release) => (model.release = release)));
  const server = createServer(async (request, answer) => {
    let text = "";
    for await (const bytes of request) text += bytes;
    const path = request.url.split("?")[0];
    const found = Object.values(INTERFACES).find((one) => one.path.test(path));
    const asked = text.startsWith("{") ? JSON.parse(text) : {};
    const decided = found && decide(new Map(found.tools(asked)), JSON.stringify(found.said(asked)).replaceAll("\\", ""));
    model.asked.push({ path: `${request.method} ${path}`, tools: found ? found.tools(asked).map(([name]) => name) : [], decided, asked });
    await model.gate;
    if (!found) {
      answer.writeHead(path.includes("count") ? 200 : 404, { "content-type": "application/json" });
      return answer.end(JSON.stringify(path.includes("count") ? { input_tokens: 10, totalTokens: 10 } : { error: { message: "there is no such path" } }));
    }
    const answered = found.answer(decided, asked, path);
    if (!Array.isArray(answered)) {
      answer.writeHead(200, { "content-type": "application/json" });
      return answer.end(JSON.stringify(answered));
    }
    answer.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of answered) {
      if (event.type) answer.write(`event: ${event.type}\n`);
      answer.write(`data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`);
    }
    answer.end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  model.base = `http://127.0.0.1:${server.address().port}`;
  model.close = () => {
    server.close();
    server.closeAllConnections();
  };
  return model;
}
