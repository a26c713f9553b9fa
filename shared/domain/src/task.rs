//! What must happen after a commit, written in the transaction that causes it.

use serde::{Deserialize, Serialize};

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

/// One task of an order. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What it does.
    pub task: TaskName,
    /// How it stands.
    pub state: TaskState,
    /// When it is to be done next. Claiming it moves this by the lease, so it is also what a claim is known by.
    pub due: i64,
    /// How often it was begun.
    pub attempts: u64,
    /// The order.
    pub out_trade_no: String,
    /// When it is given up.
    pub until: i64,
    /// When it was written.
    pub create_date: i64,
    /// Until when somebody is at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<i64>,
    /// What it is about beside the order: a refund's number, the reason of an alarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// How long a claim lasts, ms.
pub const LEASE_MS: i64 = 60_000;

const MINUTE: i64 = 60_000;
/// How long what a handler has refused at once rests, ms.
const FIRST_PAUSE: i64 = 10_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Task {
    /// How long a task is tried, ms.
    pub const PATIENCE_MS: i64 = DAY;

    /// A new task, due at once.
    pub fn new(task: TaskName, out_trade_no: &str, subject: Option<&str>, at: i64) -> Self {
        Self {
            task,
            state: TaskState::Due,
            due: at,
            attempts: 0,
            out_trade_no: out_trade_no.to_owned(),
            until: at + Self::PATIENCE_MS,
            create_date: at,
            lease: None,
            subject: subject.map(str::to_owned),
            last_error: None,
        }
    }

    /// The task of a delivery that failed once already, when the order became paid.
    pub fn redelivery(out_trade_no: &str, why: Option<&str>, at: i64) -> Self {
        Self {
            due: at + FIRST_PAUSE,
            attempts: 1,
            last_error: why.map(str::to_owned),
            ..Self::new(TaskName::Handler, out_trade_no, None, at)
        }
    }

    /// Names the task among those of its order.
    pub fn name(&self) -> String {
        let task = match self.task {
            TaskName::Handler => "handler",
            TaskName::Refund => "refund",
            TaskName::Alarm => "alarm",
        };
        match (&self.subject, self.task) {
            (Some(subject), TaskName::Refund) => format!("{task}#{subject}"),
            _ => task.to_owned(),
        }
    }

    /// When a task that failed at a time is tried again: at once after its first attempt, then with growing
    /// pauses, each up to a fifth longer by `jitter` (0 to 999), and for the last time when its patience ends.
    /// `None` when it is given up.
    pub fn next_due(&self, at: i64, jitter: i64) -> Option<i64> {
        const PAUSES: [i64; 8] = [0, 10_000, 30_000, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE];
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
pub fn ask_again(since: i64, now: i64) -> i64 {
    const STEPS: [i64; 7] = [5_000, 30_000, MINUTE, 3 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE];
    let age = now - since;
    if let Some(step) = STEPS.into_iter().find(|step| *step > age) {
        return since + step;
    }
    let from = since + STEPS[6];
    let every = if age < 7 * DAY { HOUR } else { DAY };
    from + ((now - from) / every + 1) * every
}

/// When an attempt that may be paid though its order has ended is asked about next: after as long as the order has
/// ended already, at least ten minutes and at most a day.
pub fn watch_again(ended: i64, now: i64) -> i64 {
    now + (now - ended).clamp(10 * MINUTE, DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_tried_at_once_then_with_growing_pauses_until_a_day_has_passed() {
        let mut task = Task::new(TaskName::Handler, "T", None, 0);
        let (mut at, mut pauses) = (0, Vec::new());
        loop {
            task.attempts += 1;
            let Some(next) = task.next_due(at, 0) else { break };
            pauses.push(next - at);
            at = next;
        }
        assert_eq!(pauses[..9], [0, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000]);
        assert!(pauses[8..pauses.len() - 1].iter().all(|pause| *pause == HOUR));
        assert_eq!(at, DAY, "the last attempt is made when the day ends");
        let mut late = Task::new(TaskName::Handler, "T", None, 0);
        late.attempts = 3;
        assert_eq!(late.next_due(0, 999), Some(30_000 + 5_994));
    }

    #[test]
    fn what_has_ended_and_may_be_paid_is_asked_about_at_pauses_that_grow_to_a_day() {
        let mut now = 0;
        let mut asked = Vec::new();
        for _ in 0..11 {
            now = watch_again(0, now);
            asked.push(now / MINUTE);
        }
        assert_eq!(asked, [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 4_000, 5_440]);
    }

    #[test]
    fn what_is_unfinished_is_asked_about_at_growing_pauses() {
        let mut now = 0;
        let mut asked = Vec::new();
        for _ in 0..9 {
            now = ask_again(0, now);
            asked.push(now);
        }
        assert_eq!(asked[..7], [5_000, 30_000, 60_000, 180_000, 300_000, 600_000, 1_800_000]);
        assert_eq!(asked[7..], [5_400_000, 9_000_000]);
        assert_eq!(ask_again(0, 3 * HOUR), 3 * HOUR + 30 * MINUTE, "a run that comes late asks once");
        let late = ask_again(0, 8 * DAY);
        assert_eq!(ask_again(0, late) - late, DAY, "daily after a week");
    }
}
