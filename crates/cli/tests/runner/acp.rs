//! Agents of the Agent Client Protocol, and what they want leave for.

use super::*;

/// An agent of the Agent Client Protocol: takes the prompt, asks for permission, and goes on running when its turn is over.
const ACP_AGENT: &str = r#"
while read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
    case "$line" in
    *'"initialize"'*)
        echo "a launcher says hello"
        echo '{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":1,"agentCapabilities":{}}}' ;;
    *'"session/new"'*)
        echo '{"jsonrpc":"2.0","id":'$id',"result":{"sessionId":"s-1"}}' ;;
    *'"session/prompt"'*)
        prompt=$id
        printf '%s\n' "$line" > "$PLACE/asked"
        echo '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s-1","update":{"sessionUpdate":"plan","entries":[{"content":"look","status":"completed"},{"content":"write","status":"in_progress"}]}}}'
        echo '{"jsonrpc":"2.0","id":77,"method":"session/request_permission","params":{"sessionId":"s-1","toolCall":{"toolCallId":"c-1","title":"write rooms.txt","kind":"edit","locations":[{"path":"rooms.txt"}],"rawInput":{"text":"free: 3, by '$SHOP_API_KEY'"}},"options":[{"optionId":"no","kind":"reject_once","name":"No"},{"optionId":"yes","kind":"allow_once","name":"Yes"}]}}' ;;
    *'"id":77'*)
        printf '%s\n' "$line" > "$PLACE/answer"
        case "$line" in *'"optionId":"yes"'*) echo "free: 3" > rooms.txt ;; esac
        until [ -e "$PLACE/go" ]; do sleep 0.05; done
        echo '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s-1","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"Three rooms, and '$SHOP_API_KEY'."}}}}'
        echo '{"jsonrpc":"2.0","id":'$prompt',"result":{"stopReason":"end_turn","usage":{"inputTokens":70,"outputTokens":7}}}' ;;
    esac
done
sleep 600
"#;

