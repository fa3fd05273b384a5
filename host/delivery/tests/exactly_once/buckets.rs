//! Buckets in memory that outlive the process under test and do to it what real ones do. An HTTP
//! endpoint is one of them: what it has taken lies under the request's id (`endpoint`).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use delivery::arn::BucketName;
use delivery::compression::Compression;
use delivery::objects::{Created, Found, ObjectError, Objects};
use object_store::PutPayload;
use store::disk::simulated::SimulatedDisk;
use tokio::sync::watch;
use types::Timestamp;

use crate::world::in_time;

/// What becomes of one put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// What it should.
    Well,
    /// Nothing is made, and the answer is an error.
    FailBefore,
    /// The object is made, and the answer is an error all the same.
    FailAfter,
    /// The store says that this cannot be.
    Refuse,
    /// Nothing happens until [`Buckets::release`]; then it goes well.
    HangBefore,
    /// The object is made, and no answer comes until [`Buckets::release`].
    HangAfter,
    /// Somebody else's object is made, and the answer is an error.
    MakeAnother,
}

/// What an endpoint made of a request.
pub enum Took {
    /// It was taken, or had been.
    Well(Created),
    /// It was not, this time.
    Not,
    /// It was, and the connection broke.
    Broken,
    /// It never is.
    Never,
    /// Nobody is let in.
    Misconfigured,
}

/// Decides by the number of the put, counted from 1, and by its bucket.
type Rule = Arc<dyn Fn(u64, &str) -> Does + Send + Sync>;

/// Bucket and key.
pub type Name = (String, String);

/// An object that was made.
#[derive(Clone, Debug)]
pub struct Put {
    /// How many changes the disk had seen by then.
    pub at: usize,
    pub name: Name,
    pub content: Bytes,
}

struct State {
    objects: BTreeMap<Name, Bytes>,
    made: Vec<Put>,
    /// Puts of an object that is there, with other content.
    clashes: Vec<Name>,
    calls: u64,
    rule: Rule,
    disk: Option<SimulatedDisk>,
}

/// The buckets. Clones are the same.
#[derive(Clone)]
pub struct Buckets {
    state: Arc<Mutex<State>>,
    begun: Arc<watch::Sender<u64>>,
    ended: Arc<watch::Sender<u64>>,
    released: Arc<watch::Sender<bool>>,
}

impl Buckets {
    /// Buckets that hold `objects`.
    pub fn holding(objects: BTreeMap<Name, Bytes>) -> Self {
        let state = State {
            objects,
            made: Vec::new(),
            clashes: Vec::new(),
            calls: 0,
            rule: Arc::new(|_, _| Does::Well),
            disk: None,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            begun: Arc::new(watch::channel(0).0),
            ended: Arc::new(watch::channel(0).0),
            released: Arc::new(watch::channel(false).0),
        }
    }

    pub fn new() -> Self {
        Self::holding(BTreeMap::new())
    }

    /// Notes for every object how far the disk was when it was made.
    pub fn note_changes_of(&self, disk: &SimulatedDisk) {
        self.lock().disk = Some(disk.clone());
    }

    /// From now on puts end as `rule` says, counted from 1 again.
    pub fn rule(&self, rule: impl Fn(u64, &str) -> Does + Send + Sync + 'static) {
        let mut state = self.lock();
        state.calls = 0;
        state.rule = Arc::new(rule);
        self.begun.send_replace(0);
        self.ended.send_replace(0);
        self.released.send_replace(false);
    }

    /// Lets what hangs go on, and everything go well from now on.
    pub fn release(&self) {
        self.lock().rule = Arc::new(|_, _| Does::Well);
        self.released.send_replace(true);
    }

    /// Returns once so many puts were begun since the rule was made.
    pub async fn until_begun(&self, puts: u64) {
        let mut begun = self.begun.subscribe();
        let wait = begun.wait_for(|begun| puts <= *begun);
        in_time("puts begin", wait).await.unwrap();
    }

    /// Returns once so many puts were answered since the rule was made.
    pub async fn until_ended(&self, puts: u64) {
        let mut ended = self.ended.subscribe();
        let wait = ended.wait_for(|ended| puts <= *ended);
        in_time("puts end", wait).await.unwrap();
    }

    pub fn objects(&self) -> BTreeMap<Name, Bytes> {
        self.lock().objects.clone()
    }

    /// All objects in the order in which they were made.
    pub fn made(&self) -> Vec<Put> {
        self.lock().made.clone()
    }

    /// Puts of objects that were there, with content that was not theirs.
    pub fn clashes(&self) -> Vec<Name> {
        self.lock().clashes.clone()
    }

    /// Deletes an object that was in the way, as if it had never been there.
    pub fn take_away(&self, name: &Name) {
        let mut state = self.lock();
        state.objects.remove(name);
        state.clashes.retain(|clash| clash != name);
    }

    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// Takes an image of the disk at one moment with what is in the buckets: what the next process
    /// finds. What the process that goes on puts afterwards stays here.
    pub fn cut_off<T>(&self, image: impl FnOnce() -> T) -> (T, Self) {
        let state = self.lock();
        let image = image();
        (image, Self::holding(state.objects.clone()))
    }

    fn begin(&self, bucket: &str) -> Does {
        let mut state = self.lock();
        state.calls += 1;
        let (calls, rule) = (state.calls, Arc::clone(&state.rule));
        self.begun.send_replace(calls);
        rule(calls, bucket)
    }

