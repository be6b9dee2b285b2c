//! `status --watch`: the same, live on the whole terminal.

use std::io::{self, IsTerminal, Stdout};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::{BusStatus, StatusView};
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_runtime::stop_on_signals;
use jiff::Timestamp;
use ratatui::Frame;
use ratatui::backend::TermionBackend;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Row, Text};
use ratatui::widgets::Paragraph;
use termion::event::Key;
use termion::input::TermRead;
use termion::raw::{IntoRawMode, RawTerminal};
use termion::screen::{AlternateScreen, IntoAlternateScreen};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::screen::{Line, Size, Tone, screen};
use crate::notices::Notices;
use crate::open::Opened;
use crate::planner::PlannerWatch;
use crate::standing;
use crate::{WrongUsage, output};

/// How often the screen is drawn at most, however fast the history grows.
const DRAWN_EVERY: Duration = Duration::from_millis(250);
/// How often it is drawn at least: times pass.
const TICK: Duration = Duration::from_secs(1);
/// How often the bus is asked how it is.
const ASKED_EVERY: Duration = Duration::from_secs(5);

const KEYS: &str = " q quit   ↑ ↓ PgUp PgDn Home End scroll";

/// # Errors
/// Wrong usage, where nobody could look or press a key.
pub(super) fn refuse_without_terminal() -> anyhow::Result<()> {
    if io::stdout().is_terminal() && io::stdin().is_terminal() {
        return Ok(());
    }
    let message = "status --watch needs a terminal for input and output; `gentoo-updater status` shows it once, \
                   and `gentoo-updater events --follow` prints what happens";
    Err(WrongUsage(message.to_owned()).into())
}

/// Shows it until `q` is pressed, a signal comes or the history cannot be followed any further.
pub(super) async fn watch(settings: &Arc<Settings>, opened: &Opened) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone());
    let view = FleetView::follow(opened.bus.clone(), stop.clone()).await?;
    let mut planners = match settings.broker {
        Some(_) => PlannerWatch::start(opened.bus.as_ref()).await?,
        None => PlannerWatch::unneeded(),
    };
    let terminal = Terminal::take()?;
    let watched = show(settings, opened, &view, &mut planners, terminal, &stop).await;
    stop.cancel();
    watched
}

/// What is drawn on.
type Screen = TermionBackend<AlternateScreen<RawTerminal<Stdout>>>;

/// The terminal as long as it is ours: whatever ends this program, a panic too, it is given back as it was.
struct Terminal(ratatui::Terminal<Screen>);

impl Terminal {
    fn take() -> anyhow::Result<Self> {
        let taken = || {
            // Each of them ends with its owner, the last one first.
            let raw = io::stdout().into_raw_mode()?;
            let screen = raw.into_alternate_screen()?;
            let mut terminal = ratatui::Terminal::new(TermionBackend::new(screen))?;
            terminal.hide_cursor()?;
            Ok::<_, io::Error>(terminal)
        };
        Ok(Self(taken().context("the terminal cannot be used")?))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no cursor.
        let _ = self.0.show_cursor();
    }
}

/// The keys that are pressed. The thread ends with the program: nothing else ends a wait for a key.
fn keys() -> mpsc::UnboundedReceiver<io::Result<Key>> {
    let (pressed, keys) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for key in io::stdin().keys() {
            let is_last = key.is_err();
            if pressed.send(key).is_err() || is_last {
                return;
            }
        }
    });
    keys
}

async fn show(
    settings: &Settings,
    opened: &Opened,
    view: &FleetView,
    planners: &mut PlannerWatch,
    mut terminal: Terminal,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut keys = keys();
    let resized = SignalKind::window_change();
    let mut resized = signal(resized).context("changes of the terminal cannot be told")?;
    let mut asked = Asked::now(settings, opened, view).await?;
    let mut ask_again = Instant::now() + ASKED_EVERY;
    let guests = settings.guests.keys().cloned().collect();
    let mut silence: Option<String> = None;
    let mut scroll = Scroll::default();
    loop {
        // Subscribed before the state is read, so that no change between the two is missed.
        let changed = view.changed();
        let now = Timestamp::now();
        let status = view.read(|fleet| StatusView::of(fleet, &asked.bus, now, &guests));
        let mut notices = asked.notices.lines();
        notices.extend(silence.iter().map(|words| output::harmless(words)));
        let drawn = terminal.0.draw(|frame| {
            let size = Size {
                width: usize::from(frame.area().width),
                height: None,
            };
            let lines = screen(&status, &notices, size);
            draw(frame, &lines, &mut scroll, now);
        });
        drawn.context("the terminal cannot be written")?;
        let (drawn, tick) = (Instant::now(), Instant::now() + TICK);
        let end = tokio::select! {
            changed = changed => changed.map(|()| false)?,
            key = keys.recv() => {
                let key = key.transpose().context("the terminal cannot be read")?;
                key.is_none_or(|key| scroll.obeys(key))
            }
            _ = resized.recv() => false,
            words = planners.next_words() => {
                // The one word is that none is heard, and the other that one is again.
                let words = words?;
                silence = silence.is_none().then_some(words);
                false
            }
            () = sleep_until(tick) => false,
            () = stop.cancelled() => true,
        };
        if end {
            return Ok(());
        }
        if Instant::now() >= ask_again {
            asked = Asked::now(settings, opened, view).await?;
            ask_again = Instant::now() + ASKED_EVERY;
        }
        // A key is obeyed at once; of a history that grows fast not each step is shown.
        tokio::select! {
            () = sleep_until(drawn + DRAWN_EVERY) => {}
            key = keys.recv() => {
                let key = key.transpose().context("the terminal cannot be read")?;
                if key.is_none_or(|key| scroll.obeys(key)) {
                    return Ok(());
                }
            }
            () = stop.cancelled() => return Ok(()),
        }
    }
}

