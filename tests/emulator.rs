//! The emulator of the Lambda Runtime API and the Function URL, against the real runtime crate. The function is
//! this test binary itself, started again with `echo_function` as its only test.

use lambda_http::{Body, Error, Request, RequestExt, Response, run, service_fn};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tests::function_url::{Event, FunctionUrl};
use tests::runtime_api::{Emulator, Function};

const ECHO: [&str; 4] = ["--exact", "emulator::echo_function", "--ignored", "--nocapture"];

/// Not a test: the function that the tests here start. By path: `/exit` ends the process, `/fail` is an invocation
/// error, `/wait` never answers, `/status/<n>` answers that status with two cookies, all else what was asked.
#[test]
#[ignore = "the function that the emulator's tests start"]
fn echo_function() {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return;
    }
    eprintln!("echo starts");
    if let Ok(fault) = std::env::var("ECHO_FAULT") {
        report_init_error(&fault);
        std::process::exit(1);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(service_fn(echo))).unwrap();
}

async fn echo(request: Request) -> Result<Response<Body>, Error> {
    let path = request.raw_http_path().to_owned();
    match path.as_str() {
        "/exit" => std::process::exit(3),
        "/fail" => return Err("asked to fail".into()),
        "/wait" => {
            eprintln!("echo waits");
            std::future::pending().await
        }
        _ => {}
    }
    if let Some(status) = path.strip_prefix("/status/") {
        let response = Response::builder().status(status).header("set-cookie", "a=1").header("set-cookie", "b=2");
        return Ok(response.body(Body::Empty)?);
    }
    let response = Response::builder()
        .header("content-type", "application/octet-stream")
        .header("x-method", request.method().as_str())
        .header("x-path", path)
        .header("x-query", request.uri().query().unwrap_or_default())
        .header("x-binary", matches!(request.body(), Body::Binary(_)).to_string())
        .header("x-pid", std::process::id().to_string());
    Ok(response.body(Body::Binary(request.body().to_vec()))?)
}

