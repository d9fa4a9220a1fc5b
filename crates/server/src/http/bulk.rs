//! Many commands in one request, one JSON object a line, each standing alone.

use std::collections::VecDeque;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use kapell_api::{BulkAnswer, BulkLine, ErrorCode, Problem};
use kapell_core::Command;

use super::agents::shown;
use super::door::{Door, accepted, content_type, fingerprint, json, read};
use super::problem::{Refusals, problem_of};
use super::reports::Report;
use super::{Refusal, parse, reservations};
use crate::fleet::{Answer, Line, LineAnswers, Offered, Refused};
use crate::token::Access;

/// Bytes of the body of a bulk.
const BULK_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Lines of a bulk.
const BULK_LINES_MAX: usize = 100_000;
/// Lines that are handed to the writer at once, so that others get between.
const CHUNK_LINES: usize = 512;
/// Chunks of one request that wait for the writer at once.
const CHUNKS_UNDER_WAY: usize = 8;
/// How often a full queue is tried again for one chunk before the rest is answered `busy`.
const TRIES_MAX: usize = 200;
/// And how long after the last time.
const TRY: Duration = Duration::from_millis(20);

/// What becomes of a line: refused at the door, or waiting for the writer's next answer.
enum Slot {
    Refused(Problem),
    Asked { agent: Option<String> },
}

/// Executes many commands: one JSON object a line, answered line by line in the same order. Each line stands alone;
/// a refused one changes nothing and does not stop the others. At most 16 MiB and 100,000 lines. With an
/// `Idempotency-Key` each line is remembered under the key and its number.
#[utoipa::path(post, path = "/v1/bulk", tag = "bulk",
    request_body(content = BulkLine, content_type = "application/x-ndjson"),
    params(("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused")),
    responses((status = 200, body = BulkAnswer, content_type = "application/x-ndjson"), Refusals))]
pub(super) async fn bulk(door: Door, request: Request) -> Result<Response, Refusal> {
    let kind = content_type(request.headers());
    if !matches!(kind.as_str(), "application/x-ndjson" | "application/ndjson" | "application/json") {
        let detail = format!("the content type is `{kind}`; it must be application/x-ndjson");
        return Err(Problem::new(ErrorCode::UnsupportedMediaType, detail).into());
    }
    let bytes = read(request.into_body(), BULK_BYTES_MAX).await?;
    let lines: Vec<&[u8]> =
        bytes.split(|byte| *byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace)).collect();
    if lines.len() > BULK_LINES_MAX {
        let detail = format!("{} lines; at most {BULK_LINES_MAX} are allowed", lines.len());
        return Err(Problem::new(ErrorCode::PayloadTooLarge, detail).into());
    }
    let mut out = Vec::with_capacity(lines.len() * 64);
    // Chunks are decided and made durable while the next ones are read and the last one is written out.
    let mut under_way: VecDeque<(Vec<Slot>, Result<Offered, Refused>)> = VecDeque::new();
    let mut chunks = lines.chunks(CHUNK_LINES).enumerate();
    let mut refused = None;
    loop {
        let next = if under_way.len() < CHUNKS_UNDER_WAY { chunks.next() } else { None };
        if let Some((index, chunk)) = next {
            let (slots, asked) = read_chunk(&door, index * CHUNK_LINES, chunk);
            let handed = match &refused {
                None => hand_over(&door, asked).await,
                Some(refused) => Err(Refused::clone(refused)),
            };
            if let Err(why) = &handed {
                if index == 0 {
                    // Nothing has happened yet: the request can be sent again as it is.
                    return Err(why.clone().into());
                }
                refused = Some(why.clone());
            }
            under_way.push_back((slots, handed));
        } else if let Some((slots, handed)) = under_way.pop_front() {
            let answers = match handed {
                Ok(offered) => offered.answers().await,
                Err(refused) => Err(refused),
            };
            write_chunk(slots, answers, &mut out);
        } else {
            break;
        }
    }
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], out).into_response())
}

/// Hands a chunk to the writer; waits while its queue is full.
async fn hand_over(door: &Door, lines: Vec<Line>) -> Result<Offered, Refused> {
    let (mut lines, mut busy) = (lines, Refused::Down);
    for _ in 0..TRIES_MAX {
        match door.app.fleet.offer_lines(lines) {
            Ok(offered) => return Ok(offered),
            Err((refused @ Refused::Busy { .. }, back)) => (lines, busy) = (back, refused),
            Err((refused, _)) => return Err(refused),
        }
        tokio::time::sleep(TRY).await;
    }
    Err(busy)
}

fn read_chunk(door: &Door, first: usize, chunk: &[&[u8]]) -> (Vec<Slot>, Vec<Line>) {
    let mut slots = Vec::with_capacity(chunk.len());
    let mut lines = Vec::with_capacity(chunk.len());
    for (offset, bytes) in chunk.iter().enumerate() {
        match read_line(door, first + offset, bytes) {
            Ok((line, agent)) => {
                lines.push(line);
                slots.push(Slot::Asked { agent });
            }
            Err(problem) => slots.push(Slot::Refused(problem)),
        }
    }
    (slots, lines)
}

