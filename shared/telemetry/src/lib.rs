//! What a metric is: its name, its kind, its labels with all their values, and what it means.
//!
//! Each crate that counts or measures something has one list of [`Metric`]s (`meters.rs`), and counts
//! through them alone. So what is served, what is documented and what dashboards and alerts name can
//! be compared.
//!
//! Names follow <https://prometheus.io/docs/practices/naming/>: base units, `_total` for what only
//! grows, one prefix but for the process itself.
//!
//! **Invariant:** a label has a list of values that is fixed here or in the configuration. Nothing is
//! labelled with a package, a run or a guest: their number has no bound.

mod exposition;
mod metric;
mod reference;

pub use exposition::{Sample, exposition};
pub use metric::{Kind, Label, Metric, Values};
pub use reference::{Section, reference};
