//! How far something is, on stderr, where it takes longer than a moment and somebody sits there.

use super::Session;
use std::io::{IsTerminal, Write};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What is done sooner says nothing.
const AFTER: Duration = Duration::from_secs(1);
/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(250);
/// Takes the line away.
const CLEAR: &str = "\r\u{1b}[K";

/// Queries of the table that are made at once.
pub(super) const AT_ONCE: usize = 16;

/// Counts what is done of so many.
pub(super) struct Count {
    done: AtomicUsize,
    of: usize,
}

impl Count {
    /// None of so many.
    pub(super) const fn of(of: usize) -> Self {
        Self { done: AtomicUsize::new(0), of }
    }

    /// One more is done.
    pub(super) fn add(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    fn line(&self, what: &str) -> String {
        format!("{what} {}/{}", self.done.load(Ordering::Relaxed), self.of)
    }
}

/// Does something, with a line on stderr from its second second on that says how far it is. Where stderr is no terminal
/// nothing is said.
pub(super) async fn shown<T>(session: &Session, count: &Count, work: impl Future<Output = T>) -> T {
    let what = session.t("读取中", "reading");
    let error = std::io::stderr();
    let out = error.is_terminal().then_some(error);
    watched(out, AFTER, || count.line(what), work).await
}

async fn watched<T>(
    out: Option<impl Write>,
    after: Duration,
    line: impl Fn() -> String,
    work: impl Future<Output = T>,
) -> T {
    let Some(mut out) = out else { return work.await };
    let mut work = pin!(work);
    let (mut pause, mut said) = (after, false);
    loop {
        tokio::select! {
            done = &mut work => {
                if said {
                    let _ = write!(out, "{CLEAR}").and_then(|()| out.flush());
                }
                return done;
            }
            () = tokio::time::sleep(pause) => {
                let _ = write!(out, "{CLEAR}{}", line()).and_then(|()| out.flush());
                (pause, said) = (EVERY, true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn said(takes: Duration) -> String {
        let (mut out, count) = (Vec::new(), Count::of(3));
        count.add();
        let work = async {
            tokio::time::sleep(takes).await;
            7
        };
        let done = watched(Some(&mut out), Duration::from_millis(30), || count.line("reading"), work).await;
        assert_eq!(done, 7);
        String::from_utf8(out).expect("a text")
    }

    #[tokio::test]
    async fn what_takes_long_says_how_far_it_is_and_leaves_nothing_behind() {
        let text = said(Duration::from_millis(120)).await;
        assert!(text.contains("reading 1/3") && text.ends_with(CLEAR), "{text:?}");
    }

    #[tokio::test]
    async fn what_is_done_at_once_says_nothing() {
        assert_eq!(said(Duration::ZERO).await, "");
    }

    #[tokio::test]
    async fn without_a_terminal_nothing_is_said() {
        let work = async { tokio::time::sleep(Duration::from_millis(60)).await };
        watched(None::<Vec<u8>>, Duration::ZERO, || panic!("nobody reads it"), work).await;
    }
}
