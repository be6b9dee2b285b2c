//! Whether the notifier can read as a service what who tries it can read.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use gentoo_updater_fleet::config::{Notification, Settings};
use gentoo_updater_fleet::name::NotificationName;

/// As whom the units and scripts of the packages run it.
const USER: &str = "gentoo-updater";

/// A user of this machine, as files know it.
#[derive(Debug, PartialEq, Eq)]
struct User {
    id: u32,
    groups: Vec<u32>,
}

/// A warning for each file of a notification that the notifier cannot read as a service; none where nobody is its
/// user here, or where there is no broker, so that root tells.
pub(super) fn warnings(
    settings: &Settings,
    name: &NotificationName,
    notification: &Notification,
) -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let Some(user) = user(&read("/etc/passwd"), &read("/etc/group")) else {
        return Vec::new();
    };
    if settings.broker.is_none() {
        return Vec::new();
    }
    let files = gentoo_updater_notifier::files(notification).into_iter();
    let closed = files.filter(|path| fs::metadata(path).is_ok_and(|it| !user.reads(&it)));
    closed.map(|path| warning(name, path)).collect()
}

fn warning(name: &NotificationName, path: &Path) -> String {
    let path = path.display();
    format!(
        "{name}: {path} cannot be read by the user {USER}, as whom gentoo-updater-notifier is a service: give it to \
         that group (chown root:{USER} {path}; chmod 640 {path})"
    )
}

/// The user of services, by the lines of passwd(5) and group(5).
fn user(passwd: &str, group: &str) -> Option<User> {
    let own = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let (id, primary) = own.into_iter().find_map(|fields| match fields[..] {
        [USER, _, id, group, ..] => Some((id.parse().ok()?, group.parse().ok()?)),
        _ => None,
    })?;
    let further = group.lines().filter_map(|line| {
        let mut fields = line.split(':').skip(2);
        let id = fields.next()?.parse().ok()?;
        fields.next()?.split(',').any(|it| it == USER).then_some(id)
    });
    Some(User {
        id,
        groups: std::iter::once(primary).chain(further).collect(),
    })
}

impl User {
    /// Whether a file lets it read. The folders above are not looked at.
    fn reads(&self, file: &Metadata) -> bool {
        self.is_let(file.uid(), file.gid(), file.mode())
    }

    /// By what is said of it first: as owner, as one of the group, or as another (path_resolution(7)).
    fn is_let(&self, owner: u32, group: u32, mode: u32) -> bool {
        let bit = match (owner == self.id, self.groups.contains(&group)) {
            (true, _) => 0o400,
            (false, true) => 0o040,
            (false, false) => 0o004,
        };
        mode & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\ngentoo-updater:x:250:251::/var/lib/gentoo-updater/home:/bin/sh\n";

    #[test]
    fn a_file_of_root_is_not_read_unless_it_is_given_to_the_group() {
        let user = user(PASSWD, "ssl:x:300:web,gentoo-updater\nwheel:x:10:root\n").unwrap();
        assert_eq!((user.id, &user.groups[..]), (250, &[251, 300][..]));
        for (owner, group, mode, reads) in [
            (0, 0, 0o600, false),
            (0, 0, 0o640, false),
            (0, 251, 0o640, true),
            (0, 300, 0o640, true),
            (0, 10, 0o640, false),
            (0, 0, 0o644, true),
            (250, 0, 0o600, true),
            (250, 251, 0o044, false),
        ] {
            assert_eq!(
                user.is_let(owner, group, mode),
                reads,
                "{owner}:{group} {mode:o}"
            );
        }
    }

    #[test]
    fn where_nobody_is_its_user_nobody_is_warned() {
        assert_eq!(user("root:x:0:0::/root:/bin/sh\n", ""), None);
    }
}
