//! Platform certificates: fetched on use, kept, never fetched in a storm, never believed unsigned.

use super::wxpay_kit::*;
use domain::{Provider, UnixMs};
use http::HeaderMap;
use providers::Config;
use providers::wxpay::{KEEP, PAUSE};
use providers::{CallbackError, CallbackRequest, Notice, ProviderClients, Standing, read_callback};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

/// A platform certificate that has run out.
static EXPIRED: LazyLock<Pair> = LazyLock::new(|| Pair::new(0x44, (2020, 2025)));

fn list(pairs: &[&Pair], key: &str) -> Vec<u8> {
    let entry = |pair: &&Pair| {
        json!({
            "serial_no": pair.serial, "effective_time ": "2020-01-01T00:00:00+08:00",
            "expire_time": "2040-01-01T00:00:00+08:00",
            "encrypt_certificate": {
                "algorithm": "AEAD_AES_256_GCM", "nonce": "61f9c719728a", "associated_data": "certificate",
                "ciphertext": seal(key, "61f9c719728a", "certificate", pair.certificate_pem.as_bytes()),
            },
        })
    };
    json!({ "data": pairs.iter().map(entry).collect::<Vec<_>>() }).to_string().into_bytes()
}

fn signed_list(pairs: &[&Pair], key: &str, signer: &Pair, now: i64) -> Canned {
    let body = list(pairs, key);
    Canned { status: 200, headers: signed_by(&signer.private, &signer.serial, now, &body), body }
}

fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap()
}

fn body() -> Vec<u8> {
    event("TRANSACTION.SUCCESS", &paid_order()).to_string().into_bytes()
}

async fn read_at(
    config: &Config,
    clients: &ProviderClients,
    headers: &HeaderMap,
    body: &[u8],
    now: i64,
) -> Result<Notice, CallbackError> {
    let request = CallbackRequest { method: &http::Method::POST, headers, query: "", body, now: UnixMs::new(now) };
    read_callback(Provider::Wxpay, config.merchant("default").unwrap(), clients, &request).await
}

/// A callback signed by a pair at a time, read at that time.
async fn from(server: &Server, config: &Config, signer: &Pair, now: i64) -> Result<Notice, CallbackError> {
    let body = body();
    let headers = signed_by(&signer.private, &signer.serial, now, &body);
    read_at(config, &server.clients, &headers, &body, now).await
}

fn stranger_with(serial: &str, now: i64) -> (HeaderMap, Vec<u8>) {
    let body = body();
    (signed_by(&STRANGER.private, serial, now, &body), body)
}

#[tokio::test]
async fn the_first_callback_fetches_the_list_and_the_next_do_not() {
    let server = Server::start(|_| signed_list(&[&PLATFORM], V3_KEY, &PLATFORM, NOW)).await;
    let config = config_of("h5", certificate_node(&server.base));
    for later in [0, 1_000, 100_000] {
        assert!(matches!(from(&server, &config, &PLATFORM, NOW + later).await, Ok(Notice::Payment(_))));
    }
    assert_eq!(server.seen().len(), 1);
    let seen = server.last();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/v3/certificates"));
    assert!(seen.headers["authorization"].to_str().unwrap().starts_with("WECHATPAY2-SHA256-RSA2048 mchid="));
    assert!(!seen.headers["user-agent"].is_empty());
}

#[tokio::test]
async fn many_callbacks_at_once_fetch_once() {
    let server = Server::start(|_| signed_list(&[&PLATFORM], V3_KEY, &PLATFORM, NOW)).await;
    let config = config_of("h5", certificate_node(&server.base));
    let all = (0..20).map(|_| from(&server, &config, &PLATFORM, NOW));
    let read = futures_join(all).await;
    assert!(read.iter().all(Result::is_ok));
    assert_eq!(server.seen().len(), 1);
}

