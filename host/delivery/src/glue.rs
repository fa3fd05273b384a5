//! Tables that records become rows of, as Glue's Data Catalog has them: files of the operator's, or
//! what Glue tells.

use std::path::PathBuf;
use std::sync::Arc;

use types::{Clock, Invalid};

use crate::conversion::{Columns, Schema};
use crate::endpoints::Endpoints;
use crate::glue_files;
use crate::glue_service::{GlueService, GlueSettings};

/// Where tables are.
#[derive(Clone, Debug, Default)]
pub enum Glue {
    /// Nowhere: no records become rows.
    #[default]
    None,
    /// In a directory, as files.
    Directory(PathBuf),
    /// Glue tells them.
    Service(GlueSettings),
}

/// All tables.
pub struct GlueTables {
    place: Place,
    endpoints: Arc<dyn Endpoints>,
    clock: Arc<dyn Clock>,
}

enum Place {
    None,
    Directory(PathBuf),
    Service(GlueService),
}

impl GlueTables {
    /// Tables of this place, of which requests go there and are signed at that time.
    pub fn new(glue: Glue, endpoints: Arc<dyn Endpoints>, clock: Arc<dyn Clock>) -> Self {
        Self {
            place: match glue {
                Glue::None => Place::None,
                Glue::Directory(directory) => Place::Directory(directory),
                Glue::Service(settings) => Place::Service(GlueService::new(settings)),
            },
            endpoints,
            clock,
        }
    }

    /// The columns of a table as it is now.
    ///
    /// # Errors
    /// A sentence that says which table, and why it cannot be used.
    pub async fn columns(&self, of: &Schema) -> Result<Columns, String> {
        let columns = match &self.place {
            Place::None => Err(Invalid(
                "cannot be found: this server has no [glue] directory and no [glue] endpoint in \
                 its configuration"
                    .to_owned(),
            )),
            Place::Directory(directory) => glue_files::columns(directory, of).await,
            Place::Service(service) => {
                service
                    .columns(of, &*self.endpoints, self.clock.now())
                    .await
            }
        };
        columns.map_err(|Invalid(why)| {
            let name = |part: &Option<String>| part.clone().unwrap_or_default();
            let (database, table) = (name(&of.database), name(&of.table));
            let version = of.version();
            format!("The table {database}.{table} (version {version}) {why}")
        })
    }
}
