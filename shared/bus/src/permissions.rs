//! What each user may do on the broker: the least that its work takes.
//!
//! A permission is three regular expressions over the names of queues and exchanges (configure,
//! write, read), and a topic permission two more over the routing keys of one exchange. See
//! <https://www.rabbitmq.com/docs/access-control#authorisation> for which operation takes which.
//!
//! **Invariant:** nobody may write to the default exchange: it leads into every queue by its name.
//!
//! What a broker cannot check this way the readers check, see `fleet`'s `authority`. That also
//! covers CC and BCC headers, which pass by topic permissions: they lead to whatever is bound to
//! the exchange of the events, and that is read by those only who check.

use gentoo_updater_fleet::authority::{ROLES, User, agent_instance};
use gentoo_updater_fleet::message::Role;
use gentoo_updater_fleet::name::GuestName;

use crate::topology::{
    COMMANDS, DEAD, DEAD_LETTERS, DEAD_LOCK, EVENTS, HISTORY, PLAN, SCAN, SNAPSHOTS,
    SNAPSHOTS_EXCHANGE, install_queue,
};

/// What one user may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Whose they are.
    pub user: User,
    /// What it may declare and delete.
    pub configure: String,
    /// Where it may publish, and which queues it may bind.
    pub write: String,
    /// What it may consume, and which exchanges it may bind to.
    pub read: String,
    /// The routing keys that it may publish to [`EVENTS`] with.
    pub topic_write: String,
    /// The binding keys that it may bind to [`EVENTS`] with.
    pub topic_read: String,
}

/// Matches no name.
const NOTHING: &str = "^$";
/// The queues of commands that stand for a machine each.
const OF_MACHINES: &str = r"(build|install|clean|collect)\..+";
/// Queues whose name the broker chooses, for signs of life.
const UNNAMED: &str = r"amq\.gen.+";

/// The users of a fleet with these guests, the roles first.
pub fn users<'a>(guests: impl IntoIterator<Item = &'a GuestName>) -> Vec<User> {
    let guests = guests.into_iter().cloned().map(User::Guest);
    ROLES.map(User::Role).into_iter().chain(guests).collect()
}

impl Permissions {
    /// Those of a user.
    pub fn of(user: User) -> Self {
        let (configure, write, read) = match &user {
            User::Role(Role::Planner) => planner(),
            User::Role(Role::Operator) => operator(),
            User::Role(Role::Scanner) => worker(SCAN),
            User::Role(Role::Builder) => worker(r"build\..+"),
            User::Role(Role::Installer) => worker(r"install\..+"),
            User::Role(Role::Janitor) => worker(r"(clean|collect)\..+"),
            User::Role(Role::Scheduler | Role::Notifier) => follower(),
            User::Guest(guest) => (
                NOTHING.to_owned(),
                any_of(&[&literal(EVENTS)]),
                any_of(&[&literal(&install_queue(guest))]),
            ),
        };
        let topic_read = match &user {
            // Bindings of the topology, and of one's own listening for signs of life.
            User::Role(Role::Planner | Role::Operator) => r"^(event|alive)\.",
            _ => NOTHING,
        };
        Self {
            topic_write: topic_write(&user),
            topic_read: topic_read.to_owned(),
            user,
            configure,
            write,
            read,
        }
    }
}

/// It declares everything. To declare a queue with dead letters takes reading that queue and
/// writing to the exchange of the dead letters; to bind one takes writing to it.
fn planner() -> (String, String, String) {
    let (exchanges, dead) = (exchanges(), literal(DEAD));
    let queues = [HISTORY, SNAPSHOTS, PLAN, SCAN, OF_MACHINES];
    let read = any_of(&[&[exchanges.as_str()], &queues[..]].concat());
    let all = any_of(&[&[exchanges.as_str(), &dead], &queues[..]].concat());
    (all.clone(), all, read)
}

/// Declares everything, too, and looks into everything. The state of the fleet is not his to say.
fn operator() -> (String, String, String) {
    let (exchanges, lock) = (exchanges(), literal(DEAD_LOCK));
    let queues = [HISTORY, SNAPSHOTS, PLAN, SCAN, DEAD, OF_MACHINES, UNNAMED];
    let all = any_of(&[&[exchanges.as_str(), &lock], &queues[..]].concat());
    let written = [EVENTS, COMMANDS, DEAD_LETTERS].map(literal);
    let written: Vec<&str> = written.iter().map(String::as_str).collect();
    let write = any_of(&[&written[..], &queues[..]].concat());
    (all.clone(), write, all)
}

fn worker(queue: &str) -> (String, String, String) {
    (
        NOTHING.to_owned(),
        any_of(&[&literal(EVENTS), &literal(DEAD_LETTERS)]),
        any_of(&[HISTORY, SNAPSHOTS, queue]),
    )
}

/// It takes no commands, and so it has none to refuse.
fn follower() -> (String, String, String) {
    (
        NOTHING.to_owned(),
        any_of(&[&literal(EVENTS)]),
        any_of(&[HISTORY, SNAPSHOTS]),
    )
}

