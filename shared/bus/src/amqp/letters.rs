//! Dead letters as they are read.

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};

use super::dead::{CAUSE, DELIVERIES, QUEUE, TIME, USER};
use super::headers::{header, number, text, text_of};
use crate::seam::{DeadLetter, LetterId};

/// Reads a dead letter, whoever put it there: a worker says why in headers of this project, the
/// broker in its own.
pub(super) fn letter(delivery: &Delivery) -> DeadLetter {
    let properties = &delivery.properties;
    let user = properties.user_id().as_ref().map(ToString::to_string);
    let of_broker =
        || by_broker(properties).map(|(queue, cause, at)| (queue, cause, at, user.clone()));
    let sent_at = || {
        let seconds = (*properties.timestamp())?;
        Timestamp::from_second(i64::try_from(seconds).ok()?).ok()
    };
    let (queue, cause, at, sender) =
        by_worker(properties).or_else(of_broker).unwrap_or_else(|| {
            let queue = delivery.routing_key.to_string();
            let cause = "whoever put it here said no cause".to_owned();
            (queue, cause, sent_at().unwrap_or_default(), user.clone())
        });
    DeadLetter {
        id: LetterId::of(&queue, &cause, at, &delivery.data),
        queue,
        cause,
        at,
        deliveries: number(properties, DELIVERIES),
        buried_by: by_worker(properties).and(user),
        user: sender,
        body: delivery.data.clone(),
    }
}

type Origin = (String, String, Timestamp, Option<String>);

fn by_worker(properties: &BasicProperties) -> Option<Origin> {
    let cause = text(properties, CAUSE)?;
    let queue = text(properties, QUEUE)?;
    let at = text(properties, TIME)?.parse().ok()?;
    // Where no user stands for the letter, nobody has said who had sent the message.
    let sender = properties.user_id().as_ref();
    let sender = sender.and_then(|_| text(properties, USER));
    Some((queue, cause, at, sender))
}

/// From the newest entry of `x-death`, see <https://www.rabbitmq.com/docs/dlx#effects>.
fn by_broker(properties: &BasicProperties) -> Option<(String, String, Timestamp)> {
    let AMQPValue::FieldArray(deaths) = header(properties, "x-death")? else {
        return None;
    };
    let AMQPValue::FieldTable(death) = deaths.as_slice().first()? else {
        return None;
    };
    let said = |name: &str| text_of(death.inner().get(name)?);
    let queue = said("queue")?;
    Some((
        queue,
        in_words(&said("reason")?),
        time(death).unwrap_or_default(),
    ))
}

fn time(death: &FieldTable) -> Option<Timestamp> {
    match death.inner().get("time")? {
        AMQPValue::Timestamp(seconds) => Timestamp::from_second(i64::try_from(*seconds).ok()?).ok(),
        _ => None,
    }
}

fn in_words(reason: &str) -> String {
    match reason {
        "delivery_limit" => {
            "it was delivered as often as its queue allows and never settled: whoever takes it may \
             die of it"
        }
        "expired" => "nobody took it before it expired",
        "rejected" => "a reader refused it and said no cause",
        "maxlen" => "its queue was full",
        other => return format!("the broker took it off its queue: {other}"),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use lapin::types::FieldArray;

    use super::*;

    fn delivery(properties: BasicProperties) -> Delivery {
        let (exchange, key) = ("gentoo-updater.dead".into(), "scan".into());
        let mut delivery = Delivery::mock(1, exchange, key, false, b"{}".to_vec());
        delivery.properties = properties;
        delivery
    }

    fn died(reason: &str) -> BasicProperties {
        let mut death = FieldTable::default();
        death.insert("count".into(), AMQPValue::LongLongInt(1));
        death.insert("queue".into(), AMQPValue::LongString("install.g1".into()));
        death.insert("reason".into(), AMQPValue::LongString(reason.into()));
        death.insert("time".into(), AMQPValue::Timestamp(1_795_656_924));
        let mut headers = FieldTable::default();
        let deaths = FieldArray::from(vec![AMQPValue::FieldTable(death)]);
        headers.insert("x-death".into(), AMQPValue::FieldArray(deaths));
        // Of the queue of the dead letters, and no matter of the letter.
        headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(3));
        BasicProperties::default()
            .with_headers(headers)
            .with_user_id("planner".into())
    }

    #[test]
    fn what_the_broker_made_a_dead_letter_says_why_in_words() {
        let letter = letter(&delivery(died("delivery_limit")));
        assert_eq!(letter.queue, "install.g1");
        assert!(letter.cause.contains("never settled"), "{}", letter.cause);
        assert_eq!(letter.at.as_second(), 1_795_656_924);
        assert_eq!(letter.deliveries, None);
        assert_eq!(letter.user.as_deref(), Some("planner"));
        assert_eq!(letter.buried_by, None);
        for (reason, words) in [
            ("expired", "expired"),
            ("rejected", "refused"),
            ("maxlen", "full"),
            ("news", "news"),
        ] {
            let letter = super::letter(&delivery(died(reason)));
            assert!(letter.cause.contains(words), "{}", letter.cause);
        }
    }

    #[test]
    fn a_sender_that_an_unnamed_user_tells_of_is_not_believed() {
        let mut headers = FieldTable::default();
        for (name, text) in [
            (CAUSE, "because"),
            (QUEUE, "scan"),
            (TIME, "2026-01-01T00:00:00Z"),
            (USER, "planner"),
        ] {
            headers.insert(name.into(), AMQPValue::LongString(text.into()));
        }
        let unnamed = BasicProperties::default().with_headers(headers);
        let named = unnamed.clone().with_user_id("scanner".into());
        let unnamed = letter(&delivery(unnamed));
        assert_eq!((unnamed.user, unnamed.buried_by), (None, None));
        let named = letter(&delivery(named));
        assert_eq!(named.user.as_deref(), Some("planner"));
        assert_eq!(named.buried_by.as_deref(), Some("scanner"));
    }

    #[test]
    fn a_message_that_somebody_put_there_by_hand_is_a_letter_too() {
        let letter = letter(&delivery(BasicProperties::default().with_timestamp(7)));
        assert_eq!((letter.queue.as_str(), letter.at.as_second()), ("scan", 7));
        assert!(!letter.cause.is_empty());
    }
}