/// What the bus was asked.
struct Asked {
    notices: Notices,
    bus: BusStatus,
}

impl Asked {
    async fn now(settings: &Settings, opened: &Opened, view: &FleetView) -> anyhow::Result<Self> {
        let fleet = view.read(Fleet::clone);
        Ok(Self {
            notices: standing::notices(opened, view, None).await?,
            bus: super::bus_status(settings, opened, &fleet).await?,
        })
    }
}

/// Which part of the lines is seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Scroll {
    /// The first line that is seen.
    top: usize,
    /// How many lines there are, and how many of them are seen at once.
    lines: usize,
    page: usize,
}

impl Scroll {
    /// Does what a key says; true for the one that ends it.
    fn obeys(&mut self, key: Key) -> bool {
        match key {
            Key::Char('q') | Key::Esc | Key::Ctrl('c') => return true,
            Key::Up | Key::Char('k') => self.top = self.top.saturating_sub(1),
            Key::Down | Key::Char('j') => self.top += 1,
            Key::PageUp => self.top = self.top.saturating_sub(self.page),
            Key::PageDown | Key::Char(' ') => self.top += self.page,
            Key::Home => self.top = 0,
            Key::End => self.top = self.lines,
            _ => {}
        }
        self.fit();
        false
    }

    /// A screen that has shrunk or grown shows no more than there is.
    fn fit(&mut self) {
        self.top = self.top.min(self.lines.saturating_sub(self.page));
    }
}

fn draw(frame: &mut Frame<'_>, lines: &[Line], scroll: &mut Scroll, now: Timestamp) {
    let [body, foot] =
        Layout::vertical([Constraint::Min(1), Constraint::Length(1)]).areas(frame.area());
    scroll.lines = lines.len();
    scroll.page = usize::from(body.height);
    scroll.fit();
    let seen = lines.iter().skip(scroll.top).take(scroll.page);
    let rows: Vec<Row<'_>> = seen
        .map(|line| Row::styled(line.text.as_str(), style(line.tone)))
        .collect();
    frame.render_widget(Paragraph::new(Text::from(rows)), body);
    let below = scroll.lines.saturating_sub(scroll.top + scroll.page);
    let below = match below {
        0 => String::new(),
        below => format!("   {below} more below"),
    };
    let words = format!("{KEYS}   {}{below}", now.strftime("%H:%M:%S UTC"));
    let bar = Style::new().add_modifier(Modifier::REVERSED);
    frame.render_widget(Paragraph::new(words).style(bar), foot);
}

/// Colours of the terminal's own palette, so that it suits a light one as well as a dark one.
fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Heading => Style::new().add_modifier(Modifier::BOLD),
        Tone::Bad => Style::new().fg(Color::Red),
        Tone::Attention => Style::new().fg(Color::Yellow),
        Tone::Faint => Style::new().add_modifier(Modifier::DIM),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::testing::now;

    fn lines(number: usize) -> Vec<Line> {
        let line = |number| Line {
            tone: Tone::Plain,
            text: format!("line {number}"),
        };
        (0..number).map(line).collect()
    }

    /// What a terminal of this size shows.
    fn shown(width: u16, height: u16, scroll: &mut Scroll) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let lines = lines(30);
        terminal
            .draw(|frame| draw(frame, &lines, scroll, now()))
            .unwrap();
        let buffer = terminal.backend().buffer();
        let row = |y| {
            let cells = (0..width).map(|x| buffer[(x, y)].symbol());
            cells.collect::<String>().trim_end().to_owned()
        };
        (0..height).map(row).collect()
    }

    #[test]
    fn keys_scroll_within_what_there_is_and_the_bar_names_them() {
        let mut scroll = Scroll::default();
        let screen = shown(80, 11, &mut scroll);
        assert_eq!(
            (screen[0].as_str(), screen[9].as_str()),
            ("line 0", "line 9")
        );
        for words in ["q quit", "12:00:00 UTC", "20 more below"] {
            assert!(screen[10].contains(words), "{screen:?}");
        }
        scroll.obeys(Key::PageDown);
        assert_eq!(shown(80, 11, &mut scroll)[0], "line 10");
        scroll.obeys(Key::End);
        let screen = shown(80, 11, &mut scroll);
        assert_eq!(
            (screen[0].as_str(), screen[9].as_str()),
            ("line 20", "line 29")
        );
        assert!(!screen[10].contains("more below"), "{screen:?}");
        scroll.obeys(Key::Down);
        assert_eq!(shown(80, 11, &mut scroll)[0], "line 20");
        // A terminal that has grown shows what was above.
        assert_eq!(shown(80, 31, &mut scroll)[0], "line 0");
    }

    #[test]
    fn a_terminal_of_one_line_is_drawn_all_the_same() {
        shown(1, 1, &mut Scroll::default());
        shown(20, 2, &mut Scroll::default());
    }

    #[test]
    fn q_escape_and_an_interrupt_end_it_and_other_keys_do_not() {
        let mut scroll = Scroll::default();
        for key in [Key::Char('q'), Key::Esc, Key::Ctrl('c')] {
            assert!(scroll.obeys(key), "{key:?}");
        }
        for key in [Key::Char('c'), Key::Char('\n'), Key::F(1)] {
            assert!(!scroll.obeys(key), "{key:?}");
        }
    }
}
