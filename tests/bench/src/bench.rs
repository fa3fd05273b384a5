//! What every row is given.

use std::path::PathBuf;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tempfile::TempDir;

use crate::Failure;
use crate::options::Options;

/// Processors shared by client and server unless the command line says otherwise.
const CPUS_DEFAULT: usize = 2;

/// The run that is under way.
#[derive(Debug)]
pub struct Bench {
    /// The command line.
    pub options: Options,
    /// Where this process and its children run.
    pub processors: Vec<usize>,
    dir: PathBuf,
    /// Removed with the value.
    attic: TempDir,
}

impl Bench {
    /// Pins this process, and so the children it will have.
    pub fn new(options: Options) -> Result<Self, Failure> {
        let processors = pin(&options.cpus)?;
        let dir = match &options.dir {
            Some(dir) => dir.clone(),
            None => beside_this_program()?,
        };
        std::fs::create_dir_all(&dir)?;
        let attic = data_dir().tempdir_in(&dir)?;
        Ok(Self {
            options,
            processors,
            dir,
            attic,
        })
    }

    /// An empty directory on the disk to measure, removed with the value.
    pub fn fresh_dir(&self) -> Result<TempDir, Failure> {
        Ok(data_dir().tempdir_in(&self.dir)?)
    }

    /// One that is removed at the end of the whole run, for rows that make tens of thousands of
    /// files: ext4 passes over those that were removed minutes ago one by one when it makes others,
    /// which made the next repetition's several times as slow.
    pub fn lasting_dir(&self) -> Result<TempDir, Failure> {
        let mut dir = data_dir();
        Ok(dir.disable_cleanup(true).tempdir_in(self.attic.path())?)
    }

    /// Bytes free on the disk to measure.
    pub fn free_bytes(&self) -> Result<u64, Failure> {
        let disk = rustix::fs::statvfs(&self.dir)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// The program to measure.
    pub fn server_program(&self) -> Result<PathBuf, Failure> {
        let program = match &self.options.server {
            Some(program) => program.clone(),
            None => beside_this_program()?.join("millrace"),
        };
        if !program.is_file() {
            let hint = "build it with `cargo build --release --bin millrace`";
            return Err(format!("no server at {}: {hint}", program.display()).into());
        }
        Ok(program)
    }

    /// A tokio runtime with as many workers as there are processors.
    pub fn runtime(&self) -> Result<tokio::runtime::Runtime, Failure> {
        Ok(tokio::runtime::Builder::new_multi_thread()
            .worker_threads(self.processors.len())
            .enable_all()
            .build()?)
    }
}

fn data_dir() -> tempfile::Builder<'static, 'static> {
    let mut dir = tempfile::Builder::new();
    dir.prefix("bench-data-");
    dir
}

fn beside_this_program() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()?;
    let dir = program.parent().ok_or("this program is in no directory")?;
    Ok(dir.to_owned())
}

fn pin(wanted: &[usize]) -> Result<Vec<usize>, Failure> {
    let allowed = sched_getaffinity(None)?;
    let allowed: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|cpu| allowed.is_set(*cpu))
        .collect();
    let chosen: Vec<usize> = match wanted {
        [] => allowed.iter().copied().take(CPUS_DEFAULT).collect(),
        wanted => wanted.to_vec(),
    };
    if let Some(cpu) = chosen.iter().find(|cpu| !allowed.contains(cpu)) {
        return Err(format!("processor {cpu} is not one of {allowed:?}").into());
    }
    let mut set = CpuSet::new();
    for cpu in &chosen {
        set.set(*cpu);
    }
    sched_setaffinity(None, &set)?;
    Ok(chosen)
}