fn report_init_error(fault: &str) {
    use std::io::{Read, Write};
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
    let body = json!({ "errorType": "Config", "errorMessage": fault }).to_string();
    let mut stream = std::net::TcpStream::connect(&api).unwrap();
    write!(
        stream,
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {api}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

async fn spawn(emulator: &Emulator, envs: &[(&str, &str)]) -> Function {
    emulator.spawn_with_args(&std::env::current_exe().unwrap(), &ECHO, envs).await
}

fn get(path: &str) -> Value {
    Event {
        method: "GET",
        path,
        query: "",
        version: http::Version::HTTP_11,
        headers: &http::HeaderMap::new(),
        body: b"",
    }
    .to_json()
}

#[tokio::test]
async fn a_process_asks_for_work_and_answers_it() {
    let emulator = Emulator::start().await;
    let function = spawn(&emulator, &[]).await;
    assert!(function.ready().await.unwrap() > Duration::ZERO);
    let payload = emulator.invoke(get("/a%20b")).await.unwrap();
    assert_eq!(payload["statusCode"], 200);
    assert_eq!(payload["headers"]["x-path"], "/a%20b");
    assert!(function.peak_rss().unwrap() > 1000);
    function.logged("echo starts").await;
}

#[tokio::test]
async fn an_error_of_the_handler_fails_the_invocation_and_the_process_goes_on() {
    let emulator = Emulator::start().await;
    let _function = spawn(&emulator, &[]).await;
    let fault = emulator.invoke(get("/fail")).await.unwrap_err();
    assert_eq!(fault.message, "asked to fail");
    assert!(emulator.invoke(get("/")).await.is_ok());
}

#[tokio::test]
async fn a_process_that_refuses_to_start_is_told_by_its_init_error() {
    let emulator = Emulator::start().await;
    let function = spawn(&emulator, &[("ECHO_FAULT", "auth.refund: must not be none")]).await;
    let fault = function.ready().await.unwrap_err();
    assert_eq!((fault.error_type.as_str(), fault.message.as_str()), ("Config", "auth.refund: must not be none"));
    assert_eq!(function.init_error(), Some(fault));
    assert!(function.ended().await.message.contains("exit status: 1"));
}

#[tokio::test]
async fn an_event_that_a_dying_process_held_fails_and_waits_for_nobody() {
    let emulator = Emulator::start().await;
    let mut function = spawn(&emulator, &[]).await;
    let (held, ()) = tokio::join!(emulator.invoke(get("/wait")), async {
        function.logged("echo waits").await;
        function.kill().await;
    });
    assert!(held.unwrap_err().message.contains("signal: 9"));
    assert_eq!(function.peak_rss(), None);

    let exit = spawn(&emulator, &[]).await;
    assert!(emulator.invoke(get("/exit")).await.unwrap_err().message.contains("exit status: 3"));
    exit.ended().await;

    let (late, _function) = tokio::join!(emulator.invoke(get("/")), spawn(&emulator, &[]));
    assert!(late.is_ok());
}

#[tokio::test]
async fn several_processes_take_one_event_each() {
    let emulator = Emulator::start().await;
    let one = spawn(&emulator, &[]).await;
    let other = spawn(&emulator, &[]).await;
    one.ready().await.unwrap();
    other.ready().await.unwrap();
    let (waiting, answered) = tokio::join!(
        tokio::time::timeout(Duration::from_secs(1), emulator.invoke(get("/wait"))),
        emulator.invoke(get("/")),
    );
    assert!(waiting.is_err(), "{waiting:?}");
    let by = answered.unwrap()["headers"]["x-pid"].as_str().unwrap().parse().unwrap();
    assert!([one.pid(), other.pid()].contains(&by));
}

#[tokio::test]
async fn an_invocation_without_answer_ends_at_the_time_limit() {
    let emulator = Emulator::with_timeout(Duration::from_millis(200)).await;
    let start = Instant::now();
    assert_eq!(emulator.invoke(get("/")).await.unwrap_err().error_type, "Sandbox.Timedout");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn the_function_url_carries_a_form_byte_for_byte() {
    let emulator = Emulator::start().await;
    let _function = spawn(&emulator, &[]).await;
    let url = FunctionUrl::start(&emulator).await;
    let form = "subject=%E4%BA%8C+x&sign=a%2Bb%3D%3D";
    let answer = reqwest::Client::new()
        .post(format!("{}/pay-notify/alipay/default?a=1&b=%20", url.base()))
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .body(form)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["x-method"], "POST");
    assert_eq!(answer.headers()["x-path"], "/pay-notify/alipay/default");
    assert_eq!(answer.headers()["x-query"], "a=1&b=%20");
    assert_eq!(answer.headers()["x-binary"], "true");
    assert_eq!(answer.text().await.unwrap(), form);
}

#[tokio::test]
async fn the_function_url_answers_as_lambda_does() {
    let emulator = Emulator::start().await;
    let _function = spawn(&emulator, &[]).await;
    let url = FunctionUrl::start(&emulator).await;
    let client = reqwest::Client::new();
    let json = client.post(url.base()).header("content-type", "application/json").body("{}").send().await.unwrap();
    assert_eq!(json.headers()["x-binary"], "false");
    let status = client.get(format!("{}/status/204", url.base())).send().await.unwrap();
    assert_eq!(status.status(), 204);
    assert_eq!(status.headers().get_all("set-cookie").iter().count(), 2);
    let failed = client.get(format!("{}/fail", url.base())).send().await.unwrap();
    assert_eq!(failed.status(), 502);
    assert_eq!(failed.text().await.unwrap(), r#"{"Message":"Internal Server Error"}"#);
}

#[test]
fn an_event_has_the_shape_of_payload_format_2() {
    let mut headers = http::HeaderMap::new();
    for (name, value) in [("Accept", "a"), ("Accept", "b"), ("Cookie", "c=1; d=2"), ("User-Agent", "me")] {
        headers.append(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    let event = Event {
        method: "POST",
        path: "/p",
        query: "a=1&a=2&b=%2B",
        version: http::Version::HTTP_11,
        headers: &headers,
        body: b"\xff",
    }
    .to_json();
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["headers"]["accept"], "a,b");
    assert_eq!(event["headers"].get("cookie"), None);
    assert_eq!(event["cookies"], json!(["c=1", "d=2"]));
    assert_eq!(event["queryStringParameters"], json!({ "a": "1,2", "b": "+" }));
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/w=="), &json!(true)));
    let context = &event["requestContext"];
    assert_eq!(context["http"]["protocol"], "HTTP/1.1");
    assert_eq!(context["http"]["userAgent"], "me");
    assert_eq!(context.get("authorizer"), None);
}
