//! Looking at everything side by side.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::doctor::{Answer, Area, BrokerFacts, Facts, Subject, SurveyFacts};
use gentoo_updater_fleet::name::{BuilderName, PlatformName};
use gentoo_updater_runtime::Machines;
use tokio::task::JoinSet;

use super::machines::{self, Asked};
use super::{broker, configuration};
use crate::output::harmless;

/// What is looked at.
pub(super) struct Scope {
    /// The machines.
    pub(super) subjects: BTreeSet<Subject>,
    /// The areas.
    pub(super) areas: BTreeSet<Area>,
    /// How much time each question has.
    pub(super) limit: Duration,
}

/// What came of one look.
enum Seen {
    Machine(Subject, Asked),
    Store(PlatformName, Answer<SurveyFacts>),
    Broker(BrokerFacts),
}

/// Looks, and tells on standard error what has answered. A machine that hangs is given up when its time is
/// over, and holds nobody up until then.
pub(super) async fn gather(settings: &Arc<Settings>, path: &Path, scope: Scope) -> Facts {
    let begun = Instant::now();
    let mut facts = Facts {
        now: machines::now(),
        configuration: scope
            .areas
            .contains(&Area::Configuration)
            .then(|| configuration::look(settings, path)),
        ..Facts::default()
    };
    let all = Arc::new(Machines::new(settings.clone()));
    let mut looks: JoinSet<Seen> = JoinSet::new();
    if let Some(url) = settings.broker.clone()
        && scope.areas.contains(&Area::Broker)
    {
        let (settings, limit) = (settings.clone(), scope.limit);
        looks.spawn(async move { Seen::Broker(broker::look(&settings, &url, limit).await) });
    }
    let as_builder = [Area::Builders, Area::Stores];
    let as_builder = as_builder.iter().any(|area| scope.areas.contains(area));
    for subject in scope.subjects {
        let (settings, all, limit) = (settings.clone(), all.clone(), scope.limit);
        looks.spawn(async move {
            let asked = machines::ask(&settings, &all, &subject, as_builder, limit).await;
            Seen::Machine(subject, asked)
        });
    }
    let mut surveyed = BTreeSet::new();
    while let Some(seen) = looks.join_next().await {
        let seconds = begun.elapsed().as_secs_f64();
        let tell = |what: &str, how: &str| {
            eprintln!(
                "{}",
                harmless(&format!("{what}: {how} after {seconds:.1} s"))
            );
        };
        match seen {
            Ok(Seen::Broker(seen)) => {
                tell("broker", how(seen.reached.is_ok()));
                facts.broker = Some(seen);
            }
            Ok(Seen::Store(platform, survey)) => {
                tell(
                    &format!("store of platform {platform}"),
                    how(survey.is_ok()),
                );
                facts.surveys.insert(platform, survey);
            }
            Ok(Seen::Machine(subject, asked)) => {
                tell(&subject.to_string(), how(asked.examined.is_ok()));
                if scope.areas.contains(&Area::Stores)
                    && let Some((platform, builder)) = sees_store(settings, &subject, &asked)
                    && surveyed.insert(platform.clone())
                    && let Some(known) = settings.platforms.get(&platform)
                {
                    // One builder of each platform is enough.
                    let (store, all, limit) = (known.store.clone(), all.clone(), scope.limit);
                    looks.spawn(async move {
                        let survey = machines::survey(&all, &builder, &store, limit).await;
                        Seen::Store(platform, survey)
                    });
                }
                keep(&mut facts, subject, asked);
            }
            // A look that panicked has told its story, and what it was about is not among the facts.
            Err(error) => tracing::error!("a look has failed: {error}"),
        }
    }
    facts
}

fn how(is_answer: bool) -> &'static str {
    match is_answer {
        true => "has answered",
        false => "could not be looked at",
    }
}

/// The builder, and its platform, where it sees the store.
fn sees_store(
    settings: &Settings,
    subject: &Subject,
    asked: &Asked,
) -> Option<(PlatformName, BuilderName)> {
    let Subject::Builder(name) = subject else {
        return None;
    };
    let examined = asked.examined.as_ref().ok()?;
    let store = examined.facts.store.as_ref()?;
    let platform = settings.builders.get(name)?.platform.clone();
    store.is_there.then(|| (platform, name.clone()))
}

fn keep(facts: &mut Facts, subject: Subject, asked: Asked) {
    facts.machines.insert(subject, asked.examined);
    facts.builders.extend(asked.builder);
    facts.keys.extend(asked.keys);
}
