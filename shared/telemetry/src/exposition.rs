//! The text format of Prometheus
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>), for what is read in the moment
//! it is asked for.

use std::fmt::Write as _;

use crate::Metric;

/// The value of a metric without labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Of what.
    pub metric: &'static Metric,
    /// How much.
    pub value: f64,
}

/// These samples, each with what it means.
pub fn exposition(samples: &[Sample]) -> String {
    let mut text = String::new();
    for Sample { metric, value } in samples {
        let (name, kind) = (metric.name, metric.kind.name());
        let help = metric.help.replace('\\', "\\\\").replace('\n', "\\n");
        // To write into a string cannot fail.
        let _ = write!(
            text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_comes_with_its_help_and_its_type() {
        const CPU: Metric = Metric::counter("process_cpu_seconds_total", &[], "A \\ b");
        let sample = Sample {
            metric: &CPU,
            value: 0.25,
        };
        assert_eq!(
            exposition(&[sample]),
            "# HELP process_cpu_seconds_total A \\\\ b\n\
             # TYPE process_cpu_seconds_total counter\n\
             process_cpu_seconds_total 0.25\n"
        );
    }
}
