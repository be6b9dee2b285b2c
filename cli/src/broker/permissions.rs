//! `broker permissions`: the table of what each user may do.

use gentoo_updater_bus::amqp::vhost_of;
use gentoo_updater_bus::permissions::{Permissions, users};
use gentoo_updater_bus::topology::EVENTS;
use gentoo_updater_fleet::authority::Users;
use gentoo_updater_fleet::config::Settings;
use serde::Serialize;

use super::arguments::PermissionsOptions;
use super::configured;
use crate::output::{print, print_json, table};

#[derive(Serialize)]
struct View {
    user: String,
    vhost: String,
    configure: String,
    write: String,
    read: String,
    topic: Topic,
}

#[derive(Serialize)]
struct Topic {
    exchange: &'static str,
    write: String,
    read: String,
}

/// Prints them.
pub(super) fn permissions(settings: &Settings, options: &PermissionsOptions) -> anyhow::Result<u8> {
    let broker = configured(settings)?;
    let (names, vhost) = (Users::new(&broker.user_prefix), vhost_of(&broker.url)?);
    let all = users(settings.guests.keys()).into_iter();
    let views: Vec<View> = all
        .map(|user| view(&names, &vhost, Permissions::of(user)))
        .collect();
    if options.json {
        print_json(&views)?;
    } else {
        print(|output| {
            writeln!(
                output,
                "vhost {vhost}; routing keys are those of {EVENTS}\n"
            )?;
            output.write_all(table(&rows(&views)).as_bytes())
        })?;
    }
    Ok(crate::EXIT_ALL_UPDATED)
}

fn view(names: &Users, vhost: &str, permissions: Permissions) -> View {
    View {
        user: names.name_of(&permissions.user),
        vhost: vhost.to_owned(),
        configure: permissions.configure,
        write: permissions.write,
        read: permissions.read,
        topic: Topic {
            exchange: EVENTS,
            write: permissions.topic_write,
            read: permissions.topic_read,
        },
    }
}

/// The expressions are long: one a line.
fn rows(views: &[View]) -> Vec<[String; 3]> {
    let of_user = |view: &View| {
        [
            (view.user.clone(), "configure", view.configure.clone()),
            (String::new(), "write", view.write.clone()),
            (String::new(), "read", view.read.clone()),
            (String::new(), "publish keys", view.topic.write.clone()),
            (String::new(), "bind keys", view.topic.read.clone()),
        ]
        .map(|(user, what, expression)| [user, what.to_owned(), expression])
    };
    views.iter().flat_map(of_user).collect()
}
