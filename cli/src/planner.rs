//! Whether a planner lives, where the roles are processes of their own: without one nothing goes on,
//! and nobody else says so.

use std::time::Duration;

use gentoo_updater_bus::{Alive, Bus, BusError, Health};
use gentoo_updater_fleet::message::Event;
use gentoo_updater_planner::BEAT;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

/// For how long no planner is heard before whoever follows a run is told: one that has just come up
/// reads the history first, and the next one takes over within this time when the first is gone.
const SILENT_AFTER: Duration = BEAT.saturating_mul(8);
/// For how long is listened at most where an answer is waited for.
const LISTEN: Duration = BEAT.saturating_mul(3);

/// Whether a planner is heard within three of its beats; ends with the first.
pub(crate) async fn is_heard(bus: &dyn Bus) -> Result<bool, BusError> {
    let mut alive = bus.alive().await?;
    let heard = timeout(LISTEN, next_beat(alive.as_mut())).await;
    heard.map_or(Ok(false), |heard| heard.map(|()| true))
}

/// What to say where [`is_heard`] is not so.
pub(crate) fn nobody_heard() -> String {
    silence(LISTEN)
}

/// Waits until a planner says that it lives.
async fn next_beat(alive: &mut dyn Alive) -> Result<(), BusError> {
    loop {
        if let Event::PlannerAlive(_) = alive.next().await?.message {
            return Ok(());
        }
    }
}

fn silence(length: Duration) -> String {
    format!(
        "No planner has been heard for {} s, and nothing goes on without one: start \
         gentoo-updater-planner.",
        length.as_secs()
    )
}

/// Listens for planners while a run is followed.
pub(crate) struct PlannerWatch {
    /// Absent where the planner is in this process, or in the one that is followed.
    signs: Option<Signs>,
}

struct Signs {
    alive: Box<dyn Alive>,
    health: watch::Receiver<Health>,
    heard: Instant,
    is_told: bool,
}

impl PlannerWatch {
    /// Where nobody has to be listened for.
    pub(crate) fn unneeded() -> Self {
        Self { signs: None }
    }

    /// Listens from now on.
    pub(crate) async fn start(bus: &dyn Bus) -> Result<Self, BusError> {
        let signs = Signs {
            alive: bus.alive().await?,
            health: bus.health(),
            heard: Instant::now(),
            is_told: false,
        };
        Ok(Self { signs: Some(signs) })
    }

    /// The next thing that is to be said: that no planner is heard, once, or that one is heard again.
    /// It may be cancelled and called again.
    pub(crate) async fn next_words(&mut self) -> Result<String, BusError> {
        match &mut self.signs {
            Some(signs) => signs.next_words().await,
            None => std::future::pending().await,
        }
    }
}

impl Signs {
    async fn next_words(&mut self) -> Result<String, BusError> {
        loop {
            let beat = next_beat(self.alive.as_mut());
            let heard = if self.is_told {
                Ok(beat.await)
            } else {
                timeout_at(self.heard + SILENT_AFTER, beat).await
            };
            let length = self.heard.elapsed();
            match heard {
                Ok(beat) => {
                    beat?;
                    self.heard = Instant::now();
                    if std::mem::take(&mut self.is_told) {
                        return Ok("A planner is heard again.".to_owned());
                    }
                }
                // A broker that is away or takes nothing passes no signs on, whoever lives.
                Err(_) if *self.health.borrow() != Health::Good => self.heard = Instant::now(),
                Err(_) => {
                    self.is_told = true;
                    return Ok(silence(length));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use gentoo_updater_fleet::message::Envelope;
    use tokio::sync::mpsc;
    use tokio::time::sleep;

    use super::*;
    use crate::testing::{event, now};

    struct Channel(mpsc::UnboundedReceiver<Envelope<Event>>);

    #[async_trait]
    impl Alive for Channel {
        async fn next(&mut self) -> Result<Envelope<Event>, BusError> {
            self.0.recv().await.ok_or(BusError::Closed)
        }
    }

    struct Scene {
        say: mpsc::UnboundedSender<Envelope<Event>>,
        health: watch::Sender<Health>,
        watch: PlannerWatch,
    }

    impl Scene {
        fn new() -> Self {
            let (say, heard) = mpsc::unbounded_channel();
            let (health, told) = watch::channel(Health::Good);
            let signs = Signs {
                alive: Box::new(Channel(heard)),
                health: told,
                heard: Instant::now(),
                is_told: false,
            };
            let watch = PlannerWatch { signs: Some(signs) };
            Self { say, health, watch }
        }

        fn hear(&self, kind: &str) {
            let sender = "test@1".parse().unwrap();
            self.say
                .send(Envelope::new(sender, now(), event(kind)))
                .unwrap();
        }

        /// What is said within this time.
        async fn words_within(&mut self, time: Duration) -> Option<String> {
            timeout(time, self.watch.next_words())
                .await
                .ok()
                .map(Result::unwrap)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_planner_that_is_silent_is_told_of_once_and_its_return_too() {
        let mut scene = Scene::new();
        let minute = Duration::from_secs(60);
        sleep(SILENT_AFTER / 2).await;
        scene.hear("PlannerAlive");
        assert_eq!(scene.words_within(SILENT_AFTER / 2).await, None);
        // Signs of others are none of a planner.
        scene.hear("WorkerAlive");
        let words = scene.words_within(minute).await.unwrap();
        assert!(
            words.contains("for 16 s") && words.contains("start gentoo-updater-planner"),
            "{words}"
        );
        assert_eq!(scene.words_within(minute).await, None);
        scene.hear("PlannerAlive");
        let words = scene.words_within(minute).await.unwrap();
        assert!(words.contains("heard again"), "{words}");
        assert!(scene.words_within(minute).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_broker_takes_nothing_no_planner_is_blamed() {
        let mut scene = Scene::new();
        let minute = Duration::from_secs(60);
        let blocked = Health::Blocked("low on memory".to_owned());
        scene.health.send_replace(blocked);
        assert_eq!(scene.words_within(minute).await, None);
        scene.health.send_replace(Health::Good);
        assert!(scene.words_within(minute).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn in_one_process_nobody_is_listened_for() {
        let mut watch = PlannerWatch::unneeded();
        let words = timeout(Duration::from_secs(3600), watch.next_words()).await;
        assert!(words.is_err());
    }
}
