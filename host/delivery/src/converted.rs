//! Records become objects of rows: files of columns, one after the other. Pure.

use formats::{RowFile, Rows, Unconverted};
use object_store::PutPayload;
use types::limits::DATA_BYTES_MAX;

use crate::content::Chunks;
use crate::conversion::Terms;

/// Writes records as rows into one object after another.
pub struct Converted {
    terms: Terms,
    /// Objects may be very small and very many.
    is_for_small: bool,
    open: Option<Open>,
    /// Why something that was added is in no object, if it is not.
    broken: Option<String>,
}

struct Open {
    file: RowFile<Chunks>,
    /// Something is in it.
    has_rows: bool,
}

impl Converted {
    /// Writes rows by these terms.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            is_for_small: false,
            open: None,
            broken: None,
        }
    }

    /// Writes objects that take no more memory than they are long.
    pub fn for_small_objects(terms: Terms) -> Self {
        Self {
            is_for_small: true,
            ..Self::new(terms)
        }
    }

    /// What lines say of the table.
    pub fn catalog_table(&self) -> &[u8] {
        &self.terms.catalog_table
    }

    /// Adds all these records to the object that is open, or opens one; or adds nothing.
    /// `may_hold` says whether there may be so many bytes more than [`Converted::held_bytes`].
    ///
    /// # Errors
    /// Why nothing was added.
    pub fn add(
        &mut self,
        records: &[&[u8]],
        may_hold: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), Unconverted> {
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open::begin(&self.terms, self.is_for_small)?),
        };
        open.file.add(records, may_hold)?;
        open.has_rows = true;
        Ok(())
    }

    /// Bytes of the open object so far, as far as that is known.
    pub fn packed_bytes(&self) -> usize {
        let open = self.open.as_ref();
        open.map_or(0, |open| open.file.memory().file)
    }

    /// No less than the memory that the open object takes until it is finished.
    pub fn held_bytes(&self) -> usize {
        self.open.as_ref().map_or(0, |open| {
            open.file.memory().besides + open.file.sink().held_bytes()
        })
    }

    /// Lets the open object go.
    pub fn forget(&mut self) {
        self.open = None;
    }

    /// Ends the open object; `None` if nothing was added since the last end.
    pub fn finish(&mut self) -> Option<PutPayload> {
        let open = self.open.take().filter(|open| open.has_rows)?;
        match open.file.finish() {
            Ok(content) => Some(content.finish()),
            Err(why) => {
                self.broken = Some(why);
                None
            }
        }
    }

    /// Whether all that was added is in the objects. Asked before any of them leaves.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self) -> Result<(), String> {
        self.broken
            .clone()
            .map_or(Ok(()), |why| Err(format!("write records as rows: {why}")))
    }
}

impl Open {
    fn begin(terms: &Terms, is_for_small: bool) -> Result<Self, Unconverted> {
        let content = if is_for_small {
            Chunks::growing()
        } else {
            Chunks::default()
        };
        let Terms {
            table,
            reading,
            format,
            ..
        } = terms;
        let file = RowFile::begin(table, reading, format, content);
        Ok(Self {
            file: file.map_err(|error| Unconverted::Broken(error.to_string()))?,
            has_rows: false,
        })
    }
}

/// Looks whether records can be converted, and keeps nothing of them: they are converted once it is
/// known what goes together.
pub struct Probe {
    rows: Rows,
    catalog_table: Vec<u8>,
}

impl Probe {
    /// By these terms.
    ///
    /// # Errors
    /// When they cannot be meant.
    pub fn new(terms: &Terms) -> Result<Self, types::Invalid> {
        let reading = formats::Reading::new(&terms.reading, &terms.format)?;
        Ok(Self {
            rows: Rows::new(&terms.table, reading),
            catalog_table: terms.catalog_table.clone(),
        })
    }

    /// What lines say of the table.
    pub fn catalog_table(&self) -> &[u8] {
        &self.catalog_table
    }

    /// Whether a record can be converted.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check(
        &mut self,
        record: &[u8],
        may_hold: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), Unconverted> {
        self.rows.check(record, may_hold)
    }
}

/// Bytes of the length before a staged record.
const LENGTH_BYTES: usize = size_of::<usize>();

/// No less than the memory that it takes to make an object of so many bytes of staged records.
pub fn bytes_besides(staged: usize) -> usize {
    let most = usize::try_from(formats::file_bytes_besides()).unwrap_or(usize::MAX);
    // A byte of JSON is seldom more than eight in columns, and never more than the most.
    let likely = formats::file_bytes_besides_of(staged.saturating_mul(8));
    // The last record is put together beside its parts.
    most.min(likely) + DATA_BYTES_MAX.min(staged)
}

/// An object of staged records, each with its length before it. They are let go while it is made.
///
/// # Errors
/// When one cannot be converted, which was looked at before it was staged.
pub fn pack(terms: &Terms, mut staged: Chunks) -> Result<PutPayload, String> {
    let mut converted = Converted::for_small_objects(terms.clone());
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(chunk) = staged.take_first() {
        bytes.extend_from_slice(&chunk);
        let mut rest = bytes.as_slice();
        while let Some((length, after)) = rest.split_first_chunk::<LENGTH_BYTES>() {
            let Some((record, after)) = after.split_at_checked(usize::from_le_bytes(*length))
            else {
                break;
            };
            let added = converted.add(&[record], &mut |_| true);
            added.map_err(|why| format!("convert a staged record: {why:?}"))?;
            rest = after;
        }
        let taken = bytes.len() - rest.len();
        bytes.drain(..taken);
    }
    if !bytes.is_empty() {
        return Err("a staged record is cut off".to_owned());
    }
    let packed = converted.finish();
    converted.check()?;
    packed.ok_or_else(|| "a partition has no records".to_owned())
}
