//! The URL of the broker in parts, for whoever makes another of it.

use super::parse;
use crate::seam::BusError;

/// Whether a URL can be one of a broker. Nothing is connected to.
///
/// # Errors
/// [`BusError::Url`], which shows nothing of it.
pub fn check_url(url: &str) -> Result<(), BusError> {
    parse(url).map(|_| ())
}

/// The vhost that a URL names.
///
/// # Errors
/// [`BusError::Url`].
pub fn vhost_of(url: &str) -> Result<String, BusError> {
    Ok(parse(url)?.vhost)
}

/// The same URL for another user. The parts are taken as they are and need no escape: names are
/// letters, digits, `-`, `_` and `.`, and so are the passwords.
///
/// # Errors
/// [`BusError::Url`].
pub fn url_for(url: &str, user: &str, password: &str) -> Result<String, BusError> {
    parse(url)?;
    let (scheme, rest) = url.split_once("://").unwrap_or(("amqp", url));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    Ok(format!("{scheme}://{user}:{password}@{host}{path}"))
}

/// The password in a URL.
///
/// # Errors
/// [`BusError::Url`].
pub fn password_of(url: &str) -> Result<String, BusError> {
    Ok(parse(url)?.authority.userinfo.password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_user_of_a_url_changes() {
        for (url, expected) in [
            (
                "amqps://mq.example.net/fleet",
                "amqps://u:p@mq.example.net/fleet",
            ),
            (
                "amqp://old:s%40e@h:5673/%2f?heartbeat=5",
                "amqp://u:p@h:5673/%2f?heartbeat=5",
            ),
            ("amqp://old@h", "amqp://u:p@h"),
        ] {
            let url = url_for(url, "u", "p").unwrap();
            assert_eq!(url, expected);
            assert_eq!(password_of(&url).unwrap(), "p");
        }
        url_for("http://h", "u", "p").unwrap_err();
        let error = check_url("amqp://user:hunter2@mq:5672x/fleet").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn a_vhost_is_read_from_its_url() {
        for (url, vhost) in [
            ("amqp://h/fleet", "fleet"),
            ("amqp://h/%2f", "/"),
            ("amqp://h", "/"),
        ] {
            assert_eq!(vhost_of(url).unwrap(), vhost);
        }
    }
}
