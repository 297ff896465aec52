//! What people ask for, one thing after the other.

use super::{Command, Deed, Owner};
use crate::{
    block_list::{
        Done, ListsError, key,
        list::{List, Origin},
        own::{Own, key_of},
        standing::Standing,
    },
    blocking::beside,
    config::{ListEntry, Setting},
};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::info;

/// The key that names lists.
const CONFIGURED: &str = "adblock_list_files";
/// A year: whoever wants more takes the lists out.
const MOST_MINUTES: u64 = 366 * 24 * 60;
/// Names that are listed one by one in what is said.
const SAID: usize = 5;

impl Owner {
    pub(super) async fn carry_out(&mut self, Command { deed, by, reply }: Command) {
        let said = format!("{deed:?}");
        let done = match deed {
            Deed::Add(names) => self.add(&names).await,
            Deed::Remove(names) => self.remove(&names).await,
            Deed::Allow(names) => self.allow(&names).await,
            Deed::Disallow(names) => self.disallow(&names).await,
            // Answered when the list was read, or was not.
            Deed::Load(list) => match self.begin_to_load(&list) {
                Ok(list) => {
                    info!(by, list = %list.shown.entry, "block list being loaded");
                    return list.waiting.push(reply);
                }
                Err(why) => Err(why),
            },
            Deed::Unload(list) => self.unload(&list, &by).await,
            Deed::Clear => self.clear(&by).await,
            Deed::Pause(minutes) => self.pause(minutes).await,
        };
        let done = done.map(|messages| Done { messages, count: self.as_it_stands().count() });
        if done.is_ok() {
            info!(by, deed = said.chars().take(200).collect::<String>(), "blocking changed");
        }
        // Whoever asked may have gone.
        let _ = reply.send(done);
    }

    async fn add(&mut self, names: &[String]) -> Result<Vec<String>, ListsError> {
        let keys = keys(names)?;
        let mut own = self.own.clone();
        let added = own.blocked.add(&keys).map_err(ListsError::refused)?;
        self.commit(own).await?;
        let mut messages = each(&keys, "blocked", added);
        messages.extend(self.let_through_all_the_same(&keys));
        Ok(messages)
    }

    async fn remove(&mut self, names: &[String]) -> Result<Vec<String>, ListsError> {
        let keys = keys(names)?;
        let mut own = self.own.clone();
        let removed = own.blocked.remove(&keys);
        let after = Standing { own: own.clone(), ..self.as_it_stands() };
        let blocked = self.surprises(&after, &keys, |said| !said.blocked_by.is_empty()).map(|(name, said)| {
            let by: Vec<_> = said.blocked_by.iter().map(|by| format!("{} ({})", by.source, by.entry)).collect();
            format!("{name} is blocked by {}; `adblock allow {name}` lets it through", by.join(", "))
        });
        let blocked: Vec<_> = blocked.collect();
        if removed == 0 && !blocked.is_empty() {
            return Err(ListsError::Refused(blocked));
        }
        self.commit(own).await?;
        let mut messages = each(&keys, "removed", removed);
        messages.extend(blocked);
        Ok(messages)
    }

    async fn allow(&mut self, names: &[String]) -> Result<Vec<String>, ListsError> {
        let keys = keys(names)?;
        let mut own = self.own.clone();
        let added = own.allowed.add(&keys).map_err(ListsError::refused)?;
        self.commit(own).await?;
        Ok(each(&keys, "let through", added))
    }

    async fn disallow(&mut self, names: &[String]) -> Result<Vec<String>, ListsError> {
        let keys = keys(names)?;
        let mut own = self.own.clone();
        let removed = own.allowed.remove(&keys);
        self.commit(own).await?;
        let mut messages = each(&keys, "no longer let through by hand", removed);
        messages.extend(self.let_through_all_the_same(&keys));
        Ok(messages)
    }

    /// A sentence for each of the first few names that a list lets through, as things stand.
    fn let_through_all_the_same(&self, keys: &[Vec<u8>]) -> Vec<String> {
        let standing = self.as_it_stands();
        let let_through = self.surprises(&standing, keys, |said| !said.allowed_by.is_empty());
        let sentences = let_through.map(|(name, said)| {
            let by = &said.allowed_by[0];
            format!("{name} is let through all the same: {} says {}", by.source, by.entry)
        });
        sentences.collect()
    }

