//! The file of one user: its `broker.url` as a variable of the environment, for systemd
//! (`EnvironmentFile=`), containers (`--env-file`) and shells.

use anyhow::Context as _;
use gentoo_updater_bus::amqp::{password_of, url_for};
use gentoo_updater_fleet::authority::{User, Users};
use gentoo_updater_hosts::quote;

use super::password::Password;

const VARIABLE: &str = "GENTOO_UPDATER__BROKER__URL";

/// The name of a user's file.
pub(super) fn file_name(user: &User) -> String {
    format!("{user}.env")
}

/// The text of a user's file.
pub(super) fn text(
    url: &str,
    users: &Users,
    user: &User,
    password: &Password,
) -> anyhow::Result<String> {
    let url = url_for(url, &users.name_of(user), password.as_str())?;
    Ok(format!("{VARIABLE}={}\n", quote::word(&url)))
}

/// The password in such a file.
///
/// # Errors
/// When it is another file, or its password was changed to one that would need an escape.
pub(super) fn password(text: &str) -> anyhow::Result<Password> {
    let mut lines = text.lines();
    let url = lines
        .find_map(|line| line.strip_prefix(VARIABLE)?.strip_prefix('='))
        .with_context(|| format!("it does not set {VARIABLE}"))?;
    let password = password_of(url.trim().trim_matches('\''))?;
    Password::known(password).context("its password is not made of letters and digits alone")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_the_url_of_its_user_and_gives_the_password_back() {
        let (users, user) = (Users::new("fleet"), User::Guest("web".parse().unwrap()));
        let password = Password::known("secret1".to_owned()).unwrap();
        for (url, expected) in [
            (
                "amqps://mq.example.net/fleet",
                "GENTOO_UPDATER__BROKER__URL=amqps://fleet.guest.web:secret1@mq.example.net/fleet\n",
            ),
            (
                "amqp://a:b@mq/%2f?heartbeat=5&channel_max=9",
                "GENTOO_UPDATER__BROKER__URL='amqp://fleet.guest.web:secret1@mq/%2f?heartbeat=5&channel_max=9'\n",
            ),
        ] {
            let text = super::text(url, &users, &user, &password).unwrap();
            assert_eq!(text, expected);
            assert_eq!(super::password(&text).unwrap().as_str(), "secret1");
        }
        for other in [
            "",
            "URL=amqp://a:b@c",
            "GENTOO_UPDATER__BROKER__URL=amqp://u:a%27b@c",
        ] {
            assert!(super::password(other).is_err(), "{other}");
        }
    }
}
