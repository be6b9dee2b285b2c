//! The memory of a piece of work that a process of its own does: this program, called again.

use std::error::Error;
use std::process::Command;

/// The argument of such a process: what the piece of work is, follows it.
const CHILD: &str = "--tell-memory-of";

/// Which piece of work this process is to do; absent where it is the bench itself.
pub(crate) fn asked_for() -> Option<String> {
    let mut arguments = std::env::args().skip_while(|word| word != CHILD);
    arguments.nth(1)
}

/// Does the piece of work in a process of its own, and gives the most memory that it had, in KiB.
///
/// # Errors
/// When it fails, with what it said.
pub(crate) fn of_child(work: &str) -> Result<f64, Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?)
        .args([CHILD, work])
        .output()?;
    if !output.status.success() {
        return Err(format!("the child: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Prints the most memory that this process ever had, in KiB (VmHWM of proc(5)): the end of such a
/// process.
///
/// # Errors
/// Where the kernel does not tell.
pub(crate) fn tell() -> Result<(), Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .ok_or("no VmHWM in /proc/self/status")?;
    println!("{}", number.parse::<u64>()?);
    Ok(())
}
