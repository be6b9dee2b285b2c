//! `events`: the history, as it is.

mod arguments;
mod guest;
mod start;

use std::sync::Arc;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Bus, HistoryItem};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::describe::describe;
use gentoo_updater_fleet::inspect::{EventFilter, KnownJobs};
use gentoo_updater_fleet::message::{Envelope, Event};
use gentoo_updater_runtime::stop_on_signals;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::open;
use crate::output;

pub(crate) use arguments::EventsOptions;

/// How long before an event its batch may have been planned. The state knows the jobs of the runs
/// that go on and of the newest others; of an older one they are read.
const LONGEST_RUN: SignedDuration = SignedDuration::from_hours(72);

/// Prints events until the end of the history, or until interrupted.
pub(crate) async fn events(settings: &Arc<Settings>, options: EventsOptions) -> anyhow::Result<u8> {
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone());
    let Some(bus) = open::read_only(settings).await? else {
        if let Some(name) = &options.guest
            && !settings.guests.contains_key(name)
        {
            return Err(guest::unknown(
                name,
                &settings.guests.keys().cloned().collect(),
            ));
        }
        return crate::nothing_kept(settings, false);
    };
    let printed = match &options.guest {
        None => Ok(()),
        Some(guest) => guest::check(settings, &bus, guest).await,
    };
    let printed = match printed {
        Ok(()) => print_all(&bus, &options, &stop).await,
        refused => refused,
    };
    bus.close().await;
    printed?;
    Ok(crate::EXIT_DONE)
}

async fn print_all(
    bus: &Arc<dyn Bus>,
    options: &EventsOptions,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let filter = filter(options, Timestamp::now());
    let mut jobs = KnownJobs::default();
    if filter.since.is_some() {
        // The batches that the events speak of may lie before the first that is read.
        let view = FleetView::follow(bus.clone(), stop.clone()).await?;
        jobs = view.read(KnownJobs::of);
    }
    let end = bus.end().await?;
    let begin = filter.since.map(|since| match filter.needs_jobs() {
        true => since.checked_sub(LONGEST_RUN).unwrap_or(Timestamp::MIN),
        false => since,
    });
    let reader = start::reader(bus.as_ref(), begin, end, options.follow).await?;
    let Some(mut reader) = reader else {
        return Ok(());
    };
    loop {
        let item = tokio::select! {
            item = reader.next() => item?,
            () = stop.cancelled() => return Ok(()),
        };
        let is_last = end.is_none_or(|end| item.offset >= end);
        if let Ok(envelope) = &item.event {
            jobs.learn(&envelope.message);
        }
        if !print(&item, &filter, &jobs, options.json)? || (is_last && !options.follow) {
            return Ok(());
        }
    }
}

fn filter(options: &EventsOptions, now: Timestamp) -> EventFilter {
    // They may be written in any case.
    let is_asked_for = |kind: &&str| {
        let mut asked_for = options.kinds.iter();
        asked_for.any(|asked| asked.eq_ignore_ascii_case(kind))
    };
    let kinds = Event::KEPT_KINDS.into_iter().filter(is_asked_for);
    EventFilter {
        since: options.since.map(|since| since.before(now)),
        run: options.run.clone(),
        guest: options.guest.clone(),
        package: options.package.clone(),
        kinds: kinds.map(str::to_owned).collect(),
    }
}

/// Whether somebody still reads what is printed.
fn print(
    item: &HistoryItem,
    filter: &EventFilter,
    jobs: &KnownJobs,
    json: bool,
) -> anyhow::Result<bool> {
    let line = match &item.event {
        Ok(envelope) if !filter.takes(envelope, jobs) => return Ok(true),
        Ok(envelope) if json => self::json(item.offset, envelope)?,
        Ok(envelope) => text(item.offset, envelope, jobs),
        Err(error) => {
            eprintln!("event {}: {error}", item.offset);
            return Ok(true);
        }
    };
    output::print_line(&line)
}

/// One line for people. What names only a job is told with its package.
fn text(offset: u64, envelope: &Envelope<Event>, jobs: &KnownJobs) -> String {
    let package = jobs.of_event(&envelope.message);
    let package = package.map(|job| format!(" ({})", job.key.cpv));
    let line = format!(
        "{} {offset:>6} {:24} {}{}",
        envelope.at.strftime("%Y-%m-%d %H:%M:%S"),
        envelope.sender.as_str(),
        describe(&envelope.message),
        package.unwrap_or_default()
    );
    output::harmless(&line.replace('\n', " "))
}

fn json(offset: u64, envelope: &Envelope<Event>) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(envelope)?;
    if let Some(object) = value.as_object_mut() {
        object.insert("offset".to_owned(), offset.into());
    }
    Ok(value.to_string())
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::message::{Envelope, Event};

    use super::{KnownJobs, json, text};
    use crate::testing::{body, golden};

    #[test]
    fn an_event_is_one_line_that_names_the_package_of_its_job_and_commands_no_terminal() {
        let decode = |kind| Envelope::<Event>::decode(&body(kind)).unwrap();
        let mut jobs = KnownJobs::default();
        jobs.learn(&decode("BatchPlanned").message);
        let mut paused = decode("PauseRequested");
        if let Event::PauseRequested(pause) = &mut paused.message {
            pause.reason = Some("hot\n\u{1b}[2J".to_owned());
        }
        assert_eq!(
            text(7, &decode("WorkStarted"), &jobs),
            "1970-01-01 00:00:00      7 test@1                   \
             build 60bf7bf32182 (attempt 1) claimed by builder@b1 (dev-libs/libbeta-1.0)"
        );
        assert!(text(8, &paused, &jobs).ends_with("is to pause: hot \u{fffd}[2J"));
    }

    #[test]
    fn an_event_is_the_message_and_its_offset_for_programs() {
        let event = Envelope::<Event>::decode(&body("WorkStarted")).unwrap();
        let line = json(7, &event).unwrap();
        assert!(!line.contains('\n'), "{line}");
        let document: serde_json::Value = serde_json::from_str(&line).unwrap();
        golden("events", &document);
    }
}
