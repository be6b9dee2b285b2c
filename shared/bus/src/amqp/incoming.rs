//! What becomes of a delivery: decoded, and checked who says it.
//!
//! The property `user_id` is no claim of the sender: the broker closes the channel of whoever
//! names another user (<https://www.rabbitmq.com/docs/validated-user-id>). It does not ask for the
//! property, though, and whether a user may say this is for the readers to check.
//!
//! **Invariant:** the verdict depends on the delivery and on nothing else, so all readers of the
//! history agree.

use gentoo_updater_fleet::authority::{
    Overstep, User, Users, may_keep_snapshots, may_order, may_say,
};
use gentoo_updater_fleet::message::{Command, Envelope, Event, Role};
use lapin::message::Delivery;

use super::snapshots::KIND as SNAPSHOT;
use crate::seam::BusError;
use crate::topology::{routing_key, serves};
use crate::unusable::{Refused, Unusable};

/// Who this process is on the broker, and what it believes of others.
#[derive(Debug, Clone)]
pub(super) struct Authority {
    name: String,
    /// Absent where all workers share one user.
    separate: Option<Separate>,
}

#[derive(Debug, Clone)]
struct Separate {
    users: Users,
    own: User,
}

impl Authority {
    /// For the process that logs in under this name.
    pub(super) fn new(name: String, users: Option<Users>) -> Result<Self, BusError> {
        let separate = match users {
            None => None,
            Some(users) => match users.find(&name) {
                Some(own) => Some(Separate { users, own }),
                None => return Err(wrong_user(&Refused::Stranger { user: name })),
            },
        };
        Ok(Self { name, separate })
    }

    /// The name that the broker knows this process by.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its own user, where it has one of its own.
    pub(super) fn own(&self) -> Option<&User> {
        self.separate.as_ref().map(|separate| &separate.own)
    }

    /// Whether it declares exchanges and queues. Where each role has a user of its own, only the
    /// planner and an operator may.
    pub(super) fn declares(&self) -> bool {
        let roles = [Role::Planner, Role::Operator].map(User::Role);
        self.own().is_none_or(|own| roles.contains(own))
    }

    /// Who has this name among users that are separate; `None` for a stranger, and where all share
    /// one.
    pub(super) fn find(&self, name: &str) -> Option<User> {
        self.separate.as_ref()?.users.find(name)
    }

    /// Whether it may publish dead letters. A guest's user may not: it could say of them what it
    /// likes, and an operator would put them back into any queue.
    pub(super) fn buries(&self) -> bool {
        !matches!(self.own(), Some(User::Guest(_)))
    }

    /// An event out of a delivery.
    pub(super) fn event(&self, delivery: &Delivery) -> Result<Envelope<Event>, Unusable> {
        let envelope: Envelope<Event> = Envelope::decode(&delivery.data)?;
        if let Some(Separate { users, .. }) = &self.separate {
            let kind = envelope.message.kind();
            let (name, user) = sender(users, delivery, kind)?;
            check_event(name, &user, &envelope)?;
            if delivery.routing_key.as_str() != routing_key(&envelope) {
                return Err(Unusable::Refused(Refused::Misrouted {
                    user: name.to_owned(),
                    kind,
                    key: delivery.routing_key.to_string(),
                }));
            }
        }
        Ok(envelope)
    }

    /// A command out of a delivery.
    pub(super) fn command(&self, delivery: &Delivery) -> Result<Envelope<Command>, Unusable> {
        let envelope: Envelope<Command> = Envelope::decode(&delivery.data)?;
        if let Some(Separate { users, .. }) = &self.separate {
            let (name, user) = sender(users, delivery, envelope.message.kind())?;
            may_order(&user, &envelope).map_err(overstepped(name))?;
        }
        Ok(envelope)
    }

    /// Whether a snapshot is the planner's. Whoever could leave others a state of his own making
    /// could say everything.
    pub(super) fn snapshot(&self, delivery: &Delivery) -> Result<(), Refused> {
        if let Some(Separate { users, .. }) = &self.separate {
            let (name, user) = sender(users, delivery, SNAPSHOT)?;
            may_keep_snapshots(&user).map_err(overstepped(name))?;
        }
        Ok(())
    }

    /// Whether others will believe this event. A process with the URL of another role is found
    /// out before it says anything.
    pub(super) fn may_say(&self, event: &Envelope<Event>) -> Result<(), BusError> {
        match &self.separate {
            Some(Separate { own, .. }) => {
                check_event(&self.name, own, event).map_err(|refused| wrong_user(&refused))
            }
            None => Ok(()),
        }
    }

    /// Whether others will believe this command.
    pub(super) fn may_order(&self, command: &Envelope<Command>) -> Result<(), BusError> {
        match &self.separate {
            Some(Separate { own, .. }) => may_order(own, command)
                .map_err(overstepped(&self.name))
                .map_err(|refused| wrong_user(&refused)),
            None => Ok(()),
        }
    }
}

fn wrong_user(refused: &Refused) -> BusError {
    BusError::WrongUser {
        detail: refused.to_string(),
    }
}

fn sender<'a>(
    users: &Users,
    delivery: &'a Delivery,
    kind: &'static str,
) -> Result<(&'a str, User), Refused> {
    let Some(name) = delivery.properties.user_id() else {
        return Err(Refused::Anonymous { kind });
    };
    let stranger = || Refused::Stranger {
        user: name.to_string(),
    };
    Ok((
        name.as_str(),
        users.find(name.as_str()).ok_or_else(stranger)?,
    ))
}

