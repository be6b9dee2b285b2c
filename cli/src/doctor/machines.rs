//! What is asked of each machine.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gentoo_updater_builder::fitness;
use gentoo_updater_fleet::config::{BuildFeature, Settings, StoreAccess};
use gentoo_updater_fleet::doctor::{
    Answer, BuilderFacts, Examined, KeyFacts, Subject, SurveyFacts, program_of,
};
use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_hosts::Host;
use gentoo_updater_janitor::store::verify::survey_alone;
use gentoo_updater_runtime::Machines;
use gentoo_updater_runtime::examine::{Request, examine};
use gentoo_updater_runtime::jobs::WORK;
use gentoo_updater_runtime::signing::{Key, Keys, State};
use tokio::time::timeout;

/// Where a guest that fetches keeps binaries (`installer`).
const FETCHED: &str = "/var/cache/gentoo-updater";
/// Where an installation writes.
const WRITTEN: [&str; 4] = ["/usr", "/etc", "/var", "/var/tmp"];

/// What one machine was asked, as far as it was.
pub(super) struct Asked {
    /// What it is and has.
    pub(super) examined: Answer<Examined>,
    /// Of a builder, what its worker finds out.
    pub(super) builder: Option<(BuilderName, Answer<BuilderFacts>)>,
    /// Of a builder whose platform signs, its keys.
    pub(super) keys: Option<(BuilderName, Answer<Vec<KeyFacts>>)>,
}

/// Asks a machine all that is to be known of it. Each question has this much time.
pub(super) async fn ask(
    settings: &Settings,
    machines: &Machines,
    subject: &Subject,
    as_builder: bool,
    limit: Duration,
) -> Asked {
    let connecting = async {
        match connect(machines, subject).await {
            // One lost packet is no finding.
            Err(failure) if failure.class == FailureClass::Transient => {
                connect(machines, subject).await
            }
            connected => connected,
        }
    };
    let host = match within(limit, connecting).await {
        Ok(host) => host,
        Err(failure) => {
            return Asked {
                examined: Err(failure),
                builder: None,
                keys: None,
            };
        }
    };
    let host = host.as_ref();
    let examination = within(limit, examine(host, request(settings, subject), limit));
    let Subject::Builder(name) = subject else {
        return Asked {
            examined: examination.await,
            builder: None,
            keys: None,
        };
    };
    let (examined, builder, keys) = tokio::join!(
        examination,
        async {
            let facts = as_builder.then(|| fit(settings, host, name, limit))?;
            Some((name.clone(), facts.await?))
        },
        async {
            let keys = as_builder.then(|| keys(settings, host, name, limit))?;
            Some((name.clone(), keys.await?))
        },
    );
    Asked {
        examined,
        builder,
        keys,
    }
}

/// What the store of a builder's platform holds.
pub(super) async fn survey(
    machines: &Machines,
    builder: &BuilderName,
    store: &Path,
    limit: Duration,
) -> Answer<SurveyFacts> {
    within(limit, async {
        let host = machines.builder(builder).await?;
        survey_alone(host.as_ref(), store, now()).await
    })
    .await
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

async fn connect(machines: &Machines, subject: &Subject) -> Answer<Arc<dyn Host>> {
    match subject {
        Subject::Guest(name) => machines.guest(name).await,
        Subject::Builder(name) => machines.builder(name).await,
        other => {
            let message = format!("{other} is no machine");
            Err(Failure::new(FailureClass::Permanent, "NoMachine", message))
        }
    }
}

/// One machine that hangs holds nothing up.
async fn within<T>(limit: Duration, asked: impl Future<Output = Answer<T>>) -> Answer<T> {
    timeout(limit, asked).await.unwrap_or_else(|_| {
        let message = format!("it did not answer within {} s", limit.as_secs());
        Err(Failure::new(FailureClass::Transient, "TimedOut", message))
    })
}

fn request(settings: &Settings, subject: &Subject) -> Request {
    let store = || {
        let platform = settings.platforms.get(subject.platform(settings)?)?;
        Some(platform.store.display().to_string())
    };
    let mut spaces: Vec<String> = WRITTEN.map(str::to_owned).into();
    let mut request = Request::default();
    match subject {
        Subject::Guest(name) => {
            let guest = settings.guests.get(name);
            let fetches = guest.is_some_and(|guest| guest.store == StoreAccess::Http);
            if fetches {
                spaces.push(FETCHED.to_owned());
                let platform = subject.platform(settings);
                let platform = platform.and_then(|name| settings.platforms.get(name));
                let url = platform.and_then(|platform| platform.url.as_ref());
                request.url = url.map(ToString::to_string);
                // One that cannot be read here, where the installer may not be, is not a guest's fault: what
                // its server shows is judged without it.
                let authority = platform.and_then(|platform| platform.url_ca.as_ref());
                request.authority = authority.and_then(|file| std::fs::read_to_string(file).ok());
            } else {
                request.store = store();
            }
        }
        _ => {
            spaces.push(WORK.to_owned());
            request.store = store();
            let helpers = BuildFeature::ALL.into_iter().map(program_of);
            request.helpers = helpers.map(str::to_owned).collect();
            let platform = subject.platform(settings);
            let platform = platform.and_then(|name| settings.platforms.get(name));
            if platform.is_some_and(|platform| platform.sign) {
                request.programs.push("gpg".to_owned());
            }
        }
    }
    request.spaces = spaces;
    request
}

/// What the worker of a builder would find out.
async fn fit(
    settings: &Settings,
    host: &dyn Host,
    name: &BuilderName,
    limit: Duration,
) -> Option<Answer<BuilderFacts>> {
    let builder = settings.builders.get(name)?;
    let store = &settings.platforms.get(&builder.platform)?.store;
    let least = settings.policy.min_free_megabytes;
    Some(within(limit, fitness::look(host, name, builder, store, least)).await)
}

/// The keys of a builder whose platform signs.
async fn keys(
    settings: &Settings,
    host: &dyn Host,
    name: &BuilderName,
    limit: Duration,
) -> Option<Answer<Vec<KeyFacts>>> {
    let platform = &settings.builders.get(name)?.platform;
    if !settings.platforms.get(platform)?.sign {
        return None;
    }
    let now = now();
    let keys = within(limit, async { Keys::of(host).list(now).await }).await;
    let facts = |key: Key| KeyFacts {
        days_left: key.days_left(now),
        is_in_use: key.state == State::InUse,
        is_over: !key.state.counts(),
        fingerprint: key.fingerprint,
    };
    Some(keys.map(|keys| keys.into_iter().map(facts).collect()))
}
