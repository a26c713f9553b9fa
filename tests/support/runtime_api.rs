//! The Lambda Runtime API on loopback: what a `bootstrap` binary asks for work.
//!
//! An [`Emulator`] stands for one function, as AWS sees it: events wait in one queue, and every process that was
//! spawned for it takes one event at a time, as execution environments do. Each process has a port of its own, so
//! that the emulator knows which process holds an event; when that process dies, the event's caller is told, as
//! Lambda does, and nothing is sent again.
//!
//! Reference: docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// The largest payload that Lambda takes, bytes.
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;

/// How long an invocation may take unless [`Emulator::timeout`] says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why an invocation, or a start, has no payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The runtime's `errorType`, or one of ours: `Runtime.ExitError`, `Sandbox.Timedout`.
    pub error_type: String,
    /// The runtime's `errorMessage`, or what happened to the process.
    pub message: String,
}

impl Fault {
    fn new(error_type: &str, message: impl Into<String>) -> Self {
        Self { error_type: error_type.to_owned(), message: message.into() }
    }

    /// A fault of the one who asks, not of the function.
    pub fn other(message: impl Into<String>) -> Self {
        Self::new("Other", message)
    }

    /// What a runtime posts to one of the error paths.
    fn read(body: &[u8]) -> Self {
        let document: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |key: &str| document[key].as_str().map(str::to_owned);
        Self {
            error_type: text("errorType").unwrap_or_else(|| "Unknown".to_owned()),
            message: text("errorMessage").unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_type, self.message)
    }
}

impl std::error::Error for Fault {}

/// What came of an event: the function's payload, or why there is none.
pub type Invocation = Result<Value, Fault>;

type Answer = oneshot::Sender<Invocation>;

/// An event that waits for a process.
struct Event {
    id: String,
    payload: Vec<u8>,
    deadline: SystemTime,
    answer: Answer,
}

/// One function: its queue, to which its processes listen.
#[derive(Clone)]
pub struct Emulator {
    inner: Arc<Inner>,
}

struct Inner {
    events: mpsc::UnboundedSender<Event>,
    queue: tokio::sync::Mutex<mpsc::UnboundedReceiver<Event>>,
    timeout: Duration,
    count: AtomicU64,
}

impl Emulator {
    /// A function without processes; events wait until one is spawned.
    pub async fn start() -> Self {
        Self::with_timeout(TIMEOUT).await
    }

    /// The same, with the function's time limit.
    pub async fn with_timeout(timeout: Duration) -> Self {
        let (events, queue) = mpsc::unbounded_channel();
        let inner = Inner { events, queue: tokio::sync::Mutex::new(queue), timeout, count: AtomicU64::new(0) };
        Self { inner: Arc::new(inner) }
    }

    /// Hands an event to the next free process and waits for what comes of it.
    ///
    /// # Errors
    /// What the runtime reported, or `Runtime.ExitError` when the process died, or `Sandbox.Timedout`. The process
    /// goes on after a time-out, where Lambda would end it; [`Function::kill`] does that.
    pub async fn invoke(&self, event: Value) -> Invocation {
        let (answer, answered) = oneshot::channel();
        let n = self.inner.count.fetch_add(1, Ordering::Relaxed);
        let event = Event {
            id: format!("{:08x}-0000-4000-8000-{n:012x}", std::process::id()),
            payload: event.to_string().into_bytes(),
            deadline: SystemTime::now() + self.inner.timeout,
            answer,
        };
        self.inner.events.send(event).map_err(|_| Fault::new("Sandbox.Closed", "the queue is closed"))?;
        match tokio::time::timeout(self.inner.timeout, answered).await {
            Ok(Ok(invocation)) => invocation,
            Ok(Err(_)) => Err(Fault::new("Runtime.ExitError", "the process is gone")),
            Err(_) => {
                Err(Fault::new("Sandbox.Timedout", format!("no answer in {} ms", self.inner.timeout.as_millis())))
            }
        }
    }

    /// Starts a process of the function. It sees the variables that Lambda sets, `PATH`, and `envs`, which may
    /// replace them; nothing else of this process's environment.
    ///
    /// # Panics
    /// When the binary cannot be started.
    pub async fn spawn(&self, binary: &std::path::Path, envs: &[(&str, &str)]) -> Function {
        self.spawn_with_args(binary, &[], envs).await
    }

    /// The same, with arguments.
    ///
    /// # Panics
    /// When the binary cannot be started.
    pub async fn spawn_with_args(&self, binary: &std::path::Path, args: &[&str], envs: &[(&str, &str)]) -> Function {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port on loopback");
        let address = listener.local_addr().expect("the port");
        let name = binary.file_stem().and_then(|s| s.to_str()).unwrap_or("function");
        let mut command = Command::new(binary);
        command.args(args).env_clear().envs(lambda_environment(name, address)).envs(envs.iter().copied());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);

