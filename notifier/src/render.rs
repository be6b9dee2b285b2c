//! What is said to people: subject, text and HTML.

use std::path::Path;

use anyhow::ensure;
use gentoo_updater_fleet::config::{Notification, Settings};
use gentoo_updater_fleet::name::NotificationName;
use gentoo_updater_fleet::notice::Occasion;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, HtmlEscape, UndefinedBehavior};

use crate::document::Document;

const SUBJECT: &str = "[gentoo-updater] {{ headline }}";
const TEXT: &str = include_str!("templates/text.jinja");
const HTML: &str = include_str!("templates/html.jinja");
/// What stands behind all that is said in that.
const HTML_END: &str = "</body>";
/// What is worded.
const KINDS: [&str; 3] = ["subject", "text", "html"];

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
#[derive(Debug, Clone, thiserror::Error)]
pub enum TemplateError {
    /// Its file cannot be read.
    #[error("notifications.{notification}: the template {path} cannot be read: {cause}")]
    Unreadable {
        /// The notification.
        notification: NotificationName,
        /// The file.
        path: String,
        /// Why.
        cause: String,
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

/// How one notification is worded.
pub struct Rendering {
    notification: NotificationName,
    /// By its own templates, where they can be used.
    templates: Result<Environment<'static>, TemplateError>,
}

impl Rendering {
    /// Reads the templates of a notification.
    pub fn new(name: &NotificationName, notification: &Notification) -> Self {
        Self {
            notification: name.clone(),
            templates: own(name, notification),
        }
    }

    /// A trial: of all that it can be told one message, which is about what waits where it is told of that.
    ///
    /// # Errors
    /// [`TemplateError`], also where the templates cannot be used for another one.
    pub fn trial(
        settings: &Settings,
        name: &NotificationName,
        notification: &Notification,
    ) -> anyhow::Result<Message> {
        let rendering = Self::new(name, notification);
        let trials = Document::trials(settings, name, notification)?.into_iter();
        let messages = trials.map(|document| rendering.render(document));
        let mut messages = messages.collect::<Result<Vec<_>, _>>()?;
        let attention = |message: &Message| message.document.occasion == Occasion::NeedsAttention;
        let place = messages.iter().position(attention).unwrap_or(0);
        ensure!(
            place < messages.len(),
            "notifications.{name}: it is told nothing"
        );
        Ok(messages.swap_remove(place))
    }

    /// What is said of a document.
    ///
    /// # Errors
    /// When a template cannot be read, or names what is not there.
    pub fn render(&self, document: Document) -> Result<Message, TemplateError> {
        let templates = self.templates.as_ref().map_err(Clone::clone)?;
        render(templates, &self.notification, document)
    }

    /// What is said of a document where its own templates cannot be used for it: in the words that are built in,
    /// with the reason.
    ///
    /// # Errors
    /// When these cannot be used either, which is a mistake of this program.
    pub(crate) fn render_built_in(
        &self,
        document: Document,
        reason: &TemplateError,
    ) -> Result<Message, TemplateError> {
        let name = &self.notification;
        let templates = environment(name, [SUBJECT, TEXT, HTML].map(str::to_owned))?;
        let message = render(&templates, name, document)?;
        let reason = format!("This is not in the words of its templates: {reason}");
        let paragraph = format!("<p>{}</p>\n{HTML_END}", HtmlEscape(&reason));
        Ok(Message {
            text: format!("{}\n\n{reason}\n", message.text.trim_end()),
            html: message.html.replacen(HTML_END, &paragraph, 1),
            ..message
        })
    }
}

/// The templates of a notification, and those that are built in for what it has none of.
fn own(
    name: &NotificationName,
    notification: &Notification,
) -> Result<Environment<'static>, TemplateError> {
    let templates = &notification.templates;
    let built_in = [SUBJECT, TEXT, HTML];
    let own = [
        templates.subject.clone(),
        read(name, templates.text.as_deref())?,
        read(name, templates.html.as_deref())?,
    ];
    let mut built_in = built_in.into_iter();
    let sources = own.map(|own| {
        let built_in = built_in.next().unwrap_or_default();
        own.unwrap_or_else(|| built_in.to_owned())
    });
    environment(name, sources)
}

/// Of subject, text and HTML.
fn environment(
    name: &NotificationName,
    sources: [String; 3],
) -> Result<Environment<'static>, TemplateError> {
    let mut environment = Environment::new();
    // What a template names and is not there is a mistake, and no empty text.
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_auto_escape_callback(|name| match name {
        "html" => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    for (kind, source) in KINDS.into_iter().zip(sources) {
        environment
            .add_template_owned(kind, source)
            .map_err(|error| wrong(name, kind, &error))?;
    }
    Ok(environment)
}

fn render(
    templates: &Environment<'_>,
    name: &NotificationName,
    document: Document,
) -> Result<Message, TemplateError> {
    let render = |kind: &str| {
        let template = templates.get_template(kind);
        let rendered = template.and_then(|template| template.render(Serde(&document)));
        rendered.map_err(|error| wrong(name, kind, &error))
    };
    let [subject, text, html] = KINDS;
    Ok(Message {
        // It becomes a header.
        subject: render(subject)?
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        text: render(text)?,
        html: render(html)?,
        document,
    })
}

fn read(name: &NotificationName, path: Option<&Path>) -> Result<Option<String>, TemplateError> {
    let text = path.map(|path| {
        std::fs::read_to_string(path).map_err(|cause| TemplateError::Unreadable {
            notification: name.clone(),
            path: path.display().to_string(),
            cause: cause.to_string(),
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
