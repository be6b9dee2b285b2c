//! Log lines as JSON: one flat object a line, whose keys are the same in every line that has them.
//!
//! | key | |
//! |---|---|
//! | `time` | RFC 3339, in UTC, with microseconds |
//! | `level` | `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE` |
//! | `message` | what happened, in words |
//! | `target` | the part of the program that says so |
//! | `trace_id`, `span_id` | of the work it is about, by the W3C Trace Context |
//! | `run`, `kind`, `task`, `attempt` | that work: the run, `scan` and its like, its guest, builder, platform or job, and which try it is |
//! | others | what this line says beside that |

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The keys that each line has.
const ALWAYS: [&str; 4] = ["time", "level", "message", "target"];

/// Writes each event as one line of JSON. Spans have their fields formatted as JSON, too.
pub(super) struct JsonLines;

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: &'a str,
    message: Value,
    target: &'a str,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        let spans = context.event_scope().into_iter();
        for span in spans.flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            let formatted = extensions.get::<FormattedFields<N>>();
            if let Some(Ok(of_span)) = formatted.map(|fields| serde_json::from_str(fields)) {
                fields.0.extend::<Map<String, Value>>(of_span);
            }
        }
        event.record(&mut fields);
        let mut others = fields.0;
        let message = others.remove("message").unwrap_or_default();
        for key in ALWAYS {
            // Two equal keys in one object mean something else to each reader.
            if let Some(value) = others.remove(key) {
                others.insert(format!("{key}_"), value);
            }
        }
        let metadata = event.metadata();
        let line = Line {
            time: format!("{:.6}", Timestamp::now()),
            level: metadata.level().as_str(),
            message,
            target: metadata.target(),
            others,
        };
        let line = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{line}")
    }
}

/// The fields of an event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use gentoo_updater_bus::spans;
    use gentoo_updater_fleet::message::{Task, WorkKey};
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::fmt::format::JsonFields;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Written {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn logged(log: impl FnOnce()) -> Vec<Map<String, Value>> {
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(written.clone())
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }

    #[test]
    fn a_line_about_work_says_which_work_beside_its_own_words() {
        let work = WorkKey {
            run: "0197a4e2-7e43-7d2a-8b5f-6c0d1e2f3a4b".parse().unwrap(),
            task: Task::Scan("web".parse().unwrap()),
            attempt: 2,
        };
        let lines = logged(|| {
            spans::of_work(&work).in_scope(|| tracing::warn!(packages = 3, "\"odd\"\nwords"));
        });
        let [line] = lines.as_slice() else {
            panic!("{lines:?}");
        };
        let said = |key: &str| line[key].as_str().unwrap();
        assert_eq!(said("message"), "\"odd\"\nwords");
        assert_eq!(said("level"), "WARN");
        assert_eq!(said("target"), module_path!());
        assert!(said("time").parse::<Timestamp>().is_ok());
        assert_eq!(said("trace_id"), "0197a4e27e437d2a8b5f6c0d1e2f3a4b");
        assert_eq!(said("span_id").len(), 16);
        assert_eq!(said("run"), "0197a4e2-7e43-7d2a-8b5f-6c0d1e2f3a4b");
        assert_eq!((said("kind"), said("task")), ("scan", "web"));
        assert_eq!(
            (&line["attempt"], &line["packages"]),
            (&2.into(), &3.into())
        );
    }

    #[test]
    fn no_line_has_a_key_twice() {
        let lines = logged(|| {
            let time = "noon";
            tracing::info!(time, target = "web", "words");
        });
        assert_eq!(lines[0]["time_"], "noon");
        assert_eq!(lines[0]["target_"], "web");
        assert_eq!(lines[0]["message"], "words");
    }
}