    fn make(&self, name: Name, content: Bytes) -> Created {
        let mut state = self.lock();
        if let Some(there) = state.objects.get(&name) {
            if *there == content {
                return Created::There;
            }
            state.clashes.push(name);
            return Created::Different;
        }
        let at = state.disk.as_ref().map_or(0, SimulatedDisk::recorded);
        let put = Put {
            at,
            name: name.clone(),
            content: content.clone(),
        };
        state.made.push(put);
        state.objects.insert(name, content);
        Created::New
    }

    async fn until_released(&self) {
        let mut released = self.released.subscribe();
        // The sender is here as long as the receiver is.
        let _ = released.wait_for(|released| *released).await;
    }

    /// Handles a request of an endpoint: where its content goes, and what becomes of that.
    pub async fn take(&self, name: Name, content: Bytes) -> Took {
        let took = match self.begin(&name.0) {
            Does::Well => Took::Well(self.make(name, content)),
            Does::FailBefore => Took::Not,
            Does::FailAfter => {
                self.make(name, content);
                Took::Broken
            }
            Does::Refuse => Took::Never,
            Does::HangBefore => {
                self.until_released().await;
                Took::Well(self.make(name, content))
            }
            Does::HangAfter => {
                let created = self.make(name, content);
                self.until_released().await;
                Took::Well(created)
            }
            Does::MakeAnother => Took::Misconfigured,
        };
        self.ended.send_modify(|ended| *ended += 1);
        took
    }

    /// The same of several contents that come together.
    pub async fn take_all(&self, bucket: &str, contents: Vec<(String, Bytes)>) -> Took {
        let make = || {
            for (name, content) in &contents {
                self.make((bucket.to_owned(), name.clone()), content.clone());
            }
        };
        let took = match self.begin(bucket) {
            Does::Well | Does::HangBefore | Does::HangAfter => {
                make();
                Took::Well(Created::New)
            }
            Does::FailBefore => Took::Not,
            Does::FailAfter => {
                make();
                Took::Broken
            }
            Does::Refuse => Took::Never,
            Does::MakeAnother => Took::Misconfigured,
        };
        self.ended.send_modify(|ended| *ended += 1);
        took
    }

    /// The same of content that has no name: what comes once more is found by what it holds.
    pub async fn take_anew(&self, bucket: &str, content: Bytes) -> Took {
        let name = {
            let state = self.lock();
            let taken = state.objects.iter().filter(|(name, _)| name.0 == bucket);
            let mut same = taken.clone().filter(|(_, there)| **there == content);
            let next = || (bucket.to_owned(), format!("{:08}", taken.clone().count()));
            same.next().map_or_else(next, |(name, _)| name.clone())
        };
        self.take(name, content).await
    }

    async fn put(&self, name: Name, content: Bytes) -> Result<Created, ObjectError> {
        let failed = || ObjectError::Failed("the store broke off".to_owned());
        match self.begin(&name.0) {
            Does::Well => Ok(self.make(name, content)),
            Does::FailBefore => Err(failed()),
            Does::FailAfter => {
                self.make(name, content);
                Err(failed())
            }
            Does::Refuse => Err(ObjectError::Refused(format!(
                "no access to bucket {}",
                name.0
            ))),
            Does::HangBefore => {
                self.until_released().await;
                Ok(self.make(name, content))
            }
            Does::HangAfter => {
                let created = self.make(name, content);
                self.until_released().await;
                Ok(created)
            }
            Does::MakeAnother => {
                self.make(name, Bytes::from_static(b"x"));
                Err(failed())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

#[async_trait]
impl Objects for Buckets {
    async fn create(
        &self,
        bucket: &BucketName,
        key: &str,
        content: PutPayload,
        _compression: Compression,
    ) -> Result<Created, ObjectError> {
        let name = (bucket.as_str().to_owned(), key.to_owned());
        let answer = self.put(name, Bytes::from(content)).await;
        self.ended.send_modify(|ended| *ended += 1);
        answer
    }

    async fn list(
        &self,
        bucket: &BucketName,
        (prefix, after): (&str, Option<&str>),
        limit: usize,
    ) -> Result<Vec<Found>, ObjectError> {
        let objects = self.objects().into_iter();
        let of_bucket = objects.filter(|((name, _), _)| name == bucket.as_str());
        let keys = of_bucket.map(|((_, key), content)| found(&key, &content));
        let wanted = keys.filter(|found| found.key.starts_with(prefix));
        let wanted = wanted.filter(|found| after.is_none_or(|after| found.key.as_str() > after));
        Ok(wanted.take(limit).collect())
    }

    async fn find(&self, bucket: &BucketName, key: &str) -> Result<Option<Found>, ObjectError> {
        let name = (bucket.as_str().to_owned(), key.to_owned());
        let state = self.lock();
        Ok(state.objects.get(&name).map(|content| found(key, content)))
    }

    async fn read(
        &self,
        bucket: &BucketName,
        found: &Found,
        range: Range<u64>,
    ) -> Result<Option<Bytes>, ObjectError> {
        let name = (bucket.as_str().to_owned(), found.key.clone());
        let state = self.lock();
        let bounds = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
        let content = state.objects.get(&name);
        Ok(content.map(|content| content.slice(bounds[0]..bounds[1])))
    }
}

fn found(key: &str, content: &Bytes) -> Found {
    Found {
        key: key.to_owned(),
        bytes: content.len() as u64,
        made_at: Timestamp(0),
        tag: None,
    }
}
