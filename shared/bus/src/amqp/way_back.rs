//! Which dead letters may go back into their queue.
//!
//! A letter goes back in the operator's name, and workers believe the operator. Where each role
//! and each guest has a user of its own, a letter is therefore believed as little as its sender:
//! many users may write to the dead letters, and the queue and the cause in a letter are what its
//! sender says. Only the property `user_id` is checked by the broker.

use gentoo_updater_fleet::authority::{User, may_issue};

use super::incoming::Authority;
use crate::seam::{DeadLetter, NoWayBack};
use crate::topology::{PLAN, is_command_queue, serves};

/// Why a letter cannot go back, if so.
pub(super) fn no_way_back(letter: &DeadLetter, authority: &Authority) -> Option<NoWayBack> {
    obstacle(letter, authority).map(|cause| NoWayBack {
        letter: letter.id.clone(),
        queue: letter.queue.clone(),
        cause,
    })
}

fn obstacle(letter: &DeadLetter, authority: &Authority) -> Option<String> {
    let is_of_planner = letter.queue == PLAN;
    if !is_of_planner && !is_command_queue(&letter.queue) {
        return Some("this is no queue of commands, and not the planner's".to_owned());
    }
    // With one user for all there is nobody to tell from another.
    authority.own()?;
    if is_of_planner {
        // Events go to the planner by what they are, and over the default exchange, which leads
        // into every queue, nobody may write.
        let detail =
            "no user may write to the planner's queue alone; whoever said it says it again";
        return Some(detail.to_owned());
    }
    let find = |name: &Option<String>| authority.find(name.as_deref()?);
    match &letter.buried_by {
        Some(name) => {
            let may = |user: &User| may_issue(user) || serves(user, &letter.queue);
            let is_believed = find(&letter.buried_by).as_ref().is_some_and(may);
            (!is_believed).then(|| format!("user {name} buried it, and does not serve this queue"))
        }
        // The broker moved it as it was, and so its user is whoever sent it.
        None => {
            let is_believed = find(&letter.user).as_ref().is_some_and(may_issue);
            let name = letter.user.as_deref();
            (!is_believed).then(|| match name {
                Some(name) => format!("user {name} sent it, and may order nothing"),
                None => "it names no user who sent it".to_owned(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::authority::Users;
    use jiff::Timestamp;

    use super::*;
    use crate::seam::LetterId;

    fn letter(queue: &str, buried_by: Option<&str>, user: Option<&str>) -> DeadLetter {
        let at = Timestamp::UNIX_EPOCH;
        DeadLetter {
            id: LetterId::of(queue, "cause", at, b"{}"),
            queue: queue.to_owned(),
            cause: "cause".to_owned(),
            at,
            deliveries: None,
            user: user.map(str::to_owned),
            buried_by: buried_by.map(str::to_owned),
            body: b"{}".to_vec(),
        }
    }

    fn operator() -> Authority {
        Authority::new("fleet.operator".to_owned(), Some(Users::new("fleet"))).unwrap()
    }

    #[test]
    fn what_a_user_buried_goes_back_into_a_queue_that_it_serves_and_into_no_other() {
        let operator = operator();
        let goes_back = |queue: &str, user: &str| {
            // What the letter says of its first sender was written by whoever buried it.
            let letter = letter(queue, Some(user), Some("fleet.planner"));
            no_way_back(&letter, &operator).is_none()
        };
        for (queue, server) in [
            ("scan", "fleet.scanner"),
            ("build.amd64", "fleet.builder"),
            ("install.web", "fleet.installer"),
            ("install.web", "fleet.guest.web"),
            ("clean.b1", "fleet.janitor"),
            ("collect.amd64", "fleet.janitor"),
        ] {
            for user in [server, "fleet.planner", "fleet.operator"] {
                assert!(goes_back(queue, user), "{queue} {user}");
            }
        }
        for (queue, user) in [
            ("build.amd64", "fleet.scanner"),
            ("install.web", "fleet.scanner"),
            ("install.web", "fleet.guest.mail"),
            ("scan", "fleet.builder"),
            ("scan", "guest"),
            ("build.", "fleet.builder"),
        ] {
            assert!(!goes_back(queue, user), "{queue} {user}");
        }
    }

    #[test]
    fn what_the_broker_moved_goes_back_if_its_sender_may_order() {
        let operator = operator();
        for (sender, expected) in [
            (Some("fleet.planner"), true),
            (Some("fleet.operator"), true),
            // It may serve the queue, and yet it may put nothing into it.
            (Some("fleet.builder"), false),
            (Some("fleet.guest.web"), false),
            (Some("guest"), false),
            (None, false),
        ] {
            let letter = letter("build.amd64", None, sender);
            let stays = no_way_back(&letter, &operator);
            assert_eq!(stays.is_none(), expected, "{sender:?}");
        }
    }

    #[test]
    fn a_letter_of_the_planner_goes_back_only_where_all_share_a_user() {
        let letter = letter("plan", Some("fleet.planner"), Some("fleet.scanner"));
        let stays = no_way_back(&letter, &operator()).unwrap();
        assert_eq!(
            (stays.letter, stays.queue.as_str()),
            (letter.id.clone(), "plan")
        );
        let shared = Authority::new("fleet".to_owned(), None).unwrap();
        assert!(no_way_back(&letter, &shared).is_none());
    }

    #[test]
    fn with_one_user_for_all_every_command_goes_back_into_its_queue() {
        let shared = Authority::new("fleet".to_owned(), None).unwrap();
        let letter = |queue| letter(queue, None, None);
        assert!(no_way_back(&letter("build.amd64"), &shared).is_none());
        assert!(no_way_back(&letter("history"), &shared).is_some());
    }
}
