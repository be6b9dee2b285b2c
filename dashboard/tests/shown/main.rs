//! What is shown of a fleet, as documents.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../shared/fleet/tests/common/mod.rs"]
mod common;
mod documents;
mod failures;
mod overview;

use std::collections::BTreeMap;

use common::*;
use gentoo_updater_fleet::batch::{Answer, merge};
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::*;

/// g1 wants openssl and curl, which needs it; g2 wants curl only. The batch is planned.
pub(crate) fn planned() -> History {
    let mut history = History::requested(&["g1", "g2"]);
    let openssl = update("dev-libs/openssl-3.0").slot("0/3");
    let curl = update("net-misc/curl-8.0").needs_to_build("dev-libs/openssl-3.0");
    let (first, second) = (vec![openssl, curl.clone()], vec![curl]);
    let (g1, g2, platform) = (guest("g1"), guest("g2"), platform());
    let (of_first, of_second) = (rows(first.clone()), rows(second.clone()));
    let answers = [(&g1, &of_first), (&g2, &of_second)].map(|(guest, updates)| Answer {
        guest,
        platform: &platform,
        updates,
    });
    let batch = merge(&answers, &Default::default());
    for (name, updates) in [("g1", first), ("g2", second)] {
        let has = vec![installed("net-misc/curl-7.0", "0", &[])];
        history.say(Event::GuestScanned(scanned(name, updates, has)));
    }
    history.say(Event::BatchPlanned(BatchPlanned {
        run: run_id(),
        batch,
    }));
    history.search_in_vain();
    history
}

/// A worker has begun to build.
pub(crate) fn begin(history: &mut History, package: &str) {
    let task = Task::Build(history.job(package).id);
    history.say(Event::WorkStarted(WorkStarted {
        work: WorkKey {
            run: run_id(),
            task,
            attempt: 1,
        },
        worker: worker("builder@b1"),
        builder: Some("b1".parse().unwrap()),
    }));
}

/// A build has failed for good.
pub(crate) fn fail(history: &mut History, package: &str) {
    let failure = permanent("BuildFailed").with_log(
        vec!["error: no".to_owned()],
        format!("b1:/var/log/gentoo-updater/{}/x.log", run_id()),
    );
    history.say(Event::BuildFailed(BuildFailed {
        run: run_id(),
        job: history.job(package).id,
        attempt: 1,
        builder: Some("b1".parse().unwrap()),
        had: None,
        failure,
    }));
}

pub(crate) fn configured() -> BTreeMap<GuestName, PlatformName> {
    ["g1", "g2", "g3"]
        .map(|name| (guest(name), platform()))
        .into()
}