fn exchanges() -> String {
    [EVENTS, COMMANDS, DEAD_LETTERS, SNAPSHOTS_EXCHANGE]
        .map(literal)
        .join("|")
}

fn any_of(patterns: &[&str]) -> String {
    format!("^({})$", patterns.join("|"))
}

/// Names are made of letters, digits, `-`, `_`, `.` and `@`.
fn literal(name: &str) -> String {
    name.replace('.', r"\.")
}

/// `event.<kind>.<run or none>` of the kinds that it says, and `alive.<planner or worker>.<id>`.
fn topic_write(user: &User) -> String {
    let events = format!(r"event\.({})\.[^.]+", kinds(user).join("|"));
    match user {
        User::Role(Role::Operator) => any_of(&[&events]),
        User::Role(Role::Planner) => any_of(&[&events, r"alive\.(planner|worker)\.planner@.+"]),
        User::Role(role) => any_of(&[&events, &format!(r"alive\.worker\.{role}@.+")]),
        User::Guest(guest) => {
            let own = literal(&agent_instance(guest));
            let alive = format!(r"alive\.worker\.{}@{own}", Role::Installer);
            any_of(&[&events, &alive])
        }
    }
}

/// The kinds of events that it says beside signs of life.
fn kinds(user: &User) -> Vec<&'static str> {
    let of_workers = ["WorkStarted", "WorkerRegistered", "WorkerPaused"];
    let results: &[&str] = match user.role() {
        Role::Planner => {
            return vec![
                "CommandIssued",
                "BatchPlanned",
                "TaskAbandoned",
                "WaveEnded",
                "GuestsLeftOut",
                "RunFinished",
                "RunRequested",
                "WorkerRegistered",
            ];
        }
        Role::Notifier => return vec!["WorkerRegistered"],
        Role::Scheduler => {
            return vec![
                "RunRequested",
                "ScheduleAdopted",
                "OccurrencesMissed",
                "WorkerRegistered",
            ];
        }
        Role::Operator => {
            return vec![
                "RunRequested",
                "RetryRequested",
                "PauseRequested",
                "ResumeRequested",
                "HoldRequested",
                "ApprovalGiven",
                "GuestRolledBack",
            ];
        }
        Role::Scanner => &["GuestScanned", "ScanFailed"],
        Role::Builder => &[
            "StoreSearched",
            "SearchFailed",
            "PackageBuilt",
            "BuildFailed",
            "DurationsLearned",
        ],
        Role::Installer => &["GuestUpdated", "InstallFailed"],
        Role::Janitor => &[
            "BuilderSynced",
            "SyncFailed",
            "BuilderCleaned",
            "CleanFailed",
            "StoreCollected",
            "CollectFailed",
        ],
    };
    [results, &of_workers].concat()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gentoo_updater_fleet::authority::says_such;
    use gentoo_updater_fleet::message::{Envelope, Event};

    use super::*;

    fn all() -> Vec<Permissions> {
        let guests: Vec<GuestName> = ["web", "a.example.org"].map(|g| g.parse().unwrap()).into();
        users(&guests).into_iter().map(Permissions::of).collect()
    }

    #[test]
    fn routing_keys_allow_the_kinds_that_readers_believe_and_no_others() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fleet/tests/golden");
        let mut seen = 0;
        for file in std::fs::read_dir(golden).unwrap() {
            let body = std::fs::read(file.unwrap().path()).unwrap();
            let Ok(envelope) = Envelope::<Event>::decode(&body) else {
                continue;
            };
            let event = envelope.message;
            if event.is_alive() {
                continue;
            }
            seen += 1;
            for Permissions { user, .. } in all() {
                let is_allowed = kinds(&user).contains(&event.kind());
                assert_eq!(
                    is_allowed,
                    says_such(&user, &event),
                    "{user} {}",
                    event.kind()
                );
            }
        }
        assert_eq!(seen, Event::KEPT_KINDS.len(), "a kind has no golden file");
    }

    #[test]
    fn a_guest_reads_its_own_queue_and_says_what_an_installer_says_and_that_is_all() {
        let guest = Permissions::of(User::Guest("a.example.org".parse().unwrap()));
        let written = Permissions {
            user: guest.user.clone(),
            configure: "^$".to_owned(),
            write: r"^(gentoo-updater\.events)$".to_owned(),
            read: r"^(install\.a\.example\.org)$".to_owned(),
            topic_write: r"^(event\.(GuestUpdated|InstallFailed|WorkStarted|WorkerRegistered|WorkerPaused)\.[^.]+|alive\.worker\.installer@agent\.a\.example\.org)$".to_owned(),
            topic_read: "^$".to_owned(),
        };
        assert_eq!(guest, written);
    }

    #[test]
    fn only_planner_and_operator_declare_and_every_expression_is_anchored() {
        for permissions in all() {
            let declares = permissions.configure != NOTHING;
            let roles = [Role::Planner, Role::Operator].map(User::Role);
            assert_eq!(declares, roles.contains(&permissions.user));
            for expression in [
                &permissions.configure,
                &permissions.write,
                &permissions.read,
                &permissions.topic_write,
            ] {
                assert!(expression.starts_with('^') && expression.ends_with('$'));
            }
        }
    }
}
