//! One metric.

use std::time::Duration;

use metrics::{
    SharedString, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// What the values of a metric are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows, from 0 at the start of the process.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// How many observations were at most how large.
    Histogram,
}

impl Kind {
    /// As the text format of Prometheus writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What a label may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// One of these.
    Of(&'static [&'static str]),
    /// A name out of the configuration, or one text in each process; this says what.
    Named(&'static str),
}

/// What the series of one metric are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// What it may say.
    pub values: Values,
}

impl Label {
    /// With these values and no others.
    pub const fn new(name: &'static str, values: &'static [&'static str]) -> Self {
        let values = Values::Of(values);
        Self { name, values }
    }

    /// With the names that are described here.
    pub const fn named(name: &'static str, described: &'static str) -> Self {
        let values = Values::Named(described);
        Self { name, values }
    }
}

/// One metric: what is served under one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name, with unit, and `_total` for a counter.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// What its series are told apart by.
    pub labels: &'static [Label],
    /// What it means: one sentence without a full stop, as it is served after `# HELP`.
    pub help: &'static str,
}

impl Metric {
    /// A number that only grows.
    pub const fn counter(name: &'static str, labels: &'static [Label], help: &'static str) -> Self {
        let kind = Kind::Counter;
        Self {
            name,
            kind,
            labels,
            help,
        }
    }

    /// A number that goes up and down.
    pub const fn gauge(name: &'static str, labels: &'static [Label], help: &'static str) -> Self {
        let kind = Kind::Gauge;
        Self {
            name,
            kind,
            labels,
            help,
        }
    }

    /// How long something takes, in seconds.
    pub const fn histogram(
        name: &'static str,
        labels: &'static [Label],
        help: &'static str,
    ) -> Self {
        let kind = Kind::Histogram;
        Self {
            name,
            kind,
            labels,
            help,
        }
    }

    /// Counts so many more in the series of these labels, which are in the order of [`Self::labels`].
    pub fn add<const N: usize>(&self, labels: [&'static str; N], more: u64) {
        counter!(self.name, self.labelled(labels)).increment(more);
    }

    /// Counts one more.
    pub fn count<const N: usize>(&self, labels: [&'static str; N]) {
        self.add(labels, 1);
    }

    /// Sets a gauge.
    pub fn set<const N: usize, L: Into<SharedString>>(&self, labels: [L; N], value: f64) {
        gauge!(self.name, self.labelled(labels)).set(value);
    }

    /// Sets a gauge without labels.
    pub fn put(&self, value: f64) {
        self.set::<0, &'static str>([], value);
    }

    /// Changes a gauge by so much.
    pub fn change<const N: usize>(&self, labels: [&'static str; N], by: f64) {
        gauge!(self.name, self.labelled(labels)).increment(by);
    }

    /// One more observation.
    pub fn observe<const N: usize>(&self, labels: [&'static str; N], took: Duration) {
        histogram!(self.name, self.labelled(labels)).record(took.as_secs_f64());
    }

    /// Says to whoever collects metrics what this one means. A counter begins with 0 in each of its
    /// series, or the first that is counted would be no increase.
    pub fn describe(&self) {
        match self.kind {
            Kind::Counter => {
                describe_counter!(self.name, self.help);
                for labels in self.series() {
                    counter!(self.name, labels).increment(0);
                }
            }
            Kind::Gauge => describe_gauge!(self.name, self.help),
            Kind::Histogram => describe_histogram!(self.name, self.help),
        }
    }

    /// The labels of all series that can be named beforehand.
    fn series(&self) -> Vec<Vec<metrics::Label>> {
        let mut all = vec![Vec::new()];
        for label in self.labels {
            let Values::Of(values) = label.values else {
                return Vec::new();
            };
            let each = |so_far: Vec<metrics::Label>| {
                values.iter().map(move |value| {
                    let mut labels = so_far.clone();
                    labels.push(metrics::Label::from_static_parts(label.name, value));
                    labels
                })
            };
            all = all.into_iter().flat_map(each).collect();
        }
        all
    }

    fn labelled<const N: usize, L: Into<SharedString>>(
        &self,
        values: [L; N],
    ) -> Vec<metrics::Label> {
        debug_assert_eq!(self.labels.len(), N, "the labels of {}", self.name);
        let names = self.labels.iter().map(|label| label.name);
        let labels = names.zip(values);
        labels
            .map(|(name, value)| metrics::Label::new(name, value))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_has_each_of_its_series_from_the_beginning() {
        const LABELS: &[Label] = &[
            Label::new("kind", &["scan", "build"]),
            Label::new("outcome", &["done", "failed"]),
        ];
        let metric = Metric::counter("work_total", LABELS, "Work");
        let series = metric.series();
        assert_eq!(series.len(), 4);
        let last: Vec<_> = series[3].iter().map(|l| (l.key(), l.value())).collect();
        assert_eq!(last, [("kind", "build"), ("outcome", "failed")]);
        const NAMED: &[Label] = &[Label::named("platform", "a platform")];
        assert!(Metric::counter("a_total", NAMED, "A").series().is_empty());
        assert_eq!(Metric::counter("a_total", &[], "A").series().len(), 1);
    }
}
