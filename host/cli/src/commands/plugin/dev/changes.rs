//! When the sources of a plugin change: told by the file system.

use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::sleep;

/// What is built, and what is no source.
const FOLDERS: [&str; 6] = [
    "target",
    ".millrace",
    ".git",
    "__pycache__",
    "node_modules",
    ".venv",
];
const EXTENSIONS: [&str; 4] = ["wasm", "part", "pyc", "swp"];
/// The file that cargo writes.
const LOCK: &str = "Cargo.lock";
/// How long is waited for what comes with a change: an editor writes a file in several steps.
const SETTLE: Duration = Duration::from_millis(50);

/// Changes of a folder of sources.
pub(super) struct Changes {
    events: Receiver<()>,
    /// When one began that was not told yet.
    begun: Option<Instant>,
    // Sends events for as long as it lives.
    _watcher: RecommendedWatcher,
}

impl Changes {
    /// Those of this folder, and of all folders in it, from now on.
    ///
    /// # Errors
    /// When the file system does not tell of them.
    pub(super) fn of(dir: &Path) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("watch {}: {error}", dir.display());
        let dir = std::fs::canonicalize(dir).map_err(|error| failed(&error))?;
        // One event is as good as many.
        let (bell, events) = channel(1);
        let root = dir.clone();
        let ring = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| !is_of_a_source(&root, &event)) {
                return;
            }
            // A bell that is ringing already need not ring twice.
            let _ = bell.try_send(());
        };
        let mut watcher = notify::recommended_watcher(ring).map_err(|error| failed(&error))?;
        let watching = watcher.watch(&dir, RecursiveMode::Recursive);
        watching.map_err(|error| failed(&error))?;
        Ok(Self {
            events,
            begun: None,
            _watcher: watcher,
        })
    }

    /// Waits until something has changed; when it began to. Whoever stops waiting loses no change.
    pub(super) async fn next(&mut self) -> Result<Instant, String> {
        let at = match self.begun {
            Some(at) => at,
            None => {
                let rung = self.events.recv().await;
                rung.ok_or("the folder of the sources is not watched any more")?;
                *self.begun.insert(Instant::now())
            }
        };
        sleep(SETTLE).await;
        // What came meanwhile is of the same change.
        while self.events.try_recv().is_ok() {}
        self.begun = None;
        Ok(at)
    }
}

fn is_of_a_source(root: &Path, event: &Event) -> bool {
    let may_have_changed = match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    };
    may_have_changed && event.paths.iter().any(|path| is_source(root, path))
}

fn is_source(root: &Path, path: &Path) -> bool {
    let Ok(path) = path.strip_prefix(root) else {
        return false;
    };
    let mut folders = path.iter().map(OsStr::to_string_lossy);
    let is_ours = folders.any(|folder| FOLDERS.contains(&&*folder));
    let extension = path.extension().map(OsStr::to_string_lossy);
    let is_built = extension.is_some_and(|it| EXTENSIONS.contains(&&*it));
    let is_folder_itself = path.as_os_str().is_empty();
    !is_ours && !is_built && !is_folder_itself && !path.ends_with(LOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A look at the log in the moment of a save took the change with it.
    #[tokio::test]
    async fn a_change_is_told_though_nobody_waited_while_it_settled() {
        let dir = tempfile::tempdir().unwrap();
        let mut changes = Changes::of(dir.path()).unwrap();
        std::fs::write(dir.path().join("plugin.js"), "").unwrap();
        while changes.begun.is_none() {
            tokio::select! {
                biased;
                told = changes.next() => panic!("{told:?} though it has not settled"),
                () = tokio::task::yield_now() => {}
            }
        }
        changes.next().await.unwrap();
    }

    #[test]
    fn what_is_built_is_no_change_of_a_source() {
        let root = Path::new("/a");
        for source in ["src/lib.rs", "plugin.toml", "tests/x.in.jsonl", "plugin.js"] {
            assert!(is_source(root, &root.join(source)), "{source}");
        }
        for other in [
            "target/x.rs",
            "a.wasm",
            "a.wasm.part",
            ".git/index",
            "Cargo.lock",
            "",
        ] {
            assert!(!is_source(root, &root.join(other)), "{other}");
        }
    }
}
