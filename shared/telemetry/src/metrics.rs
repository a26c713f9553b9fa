//! What is counted and measured, and how CloudWatch is told of it: by the log
//! (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use tracing::field::{Field, Visit};

/// Measurements of one metric that one line can carry.
const MOST: usize = 100;

/// A metric. Counts are added up over a call; what is measured in milliseconds keeps each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Orders that were created, all together and by provider.
    Created,
    /// Orders that were credited, all together and by provider.
    Paid,
    /// Orders whose handler did not take the payment.
    Undelivered,
    /// How long a callback took, ms.
    CallbackMs,
    /// How long a call to a provider took, ms, by provider.
    ProviderMs,
    /// Calls to a provider that had no answer, by provider.
    ProviderFailed,
    /// Items that a scheduled run found due.
    DueBacklog,
    /// How long the longest of them has been due, s.
    OldestDueS,
    /// Callbacks whose signature was wrong.
    SignatureFailed,
    /// Scheduled runs.
    SweepRuns,
    /// Days until the first of the configured certificates ends.
    CertificateDays,
    /// Incidents, by name.
    Incidents,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 12] = [
        Self::Created,
        Self::Paid,
        Self::Undelivered,
        Self::CallbackMs,
        Self::ProviderMs,
        Self::ProviderFailed,
        Self::DueBacklog,
        Self::OldestDueS,
        Self::SignatureFailed,
        Self::SweepRuns,
        Self::CertificateDays,
        Self::Incidents,
    ];

    /// Its name in CloudWatch.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Paid => "paid",
            Self::Undelivered => "undelivered",
            Self::CallbackMs => "callback_ms",
            Self::ProviderMs => "provider_ms",
            Self::ProviderFailed => "provider_failed",
            Self::DueBacklog => "due_backlog",
            Self::OldestDueS => "oldest_due_s",
            Self::SignatureFailed => "signature_failed",
            Self::SweepRuns => "sweep_runs",
            Self::CertificateDays => "certificate_days",
            Self::Incidents => "incidents",
        }
    }

    /// Its unit in CloudWatch.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::CallbackMs | Self::ProviderMs => "Milliseconds",
            Self::OldestDueS => "Seconds",
            _ => "Count",
        }
    }

    /// The dimension that it is split by.
    pub const fn dimension(self) -> Option<&'static str> {
        match self {
            Self::Created | Self::Paid | Self::ProviderMs | Self::ProviderFailed => Some("provider"),
            Self::Incidents => Some("incident"),
            _ => None,
        }
    }

    /// Its dimension sets. A metric by two sets is two metrics to CloudWatch, and to its bill.
    fn dimensions(self) -> Value {
        match (self, self.dimension()) {
            (Self::Created | Self::Paid, Some(name)) => json!([[], [name]]),
            (_, Some(name)) => json!([[name]]),
            (_, None) => json!([[]]),
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }
}

/// Counts one, of a provider or of an incident where the metric is split by that.
pub fn count(metric: Metric, of: Option<&str>) {
    measure(metric, of, 1);
}

/// Notes a value in the metric's unit. It is written when the call ends that this is a part of.
pub fn measure(metric: Metric, of: Option<&str>, value: u64) {
    tracing::info!(target: super::METRIC, metric = metric.name(), of, value);
}

/// The same of a time, in milliseconds.
pub fn measure_time(metric: Metric, of: Option<&str>, time: Duration) {
    measure(metric, of, u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
}

/// The values of one metric.
type Values = BTreeMap<Metric, Vec<u64>>;

/// What one call has counted and measured, by what it is split by.
#[derive(Default)]
pub(crate) struct Measured(BTreeMap<Option<(&'static str, String)>, Values>);

impl Measured {
    /// Adds what an event of [`measure`] says.
    pub(crate) fn add(&mut self, event: &tracing::Event<'_>) {
        let mut said = Said::default();
        event.record(&mut said);
        let Some(metric) = said.metric else { return };
        let of = metric.dimension().zip(said.of);
        let values = self.0.entry(of).or_default().entry(metric).or_default();
        match (metric.unit(), values.first_mut()) {
            ("Milliseconds", _) => {
                if values.len() < MOST {
                    values.push(said.value);
                }
            }
            (_, Some(sum)) => *sum = sum.saturating_add(said.value),
            (_, None) => values.push(said.value),
        }
    }

    /// The members that lines must have, one map for each line. What is not split goes with the first provider and the
    /// first incident; a line has one value for each dimension.
    pub(crate) fn lines(self, namespace: Option<&str>, at_ms: u64) -> Vec<Map<String, Value>> {
        let mut lines: Vec<BTreeMap<Option<(&'static str, String)>, Values>> = vec![BTreeMap::new()];
        for (of, values) in self.0 {
            let name = of.as_ref().map(|(name, _)| *name);
            let taken = |line: &BTreeMap<Option<(&'static str, String)>, Values>| {
                line.keys().any(|other| other.as_ref().map(|(name, _)| *name) == name)
            };
            match lines.iter_mut().find(|line| !taken(line)) {
                Some(line) => _ = line.insert(of, values),
                None => lines.push(BTreeMap::from([(of, values)])),
            }
        }
        lines.into_iter().map(|line| members(line, namespace, at_ms)).collect()
    }
}

/// The members of one line.
fn members(
    line: BTreeMap<Option<(&'static str, String)>, Values>,
    namespace: Option<&str>,
    at_ms: u64,
) -> Map<String, Value> {
    let mut members = Map::new();
    let mut directives: Vec<Value> = Vec::new();
    for (of, values) in line {
        if let Some((name, value)) = of {
            members.insert(name.to_owned(), json!(value));
        }
        for (metric, values) in values {
            let value = if values.len() == 1 { json!(values[0]) } else { json!(values) };
            members.insert(metric.name().to_owned(), value);
            let definition = json!({ "Name": metric.name(), "Unit": metric.unit() });
            let dimensions = metric.dimensions();
            match directives.iter_mut().find(|directive| directive["Dimensions"] == dimensions) {
                Some(directive) => {
                    if let Some(list) = directive["Metrics"].as_array_mut() {
                        list.push(definition);
                    }
                }
                None => directives.push(json!({
                    "Namespace": namespace,
                    "Dimensions": dimensions,
                    "Metrics": [definition],
                })),
            }
        }
    }
    if namespace.is_some() && !directives.is_empty() {
        members.insert("_aws".to_owned(), json!({ "Timestamp": at_ms, "CloudWatchMetrics": directives }));
    }
    members
}

/// The fields of an event of [`measure`].
#[derive(Default)]
struct Said {
    metric: Option<Metric>,
    of: Option<String>,
    value: u64,
}

impl Visit for Said {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "value" {
            self.value = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "metric" => self.metric = Metric::named(value),
            "of" => self.of = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}