        let (state, states) = watch::channel(Stage::Starting);
        let (changed, changes) = watch::channel(0);
        let process = Arc::new(Process {
            emulator: Arc::clone(&self.inner),
            started: Instant::now(),
            held: Mutex::new(Some(HashMap::new())),
            state,
            init_error: Mutex::new(None),
            log: Mutex::new(String::new()),
            log_changed: changed,
        });
        let server = tokio::spawn(serve(listener, routes(Arc::clone(&process))));
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{} cannot be started: {e}", binary.display()));
        let pid = child.id().unwrap_or_default();
        let logs = [
            child.stdout.take().map(|out| tokio::spawn(copy(out, Arc::clone(&process)))),
            child.stderr.take().map(|err| tokio::spawn(copy(err, Arc::clone(&process)))),
        ];
        let (kill, killed) = oneshot::channel();
        tokio::spawn(watch_over(child, killed, logs, server, Arc::clone(&process)));
        Function { process, states, changes, kill: Some(kill), pid }
    }
}

/// The variables that Lambda sets in an execution environment, with credentials that open nothing.
fn lambda_environment(name: &str, api: SocketAddr) -> Vec<(&'static str, String)> {
    [
        ("_HANDLER", "bootstrap"),
        ("_X_AMZN_TRACE_ID", "Root=1-00000000-000000000000000000000000;Sampled=0"),
        ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE000000000"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/emulated"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "emulated"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
        ("AWS_SESSION_TOKEN", "not-a-token"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
    ]
    .map(|(key, value)| (key, value.to_owned()))
    .into_iter()
    .chain([("AWS_LAMBDA_RUNTIME_API", api.to_string())])
    .collect()
}

/// How far a process has come.
#[derive(Clone)]
enum Stage {
    Starting,
    /// Time from the start to the first `next`.
    Ready(Duration),
    Gone(Fault),
}

/// A process of the function. Dropping it kills the process.
pub struct Function {
    process: Arc<Process>,
    states: watch::Receiver<Stage>,
    changes: watch::Receiver<usize>,
    kill: Option<oneshot::Sender<()>>,
    pid: u32,
}

impl Function {
    /// Waits for the first `next`, and says how long after the start it came.
    ///
    /// # Errors
    /// When the process ended without asking for work: what it reported to `/runtime/init/error`, or how it ended.
    pub async fn ready(&self) -> Result<Duration, Fault> {
        let mut states = self.states.clone();
        let stage = states.wait_for(|stage| !matches!(stage, Stage::Starting)).await;
        match stage.map(|stage| stage.clone()) {
            Ok(Stage::Ready(after)) => Ok(after),
            Ok(Stage::Gone(fault)) => Err(self.init_error().unwrap_or(fault)),
            _ => Err(Fault::new("Runtime.ExitError", "the process is gone")),
        }
    }

    /// What the process reported to `/runtime/init/error`.
    pub fn init_error(&self) -> Option<Fault> {
        lock(&self.process.init_error).clone()
    }

    /// Waits for the process to end by itself, and says how.
    pub async fn ended(&self) -> Fault {
        let mut states = self.states.clone();
        let stage = states.wait_for(|stage| matches!(stage, Stage::Gone(_))).await;
        match stage.map(|stage| stage.clone()) {
            Ok(Stage::Gone(fault)) => fault,
            _ => Fault::new("Runtime.ExitError", "the process is gone"),
        }
    }

    /// SIGKILL, at once. When this returns the process is gone, its output is complete, and the event that it held
    /// has failed.
    pub async fn kill(&mut self) {
        if let Some(kill) = self.kill.take() {
            let _ = kill.send(());
        }
        self.ended().await;
    }

    /// What it has written to standard output and standard error, line by line as it came.
    pub fn log(&self) -> String {
        lock(&self.process.log).clone()
    }

    /// Waits until the log holds this text.
    ///
    /// # Panics
    /// When it does not within 10 s.
    pub async fn logged(&self, text: &str) {
        let mut changes = self.changes.clone();
        let found = async {
            while !self.log().contains(text) && changes.changed().await.is_ok() {}
            self.log().contains(text)
        };
        let found = tokio::time::timeout(Duration::from_secs(10), found).await.unwrap_or_default();
        assert!(found, "the log never held {text:?}:\n{}", self.log());
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// CPU time so far of the threads that it has (`schedstat`); `None` when the process is gone.
    pub fn cpu(&self) -> Option<Duration> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid)).ok()?;
        let of = |path: std::path::PathBuf| -> Option<u64> {
            std::fs::read_to_string(path.join("schedstat")).ok()?.split(' ').next()?.parse().ok()
        };
        Some(Duration::from_nanos(threads.filter_map(|thread| of(thread.ok()?.path())).sum()))
    }

    /// Peak resident memory so far, kB (`VmHWM`); `None` when the process is gone.
    pub fn peak_rss(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    }
}

