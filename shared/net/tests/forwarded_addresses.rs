//! Where an order may be handed to: addresses that a merchant wrote, checked before each connection.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    unreachable_pub,
    reason = "a test fails by unwrapping, reads from top to bottom, and is seen by nobody"
)]

use net::egress::{EgressError, Receivers, Refused, check, may_be_called};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

#[test]
fn no_spelling_of_an_address_of_this_network_is_called() {
    let never = [
        "https://0.0.0.0/",
        "https://0/",
        "https://169.254.169.254/latest/meta-data/",
        "https://2852039166/",
        "https://0xa9fea9fe/",
        "https://0251.0376.0251.0376/",
        "https://169.254.43518/",
        "https://192.0.0.8/",
        "https://198.18.0.1/",
        "https://198.19.255.255/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[::127.0.0.1]/",
        "https://[2002:7f00:1::]/",
        "https://[2002:a9fe:a9fe::1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[fe80::1]/",
        "https://[fec0::1]/",
        "https://[ff02::1]/",
        "https://[fd00:ec2::254]/",
        "https://localhost/",
        "https://LOCALHOST./",
    ];
    for url in never {
        for allow_private in [false, true] {
            assert_eq!(check(url, allow_private).err(), Some(Refused::Address), "{url}");
        }
    }
    let private = [
        "https://10.1.2.3/",
        "https://0x0a010203/",
        "https://100.64.0.1/",
        "https://172.16.0.1/",
        "https://172.31.255.255/",
        "https://192.168.1.1/",
        "https://[fc00::1]/",
        "https://[fd12::1]/",
        "https://[::ffff:10.0.0.1]/",
    ];
    for url in private {
        assert_eq!(check(url, false).err(), Some(Refused::Address), "{url}");
        assert!(check(url, true).is_ok(), "{url} is a receiver in the VPC");
    }
    for url in ["https://1.1.1.1/", "https://172.32.0.1/", "https://100.128.0.1/", "https://[2606:4700::1]/"] {
        assert!(check(url, false).is_ok(), "{url}");
    }
}

#[test]
fn plain_http_goes_to_loopback_literals_only_and_nothing_holds_a_password() {
    for url in ["http://127.0.0.1:8080/x", "http://127.9.9.9/", "http://[::1]:9/"] {
        assert!(check(url, false).is_ok(), "{url}");
    }
    for url in
        ["http://localhost/", "http://shop.example/", "http://1.1.1.1/", "ftp://127.0.0.1/", "file:///etc/passwd"]
    {
        assert!(check(url, true).is_err(), "{url}");
    }
    assert_eq!(check("https://a:b@shop.example/", false).err(), Some(Refused::UserInfo));
    assert_eq!(check("https://a@127.0.0.1/", false).err(), Some(Refused::UserInfo));
    assert_eq!(check("shop.example", false).err(), Some(Refused::Url));
}

#[test]
fn loopback_by_name_and_mapped_addresses_are_judged_as_what_they_are() {
    for ip in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "0.0.0.0"] {
        assert!(!may_be_called(ip.parse().unwrap(), true), "{ip} is never what a name may resolve to");
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_this_machine_is_not_connected_to() {
    // Both families where there are two: Debian's `ip6-localhost` is ::1.
    let listener = match TcpListener::bind("[::]:0").await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind("0.0.0.0:0").await.expect("a port"),
    };
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    tokio::spawn(async move {
        // Whoever connects is counted before a word of TLS is said.
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    let mut names = vec!["ip6-localhost".to_owned(), "localhost.localdomain".to_owned()];
    names.extend(std::fs::read_to_string("/etc/hostname").map(|name| name.trim().to_owned()));
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    names.extend(hosts.split_whitespace().map(str::to_owned));
    let mut tried = Vec::new();
    for name in names {
        // `localhost` itself is refused by its name, before anything is resolved.
        if name.is_empty() || name == "localhost" || name.parse::<IpAddr>().is_ok() || tried.contains(&name) {
            continue;
        }
        let Ok(found) = tokio::net::lookup_host((name.as_str(), port)).await else { continue };
        if !found.into_iter().all(|address| address.ip().is_loopback()) {
            continue;
        }
        let before = connections.load(Ordering::SeqCst);
        let Ok(stream) = TcpStream::connect((name.as_str(), port)).await else { continue };
        drop(stream);
        while connections.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
        let url = format!("https://{name}:{port}/");
        let sent = Receivers::default().post(&url, true, &[], Vec::new(), Duration::from_secs(2)).await;
        assert_eq!(sent, Err(EgressError::Connect), "{name}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(connections.load(Ordering::SeqCst), before + 1, "{name}: only this test has connected");
        tried.push(name);
    }
    assert!(!tried.is_empty(), "this machine has no name but localhost that leads to itself: add one to /etc/hosts");
}
