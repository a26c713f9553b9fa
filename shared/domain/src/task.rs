//! What must happen after a commit, written in the transaction that causes it.

use super::{Shipping, ShippingMode, UnixMs};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskName {
    /// Hands a paid order to a handler by configuration.
    Handler,
    /// Makes a refund that a policy or an operator has decided.
    Refund,
    /// Puts a message into the dead-letter queue.
    Alarm,
    /// Reports the shipping of a paid order, or has the merchant told that nobody did.
    Ship,
}

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// To be done at its time, or being done.
    Due,
    /// Done.
    Done,
    /// Given up; an operator may run it again.
    Parked,
}

/// One task of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What it does.
    pub task: TaskName,
    /// How it stands.
    pub state: TaskState,
    /// When it is to be done next. Claiming it moves this by the lease, so it is also what a claim is known by.
    pub due: UnixMs,
    /// How often it was begun.
    pub attempts: u64,
    /// The order.
    pub out_trade_no: String,
    /// When it is given up.
    pub until: UnixMs,
    /// When it was written.
    pub create_date: UnixMs,
    /// Until when somebody is at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<UnixMs>,
    /// What it is about beside the order: a refund's number, the reason of an alarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The order was, or may have been, handed to a handler by configuration, which may have taken it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub handed: bool,
}

/// How long a claim lasts.
pub const LEASE: Duration = MINUTE;

const MINUTE: Duration = Duration::from_mins(1);
/// How long what a handler has refused at once rests.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

impl Task {
    /// How long a task is tried.
    pub const PATIENCE: Duration = DAY;

    /// A new task, due at once.
    pub fn new(task: TaskName, out_trade_no: &str, subject: Option<&str>, at: UnixMs) -> Self {
        Self {
            task,
            state: TaskState::Due,
            due: at,
            attempts: 0,
            out_trade_no: out_trade_no.to_owned(),
            until: at + Self::PATIENCE,
            create_date: at,
            lease: None,
            subject: subject.map(str::to_owned),
            last_error: None,
            handed: false,
        }
    }

    /// The task of an order that is handed to a handler by configuration.
    pub fn handing(out_trade_no: &str, at: UnixMs) -> Self {
        Self { handed: true, ..Self::new(TaskName::Handler, out_trade_no, None, at) }
    }

    /// The task of a delivery that failed once already, when the order became paid.
    pub fn redelivery(out_trade_no: &str, why: Option<&str>, at: UnixMs) -> Self {
        Self {
            due: at + FIRST_PAUSE,
            attempts: 1,
            last_error: why.map(str::to_owned),
            ..Self::new(TaskName::Handler, out_trade_no, None, at)
        }
    }

    /// The task of an order whose shipping is to be reported: by itself, first when its provider should know the payment;
    /// else it looks whether the merchant has done it, while there is still time.
    pub fn shipping(out_trade_no: &str, mode: ShippingMode, paid_at: UnixMs, at: UnixMs) -> Self {
        let task = Self::new(TaskName::Ship, out_trade_no, None, at);
        match mode {
            ShippingMode::Virtual | ShippingMode::PickUp => Self { due: at + Shipping::FIRST_TRY, ..task },
            ShippingMode::Manual => {
                let due = (paid_at + Shipping::TOLD).max(at);
                Self { due, until: due + Self::PATIENCE, ..task }
            }
        }
    }

    /// Names the task among those of its order.
    pub fn name(&self) -> String {
        let task = match self.task {
            TaskName::Handler => "handler",
            TaskName::Refund => "refund",
            TaskName::Alarm => "alarm",
            TaskName::Ship => "ship",
        };
        match (&self.subject, self.task) {
            (Some(subject), TaskName::Refund) => format!("{task}#{subject}"),
            _ => task.to_owned(),
        }
    }

