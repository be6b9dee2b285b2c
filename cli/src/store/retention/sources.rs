//! The sources that builders have fetched.

use std::collections::BTreeMap;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::name::{BuilderName, PlatformName};
use gentoo_updater_janitor::distfiles::{self, Retention, Sources};
use gentoo_updater_runtime::Machines;
use serde::Serialize;

/// The sources of one builder, or why nothing can be said of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SourcesView {
    /// What lies there.
    Seen(Sources),
    /// Why it could not be looked at.
    Failed(String),
}

/// Looks through the sources of each builder of a platform. Builders may share them: what one of them
/// has deleted the next does not see.
pub(super) async fn of_platform(
    settings: &Settings,
    machines: &Machines,
    platform: &PlatformName,
    retention: &Retention,
) -> BTreeMap<BuilderName, SourcesView> {
    let mut views = BTreeMap::new();
    let builders = settings.builders.iter();
    for (name, _) in builders.filter(|(_, builder)| builder.platform == *platform) {
        let seen = match machines.builder(name).await {
            Ok(host) => distfiles::look_through(host.as_ref(), retention).await,
            Err(failure) => Err(failure),
        };
        let view = match seen {
            Ok(sources) => SourcesView::Seen(sources),
            Err(failure) => SourcesView::Failed(failure.to_string()),
        };
        views.insert(name.clone(), view);
    }
    views
}
