//! The partitions of a cut.

use streams::pump::StepError;
use types::Invalid;

use super::work::Work;
use crate::conversion;
use crate::object_name::Label;
use crate::open_cut::OpenCut;
use crate::partitioning::Partitioner;
use crate::partitions::Partitions;

impl Work {
    /// The partitions of a cut whose destination has some.
    pub(super) fn partitions(
        &self,
        open: &OpenCut,
        open_bytes_max: usize,
        conversion: Option<&conversion::Terms>,
    ) -> Result<Option<Partitions>, StepError> {
        let destination = &open.destination;
        let Some(terms) = &destination.partitioning else {
            return Ok(None);
        };
        let begun = destination.plan().and_then(|plan| {
            let label = Label {
                stream: self.name.as_str(),
                version: open.cut.version_id,
                local: plan.zone.local(open.cut.oldest, open.clocks)?,
                extension: destination.extension(),
                values: &[],
            };
            let named = (label.local, label.name_bytes());
            Partitioner::begin(terms, &plan.prefixes.delivered, named)
        });
        let partitioner = begun.map_err(|Invalid(why)| StepError::Failed(why))?;
        let compression = destination.compression;
        let partitions = Partitions::begin(partitioner, compression, open_bytes_max);
        let Some(terms) = conversion else {
            return Ok(Some(partitions));
        };
        let with_rows = partitions.with_rows(terms.clone());
        with_rows
            .map(Some)
            .map_err(|Invalid(why)| StepError::Failed(why))
    }
}
