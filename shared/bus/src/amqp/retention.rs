//! Streams that keep something else than the configuration says.
//!
//! The arguments that a stream was declared with stay for as long as it lives. What it really keeps
//! can be changed by a policy, which outranks them; but a policy cannot be seen over this protocol.
//! See <https://www.rabbitmq.com/docs/streams#retention>.

use crate::topology::{Argument, QueueDeclaration};

/// What RabbitMQ says before the value that is in force.
const CURRENT: &str = "but current is ";

/// The declaration with the one value that the broker refused as the broker has it. `None` where
/// the difference is not one that may be, or is not understood.
pub(super) fn as_it_is(tried: &QueueDeclaration, refusal: &str) -> Option<QueueDeclaration> {
    let (_, rest) = refusal.split_once("inequivalent arg '")?;
    let (argument, _) = rest.split_once('\'')?;
    let argument = *tried.tunable.iter().find(|name| **name == argument)?;
    let (_, current) = rest.split_once(CURRENT)?;
    let mut found = tried.clone();
    found.arguments.retain(|(name, _)| *name != argument);
    if let Some(value) = quoted(current) {
        let value = match value.parse() {
            Ok(number) => Argument::Number(number),
            Err(_) => Argument::Text(value.to_owned()),
        };
        found.arguments.push((argument, value));
    }
    (found.arguments != tried.arguments).then_some(found)
}

/// `'1'` and `the value '1' of type 'long'` are a value, `none` is not.
fn quoted(text: &str) -> Option<&str> {
    let (_, value) = text.split_once('\'')?;
    Some(value.split_once('\'')?.0)
}

/// What to say of a queue that was found otherwise, if it was.
pub(super) fn difference(wanted: &QueueDeclaration, found: &QueueDeclaration) -> Option<String> {
    if keeps(wanted) == keeps(found) {
        return None;
    }
    let policy: Vec<String> = tunables(wanted)
        .map(|(name, value)| format!("\"{}\":{}", name.trim_start_matches("x-"), json(value)))
        .collect();
    let (name, keeps_now, is_to_keep) = (&wanted.name, keeps(found), keeps(wanted));
    let policy = policy.join(",");
    Some(format!(
        "the stream {name} was declared to keep {keeps_now}, and the configuration says \
         {is_to_keep}; workers go on with it as it is. To change it: rabbitmqctl set_policy -p VHOST \
         --apply-to queues gentoo-updater-{name} '^{name}$' '{{{policy}}}'. A policy outranks what \
         was declared, but cannot be seen from here: to end this warning, too, write into \
         [history] what the stream was declared with"
    ))
}

fn tunables(queue: &QueueDeclaration) -> impl Iterator<Item = (&'static str, &Argument)> {
    let tunable = queue.tunable.iter();
    tunable
        .filter_map(|name| queue.arguments.iter().find(|(key, _)| key == name))
        .map(|(name, value)| (*name, value))
}

fn keeps(queue: &QueueDeclaration) -> String {
    let kept: Vec<String> = tunables(queue)
        .map(|(name, value)| format!("{}={}", name.trim_start_matches("x-"), json(value)))
        .collect();
    if kept.is_empty() {
        "everything".to_owned()
    } else {
        kept.join(" ")
    }
}

fn json(value: &Argument) -> String {
    match value {
        Argument::Text(text) => format!("\"{text}\""),
        Argument::Number(number) => number.to_string(),
        Argument::Flag(flag) => flag.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{HISTORY, Topology};

    /// As RabbitMQ 3.10 words it.
    const OTHER_AGE: &str = "AMQP soft error: PRECONDITION-FAILED: PRECONDITION_FAILED - inequivalent \
        arg 'x-max-age' for queue 'history' in vhost '/': received '30D' but current is '60D'";
    const OTHER_SIZE: &str = "PRECONDITION_FAILED - inequivalent arg 'x-max-length-bytes' for queue \
        'history' in vhost '/': received '2000000000' but current is the value '7' of type 'long'";
    const NO_AGE: &str = "PRECONDITION_FAILED - inequivalent arg 'x-max-age' for queue 'history' in \
        vhost '/': received the value '30D' of type 'longstr' but current is none";
    const OTHER_TYPE: &str = "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue \
        'history' in vhost '/': received 'stream' but current is 'quorum'";

    fn history() -> QueueDeclaration {
        let queues = Topology::default().queues();
        queues
            .into_iter()
            .find(|queue| queue.name == HISTORY)
            .unwrap()
    }

    #[test]
    fn a_stream_is_taken_as_it_is_where_only_its_retention_differs() {
        let wanted = history();
        assert_eq!(difference(&wanted, &wanted), None);
        let found = as_it_is(&wanted, OTHER_AGE).unwrap();
        let found = as_it_is(&found, OTHER_SIZE).unwrap();
        let said = difference(&wanted, &found).unwrap();
        assert!(
            said.contains("keep max-age=\"60D\" max-length-bytes=7,"),
            "{said}"
        );
        let policy = r#"'{"max-age":"30D","max-length-bytes":2000000000}'"#;
        assert!(said.contains(policy), "{said}");
        let found = as_it_is(&wanted, NO_AGE).unwrap();
        assert!(found.arguments.iter().all(|(name, _)| *name != "x-max-age"));
        assert!(difference(&wanted, &found).is_some());
    }

    #[test]
    fn every_other_difference_and_every_other_wording_is_refused() {
        let wanted = history();
        assert_eq!(as_it_is(&wanted, OTHER_TYPE), None);
        assert_eq!(as_it_is(&wanted, "PRECONDITION_FAILED - no"), None);
        // Declared as it is said to be and refused all the same: not once more.
        let found = as_it_is(&wanted, OTHER_AGE).unwrap();
        assert_eq!(as_it_is(&found, OTHER_AGE), None);
    }
}
