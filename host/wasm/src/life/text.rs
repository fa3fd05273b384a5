//! How a [`Life`] is written: a line for each thing, and a last one that tells whether all of it
//! is there and as it was.
//!
//! ```text
//! millrace life 1
//! last <number that was given last>
//! version <number> <hash> <hash of its component> <ms since 1970> <the author's version>
//! event <ms since 1970> <number> <file|deploy|rollback|automatic-rollback|canary-promoted|resume>
//! in-force <number>                      not while the plugin is taken away
//! set-aside <hash> <rolled-back|rolled-back-automatically|canary-ended>
//! paused <ms since 1970>
//! canary <number> <percent> <ms since 1970>
//! alias <name> <number>
//! end <sha-256 of all lines before>
//! ```
//!
//! Lines of a kind stand in order: versions by number, events by time.

use std::fmt::Write;
use std::str::SplitN;

use types::Timestamp;

use super::{Canary, Event, How, Life, Numbered, SetAside, Why};
use crate::hash::ContentHash;
use crate::qualifier::AliasName;

const HEAD: &str = "millrace life 1";
/// Words of a line at most. The last may hold spaces.
const WORDS_MAX: usize = 6;

impl Life {
    /// The text of a file.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("{HEAD}\nlast {}\n", self.last_number);
        let mut line = |line: std::fmt::Arguments<'_>| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{line}");
        };
        for version in &self.versions {
            let Numbered {
                number,
                hash,
                component,
                at: Timestamp(at),
                label,
            } = version;
            line(format_args!(
                "version {number} {hash} {component} {at} {label}"
            ));
        }
        for Event { at, number, how } in &self.events {
            line(format_args!("event {} {number} {}", at.0, how.as_str()));
        }
        if let Some(number) = self.in_force {
            line(format_args!("in-force {number}"));
        }
        if let Some(SetAside { hash, why }) = self.set_aside {
            line(format_args!("set-aside {hash} {}", why.as_str()));
        }
        if let Some(Timestamp(at)) = self.paused {
            line(format_args!("paused {at}"));
        }
        if let Some(canary) = self.canary {
            let Canary {
                number,
                percent,
                since: Timestamp(at),
            } = canary;
            line(format_args!("canary {number} {percent} {at}"));
        }
        for (alias, number) in &self.aliases {
            line(format_args!("alias {alias} {number}"));
        }
        let sum = ContentHash::of_component(text.as_bytes());
        text.push_str(&format!("end {sum}\n"));
        text
    }

    /// Reads what [`Life::to_text`] wrote.
    ///
    /// # Errors
    /// What is wrong with it, without the file's name.
    pub(crate) fn of_text(text: &str) -> Result<Self, String> {
        let body = text.trim_end_matches('\n');
        let (body, end) = body.rsplit_once('\n').ok_or("it is cut off")?;
        let sum = end.strip_prefix("end ").and_then(ContentHash::parse);
        let sum = sum.ok_or("it is cut off")?;
        let body = format!("{body}\n");
        if ContentHash::of_component(body.as_bytes()) != sum {
            return Err("its lines are not those that were written".to_owned());
        }
        let mut lines = body.lines();
        if lines.next() != Some(HEAD) {
            return Err("another build wrote it".to_owned());
        }
        let mut life = Self::default();
        for line in lines {
            life.read_line(line)
                .ok_or_else(|| format!("it holds a line that says nothing: {line}"))?;
        }
        life.check()?;
        Ok(life)
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let mut words = line.splitn(WORDS_MAX, ' ');
        match words.next()? {
            "last" => self.last_number = number(&mut words)?,
            "version" => self.versions.push(Numbered {
                number: number(&mut words)?,
                hash: ContentHash::parse(words.next()?)?,
                component: ContentHash::parse(words.next()?)?,
                at: Timestamp(number(&mut words)?),
                label: words.next()?.to_owned(),
            }),
            "event" => self.events.push(Event {
                at: Timestamp(number(&mut words)?),
                number: number(&mut words)?,
                how: How::parse(words.next()?)?,
            }),
            "in-force" => self.in_force = Some(number(&mut words)?),
            "set-aside" => {
                self.set_aside = Some(SetAside {
                    hash: ContentHash::parse(words.next()?)?,
                    why: Why::parse(words.next()?)?,
                });
            }
            "paused" => self.paused = Some(Timestamp(number(&mut words)?)),
            "canary" => {
                self.canary = Some(Canary {
                    number: number(&mut words)?,
                    percent: words.next()?.parse().ok()?,
                    since: Timestamp(number(&mut words)?),
                });
            }
            "alias" => {
                let alias = AliasName::parse(words.next()?).ok()?;
                self.aliases.insert(alias, number(&mut words)?);
            }
            _ => return None,
        }
        Some(())
    }

    /// What the rest of the program takes for granted.
    fn check(&self) -> Result<(), String> {
        let rises = self.versions.is_sorted_by(|a, b| a.number < b.number);
        let last = self.versions.last();
        if !rises || last.is_some_and(|version| version.number > self.last_number) {
            return Err("its versions are not in order".to_owned());
        }
        let canary = self.canary.map(|canary| canary.number);
        let in_use = self.aliases.values().copied().chain(canary);
        let unknown = in_use.chain(self.in_force);
        match unknown.into_iter().find(|it| self.number(*it).is_none()) {
            Some(number) => Err(format!(
                "it names version {number}, of which nothing is known"
            )),
            None => Ok(()),
        }
    }
}

fn number(words: &mut SplitN<'_, char>) -> Option<u64> {
    words.next()?.parse().ok()
}
