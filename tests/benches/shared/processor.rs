//! What this process and all that it starts, machines of labs included, had of the processors.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// A control group (cgroups(7), version 2) with this process and all that it starts from now on.
pub(crate) struct Processor {
    group: PathBuf,
    /// Where this process was before.
    before: PathBuf,
}

impl Processor {
    /// Puts this process into a group of its own. Others that it started before stay where they are.
    ///
    /// # Errors
    /// Where there are no such groups, or none can be made.
    pub(crate) fn count() -> Result<Self, Box<dyn Error>> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let mut fields = mounts.lines().map(|line| line.split(' '));
        let mounted = fields.find_map(|mut fields| {
            let place = fields.nth(1)?;
            (fields.next()? == "cgroup2").then_some(place)
        });
        let groups = fs::read_to_string("/proc/self/cgroup")?;
        let own = groups.lines().find_map(|line| line.strip_prefix("0::/"));
        let root = Path::new(mounted.ok_or("no cgroup2 is mounted")?);
        let before = root.join(own.ok_or("this process is in no cgroup2")?);
        let group = before.join(format!("gentoo-updater-bench-{}", std::process::id()));
        fs::create_dir(&group)?;
        let processor = Self { group, before };
        enter(&processor.group)?;
        processor.seconds()?;
        Ok(processor)
    }

    /// Seconds of all processors, user and system, since the group was made.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub(crate) fn seconds(&self) -> Result<f64, Box<dyn Error>> {
        let stat = fs::read_to_string(self.group.join("cpu.stat"))?;
        let usage = stat
            .lines()
            .find_map(|line| line.strip_prefix("usage_usec "));
        let microseconds: f64 = usage.ok_or("no usage_usec in cpu.stat")?.parse()?;
        Ok(microseconds / 1e6)
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        let left = enter(&self.before).and_then(|()| fs::remove_dir(&self.group));
        if let Err(error) = left {
            eprintln!("{} stays: {error}", self.group.display());
        }
    }
}

fn enter(group: &Path) -> std::io::Result<()> {
    fs::write(group.join("cgroup.procs"), std::process::id().to_string())
}