async fn futures_join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = pending.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (slot, future) in done.iter_mut().zip(&mut pending) {
            if slot.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *slot = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn strangers_with_unknown_serials_cause_one_download_a_minute() {
    for pure in [false, true] {
        let server = Server::start(move |_| match pure {
            false => signed_list(&[&PLATFORM], V3_KEY, &PLATFORM, NOW),
            true => Canned::error(404, "RESOURCE_NOT_EXISTS"),
        })
        .await;
        let node = if pure { v3_node(&server.base) } else { certificate_node(&server.base) };
        let config = config_of("h5", node);
        for n in 0..50 {
            let (headers, body) = stranger_with(&format!("{n:040X}"), NOW);
            let read = read_at(&config, &server.clients, &headers, &body, NOW + n).await;
            assert!(matches!(read, Err(CallbackError::Forged(_))), "{read:?}");
        }
        assert_eq!(server.seen().len(), 1);
        let (headers, body) = stranger_with(&"A".repeat(40), NOW + ms(PAUSE));
        assert!(read_at(&config, &server.clients, &headers, &body, NOW + ms(PAUSE)).await.is_err());
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
async fn a_number_that_no_certificate_can_have_is_not_asked_for() {
    let server = Server::start(|_| signed_list(&[&PLATFORM], V3_KEY, &PLATFORM, NOW)).await;
    let config = config_of("h5", certificate_node(&server.base));
    for serial in ["PUB_KEY_ID_9", "zz", &"A".repeat(41)] {
        let (headers, body) = stranger_with(serial, NOW);
        let read = read_at(&config, &server.clients, &headers, &body, NOW).await;
        assert!(matches!(read, Err(CallbackError::Forged(_))));
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_list_is_fetched_anew_before_twelve_hours_and_kept_when_that_fails() {
    const { assert!(KEEP.as_secs() < 12 * 3_600) };
    let ill = Arc::new(AtomicUsize::new(0));
    let switch = ill.clone();
    let clock = Arc::new(Mutex::new(NOW));
    let time = clock.clone();
    let server = Server::start(move |_| match switch.load(Ordering::SeqCst) {
        0 => signed_list(&[&PLATFORM], V3_KEY, &PLATFORM, *time.lock().unwrap()),
        _ => Canned::plain(503, ""),
    })
    .await;
    let config = config_of("h5", certificate_node(&server.base));
    assert!(from(&server, &config, &PLATFORM, NOW).await.is_ok());
    assert!(from(&server, &config, &PLATFORM, NOW + ms(KEEP) - 1_000).await.is_ok());
    assert_eq!(server.seen().len(), 1);
    *clock.lock().unwrap() = NOW + ms(KEEP);
    assert!(from(&server, &config, &PLATFORM, NOW + ms(KEEP)).await.is_ok());
    assert_eq!(server.seen().len(), 2);
    ill.store(1, Ordering::SeqCst);
    assert!(from(&server, &config, &PLATFORM, NOW + 2 * ms(KEEP)).await.is_ok(), "what is held stays in use");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_first_list_must_open_under_the_apiv3_key_and_be_signed_from_within() {
    let lists: [fn() -> Canned; 5] = [
        || signed_list(&[&PLATFORM], "0123456789abcdef0123456789abcdeg", &PLATFORM, NOW),
        || signed_list(&[&PLATFORM], V3_KEY, &STRANGER, NOW),
        || signed_list(&[&PLATFORM], V3_KEY, &PLATFORM, NOW - 300_000),
        || Canned::plain(200, list(&[&PLATFORM], V3_KEY)),
        || Canned::plain(200, "{}"),
    ];
    for (n, answer) in lists.into_iter().enumerate() {
        let server = Server::start(move |_| answer()).await;
        let config = config_of("h5", certificate_node(&server.base));
        let read = from(&server, &config, &PLATFORM, NOW).await;
        assert!(matches!(read, Err(CallbackError::Unavailable(_))), "list {n}: {read:?}");
    }
}

#[tokio::test]
async fn while_certificates_are_held_a_new_list_must_be_signed_by_one_of_them() {
    let impostor = Arc::new(AtomicUsize::new(0));
    let turn = impostor.clone();
    let server = Server::start(move |_| match turn.fetch_add(1, Ordering::SeqCst) {
        0 => signed_list(&[&PLATFORM], V3_KEY, &PLATFORM, NOW),
        1 => signed_list(&[&STRANGER], V3_KEY, &STRANGER, NOW + ms(PAUSE)),
        _ => signed_list(&[&PLATFORM, &STRANGER], V3_KEY, &PLATFORM, NOW + 2 * ms(PAUSE)),
    })
    .await;
    let config = config_of("h5", certificate_node(&server.base));
    assert!(from(&server, &config, &PLATFORM, NOW).await.is_ok());
    assert!(from(&server, &config, &STRANGER, NOW + ms(PAUSE)).await.is_err(), "signed only by itself");
    assert!(from(&server, &config, &PLATFORM, NOW + ms(PAUSE)).await.is_ok());
    assert!(from(&server, &config, &STRANGER, NOW + 2 * ms(PAUSE)).await.is_ok(), "a rotation, rightly signed");
}

#[tokio::test]
async fn a_certificate_that_has_run_out_verifies_nothing() {
    let server = Server::start(|_| signed_list(&[&PLATFORM, &EXPIRED], V3_KEY, &PLATFORM, NOW)).await;
    let config = config_of("h5", certificate_node(&server.base));
    let read = from(&server, &config, &EXPIRED, NOW).await;
    assert!(matches!(read, Err(CallbackError::Forged(_))), "{read:?}");
    assert!(from(&server, &config, &PLATFORM, NOW).await.is_ok());
}

#[tokio::test]
async fn a_certificate_under_another_number_spoils_the_list() {
    let server = Server::start(|_| {
        let text = String::from_utf8(list(&[&PLATFORM], V3_KEY)).unwrap();
        let body = text.replace(&PLATFORM.serial, &STRANGER.serial).into_bytes();
        Canned { status: 200, headers: signed_by(&PLATFORM.private, &STRANGER.serial, NOW, &body), body }
    })
    .await;
    let config = config_of("h5", certificate_node(&server.base));
    let (headers, body) = (signed_by(&PLATFORM.private, &STRANGER.serial, NOW, &body()), body());
    assert!(read_at(&config, &server.clients, &headers, &body, NOW).await.is_err());
}

#[tokio::test]
async fn during_the_migration_both_the_key_and_the_certificates_verify() {
    let server = Server::start(|_| {
        let body = list(&[&PLATFORM], V3_KEY);
        Canned { status: 200, headers: signed_by(&PLATFORM.private, PUB_KEY_ID, NOW, &body), body }
    })
    .await;
    let config = config_of("h5", v3_node(&server.base));
    assert!(from(&server, &config, &PLATFORM, NOW).await.is_ok());
    assert_eq!(server.seen().len(), 1);
    assert_eq!(server.last().headers["wechatpay-serial"], PUB_KEY_ID);
    let body = body();
    let headers = signed_by(&PLATFORM.private, PUB_KEY_ID, NOW, &body);
    assert!(read_at(&config, &server.clients, &headers, &body, NOW).await.is_ok());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_callback_waits_three_seconds_at_most_and_then_wants_to_come_again() {
    let server = Server::start(|_| {
        std::thread::sleep(std::time::Duration::from_millis(1));
        Canned::plain(500, "")
    })
    .await;
    let config = config_of("h5", certificate_node(&server.base));
    assert!(matches!(from(&server, &config, &PLATFORM, NOW).await, Err(CallbackError::Unavailable(_))));
    assert!(matches!(from(&server, &config, &PLATFORM, NOW + 1).await, Err(CallbackError::Unavailable(_))));
    assert_eq!(server.seen().len(), 1);
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = config_of("h5", certificate_node(&format!("http://{}", silent.local_addr().unwrap())));
    let began = std::time::Instant::now();
    assert!(matches!(from(&server, &config, &PLATFORM, NOW).await, Err(CallbackError::Unavailable(_))));
    assert!(began.elapsed().as_secs() < 5);
}

#[tokio::test]
async fn answers_are_verified_with_the_certificates_too() {
    let server = Server::start(|seen| match seen.target.as_str() {
        "/v3/certificates" => signed_list(&[&PLATFORM], V3_KEY, &PLATFORM, NOW),
        _ => {
            let body = paid_order().to_string().into_bytes();
            Canned { status: 200, headers: signed_by(&PLATFORM.private, &PLATFORM.serial, NOW, &body), body }
        }
    })
    .await;
    let config = config_of("h5", certificate_node(&server.base));
    let attempt = attempt("h5", json!({}));
    let standing = gateway(&config, "h5").query(&server.clients, &order(json!({})), &attempt, UnixMs::new(NOW)).await;
    assert!(matches!(standing, Ok(Standing::Paid(_))), "{standing:?}");
    assert!(server.seen().iter().all(|seen| !seen.headers.contains_key("wechatpay-serial")));
}