#[test]
fn an_agent_of_the_agent_client_protocol_works_a_task_with_permission() {
    let place = Place::new(ACP_AGENT).serve();
    place.configure("env = [\"SHOP_API_KEY\"]", "output = \"acp\"\npermissions = \"allow\"");
    let task = place.submit("Serve the list");
    let runner = place.run();
    place.until("progress", || place.task(&task).progress_percent.filter(|percent| *percent == 50));
    assert!(place.until_written("answer").contains(r#""optionId":"yes""#));
    let asked = place.until_written("asked");
    assert!(
        asked.contains(r#""sessionId":"s-1""#) && asked.contains("Show which rooms are free."),
        "{asked}"
    );
    fs::write(place.path("go"), "").expect("a file");
    let done = place.until_state(&task, "completed");
    let result = done.result.expect("a result");
    assert!(result.starts_with("Three rooms, and [redacted].\n"), "{result}");
    assert!(
        result.contains("its turn ended after ") && result.contains("70 tokens in (0 cached), 7 out"),
        "{result}"
    );
    assert_eq!(place.git(&["show", "kapell/T-1-serve-the-list:rooms.txt"]), "free: 3");
    place.until_nobody_is_left();
    runner.stop();
}

#[test]
fn an_agent_of_the_agent_client_protocol_is_refused_what_it_may_not() {
    let place = Place::new(ACP_AGENT).serve();
    fs::write(place.path("go"), "").expect("a file");
    place.configure("", "output = \"acp\"");
    let task = place.submit("Serve the list");
    let runner = place.run();
    let done = place.until_state(&task, "completed");
    assert!(place.until_written("answer").contains(r#""optionId":"no""#));
    assert!(done.result.expect("a result").contains("no commits"), "nothing was written");
    place.until_nobody_is_left();
    runner.stop();
}

/// Returns what the owner of a task waits for.
fn until_asked(place: &Place, task: &str) -> Permission {
    let open = |it: &Permission| it.state == "open";
    place.until("it asks for leave", || place.task(task).permission.filter(open))
}

/// Says a word about what waits for leave, as a person does at the command line.
fn answer(place: &Place, verb: &str, task: &str, request: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
    let arguments = [verb, task, "--request", request, "--data"];
    let output = command.args(arguments).arg(place.path("data")).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_an_agent_wants_leave_for_is_asked_of_a_person_who_answers_even_after_a_restart_of_the_server() {
    let mut place = Place::new(ACP_AGENT).serve();
    fs::write(place.path("go"), "").expect("a file");
    place.configure(
        "env = [\"SHOP_API_KEY\"]",
        "output = \"acp\"\npermissions = { read = \"allow\", edit = \"ask\" }",
    );
    let task = place.submit("Serve the list");
    let runner = place.run();
    let wanted = until_asked(&place, &task);
    assert_eq!(wanted.kind, "edit");
    assert_eq!(wanted.title, "write rooms.txt");
    assert_eq!(wanted.detail, "path: rooms.txt\ninput: {\"text\":\"free: 3, by [redacted]\"}");
    let inbox = place.client().waiting_for(&[("role", "owner")]).expect("an inbox");
    assert_eq!(inbox.items[0].answer, format!("kapell approve {task} --request {}", wanted.request));
    let shown = Command::new(env!("CARGO_BIN_EXE_kapell"))
        .args(["inbox", "--data"])
        .arg(place.path("data"))
        .output()
        .expect("it runs");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("\n  | write rooms.txt\n  | path: rooms.txt\n")
            && shown.contains("yes (allow_once: Yes)"),
        "{shown}"
    );
    place.server.take().expect("a server").kill();
    place.start_server();
    assert_eq!(until_asked(&place, &task).since, wanted.since, "it is the same request");
    answer(&place, "approve", &task, &wanted.request);
    assert!(place.until_written("answer").contains(r#""optionId":"yes""#));
    place.until_state(&task, "completed");
    assert_eq!(place.git(&["show", "kapell/T-1-serve-the-list:rooms.txt"]), "free: 3");
    place.until_nobody_is_left();
    runner.stop();
}

#[test]
fn leave_that_nobody_gives_is_refused_in_the_end_and_the_wait_is_no_part_of_the_time_limit() {
    let place = Place::new(ACP_AGENT).serve();
    fs::write(place.path("go"), "").expect("a file");
    let limits = "time_limit = \"3s\"\npermission_wait = \"4s\"";
    place.configure(limits, "output = \"acp\"\npermissions = \"ask\"");
    let task = place.submit("Serve the list");
    let runner = place.run();
    until_asked(&place, &task);
    let done = place.until_state(&task, "completed");
    assert_eq!(done.attempts, 1);
    assert!(place.until_written("answer").contains(r#""optionId":"no""#));
    let calls = place.client().escalations(&[]).expect("escalations");
    assert_eq!(calls[0].note.as_deref(), Some("withdrawn: nobody has answered in 4s"));
    place.until_nobody_is_left();
    runner.stop();
}

#[test]
fn a_runner_that_is_killed_withdraws_what_its_agent_wanted_and_is_asked_anew() {
    let place = Place::new(ACP_AGENT).serve();
    fs::write(place.path("go"), "").expect("a file");
    place.configure("", "output = \"acp\"\npermissions = \"ask\"");
    let task = place.submit("Serve the list");
    let runner = place.run();
    let lost = until_asked(&place, &task);
    runner.kill();
    place.until_nobody_is_left();
    let runner = place.run();
    let anew = |it: &Permission| it.state == "open" && it.request != lost.request;
    let wanted = place.until("it asks anew", || place.task(&task).permission.filter(anew));
    assert_ne!(wanted.name, lost.name);
    answer(&place, "reject", &task, &wanted.request);
    assert!(place.until_written("answer").contains(r#""optionId":"no""#));
    place.until_state(&task, "completed");
    let calls = place.client().escalations(&[]).expect("escalations");
    let notes: Vec<_> = calls.iter().filter_map(|call| call.note.as_deref()).collect();
    assert!(
        notes.contains(&"withdrawn: its runner begins it again") && notes.contains(&"refused"),
        "{notes:?}"
    );
    runner.stop();
}

#[test]
fn a_task_that_is_called_off_ends_what_its_agent_waits_for() {
    let place = Place::new(ACP_AGENT).serve();
    place.configure("", "output = \"acp\"\npermissions = \"ask\"");
    let task = place.submit("Serve the list");
    let runner = place.run();
    until_asked(&place, &task);
    place.client().cancel(&task, "not today").expect("it is called off");
    assert!(place.client().permissions().expect("a list").is_empty());
    place.until_nobody_is_left();
    assert_eq!(place.client().escalations(&[("state", "open")]).expect("escalations").len(), 0);
    runner.stop();
}

/// An agent of the Agent Client Protocol that goes in the middle of what it says.
const CUT_SHORT: &str = r#"
while read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
    case "$line" in
    *'"initialize"'*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":1}}' ;;
    *'"session/new"'*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"sessionId":"s-1"}}' ;;
    *'"session/prompt"'*)
        echo '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s-1","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"The list is locked by '$SHOP_API_KEY'."}}}}'
        echo "no route to the model" >&2
        exit 3 ;;
    esac
done
"#;

#[test]
fn a_failed_attempt_is_told_in_the_agents_words_not_in_those_of_its_protocol() {
    let place = Place::new(CUT_SHORT).serve();
    place.configure("env = [\"SHOP_API_KEY\"]", "output = \"acp\"");
    let task = place.submit("Serve the list");
    let runner = place.run();
    let failed = place.until("it has failed", || Some(place.task(&task)).filter(|task| task.failures >= 1));
    let told = failed.note.unwrap_or_default() + &failed.reason.unwrap_or_default();
    assert!(told.starts_with("exit code 3 after "), "{told}");
    let words =
        "no commits\nlast said:\nThe list is locked by [redacted].\nlast output:\nno route to the model";
    assert!(told.contains(words) && !told.contains("jsonrpc"), "{told}");
    runner.stop();
}
