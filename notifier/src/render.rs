//! What is said: the document for programs, and subject, text and HTML for people.

use std::path::Path;

use gentoo_updater_fleet::config::{Notification, Way};
use gentoo_updater_fleet::message::OccurrencesMissed;
use gentoo_updater_fleet::name::{NotificationName, RunId};
use gentoo_updater_fleet::notice::{Attention, Notice, Occasion, Subject};
use gentoo_updater_fleet::report::Report;
use jiff::Timestamp;
use lettre::message::Mailbox;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use uuid::Uuid;

const SUBJECT: &str = "[gentoo-updater] {{ headline }}";
const TEXT: &str = include_str!("templates/text.jinja");
const HTML: &str = include_str!("templates/html.jinja");

/// What programs get, and templates are given.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    /// The version of this form.
    pub version: u32,
    /// The same in every try.
    pub id: Uuid,
    /// When it is told.
    pub occasion: Occasion,
    /// It in one line.
    pub headline: String,
    /// When it was found.
    pub at: Timestamp,
    /// Whether it is a trial (`gentoo-updater notify test`).
    pub test: bool,
    /// The run that is over.
    pub run: Option<RunSummary>,
    /// What waits for an operator.
    pub attention: Option<Attention>,
    /// What a schedule has missed.
    pub missed: Option<OccurrencesMissed>,
}

/// A run that is over.
#[derive(Debug, Clone, Serialize)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// The end of that, as it is shown on screens.
    pub short: String,
    /// The report, as `report` prints it.
    pub text: String,
    /// The report, as `report --json` has it.
    pub report: serde_json::Value,
}

/// What is said.
#[derive(Debug, Clone)]
pub struct Message {
    /// For programs.
    pub document: Document,
    /// One line.
    pub subject: String,
    /// For people.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// A template that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Its file cannot be read.
    #[error("notifications.{notification}: the template {path} cannot be read: {cause}")]
    Unreadable {
        /// The notification.
        notification: NotificationName,
        /// The file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// It is none, or names what there is not.
    #[error("notifications.{notification}: {cause}")]
    Wrong {
        /// The notification.
        notification: NotificationName,
        /// What is wrong with it, with its line.
        cause: String,
    },
}

/// The templates of one notification.
pub struct Rendering {
    templates: Environment<'static>,
    notification: NotificationName,
}

impl Document {
    /// Of a notice that was found at this time, for one recipient. `report` is that of its run, where it is
    /// about one.
    ///
    /// # Errors
    /// When the report cannot be written as JSON.
    pub fn of(
        notice: &Notice,
        recipient: &NotificationName,
        found: Timestamp,
        report: Option<&Report>,
    ) -> serde_json::Result<Self> {
        Ok(Self {
            version: 1,
            id: notice.id(recipient.as_str(), found),
            occasion: notice.occasion,
            headline: notice.headline(),
            at: found,
            test: false,
            run: report.map(RunSummary::of).transpose()?,
            attention: notice.attention(),
            missed: match &notice.subject {
                Subject::Missed(missed) => Some(missed.clone()),
                _ => None,
            },
        })
    }

    /// A trial.
    pub fn sample(occasion: Occasion) -> Self {
        let attention = Attention {
            what: "nothing: this is a trial, asked for by `gentoo-updater notify test`".to_owned(),
            remedy: "nothing".to_owned(),
        };
        Self {
            version: 1,
            id: Uuid::now_v7(),
            occasion,
            headline: "this is a trial".to_owned(),
            at: Timestamp::now(),
            test: true,
            run: None,
            attention: Some(attention),
            missed: None,
        }
    }
}

impl RunSummary {
    fn of(report: &Report) -> serde_json::Result<Self> {
        Ok(Self {
            id: report.run,
            short: report.run.short(),
            text: report.to_text(),
            report: serde_json::to_value(report)?,
        })
    }
}

impl Rendering {
    /// Reads the templates of a notification.
    ///
    /// # Errors
    /// [`TemplateError`], with the file or the line.
    pub fn new(
        name: &NotificationName,
        notification: &Notification,
    ) -> Result<Self, TemplateError> {
        let templates = &notification.templates;
        let subject = templates.subject.clone();
        let text = read(name, templates.text.as_deref())?;
        let html = read(name, templates.html.as_deref())?;
        let mut environment = Environment::new();
        // What a template names and is not there is a mistake, and no empty text.
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_auto_escape_callback(|name| match name {
            "html" => AutoEscape::Html,
            _ => AutoEscape::None,
        });
        for (kind, source) in [
            ("subject", subject.unwrap_or_else(|| SUBJECT.to_owned())),
            ("text", text.unwrap_or_else(|| TEXT.to_owned())),
            ("html", html.unwrap_or_else(|| HTML.to_owned())),
        ] {
            environment
                .add_template_owned(kind, source)
                .map_err(|error| wrong(name, kind, &error))?;
        }
        Ok(Self {
            templates: environment,
            notification: name.clone(),
        })
    }

    /// Tries the templates of a notification, and looks at its addresses.
    ///
    /// # Errors
    /// As [`Rendering::new`].
    pub fn check(
        name: &NotificationName,
        notification: &Notification,
    ) -> Result<(), TemplateError> {
        if let Way::Mail(mail) = &notification.way {
            let all = std::iter::once(&mail.from).chain(&mail.to);
            let wrong = all.filter_map(|it| Some((it, it.parse::<Mailbox>().err()?)));
            if let Some((address, error)) = wrong.into_iter().next() {
                return Err(TemplateError::Wrong {
                    notification: name.clone(),
                    cause: format!("{address:?} is no address of mail: {error}"),
                });
            }
        }
        let rendering = Self::new(name, notification)?;
        for occasion in Occasion::ALL {
            rendering.render(Document::sample(occasion))?;
        }
        Ok(())
    }

    /// What is said of a document.
    ///
    /// # Errors
    /// When a template names what is not there.
    pub fn render(&self, document: Document) -> Result<Message, TemplateError> {
        let render = |kind: &str| {
            let template = self.templates.get_template(kind);
            let rendered = template.and_then(|template| template.render(Serde(&document)));
            rendered.map_err(|error| wrong(&self.notification, kind, &error))
        };
        Ok(Message {
            // It becomes a header.
            subject: render("subject")?
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
            text: render("text")?,
            html: render("html")?,
            document,
        })
    }
}

fn read(name: &NotificationName, path: Option<&Path>) -> Result<Option<String>, TemplateError> {
    let text = path.map(|path| {
        std::fs::read_to_string(path).map_err(|cause| TemplateError::Unreadable {
            notification: name.clone(),
            path: path.display().to_string(),
            cause,
        })
    });
    text.transpose()
}

fn wrong(name: &NotificationName, kind: &str, error: &minijinja::Error) -> TemplateError {
    let line = error.line().map(|line| format!(", line {line}"));
    TemplateError::Wrong {
        notification: name.clone(),
        cause: format!(
            "its template of the {kind} cannot be used: {error}{}",
            line.filter(|_| !error.to_string().contains("line"))
                .unwrap_or_default()
        ),
    }
}
