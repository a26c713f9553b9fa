//! A loopback proxy in front of DynamoDB that sees every call and can spoil it.
//!
//! A rule looks at each call, as it was read from the wire, and says what becomes of it: passed on, answered with an
//! error that DynamoDB has, answered by nobody, or carried out and its answer lost.

use serde_json::{Value, json};
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, Notify};
use tokio::task::JoinHandle;

/// A call as it came.
#[derive(Clone, Debug)]
pub struct Call {
    /// `GetItem`, `TransactWriteItems` …
    pub operation: String,
    /// The request.
    pub body: Value,
}

impl Call {
    /// True for this operation.
    pub fn is(&self, operation: &str) -> bool {
        self.operation == operation
    }

    /// True when the request names this: an order's number, in a key or a value.
    pub fn names(&self, text: &str) -> bool {
        self.body.to_string().contains(text)
    }

    /// The table of an operation on one item.
    pub fn table(&self) -> &str {
        self.body["TableName"].as_str().unwrap_or_default()
    }

    /// The tables that a transaction writes to, in its order.
    pub fn tables(&self) -> Vec<&str> {
        let writes = self.body["TransactItems"].as_array().into_iter().flatten();
        let one = |write: &'_ Value| write.as_object().and_then(|w| w.keys().next().cloned()).unwrap_or_default();
        writes.map(|write| write[one(write)]["TableName"].as_str().unwrap_or_default()).collect()
    }

    /// A transaction that makes an order paid: it holds an item of kind `transaction`.
    pub fn pays(&self) -> bool {
        let writes = self.body["TransactItems"].as_array().into_iter().flatten();
        self.is("TransactWriteItems") && writes.into_iter().any(|w| w["Put"]["Item"]["kind"]["S"] == "transaction")
    }
}

/// What becomes of a call.
#[derive(Clone)]
pub enum Act {
    /// It is carried out and answered.
    Pass,
    /// It is not carried out; this is the answer.
    Answer(u16, Value),
    /// It is not carried out; the connection drops.
    Drop,
    /// It is carried out; the connection drops instead of an answer.
    LoseReply,
    /// It is not carried out and never answered.
    Hold,
    /// It is carried out and never answered.
    HoldReply,
    /// It is carried out; its answer waits until as many calls have come so far as the barrier wants.
    Meet(Arc<Barrier>),
}

impl Act {
    /// An error by its name; `ThrottlingException` …
    pub fn error(name: &str) -> Self {
        let status = if name == "InternalServerError" { 500 } else { 400 };
        Self::Answer(status, json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{name}"), "message": name }))
    }

    /// A cancelled transaction with a reason for each of its writes; `None` where a write was not the cause.
    pub fn cancelled(reasons: &[&str]) -> Self {
        let list: Vec<Value> = reasons.iter().map(|code| json!({ "Code": code, "Message": code })).collect();
        Self::Answer(
            400,
            json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "Message": format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{}]", reasons.join(", ")),
                "CancellationReasons": list,
            }),
        )
    }
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "Pass",
            Self::Answer(..) => "Answer",
            Self::Drop => "Drop",
            Self::LoseReply => "LoseReply",
            Self::Hold => "Hold",
            Self::HoldReply => "HoldReply",
            Self::Meet(_) => "Meet",
        })
    }
}

type Rule = Box<dyn FnMut(&Call) -> Act + Send>;

#[derive(Default)]
struct Shared {
    rule: Mutex<Option<Rule>>,
    calls: Mutex<Vec<Call>>,
    held: Notify,
}

/// The proxy; dropping it closes its port.
pub struct DynamoProxy {
    base: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl DynamoProxy {
    /// Listens on a free port in front of `http://127.0.0.1:<port>`.
    ///
    /// # Panics
    /// When loopback has no port.
    pub async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port on loopback");
        let base = format!("http://{}", listener.local_addr().expect("the port"));
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let shared = Arc::new(Shared::default());
        let state = Arc::clone(&shared);
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (state, upstream) = (Arc::clone(&state), upstream.clone());
                tokio::spawn(async move {
                    let _ = serve(client, &upstream, &state).await;
                });
            }
        });
        Self { base, shared, server }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Puts a rule in force instead of the one before.
    pub fn rule(&self, rule: impl FnMut(&Call) -> Act + Send + 'static) {
        *lock(&self.shared.rule) = Some(Box::new(rule));
    }

    /// The same act for the next `times` calls that `which` picks.
    pub fn spoil(&self, times: usize, which: impl Fn(&Call) -> bool + Send + 'static, act: Act) {
        let mut left = times;
        self.rule(move |call| match left > 0 && which(call) {
            true => {
                left -= 1;
                act.clone()
            }
            false => Act::Pass,
        });
    }

    /// Passes everything on again.
    pub fn behave(&self) {
        *lock(&self.shared.rule) = None;
    }

    /// The calls since the last [`DynamoProxy::forget`], in the order in which they came.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }

    /// Forgets the calls so far.
    pub fn forget(&self) {
        lock(&self.shared.calls).clear();
    }

    /// Waits until a call is held.
    ///
    /// # Panics
    /// When none is within 20 s.
    pub async fn held(&self) {
        let held = tokio::time::timeout(Duration::from_secs(20), self.shared.held.notified()).await;
        held.unwrap_or_else(|_| panic!("no call was held: {:?}", self.calls()));
    }
}

impl Drop for DynamoProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one connection until either side is done. Every client connection has one of its own to the table.
async fn serve(client: TcpStream, upstream: &str, shared: &Shared) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut client = BufReader::new(client);
    let table = TcpStream::connect(upstream).await?;
    table.set_nodelay(true)?;
    let mut table = BufReader::new(table);
    while let Some(request) = message(&mut client).await? {
        let target = request.header("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let call = Call { operation, body: serde_json::from_slice(&request.body).unwrap_or_default() };
        let act = lock(&shared.rule).as_mut().map_or(Act::Pass, |rule| rule(&call));
        lock(&shared.calls).push(call);
        let carried_out = matches!(act, Act::Pass | Act::LoseReply | Act::HoldReply | Act::Meet(_));
        let answer = match carried_out {
            true => {
                table.write_all(&request.bytes()).await?;
                message(&mut table).await?
            }
            false => None,
        };
        match act {
            Act::Answer(status, body) => {
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 {status} Spoiled\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                client.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
                continue;
            }
            Act::Drop | Act::LoseReply => return Ok(()),
            Act::Hold | Act::HoldReply => {
                shared.held.notify_one();
                let mut rest = [0];
                let _ = client.read(&mut rest).await;
                return Ok(());
            }
            Act::Meet(barrier) => {
                let _ = tokio::time::timeout(Duration::from_secs(1), barrier.wait()).await;
            }
            Act::Pass => {}
        }
        let Some(answer) = answer else { return Ok(()) };
        client.write_all(&answer.bytes()).await?;
    }
    Ok(())
}

struct Message {
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Message {
    fn header(&self, name: &str) -> Option<&str> {
        let head = std::str::from_utf8(&self.head).ok()?;
        head.lines().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn bytes(&self) -> Vec<u8> {
        [self.head.as_slice(), &self.body].concat()
    }
}

/// A request or an answer with a `Content-Length`; `None` at the end of the connection.
async fn message(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Message>> {
    let mut message = Message { head: Vec::new(), body: Vec::new() };
    while !message.head.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut message.head).await? == 0 {
            return Ok(None);
        }
    }
    let length = message.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    message.body.resize(length, 0);
    stream.read_exact(&mut message.body).await?;
    Ok(Some(message))
}
