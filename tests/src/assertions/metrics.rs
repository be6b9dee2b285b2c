//! What a process serves at `/metrics`, read strictly, and what the reference says that it is.

use std::collections::BTreeMap;
use std::path::Path;

/// One metric, as `docs/reference/metrics.md` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// Its labels, and the values of each where they are a list.
    pub labels: BTreeMap<String, Vec<String>>,
}

/// All metrics that are described, by their names.
pub fn described() -> BTreeMap<String, Described> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/metrics.md");
    let text = std::fs::read_to_string(&path).expect("the reference of metrics");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let metric = |row: &str| {
        let mut cells = row.split(" | ");
        let name = cells.next()?.trim_end_matches('`').to_owned();
        let kind = cells.next()?.to_owned();
        let labels = cells.next()?.split("; ").filter_map(|label| {
            let (name, values) = label.split_once("`: ")?;
            let values = values.split(", ").map(str::to_owned).collect();
            Some((name.trim_start_matches('`').to_owned(), values))
        });
        let labels = labels.collect();
        Some((name, Described { kind, labels }))
    };
    let all: BTreeMap<_, _> = rows.filter_map(metric).collect();
    assert!(all.len() > 40, "the reference has {} metrics", all.len());
    all
}

/// What one process serves.
#[derive(Debug)]
pub struct Scraped {
    /// Who.
    pub name: String,
    /// The value of each series: the name of the sample, and its labels.
    series: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl Scraped {
    /// Reads the text format (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
    ///
    /// # Panics
    /// When a line is not as it is to be: a metric without `HELP` and `TYPE` in front of it, one that the
    /// reference does not know, another type, another label, a value of a label that is none, a series
    /// twice, or a number that is none.
    pub fn read(name: &str, text: &str) -> Self {
        let described = described();
        let (mut helped, mut typed) = (Vec::new(), BTreeMap::new());
        let mut series: Vec<(String, BTreeMap<String, String>, f64)> = Vec::new();
        let mut family = String::new();
        assert!(text.ends_with('\n'), "{name}: the last line has no end");
        for line in text.lines().filter(|line| !line.is_empty()) {
            let place = format!("{name}: {line}");
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (metric, words) = help
                    .split_once(' ')
                    .unwrap_or_else(|| wrong(&place, "no help"));
                assert!(!words.is_empty() && !helped.contains(&metric.to_owned()));
                helped.push(metric.to_owned());
                family = metric.to_owned();
            } else if let Some(of_type) = line.strip_prefix("# TYPE ") {
                let (metric, kind) = of_type
                    .split_once(' ')
                    .unwrap_or_else(|| wrong(&place, "no type"));
                if metric != family {
                    wrong(&place, "a type without its help");
                }
                let known = described
                    .get(metric)
                    .unwrap_or_else(|| wrong(&place, "not described"));
                assert_eq!(known.kind, kind, "{name}: {line}");
                let is_new = typed.insert(metric.to_owned(), kind.to_owned()).is_none();
                assert!(is_new, "{name}: {metric} has two types");
            } else if line.starts_with('#') {
                wrong(&place, "no comment that is known");
            } else {
                let (sample, value) = line
                    .rsplit_once(' ')
                    .unwrap_or_else(|| wrong(&place, "no value"));
                let value: f64 = value.parse().unwrap_or_else(|_| wrong(&place, "no number"));
                let (sample, labels) =
                    labels_of(sample).unwrap_or_else(|| wrong(&place, "no labels"));
                let is_histogram = typed.get(&family).is_some_and(|kind| kind == "histogram");
                let part = sample
                    .strip_prefix(&family)
                    .unwrap_or_else(|| wrong(&place, "out of place"));
                let parts: &[&str] = if is_histogram {
                    &["_bucket", "_sum", "_count"]
                } else {
                    &[""]
                };
                assert!(
                    parts.contains(&part) && typed.contains_key(&family),
                    "{name}: {line}"
                );
                check_labels(name, &described[&family], part, &labels);
                assert!(value >= 0.0 || family.contains("lag"), "{name}: {line}");
                let is_new = !series.iter().any(|(s, l, _)| *s == sample && *l == labels);
                assert!(is_new, "{name}: twice: {line}");
                series.push((sample, labels, value));
            }
        }
        assert_eq!(helped.len(), typed.len(), "{name}");
        Self {
            name: name.to_owned(),
            series,
        }
    }

    /// The sum of all series of this name that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |(sample, has, _): &&(String, BTreeMap<String, String>, f64)| {
            let mut labels = labels.iter();
            sample == name && labels.all(|(k, v)| has.get(*k).is_some_and(|value| value == v))
        };
        self.series
            .iter()
            .filter(fits)
            .map(|(.., value)| value)
            .sum()
    }

    /// Whether there is a series of this name.
    pub fn has(&self, name: &str) -> bool {
        self.series.iter().any(|(sample, ..)| sample == name)
    }
}

fn check_labels(name: &str, described: &Described, part: &str, labels: &BTreeMap<String, String>) {
    for (label, value) in labels {
        if label == "le" {
            assert_eq!(part, "_bucket", "{name}: {labels:?}");
            continue;
        }
        let values = described.labels.get(label);
        let values = values.unwrap_or_else(|| panic!("{name}: no such label: {labels:?}"));
        // One text is a description: the names are those of a configuration.
        let is_known = values.len() == 1 || values.contains(value);
        assert!(is_known, "{name}: no such value: {labels:?}");
    }
    let own = labels.keys().filter(|label| *label != "le").count();
    assert_eq!(own, described.labels.len(), "{name}: {labels:?}");
}

/// The name of a sample, and its labels. Nothing that is served here needs escapes.
fn labels_of(sample: &str) -> Option<(String, BTreeMap<String, String>)> {
    let Some((name, rest)) = sample.split_once('{') else {
        return Some((sample.to_owned(), BTreeMap::new()));
    };
    let labels = rest.strip_suffix('}')?.split(',').map(|label| {
        let (key, value) = label.split_once('=')?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        Some((key.to_owned(), value.to_owned()))
    });
    Some((name.to_owned(), labels.collect::<Option<_>>()?))
}

fn wrong(place: &str, why: &str) -> ! {
    panic!("{why}: {place}")
}