/// Reads one line, and the agent whose assignments it fetches.
fn read_line(door: &Door, number: usize, bytes: &[u8]) -> Result<(Line, Option<String>), Problem> {
    // The quick reader first; only a line that does not fit is read again for the name of its field.
    let line: BulkLine = match kapell_api::from_slice(bytes) {
        Ok(line) => line,
        Err(_) => json(bytes)?,
    };
    let command = |contact, command| {
        (Line::Command(door.ask(number, || fingerprint("bulk", bytes), contact, command)), None)
    };
    let report = |report: &dyn Report| {
        let (agent, reported) = report.read(None)?;
        door.speak_for(&agent)?;
        Ok(command(Some(agent), reported))
    };
    match line {
        BulkLine::Register(agent) => {
            door.require(Access::Manager)?;
            Ok(command(None, Command::RegisterAgent { spec: parse::agent(&agent)?, online: false }))
        }
        BulkLine::Submit(task) => {
            door.require(Access::Manager)?;
            Ok(command(None, parse::submission(&task)?))
        }
        BulkLine::Next(next) => {
            let agent = parse::name("agent", &next.agent)?;
            door.speak_for(&agent)?;
            if !(1..=100).contains(&next.max) {
                return Err(Problem::field("max", next.max.to_string(), "1 to 100"));
            }
            Ok((Line::Next { agent, max: next.max }, Some(next.agent)))
        }
        BulkLine::Heartbeat(heartbeat) => {
            let agent = parse::name("agent", &heartbeat.agent)?;
            door.speak_for(&agent)?;
            Ok((Line::Heartbeat { agent }, None))
        }
        BulkLine::Read(read) => {
            let agent = parse::name("agent", &read.agent)?;
            door.speak_for(&agent)?;
            let up_to = parse::notice("up_to", &read.up_to)?;
            Ok(command(Some(agent.clone()), Command::ReadNotices { agent, up_to }))
        }
        BulkLine::Start(it) => report(&it),
        BulkLine::Progress(it) => report(&it),
        BulkLine::Done(it) => report(&it),
        BulkLine::Fail(it) => report(&it),
        BulkLine::Release(it) => report(&it),
        BulkLine::Reserve(it) => {
            let (agent, asked) = reservations::asked(door, &it)?;
            Ok(command(Some(agent), asked))
        }
        BulkLine::RenewReservation(it) => {
            let (agent, renewed) = reservations::renewed(door, None, &it)?;
            Ok(command(agent, renewed))
        }
        BulkLine::ReleaseReservation(it) => {
            let (agent, released) = reservations::released(door, None, &it)?;
            Ok(command(agent, released))
        }
    }
}

fn write_chunk(slots: Vec<Slot>, answers: LineAnswers, out: &mut Vec<u8>) {
    let (mut answers, refused) = match answers {
        Ok(answers) => (answers.into_iter(), None),
        Err(refused) => (Vec::new().into_iter(), Some(refused)),
    };
    for slot in slots {
        let answer = match slot {
            Slot::Refused(problem) => BulkAnswer::Error(problem),
            Slot::Asked { agent } => match answers.next() {
                Some(Ok(Answer::Reply(reply))) => {
                    accepted(&reply).map_or_else(BulkAnswer::Error, BulkAnswer::Ok)
                }
                Some(Ok(Answer::Handed(handed))) => {
                    BulkAnswer::Assignments(shown(&handed.assignments, agent.as_deref().unwrap_or_default()))
                }
                Some(Ok(Answer::Alive { notices })) => {
                    BulkAnswer::Ok(kapell_api::Ack { notices, ..kapell_api::Ack::default() })
                }
                Some(Err(rejection)) => BulkAnswer::Error(problem_of(&rejection)),
                None => BulkAnswer::Error(match &refused {
                    Some(refused) => Refusal::from(refused.clone()).0,
                    None => Problem::new(ErrorCode::Internal, "the writer gave no answer"),
                }),
            },
        };
        let _ = serde_json::to_writer(&mut *out, &answer);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_that_the_writer_did_not_take_is_answered_line_by_line() {
        let slots = vec![
            Slot::Refused(Problem::field("title", "empty", "a text")),
            Slot::Asked { agent: None },
            Slot::Asked { agent: Some("ada".to_owned()) },
        ];
        let mut out = Vec::new();
        write_chunk(slots, Err(Refused::Busy { after: Duration::from_millis(70) }), &mut out);
        let codes: Vec<(ErrorCode, Option<u64>)> = String::from_utf8_lossy(&out)
            .lines()
            .map(|line| match serde_json::from_str(line).expect("a line") {
                BulkAnswer::Error(problem) => (problem.code, problem.retry_after_ms),
                other => panic!("{other:?}"),
            })
            .collect();
        let busy = (ErrorCode::Busy, Some(70));
        assert_eq!(codes, [(ErrorCode::BadRequest, None), busy, busy]);
    }
}