/// What the server and the watcher share about a process.
struct Process {
    emulator: Arc<Inner>,
    started: Instant,
    /// Events taken and not answered; `None` once the process is gone.
    held: Mutex<Option<HashMap<String, Answer>>>,
    state: watch::Sender<Stage>,
    init_error: Mutex<Option<Fault>>,
    log: Mutex<String>,
    log_changed: watch::Sender<usize>,
}

impl Process {
    fn settle(&self, id: &str, invocation: Invocation) -> StatusCode {
        match lock(&self.held).as_mut().and_then(|held| held.remove(id)) {
            Some(answer) => {
                let _ = answer.send(invocation);
                StatusCode::ACCEPTED
            }
            None => StatusCode::FORBIDDEN,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn routes(process: Arc<Process>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(MAX_PAYLOAD))
        .with_state(process)
}

async fn serve(listener: TcpListener, routes: Router) {
    let _ = axum::serve(listener, routes).await;
}

async fn next(State(process): State<Arc<Process>>) -> Response {
    process.state.send_if_modified(|stage| {
        let first = matches!(stage, Stage::Starting);
        if first {
            *stage = Stage::Ready(process.started.elapsed());
        }
        first
    });
    loop {
        let Some(event) = process.emulator.queue.lock().await.recv().await else {
            return StatusCode::GONE.into_response();
        };
        if event.answer.is_closed() {
            continue;
        }
        let mut held = lock(&process.held);
        let Some(held) = held.as_mut() else {
            let _ = process.emulator.events.send(event);
            return StatusCode::GONE.into_response();
        };
        let deadline = event.deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let headers = AppendHeaders([
            ("content-type", "application/json".to_owned()),
            ("lambda-runtime-aws-request-id", event.id.clone()),
            ("lambda-runtime-deadline-ms", deadline.to_string()),
            (
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:emulated".to_owned(),
            ),
            ("lambda-runtime-trace-id", format!("Root=1-00000000-{:0>24};Sampled=0", &event.id[24..])),
        ]);
        held.insert(event.id, event.answer);
        return (headers, event.payload).into_response();
    }
}

async fn response(State(process): State<Arc<Process>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    let payload = serde_json::from_slice(&body)
        .map_err(|_| Fault::new("Runtime.InvalidResponse", String::from_utf8_lossy(&body).into_owned()));
    process.settle(&id, payload)
}

async fn error(State(process): State<Arc<Process>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    process.settle(&id, Err(Fault::read(&body)))
}

async fn init_error(State(process): State<Arc<Process>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut fault = Fault::read(&body);
    let named = headers.get("lambda-runtime-function-error-type").and_then(|v| v.to_str().ok());
    if let (Some(named), "Unknown") = (named, fault.error_type.as_str()) {
        fault.error_type = named.to_owned();
    }
    *lock(&process.init_error) = Some(fault);
    StatusCode::ACCEPTED
}

/// Copies a stream of the child into the log, line by line.
async fn copy(stream: impl AsyncRead + Unpin, process: Arc<Process>) {
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(1..) = lines.read_until(b'\n', &mut line).await {
        let length = {
            let mut log = lock(&process.log);
            log.push_str(&String::from_utf8_lossy(&line));
            log.len()
        };
        process.log_changed.send_replace(length);
        line.clear();
    }
}

/// Waits for the end of the process, by itself or by our hand, and fails the event that it held.
async fn watch_over(
    mut child: Child,
    killed: oneshot::Receiver<()>,
    logs: [Option<JoinHandle<()>>; 2],
    server: JoinHandle<()>,
    process: Arc<Process>,
) {
    let status = tokio::select! {
        status = child.wait() => status,
        _ = killed => {
            let _ = child.start_kill();
            child.wait().await
        }
    };
    for log in logs.into_iter().flatten() {
        let _ = log.await;
    }
    let how = status.map_or_else(|e| e.to_string(), |status| status.to_string());
    let fault = Fault::new("Runtime.ExitError", how);
    for (_, answer) in lock(&process.held).take().into_iter().flatten() {
        let _ = answer.send(Err(fault.clone()));
    }
    server.abort();
    process.state.send_replace(Stage::Gone(fault));
}
