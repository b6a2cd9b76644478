//! One figure of a program, for whoever shows or collects it.
#![forbid(unsafe_code)]

/// One figure of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Letters, digits and underscores.
    pub name: &'static str,
    /// Its meaning, in a sentence.
    pub help: &'static str,
    /// Its kind: only a gauge can go down.
    pub kind: MetricKind,
    /// The label that tells it apart from others of its name.
    pub label: Option<(&'static str, &'static str)>,
    /// The figure.
    pub value: u64,
}

/// How a figure changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows, from the start of the program.
    Counter,
    /// It is as it is at the moment.
    Gauge,
}

impl Metric {
    /// A figure without a label.
    pub const fn new(name: &'static str, kind: MetricKind, help: &'static str, value: u64) -> Self {
        Self {
            name,
            help,
            kind,
            label: None,
            value,
        }
    }

    /// The same figure with a label.
    pub const fn labelled(self, name: &'static str, value: &'static str) -> Self {
        Self {
            label: Some((name, value)),
            ..self
        }
    }
}