    /// What lists say of the first few names, where that is other than whoever changed them may expect.
    fn surprises<'a>(
        &self,
        standing: &'a Standing,
        keys: &'a [Vec<u8>],
        is_one: impl Fn(&crate::block_list::Explanation) -> bool + 'a,
    ) -> impl Iterator<Item = (String, crate::block_list::Explanation)> + 'a {
        let said = keys.iter().take(SAID).filter_map(|key| {
            let name = key::text(key);
            Some((name.clone(), standing.explain(&name).ok()?))
        });
        said.filter(move |(_, said)| is_one(said))
    }

    /// The list that is read now: a new one, or one that there is.
    fn begin_to_load(&mut self, text: &str) -> Result<&mut List, ListsError> {
        self.may_be_written()?;
        let entry =
            ListEntry::parse(text, &self.folder).map_err(|why| ListsError::refused(format!("the list {why}")))?;
        let at = match self.lists.iter().position(|list| list.shown.entry == entry) {
            Some(at) => at,
            None => {
                let list = self.new_list(entry, Origin::Candidate);
                self.lists.push(list);
                self.lists.len() - 1
            }
        };
        let list = &mut self.lists[at];
        list.hurry();
        Ok(list)
    }

    /// A list was read, or could not be read: tells whoever waits for that. A new one is kept if it was read.
    pub(super) async fn settle(&mut self, id: u64, failed: Option<String>) {
        let Some(at) = self.lists.iter().position(|list| list.id == id) else { return };
        let list = &mut self.lists[at];
        if list.waiting.is_empty() && list.shown.origin != Origin::Candidate {
            return;
        }
        let waiting = std::mem::take(&mut list.waiting);
        let (entry, origin) = (list.shown.entry.clone(), list.shown.origin);
        let (blocked, allowed, skipped) = (list.shown.blocked.len(), list.shown.allowed.len(), list.shown.skipped);
        let mut failed = failed.map(ListsError::refused);
        if origin == Origin::Candidate {
            if failed.is_none() {
                let mut own = self.own.clone();
                own.sources.push(entry.to_string());
                // Until it is written the list is not part of what is merged.
                failed = self.write(own).await.err();
            }
            match failed {
                None => self.lists[at].shown.origin = Origin::Loaded,
                Some(_) => drop(self.lists.remove(at)),
            }
            self.changed();
        }
        let mut message = format!("{entry} blocks {blocked} names and lets {allowed} through");
        if skipped > 0 {
            message.push_str(&format!("; {skipped} lines of it say nothing that could be used"));
        }
        let count = self.as_it_stands().count();
        for reply in waiting {
            let done = match &failed {
                None => Ok(Done { messages: vec![message.clone()], count }),
                Some(why) => Err(ListsError::refused(why.to_string())),
            };
            let _ = reply.send(done);
        }
    }

    async fn unload(&mut self, text: &str, by: &str) -> Result<Vec<String>, ListsError> {
        let meant = ListEntry::parse(text, &self.folder);
        let list =
            self.lists.iter().map(|list| &list.shown).find(|list| {
                *list.entry.text == *text.trim() || meant.as_ref().is_ok_and(|meant| *meant == list.entry)
            });
        let Some(list) = list else {
            return Err(ListsError::refused(format!("there is no list `{}`; `adblock list` shows all", text.trim())));
        };
        let (entry, configured) = (list.entry.clone(), list.origin == Origin::Configured);
        let mut messages = vec![format!("{entry} is forgotten")];
        let folder = self.folder.clone();
        let mut own = self.own.clone();
        let is_it = |text: &str| ListEntry::parse(text, &folder).is_ok_and(|other| other == entry);
        own.sources.retain(|source| !is_it(source));
        if configured {
            let is_it = |text: &str| ListEntry::parse(text, &folder).is_ok_and(|other| other == entry);
            self.configure(by, |lists| lists.into_iter().filter(|list| !is_it(list)).collect(), &mut messages).await?;
        }
        self.commit(own).await?;
        self.follow_settings();
        Ok(messages)
    }

    async fn clear(&mut self, by: &str) -> Result<Vec<String>, ListsError> {
        self.may_be_written()?;
        let lists = self.lists.len();
        let mut messages = Vec::new();
        if self.lists.iter().any(|list| list.shown.origin == Origin::Configured) {
            self.configure(by, |_| Vec::new(), &mut messages).await?;
        }
        let mut own = self.own.clone();
        let names = own.blocked.names.len();
        own.blocked.clear();
        own.sources.clear();
        self.commit(own).await?;
        self.follow_settings();
        let mut all = vec![format!("{lists} lists and {names} names added by hand are forgotten")];
        if self.own.allowed.names.len() > 0 {
            all.push(format!("{} names are still let through by hand", self.own.allowed.names.len()));
        }
        all.append(&mut messages);
        Ok(all)
    }

    /// Changes which lists the configuration names, in force and in the file.
    async fn configure(
        &self,
        by: &str,
        change: impl FnOnce(Vec<String>) -> Vec<String>,
        messages: &mut Vec<String>,
    ) -> Result<(), ListsError> {
        let now = self.settings.borrow().lists.iter().map(ToString::to_string).collect();
        let lists = Value::from(change(now));
        let decide = move |_: &_| {
            let setting = Setting::named(CONFIGURED).map_err(|error| error.to_string())?;
            Ok(vec![(setting, Some(lists))])
        };
        let told =
            self.live.change(by.to_owned(), decide).await.map_err(|error| ListsError::refused(error.to_string()))?;
        messages.push(format!("`{CONFIGURED}` was changed in the configuration"));
        messages.extend(told);
        Ok(())
    }

    async fn pause(&mut self, minutes: u64) -> Result<Vec<String>, ListsError> {
        if minutes > MOST_MINUTES {
            return Err(ListsError::refused(format!("{minutes} minutes are more than a year ({MOST_MINUTES})")));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let until = if minutes == 0 { 0 } else { now + minutes * 60 };
        let own = Own { paused_until: until, ..self.own.clone() };
        self.write(own).await?;
        self.live.pause_blocking(until).await;
        Ok(vec![match self.as_it_stands().paused_until() {
            Some(until) => format!("nothing is blocked until {until}"),
            None => "blocking is on".to_owned(),
        }])
    }

    /// Keeps what was said by hand, and merges it.
    async fn commit(&mut self, own: Own) -> Result<(), ListsError> {
        self.write(own).await?;
        self.changed();
        Ok(())
    }

    /// Keeps what was said by hand: on disk when this returns, or as it was.
    async fn write(&mut self, own: Own) -> Result<(), ListsError> {
        self.may_be_written()?;
        if own != self.own {
            let place = self.place.clone();
            let (own, written) = beside(move || {
                let written = place.write(&own);
                (own, written)
            })
            .await;
            let path = self.place.path().to_owned();
            written.map_err(|source| ListsError::Disk { path, source })?;
            self.own = own;
        }
        self.show();
        Ok(())
    }

    fn may_be_written(&self) -> Result<(), ListsError> {
        self.problem.clone().map_or(Ok(()), |problem| Err(ListsError::refused(problem)))
    }
}

/// The keys of names written by hand: all of them, or what is wrong with each that is none.
fn keys(names: &[String]) -> Result<Vec<Vec<u8>>, ListsError> {
    let (mut keys, mut wrong) = (Vec::new(), Vec::new());
    for name in names {
        match key_of(name) {
            Ok(key) => keys.push(key),
            Err(why) => wrong.push(why),
        }
    }
    match (keys.is_empty(), wrong.is_empty()) {
        (_, false) => Err(ListsError::Refused(wrong)),
        (true, true) => Err(ListsError::refused("no domain was given")),
        (false, true) => Ok(keys),
    }
}

/// What happened to names: of the first few by name, if there are few.
fn each(keys: &[Vec<u8>], what: &str, changed: usize) -> Vec<String> {
    if keys.len() <= SAID && changed == keys.len() {
        return keys.iter().map(|key| format!("{} is {what}", key::text(key))).collect();
    }
    vec![format!("{changed} of {} names are {what} now; of the others that was so before", keys.len())]
}
