//! `config check`: what the configuration means.

use std::path::Path;

use gentoo_updater_fleet::config::Settings;

/// Says what a configuration, which was found to be right, means.
pub(crate) fn check(settings: &Settings, path: &Path) -> u8 {
    println!("{}: ok", path.display());
    match &settings.broker {
        None => println!("  bus: embedded, all roles in one process"),
        Some(broker) => println!("  bus: RabbitMQ at {}", without_password(&broker.url)),
    }
    println!("  state: {}", settings.state_directory.display());
    for (name, platform) in &settings.platforms {
        println!("  platform {name}: store {}", platform.store.display());
    }
    for (name, builder) in &settings.builders {
        println!(
            "  builder {name}: {} ({})",
            builder.address, builder.platform
        );
    }
    for (name, guest) in &settings.guests {
        println!("  guest {name}: {} ({})", guest.address, guest.platform);
    }
    crate::EXIT_ALL_UPDATED
}

/// The URL without what must not be shown.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{host}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(
            without_password("amqp://u:se@cret@h:1/v"),
            "amqp://u:***@h:1/v"
        );
        assert_eq!(without_password("amqp://h/v"), "amqp://h/v");
    }
}