fn overstepped(name: &str) -> impl Fn(Overstep) -> Refused {
    move |overstep| Refused::Overstepped {
        user: name.to_owned(),
        overstep,
    }
}

fn check_event(name: &str, user: &User, event: &Envelope<Event>) -> Result<(), Refused> {
    may_say(user, event).map_err(overstepped(name))?;
    // Work that somebody is believed to serve is waited for.
    let Event::WorkerRegistered(registered) = &event.message else {
        return Ok(());
    };
    let mut queues = registered.queues.iter();
    match queues.find(|queue| !serves(user, queue)) {
        Some(queue) => Err(Refused::Queue {
            user: name.to_owned(),
            queue: queue.clone(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::message::{PlannerAlive, WorkerRegistered};
    use gentoo_updater_fleet::name::RunId;
    use lapin::BasicProperties;

    use super::*;
    use crate::testing::{run_requested, scan_command};

    fn authority(name: &str) -> Result<Authority, BusError> {
        Authority::new(name.to_owned(), Some(Users::new("fleet")))
    }

    fn delivery(user: Option<&str>, key: &str, body: Vec<u8>) -> Delivery {
        let mut delivery = Delivery::mock(1, "".into(), key.into(), false, body);
        let properties = BasicProperties::default();
        delivery.properties = match user {
            Some(user) => properties.with_user_id(user.into()),
            None => properties,
        };
        delivery
    }

    fn registered(queue: &str) -> Envelope<Event> {
        let worker: gentoo_updater_fleet::name::WorkerId = "installer@agent.web".parse().unwrap();
        let event = Event::WorkerRegistered(WorkerRegistered {
            worker: worker.clone(),
            role: Role::Installer,
            queues: vec![queue.to_owned()],
            machine: None,
        });
        Envelope::new(worker, jiff::Timestamp::UNIX_EPOCH, event)
    }

    #[test]
    fn a_message_without_user_by_a_stranger_or_beyond_its_user_is_refused_with_the_cause() {
        let reader = authority("fleet.planner").unwrap();
        let event = run_requested(RunId::generate());
        let (key, body) = (routing_key(&event), event.encode().unwrap());
        let verdict = |user: Option<&str>| {
            let unusable = reader.event(&delivery(user, &key, body.clone()));
            unusable.map_err(|unusable| unusable.to_string())
        };
        assert_eq!(verdict(Some("fleet.operator")), Ok(event));
        for (user, cause) in [
            (None, "refused: a RunRequested that no user stands for"),
            (Some("guest"), "refused: user guest is none of this fleet"),
            (
                Some("fleet.guest.web"),
                "refused: user fleet.guest.web may not say RunRequested",
            ),
        ] {
            assert_eq!(verdict(user).unwrap_err(), cause);
        }
    }

    #[test]
    fn an_event_under_the_key_of_another_is_refused() {
        let reader = authority("fleet.planner").unwrap();
        let body = run_requested(RunId::generate()).encode().unwrap();
        // Under this key it would wake the planner and never come to the history.
        let sent = delivery(Some("fleet.operator"), "alive.worker.x", body);
        let unusable = reader.event(&sent).unwrap_err();
        assert!(
            unusable.to_string().contains("alive.worker.x"),
            "{unusable}"
        );
    }

    #[test]
    fn who_registers_for_a_queue_that_is_not_its_own_is_refused() {
        let reader = authority("fleet.planner").unwrap();
        for (queue, is_its_own) in [
            ("install.web", true),
            ("install.mail", false),
            ("build.amd64", false),
        ] {
            let event = registered(queue);
            let sent = delivery(
                Some("fleet.guest.web"),
                &routing_key(&event),
                event.encode().unwrap(),
            );
            assert_eq!(reader.event(&sent).is_ok(), is_its_own, "{queue}");
        }
    }

    #[test]
    fn a_command_is_believed_of_the_planner_and_the_operator() {
        let reader = authority("fleet.scanner").unwrap();
        let body = scan_command(RunId::generate(), 1).encode().unwrap();
        for (user, is_believed) in [
            (Some("fleet.planner"), true),
            (Some("fleet.operator"), true),
            (Some("fleet.scanner"), false),
            (Some("fleet.guest.web"), false),
            (Some("guest"), false),
            (None, false),
        ] {
            let sent = delivery(user, "scan", body.clone());
            assert_eq!(reader.command(&sent).is_ok(), is_believed, "{user:?}");
        }
    }

    #[test]
    fn with_one_user_for_all_nobody_is_asked() {
        let reader = Authority::new("fleet".to_owned(), None).unwrap();
        let body = run_requested(RunId::generate()).encode().unwrap();
        reader.event(&delivery(None, "any", body)).unwrap();
        let body = scan_command(RunId::generate(), 1).encode().unwrap();
        reader.command(&delivery(None, "any", body)).unwrap();
        assert!(reader.declares() && reader.buries());
    }

    #[test]
    fn a_process_with_the_url_of_another_role_says_nothing() {
        let beat = Envelope::new(
            "planner@1".parse().unwrap(),
            jiff::Timestamp::UNIX_EPOCH,
            Event::PlannerAlive(PlannerAlive {
                worker: "planner@1".parse().unwrap(),
                beat: 1,
            }),
        );
        authority("fleet.planner").unwrap().may_say(&beat).unwrap();
        let builder = authority("fleet.builder").unwrap();
        let error = builder.may_say(&beat).unwrap_err();
        assert!(matches!(error, BusError::WrongUser { .. }), "{error}");
        let order = scan_command(RunId::generate(), 1);
        builder.may_order(&order).unwrap_err();
        authority("guest").unwrap_err();
    }
}
