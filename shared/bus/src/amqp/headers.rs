//! Headers of messages, in whatever type the broker chose for them.

use lapin::BasicProperties;
use lapin::types::AMQPValue;

/// A header's value.
pub(super) fn header<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
    properties.headers().as_ref()?.inner().get(name)
}

/// A header that is a number and not negative.
pub(super) fn number(properties: &BasicProperties, name: &str) -> Option<u64> {
    match header(properties, name)? {
        AMQPValue::LongLongInt(value) => u64::try_from(*value).ok(),
        AMQPValue::LongInt(value) => u64::try_from(*value).ok(),
        AMQPValue::LongUInt(value) => Some(u64::from(*value)),
        AMQPValue::ShortInt(value) => u64::try_from(*value).ok(),
        AMQPValue::ShortUInt(value) => Some(u64::from(*value)),
        AMQPValue::ShortShortInt(value) => u64::try_from(*value).ok(),
        AMQPValue::ShortShortUInt(value) => Some(u64::from(*value)),
        _ => None,
    }
}

/// A header that is a text.
pub(super) fn text(properties: &BasicProperties, name: &str) -> Option<String> {
    text_of(header(properties, name)?)
}

/// A value that is a text.
pub(super) fn text_of(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

/// How often a message was delivered, this time included. Brokers up to 4.2 count in one header
/// and not at the first time, later ones in another; the larger one is right on all of them.
pub(super) fn deliveries(properties: &BasicProperties) -> u64 {
    let counted = ["x-delivery-count", "x-acquired-count"]
        .into_iter()
        .filter_map(|name| number(properties, name));
    counted.max().unwrap_or(0).saturating_add(1)
}