    /// When a task that failed at a time is tried again: at once after its first attempt, then with growing
    /// pauses, each up to a fifth longer by `jitter` (0 to 999), and for the last time when its patience ends.
    /// `None` when it is given up.
    pub fn next_due(&self, at: UnixMs, jitter: u32) -> Option<UnixMs> {
        const PAUSES: [Duration; 8] = [
            Duration::ZERO,
            FIRST_PAUSE,
            Duration::from_secs(30),
            MINUTE,
            Duration::from_mins(2),
            Duration::from_mins(5),
            Duration::from_mins(10),
            Duration::from_mins(30),
        ];
        if at >= self.until {
            return None;
        }
        let failed = usize::try_from(self.attempts.max(1) - 1).unwrap_or(usize::MAX);
        let pause = PAUSES.get(failed).copied().unwrap_or(HOUR);
        Some((at + pause + pause * jitter / 5_000).min(self.until))
    }
}

/// When something unfinished is asked about next: 5 s, 30 s, 1, 3, 5, 10 and 30 minutes after `since`, then
/// hourly, and after a week daily.
pub fn ask_again(since: UnixMs, now: UnixMs) -> UnixMs {
    const LAST: Duration = Duration::from_mins(30);
    const STEPS: [Duration; 7] = [
        Duration::from_secs(5),
        Duration::from_secs(30),
        MINUTE,
        Duration::from_mins(3),
        Duration::from_mins(5),
        Duration::from_mins(10),
        LAST,
    ];
    let age = now.since(since);
    if let Some(step) = STEPS.into_iter().find(|step| *step > age) {
        return since + step;
    }
    let every = if age < 7 * DAY { HOUR } else { DAY };
    let rounds = (age - LAST).as_millis() / every.as_millis() + 1;
    since + LAST + every.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
}

/// When an attempt that may be paid though its order has ended is asked about next: after as long as the order has
/// ended already, at least ten minutes and at most a day.
pub fn watch_again(ended: UnixMs, now: UnixMs) -> UnixMs {
    now + now.since(ended).clamp(Duration::from_mins(10), DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_tried_at_once_then_with_growing_pauses_until_a_day_has_passed() {
        let mut task = Task::new(TaskName::Handler, "T", None, UnixMs::EPOCH);
        let (mut at, mut pauses) = (UnixMs::EPOCH, Vec::new());
        loop {
            task.attempts += 1;
            let Some(next) = task.next_due(at, 0) else { break };
            pauses.push(next.since(at));
            at = next;
        }
        let ms: Vec<u128> = pauses[..9].iter().map(Duration::as_millis).collect();
        assert_eq!(ms, [0, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000]);
        assert!(pauses[8..pauses.len() - 1].iter().all(|pause| *pause == HOUR));
        assert_eq!(at, UnixMs::EPOCH + DAY, "the last attempt is made when the day ends");
        let mut late = Task::new(TaskName::Handler, "T", None, UnixMs::EPOCH);
        late.attempts = 3;
        assert_eq!(late.next_due(UnixMs::EPOCH, 999), Some(UnixMs::new(30_000 + 5_994)));
    }

    #[test]
    fn what_has_ended_and_may_be_paid_is_asked_about_at_pauses_that_grow_to_a_day() {
        let mut now = UnixMs::EPOCH;
        let mut asked = Vec::new();
        for _ in 0..11 {
            now = watch_again(UnixMs::EPOCH, now);
            asked.push(now.get() / 60_000);
        }
        assert_eq!(asked, [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 4_000, 5_440]);
    }

    #[test]
    fn what_is_unfinished_is_asked_about_at_growing_pauses() {
        let mut now = UnixMs::EPOCH;
        let mut asked = Vec::new();
        for _ in 0..9 {
            now = ask_again(UnixMs::EPOCH, now);
            asked.push(now.get());
        }
        assert_eq!(asked[..7], [5_000, 30_000, 60_000, 180_000, 300_000, 600_000, 1_800_000]);
        assert_eq!(asked[7..], [5_400_000, 9_000_000]);
        let later = |span| ask_again(UnixMs::EPOCH, UnixMs::EPOCH + span).since(UnixMs::EPOCH);
        assert_eq!(later(3 * HOUR), 3 * HOUR + 30 * MINUTE, "a run that comes late asks once");
        assert_eq!(later(later(8 * DAY)) - later(8 * DAY), DAY, "daily after a week");
    }
}
