//! Following the log of a job to its end, over as many connections as it takes.

use std::time::Duration;

use tokio::time::Instant;

use super::script::{self, failure, parse_state, path_text};
use super::{JobError, JobHandle, JobOutcome, JobState};
use crate::command::Command;

/// How long the machine holds one question when there is nothing new, in seconds.
const POLL_SECONDS: u64 = 10;

/// The most that one answer carries of the log, in bytes.
const CHUNK: u64 = 4 * 1024 * 1024;

/// The longest pause before a machine that does not answer is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// One answer of the machine.
struct Answer {
    state: JobState,
    /// The length of the log on the machine.
    size: u64,
    log: Vec<u8>,
}

impl JobHandle<'_> {
    /// Waits until the job ends, and hands every byte of its log to `on_log`, in order and once,
    /// not later than a second or so after it was written. A lost connection is opened again for
    /// as long as the [`patience`](JobHandle::patience) lasts.
    ///
    /// Called again after an error it goes on where it stopped.
    ///
    /// # Errors
    /// [`JobError::Missing`] when there is no such job (any more), and [`JobError::Host`] when the
    /// machine is not reached in time or must not be talked to; the job is not touched by that.
    pub async fn wait(
        &mut self,
        mut on_log: impl FnMut(&[u8]) + Send,
    ) -> Result<JobOutcome, JobError> {
        let mut answered = Instant::now();
        let mut pause = Duration::from_millis(250);
        loop {
            match self.poll().await {
                Ok(answer) => {
                    answered = Instant::now();
                    pause = Duration::from_millis(250);
                    if !answer.log.is_empty() {
                        on_log(&answer.log);
                        self.offset += answer.log.len() as u64;
                    }
                    if let JobState::Ended(outcome) = answer.state
                        && self.offset >= answer.size
                    {
                        return Ok(outcome);
                    }
                }
                Err(error) if error.is_transient() && answered.elapsed() < self.patience => {
                    tracing::warn!(
                        host.address = %self.host.address(), job.id = %self.id, %error,
                        "a job cannot be followed just now; trying again"
                    );
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// How the job stands now, without waiting and without its log; `None` where there is none.
    ///
    /// # Errors
    /// [`JobError::Host`] when the machine cannot be asked.
    pub async fn state(&self) -> Result<Option<JobState>, JobError> {
        let answer = self.ask(u64::MAX >> 1, 0, 0).await?;
        Ok(answer.map(|answer| answer.state))
    }

    async fn poll(&self) -> Result<Answer, JobError> {
        match self.ask(self.offset, CHUNK, POLL_SECONDS).await? {
            Some(answer) if answer.state != JobState::Unstarted => Ok(answer),
            _ => Err(JobError::Missing {
                address: self.host.address().clone(),
                id: self.id.clone(),
            }),
        }
    }

    async fn ask(&self, offset: u64, limit: u64, seconds: u64) -> Result<Option<Answer>, JobError> {
        let folder = path_text(&self.spool.join(self.id.as_str()))?;
        let numbers = [offset, limit, seconds].map(|number| number.to_string());
        let parameters = std::iter::once(folder).chain(numbers);
        let command = Command::shell("poll-job", script::POLL, parameters)
            .timeout(Duration::from_secs(seconds) + script::SLACK);
        let action = format!("follow the job {}", self.id);
        let output = script::run(self.host, &action, &command).await?;
        parse(&output.stdout).ok_or_else(|| {
            let cause = format!("unexpected: {}", output.stdout_text());
            failure(self.host, &action, &cause)
        })
    }
}

/// `STATE CODE SIZE`, a line end, and a part of the log. The outer `None`: it is not of this form.
#[allow(clippy::option_option)]
fn parse(text: &[u8]) -> Option<Option<Answer>> {
    let end = text.iter().position(|&byte| byte == b'\n')?;
    let line = std::str::from_utf8(&text[..end]).ok()?;
    let mut words = line.split(' ');
    let (state, code, size) = (words.next()?, words.next()?, words.next()?);
    let size = size.parse().ok()?;
    let state = parse_state(state, code).ok()?;
    Some(state.map(|state| Answer {
        state,
        size,
        log: text[end + 1..].to_vec(),
    }))
}
