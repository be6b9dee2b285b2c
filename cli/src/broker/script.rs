//! The shell program that makes vhost, users and permissions with rabbitmqctl.
//!
//! A password goes to rabbitmqctl by its standard input: arguments are shown to everybody on the
//! machine.

use gentoo_updater_bus::permissions::Permissions;
use gentoo_updater_bus::topology::EVENTS;
use gentoo_updater_fleet::authority::Users;
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_hosts::quote;

use super::password::Password;

const HEAD: &str = r#"#!/bin/sh
# Makes a vhost of RabbitMQ and the users of a fleet, as definitions.json does; exchanges and
# queues are declared by the planner when it starts. Run it where rabbitmqctl works, as often as
# you like. It holds passwords.
set -eu

vhosts=$(rabbitmqctl --silent list_vhosts name)
users=$(rabbitmqctl --silent list_users | cut -f 1)

# has LIST NAME
has() {
    printf '%s\n' "$1" | grep -Fqx -e "$2"
}

# user NAME PASSWORD
user() {
    verb=add_user
    if has "$users" "$1"; then verb=change_password; fi
    printf '%s\n' "$2" | rabbitmqctl --silent "$verb" "$1"
}

# permissions NAME CONFIGURE WRITE READ TOPIC_WRITE TOPIC_READ
permissions() {
    rabbitmqctl --silent set_permissions --vhost "$vhost" "$1" "$2" "$3" "$4"
    rabbitmqctl --silent set_topic_permissions --vhost "$vhost" "$1" "$events" "$5" "$6"
}

# gone NAME
gone() {
    if has "$users" "$1"; then rabbitmqctl --silent delete_user "$1"; fi
}

"#;

/// The program. `gone` are guests that had a user and are no longer in the configuration.
pub(super) fn script(
    vhost: &str,
    names: &Users,
    users: &[(Permissions, Password)],
    gone: &[GuestName],
) -> String {
    let mut text = HEAD.to_owned();
    text += &format!(
        "vhost={}\nevents={}\n",
        quote::word(vhost),
        quote::word(EVENTS)
    );
    text += "if ! has \"$vhosts\" \"$vhost\"; then rabbitmqctl --silent add_vhost \"$vhost\"; fi\n";
    for (permissions, password) in users {
        let name = names.name_of(&permissions.user);
        let expressions = [
            &permissions.configure,
            &permissions.write,
            &permissions.read,
            &permissions.topic_write,
            &permissions.topic_read,
        ];
        let words: Vec<String> = expressions
            .into_iter()
            .map(|word| quote::word(word))
            .collect();
        let (name, password) = (quote::word(&name), quote::word(password.as_str()));
        let expressions = words.join(" ");
        text += &format!("\nuser {name} {password}\npermissions {name} {expressions}\n");
    }
    for guest in gone {
        let user = gentoo_updater_fleet::authority::User::Guest(guest.clone());
        text += &format!("\ngone {}\n", quote::word(&names.name_of(&user)));
    }
    text
}
