//! A command as data, and what came of it.

use std::fmt;
use std::time::Duration;

/// The timeout of a command that names none.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// The most that one of a command's two output streams may hold, in bytes.
///
/// More is [`HostError::OutputTooLarge`](crate::HostError::OutputTooLarge): a broken or hostile
/// machine must not fill the memory of the one that asks it.
pub const OUTPUT_LIMIT: usize = 64 * 1024 * 1024;

/// A program with its arguments: never a text for a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program, found through `PATH` of the machine unless it holds a slash, and its arguments.
    pub argv: Vec<String>,
    /// Variables that are set on top of the environment that the machine gives.
    pub environment: Vec<(String, String)>,
    /// What the command reads; `None` is an empty input.
    pub stdin: Option<Vec<u8>>,
    /// How long it may take, connecting not included.
    pub timeout: Duration,
}

impl Command {
    /// A command without arguments, with an empty input and the [`DEFAULT_TIMEOUT`].
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            argv: vec![program.into()],
            environment: Vec::new(),
            stdin: None,
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// A POSIX shell script with its positional parameters: data goes into `parameters` (`$1` …)
    /// and never into the text. `name` is `$0`, which the shell puts before its own messages.
    pub fn shell<I>(name: &str, script: &str, parameters: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self::new("sh").args(["-c", script, name]).args(parameters)
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.argv.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I>(mut self, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.argv.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets one variable of the environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Sets variables of the environment.
    #[must_use]
    pub fn envs<I, N, V>(mut self, variables: I) -> Self
    where
        I: IntoIterator<Item = (N, V)>,
        N: Into<String>,
        V: Into<String>,
    {
        let variables = variables.into_iter();
        self.environment
            .extend(variables.map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Gives the command something to read.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Limits the time that the command may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whether this can be handed to a machine at all.
    ///
    /// # Errors
    /// The reason, when the program is missing, would be taken for an option or a variable by
    /// `env`, when a variable's name is not a name (POSIX.1-2017, section 8.1), or when a NUL byte
    /// stands somewhere.
    pub fn validate(&self) -> Result<(), &'static str> {
        let program = self.argv.first().ok_or("there is no program")?;
        if program.is_empty() {
            return Err("the name of the program is empty");
        }
        if program.starts_with('-') || program.contains('=') {
            return Err("the name of the program starts with - or holds =");
        }
        if self.environment.iter().any(|(name, _)| !is_name(name)) {
            return Err("the name of a variable is not letters, digits and _");
        }
        let values = self.environment.iter().map(|(_, value)| value);
        if self
            .argv
            .iter()
            .chain(values)
            .any(|text| text.contains('\0'))
        {
            return Err("an argument or variable holds a NUL byte");
        }
        Ok(())
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// For messages: the argument list, quoted as for a shell, cut when it is long.
impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 200;
        let line = self
            .argv
            .iter()
            .map(|argument| crate::quote::word(argument))
            .collect::<Vec<_>>()
            .join(" ");
        match line.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(formatter, "{} …", &line[..end]),
            None => formatter.write_str(&line),
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited by itself with this code. 127 is "not found" and 126 "not executable", on this
    /// machine as over ssh.
    Code(i32),
    /// A signal ended it; the name without `SIG` (RFC 4254, section 6.10).
    Signal(String),
}

impl ExitStatus {
    /// Whether the command exited with 0.
    #[must_use]
    pub fn success(&self) -> bool {
        *self == Self::Code(0)
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "exit status {code}"),
            Self::Signal(name) => write!(formatter, "killed by SIG{name}"),
        }
    }
}

/// What a command left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// All of its standard output. Over ssh the login shell may have printed before it
    /// (`.bashrc`): whoever reads it by lines wants [`crate::markers`].
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text, with replacement characters for what is not UTF-8.
    #[must_use]
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text, with replacement characters for what is not UTF-8.
    #[must_use]
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// The name (without `SIG`) of a signal's number on Linux, or the number where it has no name.
#[must_use]
pub fn signal_name(number: i32) -> String {
    // signal(7), the numbers of x86, arm and most others.
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    usize::try_from(number - 1)
        .ok()
        .and_then(|index| NAMES.get(index))
        .map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_env_would_misread_is_refused() {
        assert_eq!(Command::new("true").validate(), Ok(()));
        assert!(Command::new("").validate().is_err());
        assert!(Command::new("-u").validate().is_err());
        assert!(Command::new("A=b").validate().is_err());
        assert!(Command::new("true").arg("a\0b").validate().is_err());
        assert!(Command::new("true").env("A B", "").validate().is_err());
        assert!(Command::new("true").env("1A", "").validate().is_err());
        assert!(Command::new("true").env("A", "x\0").validate().is_err());
    }

    #[test]
    fn signals_have_their_names() {
        assert_eq!(signal_name(9), "KILL");
        assert_eq!(signal_name(15), "TERM");
        assert_eq!(signal_name(64), "64");
        assert_eq!(signal_name(0), "0");
    }
}
