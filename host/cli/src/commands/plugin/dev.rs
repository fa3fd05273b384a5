//! `millrace plugin dev`: a server of its own with the plugin, records that go through it, and a
//! new version with every change.

mod access;
mod batches;
mod changes;
mod feed;
mod news;
mod show;
mod stage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};
use wasm::{Files, Limits, Manifest, Role, Version};

use super::build::build;
use super::deploy::deploy;
use super::project::Project;
use crate::client::{CallError, Client, TargetArgs};
use crate::commands::stream::{Since, summary};
use crate::failure::Failure;
use crate::output;
use access::AccessArgs;
use batches::Batches;
use changes::Changes;
use feed::{Feed, Source};
use news::News;
use stage::Stage;

/// Between two looks at what the plugin logged, counted and delivered.
const LOOK: Duration = Duration::from_millis(500);

/// Runs a plugin in a server of its own: builds it, lets records go through it, and puts a new
/// version in force whenever its sources change. Ctrl-C ends all of it.
///
/// The server grants what the manifest asks for: tables, streams, secrets and calls over HTTP.
///
/// The records are those of `tests/*.in.jsonl`, again and again, or those of a live stream. A
/// consumer runs as an application of that server of its own, on copies of its tables: nothing is
/// written to the server of a live stream. Records of files go into a consumer once for each
/// version, since each time changes its tables.
#[derive(Args)]
pub(crate) struct DevArgs {
    /// The folder of the plugin's sources
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// The directory of everything that the server keeps [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the server listens [default: 127.0.0.1, any free port]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// A live stream whose records go through the plugin, of the server at --endpoint
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// Where to begin in it, as for `stream tail`
    #[arg(long, value_name = "WHEN", default_value = "latest", value_parser = Since::parse,
          requires = "stream")]
    from: Since,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: DevArgs) -> Result<(), Failure> {
    let project = Project::open(&args.dir).map_err(Failure::Unable)?;
    if let Some(manifest) = manifest_of(&project)? {
        let checked = args.access.check(&project.name, &manifest.grants);
        checked.map_err(Failure::Unable)?;
    }
    let source = match &args.stream {
        None if args.target.is_given() => {
            let why = "--endpoint and --region say where the stream of --stream is, and there is \
                       no --stream";
            return Err(Failure::Unable(why.to_owned()));
        }
        None => Source::Fixtures(project.dir.clone()),
        Some(stream) => {
            let target = Arc::new(args.target.target()?);
            // One that is not there is told before anything is built.
            summary(&mut Client::new(&target), stream).await?;
            Source::Live {
                target,
                stream: stream.clone(),
                from: args.from,
            }
        }
    };
    // Before the first build, so that no change is missed.
    let changes = Changes::of(&project.dir)?;
    let mut stage = Stage::set(&project.name, args.data.as_deref(), args.listen).await?;
    stage.access = args.access;
    output::lines(&format!(
        "{}: a server on {}, which keeps everything in {}; Ctrl-C ends it",
        project.name,
        stage.target.endpoint(),
        stage.data().display()
    ))?;
    let mut session = Session {
        project,
        news: News::new(&stage),
        feed: Feed::new(source),
        stage,
        batches: None,
        unanswered: None,
        number: 0,
        version: None,
    };
    let ended = tokio::select! {
        ended = session.go_on(changes) => ended,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    let Session { stage, .. } = session;
    let closed = stage.close().await;
    ended?;
    Ok(closed?)
}

/// A plugin at work, and the server that it works in.
struct Session {
    project: Project,
    stage: Stage,
    feed: Feed,
    news: News,
    /// Of a consumer, once records flow.
    batches: Option<Batches>,
    /// What the last look said that the server did not answer.
    unanswered: Option<String>,
    /// Versions that were in force so far, the first of them being 1.
    number: u32,
    version: Option<Arc<Version>>,
}

impl Session {
    async fn go_on(&mut self, mut changes: Changes) -> Result<(), Failure> {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.renew(Instant::now()).await?;
        loop {
            tokio::select! {
                changed = changes.next() => self.renew(changed?).await?,
                _ = looks.tick() => {
                    output::check_reader()?;
                    self.look().await?;
                }
            }
        }
    }

    /// Tells what is new. A look that the server does not answer is told, and the next one is as
    /// good.
    async fn look(&mut self) -> Result<(), Failure> {
        let told = match self.news.tell(&self.stage, &self.feed).await {
            Ok(()) => match &mut self.batches {
                Some(batches) => batches.tell().await,
                None => Ok(()),
            },
            told => told,
        };
        let unanswered = match told {
            Ok(()) => None,
            Err(Failure::Call(error)) => Some(format!("  no news: {error}")),
            Err(failure) => return Err(failure),
        };
        if unanswered != self.unanswered
            && let Some(line) = &unanswered
        {
            output::lines(line)?;
        }
        self.unanswered = unanswered;
        Ok(())
    }

    /// Builds what changed at this moment and puts it in force. What goes wrong is told, and the
    /// version before goes on.
    async fn renew(&mut self, changed_at: Instant) -> Result<(), Failure> {
        let project = self.project.clone();
        let built = spawn_blocking(move || {
            let project = Project::open(&project.dir)?;
            let built = build(&project)?;
            let limits = Limits {
                component_bytes_max: u64::MAX,
                ..Limits::default()
            };
            let files = project.files(&limits)?;
            Ok::<_, String>((built, files))
        });
        let built = built.await.map_err(|error| format!("build: {error}"))?;
        let (built, files) = match built {
            Ok(done) => done,
            Err(why) => return self.complain("not built", &why),
        };
        if self
            .version
            .as_ref()
            .is_some_and(|version| version.hash() == files.hash())
        {
            return Ok(());
        }
        self.grant(&files).await?;
        match deploy(&self.stage.target, &self.project.name, &files).await {
            Ok(_) => {}
            Err(Failure::Call(CallError::Refused { message, .. })) => {
                return self.complain("refused", &message);
            }
            Err(failure) => return Err(failure),
        }
        let version = self.stage.version()?;
        self.number += 1;
        output::lines(&format!(
            "v{} {} is in force, {}.{:01} s after the change ({})",
            self.number,
            version.hash().short(),
            changed_at.elapsed().as_secs(),
            changed_at.elapsed().subsec_millis() / 100,
            built.text()
        ))?;
        if self.number == 1 {
            self.begin(&version).await?;
        }
        self.show(&version)?;
        self.feed.again();
        self.version = Some(version);
        Ok(())
    }

    /// Grants what the manifest asks for. One that cannot be read is refused with its version.
    async fn grant(&mut self, files: &Files) -> Result<(), Failure> {
        let text = files.manifest().unwrap_or_default();
        let manifest = Manifest::parse(text, &self.project.name, Limits::default());
        let Ok(manifest) = manifest else {
            return Ok(());
        };
        if *self.stage.granted() == manifest.grants {
            return Ok(());
        }
        // What it asked for when this began it may not any more: then it is told, and goes on.
        if let Err(why) = self
            .stage
            .access
            .check(&self.project.name, &manifest.grants)
        {
            output::lines(&format!("  {why}"))?;
        }
        for line in self.stage.grant(&manifest.grants).await? {
            output::lines(&format!("  {line}"))?;
        }
        if self.batches.is_some() {
            self.stage.make_targets(&self.feed.before()?).await?;
            self.watch_batches().await?;
        }
        Ok(())
    }

    async fn watch_batches(&mut self) -> Result<(), Failure> {
        let (target, name) = (&self.stage.target, self.project.name.as_str());
        self.batches = Some(Batches::of(target, name, self.stage.granted()).await?);
        Ok(())
    }

    /// Lets records flow, now that there is a version that they can go through.
    async fn begin(&mut self, version: &Version) -> Result<(), Failure> {
        for line in self.feed.copy_tables(&self.stage.granted().tables).await {
            output::lines(&format!("  {line}"))?;
        }
        self.stage.create(version, &self.feed.before()?).await?;
        if version.role() == Role::Consumer {
            self.watch_batches().await?;
        }
        let stream = self.stage.stream(version);
        let role = version.role();
        self.feed.begin(&self.stage.target, &stream, role).await
    }

    /// Shows what the version makes of the last records, or where that differs from what the one
    /// before made of them.
    fn show(&self, version: &Arc<Version>) -> Result<(), Failure> {
        let records = self.feed.last()?;
        let entries = self.feed.before()?;
        let text = block_in_place(|| match &self.version {
            None => show::outcomes(version, &entries, &records),
            Some(before) => show::differences(before, version, &entries, &records),
        });
        Ok(output::raw(text?.as_bytes()).and_then(|()| output::flush())?)
    }

    fn complain(&self, what: &str, why: &str) -> Result<(), Failure> {
        let goes_on = match self.number {
            0 => "waiting for a change".to_owned(),
            number => format!("v{number} goes on"),
        };
        Ok(output::lines(&format!("{what}: {why}\n  {goes_on}"))?)
    }
}

/// The manifest of a project, unless it is none: that is told when it is built.
fn manifest_of(project: &Project) -> Result<Option<Manifest>, Failure> {
    let path = project.manifest();
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|error| Failure::Unable(format!("{}: {error}", path.display())))?;
    Ok(Manifest::parse(&text, &project.name, Limits::default()).ok())
}

/// What a page says; nothing where it is not there yet.
fn found<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Err(CallError::Refused { code, .. }) if code == "ResourceNotFoundException" => Ok(None),
        answer => answer.map(Some),
    }
}
