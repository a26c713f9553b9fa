//! `notify` and `create-payment` beside the same work in Go and in Node, and beside a function that does nothing:
//! `cargo run --release -p bench compare [RUNS [FOLDER [BEFORE]]]`.
//!
//! All are started in turns, as Lambda starts them with an event that waits, and so share what else the machine does.
//! `FOLDER` holds our binaries, `BEFORE` older ones to compare with.

use crate::callback::{self, Shop};
use crate::cold_start::Spread;
use crate::front::{self, Authority};
use crate::in_hundredths;
use crate::peers::{self, Peer};
use sandbox::CallbackKind;
use serde_json::{Value, json};
use shared::api::Request;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tests::binaries;
use tests::function_url::Event;
use tests::runtime_api::{Emulator, Fault};

/// Events that a started process serves before and while its warm work is measured.
const UNCOUNTED: usize = 5;
const COUNTED: u32 = 20;
/// The order that is paid again and again.
const ORDER: &str = "BENCH_COMPARED";

/// What one start took.
struct Sample {
    init: Duration,
    first: Duration,
    cpu_start: Duration,
    cpu_warm: Duration,
    peak_rss: u64,
}

/// What the functions are started in.
struct Surroundings {
    shop: Shop,
    envs: Vec<(&'static str, String)>,
}

/// Measures and prints.
pub(crate) async fn run(runs: usize, ours: Option<&Path>, before: Option<&Path>) {
    let folder = tempfile::tempdir().expect("a folder for what is built");
    let built;
    let ours = match ours {
        Some(folder) => ["notify", "create-payment"].map(|name| in_folder(folder, name)),
        None => {
            built = binaries::build_packages("release", &["notify", "create-payment"]);
            ["notify", "create-payment"].map(|name| built.path(name).to_owned())
        }
    };
    let hello = peers::hello();
    println!("{runs} starts each, in turns, after one that is not counted; min / median / max");
    for tls in [false, true] {
        for (name, binary) in ["notify", "create-payment"].iter().zip(&ours) {
            let kind = name.split('-').next().unwrap_or(name);
            let mut contestants = vec![Peer::binary("ours", binary.clone())];
            contestants.extend(before.map(|folder| Peer::binary("ours before", in_folder(folder, name))));
            println!("\n{name}, {}", if tls { "TLS to the table and the provider" } else { "plain HTTP on loopback" });
            for (peer, language) in [(peers::go(kind, folder.path()), "Go"), (peers::node(kind), "Node")] {
                match peer {
                    Some(peer) => contestants.push(peer),
                    None => println!("{language}: absent"),
                }
            }
            contestants.push(hello.clone());
            let surroundings = Surroundings::new(folder.path(), tls).await;
            rounds(&contestants, kind, &surroundings, runs).await;
        }
    }
}

/// A function's binary as `cargo lambda build` or `cargo build` leaves it.
fn in_folder(folder: &Path, name: &str) -> PathBuf {
    let bootstrap = folder.join(name).join("bootstrap");
    if bootstrap.is_file() { bootstrap } else { folder.join(name) }
}

impl Surroundings {
    async fn new(folder: &Path, tls: bool) -> Self {
        let shop = Shop::open().await;
        let direct = callback::app(&shop.config, &shop.dynamodb).await;
        let made = create_payment::handle(&direct, callback::creation(ORDER)).await;
        assert_eq!(made.status, 200, "{}", made.body);
        callback::pay(&shop.sandbox, ORDER).await;
        let mut table = front::table(shop.items().await).await;
        let mut config = json!({ "notifyUrl": "https://shop.example", "auth": shop.config["auth"] });
        for (provider, node) in [("wxpay", "h5"), ("wxpay", "mp-weixin"), ("alipay", "h5")] {
            config[provider][node] = shop.config[provider][node].clone();
        }
        let mut envs = Vec::new();
        if tls {
            let authority = Authority::new(folder);
            table = authority.front(&table).await;
            let provider = shop.config["wxpay"]["h5"]["apiBase"].as_str().unwrap_or_default();
            let provider = authority.front(provider).await;
            for node in ["h5", "mp-weixin"] {
                config["wxpay"][node]["apiBase"] = json!(provider);
            }
            let file = authority.file.display().to_string();
            // Node has a variable of its own for it.
            envs.extend([("SSL_CERT_FILE", file.clone()), ("NODE_EXTRA_CA_CERTS", file)]);
        }
        envs.extend([
            ("PAY_CONFIG", config.to_string()),
            ("PAY_TABLE", callback::TABLE.to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", table),
        ]);
        Self { shop, envs }
    }

    /// An event: a callback that was signed just now, or an order of a new number.
    fn event(&self, kind: &str, n: usize) -> Value {
        let request = match kind {
            "notify" => callback::request_of(&self.shop.sandbox.build_callback(ORDER, CallbackKind::Payment)),
            _ => {
                let mut request = callback::creation(&format!("BENCH{n:010}"));
                request.headers.insert("content-type", http::HeaderValue::from_static("application/json"));
                request
            }
        };
        let Request { method, path, headers, body, .. } = &request;
        let version = http::Version::HTTP_11;
        let path = if path.is_empty() { "/" } else { path };
        Event { method: method.as_str(), path, query: "", version, headers, body }.to_json()
    }

    /// One start, and some work after it.
    async fn sample(&self, peer: &Peer, kind: &str, numbers: &mut usize) -> Result<Sample, Fault> {
        let mut event = || {
            *numbers += 1;
            self.event(kind, *numbers)
        };
        let emulator = Emulator::with_timeout(Duration::from_secs(10)).await;
        let waiting = tokio::spawn({
            let (emulator, event) = (emulator.clone(), event());
            async move { (emulator.invoke(event).await, Instant::now()) }
        });
        let envs: Vec<(&str, &str)> = self.envs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let args: Vec<&str> = peer.args.iter().map(String::as_str).collect();
        let start = Instant::now();
        let mut process = emulator.spawn_with_args(&peer.program, &args, &envs).await;
        let init = process.ready().await?;
        let (answered, at) = waiting.await.map_err(|e| Fault::other(e.to_string()))?;
        served(answered?, &process.log())?;
        // The process sees that its answer was taken, and asks for more.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let gone = || Fault::other("the process is gone");
        let cpu_start = process.cpu().ok_or_else(gone)?;
        let peak_rss = process.peak_rss().unwrap_or_default();
        for _ in 0..UNCOUNTED {
            served(emulator.invoke(event()).await?, &process.log())?;
        }
        let before = process.cpu().ok_or_else(gone)?;
        for _ in 0..COUNTED {
            served(emulator.invoke(event()).await?, &process.log())?;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        let cpu_warm = (process.cpu().ok_or_else(gone)? - before) / COUNTED;
        process.kill().await;
        Ok(Sample { init, first: at.duration_since(start), cpu_start, cpu_warm, peak_rss })
    }
}

/// An answer that says that the work was done.
fn served(answer: Value, log: &str) -> Result<(), Fault> {
    match answer["statusCode"].as_u64() {
        Some(200..=204) => Ok(()),
        _ => Err(Fault::other(format!("{answer}\n{log}"))),
    }
}

/// Starts everyone once in each round, and prints.
async fn rounds(contestants: &[Peer], kind: &str, surroundings: &Surroundings, runs: usize) {
    let mut samples: Vec<Vec<Sample>> = contestants.iter().map(|_| Vec::new()).collect();
    let mut numbers = 0;
    for round in 0..=runs {
        for (peer, samples) in contestants.iter().zip(&mut samples) {
            match surroundings.sample(peer, kind, &mut numbers).await {
                Ok(sample) if round > 0 => samples.push(sample),
                Ok(_) => {}
                Err(fault) => println!("{}: {fault}", peer.name),
            }
        }
    }
    println!(
        "{:13} {:>22} {:>22} {:>22} {:>22} {:>9} {:>9}",
        "", "start to answer, ms", "init, ms", "CPU of start, ms", "CPU of a warm one, ms", "peak, MB", "size, MB"
    );
    for (peer, samples) in contestants.iter().zip(&samples) {
        let spread = |of: fn(&Sample) -> Duration| {
            let Spread { least, median, largest } = Spread::of(samples.iter().map(of).collect());
            [least, median, largest].map(in_hundredths).join(" / ")
        };
        let mut peaks: Vec<u64> = samples.iter().map(|sample| sample.peak_rss).collect();
        peaks.sort_unstable();
        let peak = peaks.get(peaks.len() / 2).copied().unwrap_or_default();
        println!(
            "{:13} {:>22} {:>22} {:>22} {:>22} {:>9} {:>9}",
            peer.name,
            spread(|s| s.first),
            spread(|s| s.init),
            spread(|s| s.cpu_start),
            spread(|s| s.cpu_warm),
            in_hundredths(peak * 1000 / 1024),
            peer.size.map_or_else(|| "-".to_owned(), |size| in_hundredths(size * 1000 / 1024 / 1024)),
        );
    }
}
