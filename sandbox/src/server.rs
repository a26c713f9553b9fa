//! The door: one pipeline for every wire request — classify, apply a rule, serve, log.

use crate::faults::Misbehaviour;
use crate::sandbox::Sandbox;
use crate::wire::{Answer, Call, Inbound, LoggedRequest};
use crate::{control, desks, ids};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use std::time::Duration;

/// What is larger than this is no request of this protocol.
const LARGEST_BODY: usize = 1 << 20;

pub(crate) fn router(sandbox: Sandbox) -> Router {
    Router::new().nest("/sandbox/api", control::routes()).fallback(wire).with_state(sandbox)
}

async fn wire(State(sandbox): State<Sandbox>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return Answer::new(413, "text/plain", "", "too large").into_response();
    };
    let inbound = Inbound {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    let Some(call) = desks::all().find_map(|desk| desk.call(&inbound)) else {
        return Answer::new(404, "text/plain", "", "404").into_response();
    };
    let fault = {
        let numbers: Vec<&str> = call.numbers.iter().map(String::as_str).collect();
        sandbox.state().rules.take(call.provider, call.op, &numbers)
    };
    let (answer, pause) = served(&sandbox, &inbound, &call, fault);
    sandbox.log(LoggedRequest {
        at: sandbox.now(),
        provider: call.provider,
        op: call.op,
        method: inbound.method.clone(),
        path: inbound.path.clone(),
        number: call.numbers.into_iter().next(),
        status: answer.as_ref().map_or(0, |answer| answer.status),
        verdict: answer.as_ref().map_or_else(|| "no answer".to_owned(), |answer| answer.verdict.clone()),
        fault,
    });
    if pause > 0 {
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    answer.map_or_else(hang_up, |mut answer| {
        answer.headers.push(("date", ids::http_date(sandbox.now())));
        answer.into_response()
    })
}

/// The answer, if there is one, and for how many ms the connection is held.
fn served(sandbox: &Sandbox, inbound: &Inbound, call: &Call, fault: Option<Misbehaviour>) -> (Option<Answer>, u64) {
    let desk = desks::of(call.provider);
    let refuse = |what| desk.refuse(sandbox, inbound, what);
    let serve = || {
        let now = sandbox.now();
        sandbox.state().tick(now);
        desk.handle(sandbox, inbound, fault)
    };
    match fault {
        Some(Misbehaviour::TimeoutBefore(ms)) => (None, ms),
        Some(Misbehaviour::DropConnection) => (None, 0),
        Some(Misbehaviour::TimeoutAfterCommit(ms)) => {
            serve();
            (None, ms)
        }
        Some(
            what @ (Misbehaviour::SystemError
            | Misbehaviour::TooMany
            | Misbehaviour::Refuse
            | Misbehaviour::NotEnabled
            | Misbehaviour::AddressRefused
            | Misbehaviour::Missing),
        ) => (Some(refuse(what)), 0),
        Some(Misbehaviour::SystemErrorAfterCommit) => {
            serve();
            (Some(refuse(Misbehaviour::SystemError)), 0)
        }
        Some(Misbehaviour::Http5xx) => {
            (Some(Answer::new(502, "text/html", "<html><h1>502 Bad Gateway</h1></html>", "502")), 0)
        }
        Some(Misbehaviour::Garbage) => {
            serve();
            (Some(Answer::new(200, "text/html", "<html>\u{fffd}{\"code\":", "garbage")), 0)
        }
        _ => (Some(serve()), 0),
    }
}

/// A response whose body breaks off before its first byte: the server closes the connection.
fn hang_up() -> Response {
    let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("hung up")) });
    Response::builder().header("content-length", "1000").body(Body::from_stream(broken)).unwrap_or_default()
}
